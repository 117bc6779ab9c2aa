"""A table of a document. In: a document. Out: CSV with a header.

Without a name of a table a curve is one row per capacity, a grid one row per cache, an analysis one row per request.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.result import Result


class Csv:
    """Counts exact, rates with all their digits, empty where there is no value."""

    name = "csv"
    suffixes = (".csv",)
    documents: frozenset[DocumentKind] = frozenset({"result", "curve", "grid"})
    binary = False
    pictures = False
    tabular = True

    def render(self, document: Result | Curve | Grid, options: RenderOptions) -> bytes:
        """UTF-8 CSV with line feeds; of `options` only `table` matters."""
        from cachelens.report.tables import table

        found = table(document, options.table)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(found.names)
        writer.writerows([_cell(value) for value in row] for row in found.rows)
        return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is made harmless with a leading apostrophe."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
