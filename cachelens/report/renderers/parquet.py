"""A table of a document for other programs. In: a document. Out: Parquet with the columns of the CSV."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.result import Result


class Parquet:
    """The table of `csv` with types; the same document gives the same bytes."""

    name = "parquet"
    suffixes = (".parquet",)
    documents: frozenset[DocumentKind] = frozenset({"result", "curve", "grid"})
    binary = True
    pictures = False
    tabular = True

    def render(self, document: Result | Curve | Grid, options: RenderOptions) -> bytes:
        """A Parquet file; of `options` only `table` matters."""
        import polars as pl

        from cachelens.report.tables import table

        found = table(document, options.table)
        types = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}
        schema = {column.name: types[column.type] for column in found.columns}
        frame = pl.DataFrame(list(found.rows), schema=schema, orient="row")
        stream = io.BytesIO()
        frame.write_parquet(stream, compression="zstd", statistics=False)
        return stream.getvalue()
