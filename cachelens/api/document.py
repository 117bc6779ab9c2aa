"""What the views have in common. In: a document. Out: its screen, a table for notebooks, frames, files."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cachelens.errors import UsageError
from cachelens.report.atomic import write_file
from cachelens.report.choice import by_suffix, renderer_for, suffixes, table_in
from cachelens.report.renderers.base import DocumentKind, Renderer, RenderOptions
from cachelens.report.tables import table
from cachelens.report.terminal.screen import Page
from cachelens.report.untrusted import clean

if TYPE_CHECKING:
    import polars as pl

    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.result import Result
    from cachelens.report.renderers.base import Document

#: Characters of a cell in a notebook.
_CELL = 120


class View:
    """A document, for people who program: shown as its screen, saved in any format that shows it.

    `kind`: what renderers call it.
    """

    kind: ClassVar[DocumentKind]

    def __init__(self, document: Document) -> None:
        self._document = document

    def render(self, format: str = "terminal") -> bytes:  # noqa: A002
        """The document in a format of `cachelens list outputs`. Raises UsageError for one that does not show it."""
        return self._rendered(renderer_for(format, self.kind), "")

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:  # noqa: A002
        """Write it to `path`, in the format of its suffix unless `format` names one; what is there is replaced.

        A format of tables writes the main table, or the one whose name stands before the suffix (`findings.csv`).
        Raises UsageError for a format that there is not, or that does not show this, and when the file cannot be
        written; nothing half-written is left.
        """
        target = Path(path)
        chosen = format or by_suffix(target.name)[0]
        if not chosen:
            raise UsageError(
                f"{target}: the suffix names no output format",
                f"suffixes: {', '.join(suffixes(self.kind))}; or give format=",
            )
        renderer = renderer_for(chosen, self.kind)
        write_file(target, self._rendered(renderer, table_in(target.name, self.kind, renderer)))

    def _rendered(self, renderer: Renderer, table_name: str) -> bytes:
        return renderer.render(self._document, RenderOptions(Page(), table=table_name))

    def __repr__(self) -> str:
        return self.render().decode().strip("\n")

    def _repr_html_(self) -> str | None:
        return f"<pre>{html.escape(repr(self))}</pre>"


def frame(document: Result | Curve | Grid, name: str = "") -> pl.DataFrame:
    """A table of a document as a frame; without a name the main one."""
    import polars as pl

    found = table(document, name)
    types = {str: pl.String, int: pl.Int64, float: pl.Float64, bool: pl.Boolean}
    schema = {column.name: types[column.type] for column in found.columns}
    return pl.DataFrame(list(found.rows), schema=schema, orient="row")


def table_html(caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A small table. Everything in it is escaped: names of tools and files come from the capture."""
    head = "".join(f"<th>{_cell(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><caption>{_cell(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    return html.escape(clean(str(value), _CELL))
