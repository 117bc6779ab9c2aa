"""Verdicts as a test report in JUnit's XML. In: a `Verdict`. Out: XML with a test case for each check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from cachelens.report.machines.renderer import VerdictRenderer

if TYPE_CHECKING:
    from cachelens.model.verdict import Verdict

#: What XML 1.0 cannot hold.
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Junit(VerdictRenderer):
    """Checks that failed are failures; warnings pass, with what they say as output."""

    name = "junit"
    suffixes = (".junit.xml", ".xml")

    def written(self, verdict: Verdict) -> bytes:
        """XML as UTF-8."""
        from cachelens.report.machines.places import file_of, heading, message

        failed = sum(check.status == "failed" for check in verdict.checks)
        counts = {"tests": str(len(verdict.checks)), "failures": str(failed), "errors": "0"}
        root = ElementTree.Element("testsuites", counts)
        suite = ElementTree.SubElement(root, "testsuite", {"name": "cachelens", **counts, "skipped": "0"})
        for check in verdict.checks:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                {
                    "classname": f"cachelens.{check.kind}",
                    "name": _text(f"{check.name} {check.title}" if check.kind == "rule" else check.title),
                    "file": _text(file_of(verdict, check)),
                },
            )
            if check.status == "failed":
                problem = ElementTree.SubElement(case, "failure", {"message": _text(heading(check))})
                problem.text = _text(message(verdict, check))
            elif check.status == "warned":
                ElementTree.SubElement(case, "system-out").text = _text(f"warning: {message(verdict, check)}")
        ElementTree.indent(root, " ")
        body: bytes = ElementTree.tostring(root, "utf-8")
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
