"""A page for people. In: an analysis or a comparison. Out: one HTML file that needs no network and no script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document


class Html:
    """The report of `cachelens.report.html`."""

    name = "html"
    suffixes: tuple[str, ...] = (".html", ".htm")
    documents: frozenset[DocumentKind] = frozenset({"result", "comparison"})
    binary = False
    pictures = True
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """The page; `options` change nothing. Raises TypeError for what it does not show."""
        from cachelens.model.comparison import Comparison
        from cachelens.model.result import Result

        if isinstance(document, Result):
            from cachelens.report.html.page import page

            return page(document)
        if isinstance(document, Comparison):
            from cachelens.report.html.comparison import comparison_page

            return comparison_page(document)
        raise TypeError(f"{self.name} shows analyses and comparisons only")
