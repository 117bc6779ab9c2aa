"""Verdicts as a GitLab code quality report. In: a `Verdict`. Out: JSON, a subset of the Code Climate format.

Source: docs.gitlab.com, "Code Quality", implement a custom tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cachelens.report.machines.renderer import VerdictRenderer

if TYPE_CHECKING:
    from cachelens.model.verdict import Verdict

_SEVERITIES: Final = {"failed": "major", "warned": "minor", "noted": "info"}


class Gitlab(VerdictRenderer):
    """One entry for each check that failed or is worth a warning."""

    name = "gitlab"
    suffixes = (".codequality.json",)

    def written(self, verdict: Verdict) -> bytes:
        """Indented JSON."""
        import msgspec
        import xxhash

        from cachelens.report.machines.places import file_of, line_of, message

        entries = []
        for check in verdict.checks:
            if check.status not in _SEVERITIES:
                continue
            same = f"{check.kind}\0{check.name}\0{check.culprit or check.session or ''}"
            entries.append(
                {
                    "description": message(verdict, check),
                    "check_name": f"cachelens {check.name}",
                    "fingerprint": xxhash.xxh3_128_hexdigest(same.encode("utf-8", "surrogatepass")),
                    "severity": _SEVERITIES[check.status],
                    "location": {
                        "path": file_of(verdict, check),
                        "lines": {"begin": line_of(verdict, check)},
                    },
                }
            )
        return msgspec.json.format(msgspec.json.encode(entries), indent=1) + b"\n"
