"""The contract of a renderer. In: one document. Out: the bytes of one output.

Modules of renderers import what is heavy when they render, not when they are imported: the suffixes
and documents of all of them are looked at before any work is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from cachelens.errors import UsageError
from cachelens.report.terminal.screen import Page

if TYPE_CHECKING:
    from cachelens.model.comparison import Comparison
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.inspection import Inspection
    from cachelens.model.pictures import Pictures
    from cachelens.model.result import Result
    from cachelens.model.verdict import Verdict
    from cachelens.report.plots.picture import Picture

    Document = Result | Curve | Grid | Inspection | Verdict | Comparison | Picture

#: What can be rendered: `result` an analysis, `curve` the hit rate over cache sizes, `grid` many caches,
#: `inspection` one request, `verdict` what a gate says, `comparison` two analyses (with `pictures`: `Illustrated`),
#: `picture` one plot of a result.
DocumentKind = Literal["result", "curve", "grid", "inspection", "verdict", "comparison", "picture"]


@dataclass(frozen=True)
class RenderOptions:
    """How to render. `page` matters to text; `verbose` shows more of it.

    `table` matters to `tabular` formats: a name of `cachelens.report.tables.names.TABLES`; empty: the main one.
    """

    page: Page = field(default_factory=Page)
    verbose: bool = False
    table: str = ""


class Renderer(Protocol):
    """One output format. `suffixes` of file names mean it, the longest that fits; `binary` is nothing for a terminal.

    `pictures`: it shows what only `Result.pictures` holds. `tabular`: one output holds one table of the document.
    A format from elsewhere may leave these two out, which means neither.
    """

    name: str
    suffixes: tuple[str, ...]
    documents: frozenset[DocumentKind]
    binary: bool
    pictures: bool
    tabular: bool

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """The output. The same document and options give the same bytes.

        Raises UsageError for a document that lacks what is shown, TypeError for one that is not in `documents`.
        """
        ...


def pictures_of(result: Result, name: str) -> Pictures:
    """What pictures need, for the format of that name. Raises UsageError where the result does not hold it."""
    if result.pictures is None:
        raise UsageError(
            f"{name}: this result holds no data for pictures",
            "make it again with `cachelens analyze TRACE -o result.json`, in Python with AnalyzeOptions(pictures=True)",
        )
    return result.pictures
