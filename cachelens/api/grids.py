"""Other caches on one trace. In: a trace, engines, policies, sizes. Out: a `GridReport`, or the whole curve."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from cachelens.api.choices import Size, Value, names, size, sizes, texts
from cachelens.api.choices import tiers as tiers_of
from cachelens.api.document import View, frame
from cachelens.api.traces import Trace, tables_of
from cachelens.errors import UsageError
from cachelens.model.curve import Curve
from cachelens.model.options import CurveOptions, GridOptions, KvOptions
from cachelens.pipeline import curve as run_curve
from cachelens.pipeline import simulate as run_grid
from cachelens.pipeline.grid import Simulation
from cachelens.report.renderers.base import DocumentKind

if TYPE_CHECKING:
    import polars as pl


class GridReport(View):
    """Every cache that was replayed. `grid` holds everything that an output may show."""

    kind: ClassVar[DocumentKind] = "grid"

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation.grid)
        self.grid = simulation.grid
        self._simulation = simulation

    @property
    def frame(self) -> pl.DataFrame:
        """A row per cache: what it would have hit, beside the best possible."""
        return frame(self.grid)

    @property
    def requests(self) -> pl.DataFrame:
        """A row per cache and request: what the request sent, and what it was served."""
        import polars as pl

        work = self._simulation.work
        sent = work.trace.requests.select("request_id", "prompt_tokens")
        rows = []
        for cell, replay in zip(self.grid.cells, self._simulation.replays, strict=True):
            named = {"engine": cell.engine, "policy": cell.policy, "capacity": cell.capacity}
            rows.append(
                sent.select(
                    *(pl.lit(text).alias(name) for name, text in named.items()), pl.all()
                ).with_columns(
                    pl.lit(cell.capacity_tokens, dtype=pl.Int64).alias("capacity_tokens"),
                    pl.Series("hit_tokens", replay.hit, dtype=pl.Int64),
                )
            )
        return pl.concat(rows)

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


class CurveReport(View):
    """The hit rate at all cache sizes. `curve` holds everything that an output may show."""

    kind: ClassVar[DocumentKind] = "curve"

    def __init__(self, curve: Curve) -> None:
        super().__init__(curve)
        self.curve = curve

    @property
    def frame(self) -> pl.DataFrame:
        """A row per capacity: exact hits of LRU, of perfect eviction, and of each engine asked for."""
        return frame(self.curve)

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()


def simulate(
    trace: str | os.PathLike[str] | Trace,
    *,
    engines: str | Sequence[str] = GridOptions.engines,
    policies: str | Sequence[str] = (),
    capacities: Size | Iterable[Size] = GridOptions.capacities,
    page_size: int | None = None,
    model: str | None = None,
    kv_dtype: str = KvOptions.kv_dtype,
    tp: int = KvOptions.tp,
    memory: str | None = None,
    weights_dtype: str | None = None,
    utilization: float = float(KvOptions.utilization),
    tiers: Mapping[str, Size] | None = None,
    replicas: int = 1,
    router: str | None = None,
    options: Mapping[str, Value] | None = None,
    sequential: bool = False,
    jobs: int = 1,
) -> GridReport:
    """What `trace` would have hit: every engine by every policy at every capacity.

    Keywords are the options of `cachelens simulate`; lists may be given as such, or as texts with commas between.
    Raises UsageError for names that are not registered and combinations that cannot be.
    """
    if memory is not None and model is None:
        raise UsageError("memory needs a model", "give model=, a name of `cachelens list models`")
    if router is not None and replicas == 1:
        raise UsageError("a router needs replicas", "give replicas=")
    asked = GridOptions(
        engines=names(engines),
        policies=names(policies) if policies else (),
        capacities=sizes(capacities),
        page_size=page_size,
        tiers=tiers_of(tiers),
        kv=KvOptions(model, kv_dtype, tp, memory, weights_dtype, str(utilization)),
        replicas=replicas,
        router=router or ("round-robin" if replicas > 1 else None),
        engine_options=texts(options),
        jobs=jobs,
        concurrent=not sequential,
    )
    return GridReport(run_grid(tables_of(trace), asked))


def curve(
    trace: str | os.PathLike[str] | Trace,
    *,
    engines: str | Sequence[str] = (),
    policies: str | Sequence[str] = (),
    capacities: Size | Iterable[Size] | None = None,
    marked: Size | None = None,
    page_size: int = CurveOptions.page_size,
    points: int = CurveOptions.points,
    blocks: bool = False,
    model: str | None = None,
    kv_dtype: str = KvOptions.kv_dtype,
    tp: int = KvOptions.tp,
    options: Mapping[str, Value] | None = None,
    sequential: bool = False,
) -> CurveReport:
    """The exact hit rate of LRU over all cache sizes, with perfect eviction beside it.

    `engines` and `policies` are replayed as further lines, at `points` sizes up to the working set. `capacities`:
    evaluate these alone. `marked`: a size to mark. `blocks`: hash traces in their own blocks. Raises UsageError for
    sizes and combinations that cannot be.
    """
    own = names(engines) if engines else ("sglang",) if policies else ()
    by: Sequence[str | None] = names(policies) if policies else (None,)
    asked = CurveOptions(
        page_size=page_size,
        points=points if capacities is None else 0,
        blocks=blocks,
        marked=None if marked is None else size(marked),
        capacities=() if capacities is None else sizes(capacities),
        lines=tuple((engine, policy) for engine in own for policy in by),
        kv=KvOptions(model, kv_dtype, tp),
        engine_options=texts(options),
        concurrent=not sequential,
    )
    return CurveReport(run_curve(tables_of(trace), asked))
