"""How long work tells how far it is. In: nothing. Out: the callback type that packages share."""

from __future__ import annotations

from collections.abc import Callable

#: Called as progress(stage, done, total); total None: unknown. Stage is a short phrase, counts are units of it.
Progress = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """A Progress that shows nothing."""
