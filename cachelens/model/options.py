"""Options of the stages, frozen. In: what the command line or a caller chose. Out: one object per stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cachelens.model.render import Render


@dataclass(frozen=True)
class IngestOptions:
    """How captures are read.

    `input_format`: name of a format, None to recognise it by content. `encoding`: token encoding.
    `render`: names of `cachelens.model.render` with commas between, kept in their canonical order; None for the
    default of each dialect. Raises UsageError for a name that is none, and for contradictions.
    `strict`: a record that cannot be read is an error instead of being counted and skipped.
    """

    input_format: str | None = None
    encoding: str = "o200k_base"
    render: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        if self.render is not None:
            object.__setattr__(self, "render", str(Render.parse(self.render)))


@dataclass(frozen=True)
class AnalyzeOptions:
    """The cache to replay: name of an engine, its policy, size and own options; None for its defaults.

    Without an engine it is the LRU stack model, or an infinite cache. `capacity_tokens` None: unlimited.
    """

    capacity_tokens: int | None = None
    page_size: int | None = None
    engine: str | None = None
    policy: str | None = None
    engine_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CurveOptions:
    """The curve to compute: `points` capacities at which perfect eviction is evaluated as well.

    `marked_capacity_tokens`: a capacity to mark, and to evaluate exactly. `capacities`: asked for one by
    one, an int in tokens, a float as a share of the working set (rounded down, at least one page); each is
    evaluated exactly and named in `Curve.capacities`. With `points` 0 nothing else is.

    `blocks`: count in blocks of a hash trace instead of tokens (plain block LRU). `lines`: engines and
    policies (None: the engine's default) to replay at the same capacities. `kv_bytes_per_token`: to show
    sizes in bytes as well.
    """

    page_size: int = 1
    points: int = 33
    blocks: bool = False
    marked_capacity_tokens: int | None = None
    capacities: tuple[int | float, ...] = ()
    lines: tuple[tuple[str, str | None], ...] = ()
    kv_bytes_per_token: float | None = None


@dataclass(frozen=True)
class GridOptions:
    """What to replay: every engine by every policy (none: the engine's default) at every capacity.

    `capacities` and the amounts of `tiers` are texts such as `200k`, `10%`, `8gib`, `auto`, `inf`; sizes in
    bytes need `model`, whose KV cache has `kv_dtype` and is split over `tp` ranks; `memory` of all ranks
    together gives the capacity instead: `utilization` of it less the weights, of `weights_dtype` (None: as
    published). `router.option` in `engine_options` is for the router. `engine_options` are
    `option` or `engine.option`. `jobs` processes share the work. `replicas` caches stand behind `router`.
    `concurrent` False: one request after the other, whatever their times.
    """

    engines: tuple[str, ...] = ("lru",)
    policies: tuple[str, ...] = ()
    capacities: tuple[str, ...] = ("1%", "3%", "10%", "30%", "100%")
    page_size: int | None = None
    tiers: tuple[tuple[str, str], ...] = ()
    replicas: int = 1
    router: str | None = None
    model: str | None = None
    kv_dtype: str = "bf16"
    tp: int = 1
    memory: str | None = None
    weights_dtype: str | None = None
    utilization: str = "0.9"
    engine_options: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    concurrent: bool = True
