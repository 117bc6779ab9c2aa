"""Text for people. In: any document. Out: one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.inspection import Inspection
    from cachelens.model.result import Result


class Terminal:
    """Lines of at most the width of the page, colored if the page is."""

    name = "terminal"
    suffixes = (".txt",)
    documents: frozenset[DocumentKind] = frozenset({"result", "curve", "grid", "inspection"})
    binary = False

    def render(self, document: Result | Curve | Grid | Inspection, options: RenderOptions) -> bytes:
        """The screen as UTF-8, or ASCII where the page says so."""
        from cachelens.model.grid import Grid
        from cachelens.model.inspection import Inspection
        from cachelens.model.result import Result
        from cachelens.report.terminal.analysis import BREAKS, BREAKS_VERBOSE, analysis
        from cachelens.report.terminal.curve import curve_screen
        from cachelens.report.terminal.grid import grid_screen
        from cachelens.report.terminal.inspection import inspection_screen
        from cachelens.report.terminal.screen import paint

        if isinstance(document, Result):
            lines = analysis(document, options.page, BREAKS_VERBOSE if options.verbose else BREAKS)
        elif isinstance(document, Grid):
            lines = grid_screen(document, options.page)
        elif isinstance(document, Inspection):
            lines = inspection_screen(document, options.page, options.verbose)
        else:
            lines = curve_screen(document, options.page)
        return paint(lines, options.page)
