"""Before against after. In: two reports. Out: a `ComparisonReport`: better or worse, by how much, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from cachelens.api.analyses import Report
from cachelens.api.document import View
from cachelens.model.comparison import Comparison
from cachelens.pipeline.comparison import compare as run
from cachelens.pipeline.comparison import illustrated
from cachelens.report.renderers.base import DocumentKind, Renderer, RenderOptions
from cachelens.report.terminal.screen import Page

if TYPE_CHECKING:
    import polars as pl


class ComparisonReport(View):
    """What changed from one report to another. `comparison` holds everything that an output may show."""

    kind: ClassVar[DocumentKind] = "comparison"

    def __init__(self, comparison: Comparison, before: Report, after: Report) -> None:
        super().__init__(comparison)
        self.comparison = comparison
        self._sides = (before, after)

    @property
    def figures(self) -> pl.DataFrame:
        """A row per headline figure before and after; rates are shares, their change is in percentage points."""
        import polars as pl

        texts = ("name", "title", "unit", "better", "effect")
        numbers = ("before", "after", "change", "change_pp", "relative")
        schema = dict.fromkeys(texts[:3], pl.String()) | dict.fromkeys(numbers, pl.Float64())
        schema |= dict.fromkeys(texts[3:], pl.String())
        rows = [[getattr(figure, name) for name in schema] for figure in self.comparison.figures]
        return pl.DataFrame(rows, schema=schema, orient="row", strict=False)

    @property
    def causes(self) -> pl.DataFrame:
        """A row per cause of waste on either side, by how many tokens it changed; those not there have no tokens."""
        import polars as pl

        names = ("state", "code", "name", "title", "verdict", "measure")
        schema = dict.fromkeys(names, pl.String()) | dict.fromkeys(
            ("before_tokens", "after_tokens"), pl.Int64()
        )
        rows = [
            [
                *(getattr(one, name) for name in names),
                None if one.before is None else one.before.tokens,
                None if one.after is None else one.after.tokens,
            ]
            for one in self.comparison.causes
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _rendered(self, renderer: Renderer, table_name: str) -> bytes:
        """Renderers that draw pictures get both results; JSON keeps none."""
        document = self.comparison
        if getattr(renderer, "pictures", False) and renderer.name != "json":
            before, after = (side.with_pictures() for side in self._sides)
            document = illustrated(self.comparison, before, after)
        return renderer.render(document, RenderOptions(Page(), table=table_name))


def compare(
    before: Report,
    after: Report,
    *,
    names: tuple[str, str] = ("before", "after"),
    across: Sequence[str] = (),
) -> ComparisonReport:
    """What changed from `before` to `after`, called `names`.

    `across`: what may differ between the two, such as `engine`, `policy`, `capacity`. Raises UsageError, with every
    reason, when they were not counted and replayed alike otherwise.
    """
    return ComparisonReport(run(before.result, after.result, names, across), before, after)
