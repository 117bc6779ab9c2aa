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
class KvOptions:
    """Whose KV a cache holds; needed for sizes in bytes and for FLOPs.

    The KV cache of `model` has `kv_dtype` and is split over `tp` ranks. `memory` of all ranks together gives
    the capacity in place of a size: `utilization` of it less the weights, of `weights_dtype` (None: as
    published).
    """

    model: str | None = None
    kv_dtype: str = "bf16"
    tp: int = 1
    memory: str | None = None
    weights_dtype: str | None = None
    utilization: str = "0.9"


@dataclass(frozen=True)
class AnalyzeOptions:
    """The cache to replay: name of an engine, its policy, size and own options; None for its defaults.

    Without an engine it is the one that the traffic met, or with a size or pages the LRU stack model.
    `capacity` and the amounts of `tiers` are sizes as in `GridOptions`. `concurrent` False: one request after
    the other, whatever their times. `what_if`: codes of rules whose remedies are replayed together.
    `thresholds`: limits of labels and rules by name, as text. `tools_file`: further tools, to tell reads and
    writes by. `show_text`: excerpts of prompts may stand in the result.
    """

    capacity: str = "inf"
    page_size: int | None = None
    engine: str | None = None
    policy: str | None = None
    tiers: tuple[tuple[str, str], ...] = ()
    kv: KvOptions = KvOptions()
    engine_options: Mapping[str, str] = field(default_factory=dict)
    concurrent: bool = True
    what_if: tuple[str, ...] = ()
    thresholds: Mapping[str, str] = field(default_factory=dict)
    tools_file: str | None = None
    show_text: bool = False
    pictures: bool = False


@dataclass(frozen=True)
class CurveOptions:
    """The curve to compute: `points` capacities at which perfect eviction is evaluated as well.

    `marked`: a size to mark, and to evaluate exactly. `capacities`: asked for one by one, each evaluated
    exactly and named in `Curve.capacities`; with `points` 0 nothing else is. Both are sizes as in
    `GridOptions`; `inf` is the whole working set.

    `blocks`: count in blocks of a hash trace instead of tokens (plain block LRU). `lines`: engines and
    policies (None: the engine's default) to replay at the same capacities, with `engine_options` and
    `concurrent` as in `GridOptions`.
    """

    page_size: int = 1
    points: int = 33
    blocks: bool = False
    marked: str | None = None
    capacities: tuple[str, ...] = ()
    lines: tuple[tuple[str, str | None], ...] = ()
    kv: KvOptions = KvOptions()
    engine_options: Mapping[str, str] = field(default_factory=dict)
    concurrent: bool = True


@dataclass(frozen=True)
class GridOptions:
    """What to replay: every engine by every policy (none: the engine's default) at every capacity.

    `capacities` and the amounts of `tiers` are texts such as `200k`, `10%`, `8gib`, `auto`, `inf`; sizes in
    bytes need `kv.model`. `engine_options` are `option` or `engine.option`; `router.option` is for the router.
    `jobs` processes share the work. `replicas` caches stand behind `router`. `concurrent` False: one
    request after the other, whatever their times.
    """

    engines: tuple[str, ...] = ("lru",)
    policies: tuple[str, ...] = ()
    capacities: tuple[str, ...] = ("1%", "3%", "10%", "30%", "100%")
    page_size: int | None = None
    tiers: tuple[tuple[str, str], ...] = ()
    kv: KvOptions = KvOptions()
    replicas: int = 1
    router: str | None = None
    engine_options: Mapping[str, str] = field(default_factory=dict)
    jobs: int = 1
    concurrent: bool = True
