"""Verdicts as annotations of a GitHub workflow run. In: a `Verdict`. Out: workflow commands, one a line.

A step that prints them marks the lines of the pull request. Text of a trace cannot end a command or begin another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.machines.renderer import VerdictRenderer

if TYPE_CHECKING:
    from cachelens.model.verdict import Check, Verdict

#: GitHub shows so many annotations of one step and level.
_MOST = 10


class Github(VerdictRenderer):
    """`::error` for what failed, `::warning` for what is worth one, `::notice` that all passed."""

    name = "github"

    def written(self, verdict: Verdict) -> bytes:
        """Workflow commands as UTF-8."""
        lines: list[str] = []
        for status, command in (("failed", "error"), ("warned", "warning")):
            own = [check for check in verdict.checks if check.status == status]
            shown = own if len(own) <= _MOST else own[: _MOST - 1]
            lines += [_line(command, verdict, check) for check in shown]
            if len(own) > len(shown):
                lines.append(f"::{command} title=cachelens::{len(own) - len(shown):,} more checks {status}")
        if verdict.passed:
            lines.append(f"::notice title=cachelens::the gate is passed: {len(verdict.checks):,} checks")
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
