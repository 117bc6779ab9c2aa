"""Verdicts as annotations of a GitHub workflow run. In: a `Verdict`. Out: workflow commands, one a line.

A step that prints them marks the lines of the pull request. Text of a trace cannot end a command or begin another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.verdict import Check, Verdict
    from cachelens.report.renderers.base import Document

#: GitHub shows so many annotations of one step and level.
_MOST = 10


class Github:
    """`::error` for what failed, `::warning` for what is worth one, `::notice` that all passed."""

    name = "github"
    suffixes: tuple[str, ...] = ()
    documents: frozenset[DocumentKind] = frozenset({"verdict"})
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """Workflow commands as UTF-8. Raises TypeError for anything but a verdict."""
        from cachelens.model.verdict import Verdict

        if not isinstance(document, Verdict):
            raise TypeError(f"{self.name} shows verdicts only")
        lines: list[str] = []
        for status, command in (("failed", "error"), ("warned", "warning")):
            own = [check for check in document.checks if check.status == status]
            shown = own if len(own) <= _MOST else own[: _MOST - 1]
            lines += [_line(command, document, check) for check in shown]
            if len(own) > len(shown):
                lines.append(f"::{command} title=cachelens::{len(own) - len(shown):,} more checks {status}")
        if document.passed:
            lines.append(f"::notice title=cachelens::the gate is passed: {len(document.checks):,} checks")
        return "".join(line + "\n" for line in lines).encode("utf-8", "replace")


def _line(command: str, verdict: Verdict, check: Check) -> str:
    from cachelens.report.machines.places import file_of, heading, line_of, message

    properties = {
        "file": file_of(verdict, check),
        "line": str(line_of(verdict, check)),
        "title": f"cachelens: {heading(check)}"[:200],
    }
    said = ",".join(f"{name}={_property(text)}" for name, text in properties.items())
    return f"::{command} {said}::{_data(message(verdict, check))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
