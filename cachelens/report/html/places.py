"""Where on the page something is told. In: a `Result`. Out: anchors of requests and rules.

Anchors are numbers of ours, never names of the trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cachelens.model.result import Result
from cachelens.report.html import words

#: Requests up to which every one has a row in the page itself; beyond, rows are made when a session is opened.
STATIC_REQUESTS = 400


@dataclass(frozen=True)
class Link:
    """A name and the anchor where it is told; `href` empty: nowhere."""

    text: str
    href: str = ""


class Places:
    """Anchors of one page."""

    def __init__(self, result: Result) -> None:
        self.number: dict[str, int] = {}
        for number, row in enumerate(result.requests, 1):
            self.number.setdefault(row.request_id, number)
        self.static = len(result.requests) <= STATIC_REQUESTS
        views = result.pictures.views if result.pictures is not None else ()
        self.views = {view.request_id: at for at, view in enumerate(views, 1)}

    def request(self, request_id: str) -> Link:
        """The close look at a request if there is one, else its row if it stands in the page."""
        text = words.name(request_id)
        if request_id in self.views:
            return Link(text, f"#view-{self.views[request_id]}")
        if self.static and request_id in self.number:
            return Link(text, f"#request-{self.number[request_id]}")
        return Link(text)

    def requests(self, request_ids: Iterable[str]) -> Iterator[Link]:
        """The same for several."""
        return (self.request(request_id) for request_id in request_ids)


def rule_anchor(code: str) -> str:
    """The id of a rule's documentation; codes are letters and digits, others give none."""
    return f"rule-{code}" if code.isascii() and code.isalnum() and len(code) <= 12 else ""
