"""A comment for a pull request. In: an analysis, a comparison, a verdict, a grid or a curve. Out: GitHub Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document


class Markdown:
    """A headline that says it all, small tables, the rest folded; below the length that GitHub takes."""

    name = "markdown"
    suffixes: tuple[str, ...] = (".md", ".markdown")
    documents: frozenset[DocumentKind] = frozenset({"result", "comparison", "verdict", "curve", "grid"})
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """UTF-8; `options` change nothing. Raises TypeError for what it does not show."""
        from cachelens.model.comparison import Comparison
        from cachelens.model.curve import Curve
        from cachelens.model.grid import Grid
        from cachelens.model.result import Result
        from cachelens.model.verdict import Verdict
        from cachelens.report.markdown.comparison import comparison_comment
        from cachelens.report.markdown.result import result_comment
        from cachelens.report.markdown.simulation import curve_comment, grid_comment
        from cachelens.report.markdown.verdict import verdict_comment

        if isinstance(document, Result):
            text = result_comment(document)
        elif isinstance(document, Comparison):
            text = comparison_comment(document)
        elif isinstance(document, Verdict):
            text = verdict_comment(document)
        elif isinstance(document, Grid):
            text = grid_comment(document)
        elif isinstance(document, Curve):
            text = curve_comment(document)
        else:
            raise TypeError(f"{self.name} does not show this document")
        return text.encode("utf-8", "replace")
