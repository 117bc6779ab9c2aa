"""Verdicts as a GitLab code quality report. In: a `Verdict`. Out: JSON, a subset of the Code Climate format.

Source: docs.gitlab.com, "Code Quality", implement a custom tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document

_SEVERITIES: Final = {"failed": "major", "warned": "minor", "noted": "info"}


class Gitlab:
    """One entry for each check that failed or is worth a warning."""

    name = "gitlab"
    suffixes: tuple[str, ...] = (".codequality.json",)
    documents: frozenset[DocumentKind] = frozenset({"verdict"})
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """Indented JSON. Raises TypeError for anything but a verdict."""
        import msgspec
        import xxhash

        from cachelens.model.verdict import Verdict
        from cachelens.report.machines.places import file_of, line_of, message

        if not isinstance(document, Verdict):
            raise TypeError(f"{self.name} shows verdicts only")
        entries = []
        for check in document.checks:
            if check.status not in _SEVERITIES:
                continue
            same = f"{check.kind}\0{check.name}\0{check.culprit or check.session or ''}"
            entries.append(
                {
                    "description": message(document, check),
                    "check_name": f"cachelens {check.name}",
                    "fingerprint": xxhash.xxh3_128_hexdigest(same.encode("utf-8", "surrogatepass")),
                    "severity": _SEVERITIES[check.status],
                    "location": {
                        "path": file_of(document, check),
                        "lines": {"begin": line_of(document, check)},
                    },
                }
            )
        return msgspec.json.format(msgspec.json.encode(entries), indent=1) + b"\n"
