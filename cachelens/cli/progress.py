"""A progress bar for people who wait. In: `Progress` calls. Out: one line on stderr, erased at the end.

It appears only on a terminal and after a second of work; rich is imported only then.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

DELAY_S = 1.0
_REFRESH_S = 0.1


class Bar:
    """A `Progress` callback as a context manager. `visible` False: never shown."""

    def __init__(self, visible: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._visible = visible
        self._clock = clock
        self._shown_from = clock() + DELAY_S
        self._next = self._shown_from
        self._rich: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Show that `done` of `total` of `stage` is done, at most ten times a second."""
        if not self._visible or self._clock() < self._next:
            return
        self._next = self._clock() + _REFRESH_S
        if self._rich is None:
            self._rich = _bar()
            self._rich.start()
            self._task = self._rich.add_task(stage, total=total)
        if self._task is not None:
            self._rich.update(self._task, description=stage, completed=done, total=total)
            self._rich.refresh()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rich is not None:
            self._rich.stop()
            self._rich = None


def stderr_is_terminal() -> bool:
    """Whether a bar can be drawn and erased on stderr."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
    )
