"""Documents as flat tables. In: a document, the name of a table. Out: a `Table`.

Names of tables are looked at before any work is done (`cachelens.report.tables.names`): nothing else is imported before
a table is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.result import Result
    from cachelens.report.tables.shape import Table


def table(document: Result | Curve | Grid, name: str = "") -> Table:
    """The table of that name, one of `TABLES`; without a name the main one: a row per request, cache or capacity."""
    from cachelens.model.grid import Grid
    from cachelens.model.result import Result
    from cachelens.report.tables.analysis import ANALYSIS
    from cachelens.report.tables.simulation import cells, points

    if isinstance(document, Result):
        return ANALYSIS[name or "requests"](document)
    return cells(document) if isinstance(document, Grid) else points(document)
