"""A table. In: columns with types, rows of plain values. Out: what renderers of tables read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

Row = Sequence[str | int | float | bool | None]


class Column(NamedTuple):
    """A name and the type of its values, which may be None as well."""

    name: str
    type: type[str] | type[int] | type[float] | type[bool]


@dataclass(frozen=True)
class Table:
    """Rows of one kind: one observation a row, one variable a column."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The header."""
        return tuple(column.name for column in self.columns)


def columns(
    type_: type[str] | type[int] | type[float] | type[bool], names: Sequence[str]
) -> tuple[Column, ...]:
    """Columns of one type."""
    return tuple(Column(name, type_) for name in names)
