"""Depth-first walks over the segment trie with undo. In: parents of rows. Out: rows in order, a journal.

A walk visits every row once. What it remembers of the path to a row is kept in dictionaries whose changes are
journaled, and rolled back when the walk leaves a branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cachelens.model.trace import Int32


def preorder(parent: Int32) -> tuple[list[int], list[int]]:
    """All rows so that each follows its parent and is followed by all of its subtree; and their depths.

    Siblings come in order of their rows.
    """
    size = len(parent)
    first, following = [-1] * (size + 1), [-1] * size
    parents = parent.tolist()
    for row in range(size - 1, -1, -1):
        above = parents[row]
        following[row] = first[above]
        first[above] = row
    order: list[int] = []
    depths: list[int] = []
    stack = [(first[-1], 0)]
    while stack:
        row, depth = stack.pop()
        while row >= 0:
            order.append(row)
            depths.append(depth)
            if following[row] >= 0:
                stack.append((following[row], depth))
            row, depth = first[row], depth + 1
    return order, depths


class Journal:
    """Changes of dictionaries, so that they can be taken back."""

    def __init__(self) -> None:
        self._changes: list[tuple[dict[Any, Any], Any, Any]] = []

    def set(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        """`mapping[key] = value`, to be taken back later. None stands for no entry."""
        self._changes.append((mapping, key, mapping.get(key)))
        mapping[key] = value

    def visit(self, order: list[int], depths: list[int]) -> Iterator[int]:
        """The rows of a walk; before each, everything that was set after its parent is taken back."""
        marks: list[int] = []
        changes = self._changes
        for row, depth in zip(order, depths, strict=True):
            if depth < len(marks):
                mark = marks[depth]
                while len(changes) > mark:
                    mapping, key, value = changes.pop()
                    if value is None:
                        del mapping[key]
                    else:
                        mapping[key] = value
                del marks[depth:]
            # What the row itself sets lies above its mark and goes when a sibling is visited.
            marks.append(len(changes))
            yield row
