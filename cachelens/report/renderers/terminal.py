"""Text for people. In: any document. Out: one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document


class Terminal:
    """Lines of at most the width of the page, colored if the page is."""

    name = "terminal"
    suffixes = (".txt",)
    documents: frozenset[DocumentKind] = frozenset(
        {"result", "curve", "grid", "inspection", "verdict", "comparison"}
    )
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """The screen as UTF-8, or ASCII where the page says so."""
        from cachelens.model.comparison import Comparison
        from cachelens.model.curve import Curve
        from cachelens.model.grid import Grid
        from cachelens.model.inspection import Inspection
        from cachelens.model.result import Result
        from cachelens.model.verdict import Verdict
        from cachelens.report.terminal.analysis import BREAKS, BREAKS_VERBOSE, analysis
        from cachelens.report.terminal.comparison import comparison_screen
        from cachelens.report.terminal.curve import curve_screen
        from cachelens.report.terminal.grid import grid_screen
        from cachelens.report.terminal.inspection import inspection_screen
        from cachelens.report.terminal.screen import paint
        from cachelens.report.terminal.verdict import verdict_screen

        if isinstance(document, Result):
            lines = analysis(document, options.page, BREAKS_VERBOSE if options.verbose else BREAKS)
        elif isinstance(document, Grid):
            lines = grid_screen(document, options.page)
        elif isinstance(document, Verdict):
            lines = verdict_screen(document, options.page, options.verbose)
        elif isinstance(document, Comparison):
            lines = comparison_screen(document, options.page, options.verbose)
        elif isinstance(document, Inspection):
            lines = inspection_screen(document, options.page, options.verbose)
        elif isinstance(document, Curve):
            lines = curve_screen(document, options.page)
        else:
            raise TypeError(f"{self.name} does not show this document")
        return paint(lines, options.page)
