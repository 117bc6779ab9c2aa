"""Verdicts as a test report in JUnit's XML. In: a `Verdict`. Out: XML with a test case for each check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document

#: What XML 1.0 cannot hold.
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Junit:
    """Checks that failed are failures; warnings pass, with what they say as output."""

    name = "junit"
    suffixes: tuple[str, ...] = (".junit.xml", ".xml")
    documents: frozenset[DocumentKind] = frozenset({"verdict"})
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """XML as UTF-8. Raises TypeError for anything but a verdict."""
        from cachelens.model.verdict import Verdict
        from cachelens.report.machines.places import file_of, heading, message

        if not isinstance(document, Verdict):
            raise TypeError(f"{self.name} shows verdicts only")
        failed = sum(check.status == "failed" for check in document.checks)
        counts = {"tests": str(len(document.checks)), "failures": str(failed), "errors": "0"}
        root = ElementTree.Element("testsuites", counts)
        suite = ElementTree.SubElement(root, "testsuite", {"name": "cachelens", **counts, "skipped": "0"})
        for check in document.checks:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                {
                    "classname": f"cachelens.{check.kind}",
                    "name": _text(f"{check.name} {check.title}" if check.kind == "rule" else check.title),
                    "file": _text(file_of(document, check)),
                },
            )
            if check.status == "failed":
                problem = ElementTree.SubElement(case, "failure", {"message": _text(heading(check))})
                problem.text = _text(message(document, check))
            elif check.status == "warned":
                ElementTree.SubElement(case, "system-out").text = _text(
                    f"warning: {message(document, check)}"
                )
        ElementTree.indent(root, " ")
        body: bytes = ElementTree.tostring(root, "utf-8")
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
