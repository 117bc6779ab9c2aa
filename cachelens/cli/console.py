"""Where output goes and how much of it. In: what the command line chose, the environment, the streams.
Out: a `Console` that writes reports to stdout and everything else to stderr.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachelens.errors import UsageError
from cachelens.report.untrusted import clean

if TYPE_CHECKING:
    from cachelens.model.skips import SkipReport
    from cachelens.report.terminal.screen import ColorDepth, Page

_NARROWEST, _WIDEST, _DEFAULT_WIDTH = 80, 160, 100


@dataclass(frozen=True)
class Console:
    """Verbosity and color of one run. `color` is `auto`, `always` or `never`."""

    quiet: bool = False
    verbose: bool = False
    color: str = "auto"

    def page(self) -> Page:
        """The paper that stdout is: as wide as the terminal (80 to 160), 100 elsewhere unless COLUMNS is set."""
        from cachelens.report.terminal.screen import Page

        terminal = sys.stdout is not None and sys.stdout.isatty()
        wide = shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns if terminal else _columns(os.environ)
        return Page(
            width=min(max(wide, _NARROWEST), _WIDEST),
            ascii_only=not _speaks_utf8(),
            color=color_depth(self.color, terminal, os.environ),
        )

    def tell(self, message: str) -> None:
        """A line on stderr, unless quiet. Text from outside is made safe."""
        if not self.quiet and sys.stderr is not None:
            encoding = sys.stderr.encoding or "ascii"
            text = clean(message, 1000).encode(encoding, "backslashreplace").decode(encoding)
            print(text, file=sys.stderr, flush=True)

    def warn(self, message: str) -> None:
        """A warning on stderr, unless quiet."""
        self.tell(f"cachelens: warning: {message}")

    def warn_skipped(self, skipped: Sequence[SkipReport]) -> None:
        """A warning that counts the records left out, by reason; nothing when there are none."""
        reasons: dict[str, int] = {}
        for report in skipped:
            reasons[report.reason] = reasons.get(report.reason, 0) + report.records
        if reasons:
            listed = ", ".join(f"{records:,} {reason}" for reason, records in sorted(reasons.items()))
            self.warn(f"records skipped: {listed}")


def write_stdout(data: bytes) -> None:
    """A report to stdout, byte for byte. Raises UsageError when stdout cannot take it."""
    if sys.stdout is None:
        raise UsageError("standard output is closed", "write to a file with -o FILE")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"standard output: {error.strerror or 'cannot be written'}") from error


def color_depth(when: str, terminal: bool, environment: Mapping[str, str]) -> ColorDepth:
    """How deep to color. The option decides before NO_COLOR, that before FORCE_COLOR, that before the terminal."""
    term = environment.get("TERM", "")
    if when == "never":
        return "none"
    if when == "auto":
        if environment.get("NO_COLOR"):
            return "none"
        if environment.get("FORCE_COLOR", "0") in ("", "0") and (not terminal or term == "dumb"):
            return "none"
    if environment.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if "256color" in term else "16"


def _columns(environment: Mapping[str, str]) -> int:
    text = environment.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 5 else _DEFAULT_WIDTH


def _speaks_utf8() -> bool:
    name = getattr(sys.stdout, "encoding", None) or "ascii"
    return name.lower().replace("-", "").replace("_", "") == "utf8"
