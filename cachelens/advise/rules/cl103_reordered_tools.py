"""The same tools are sent in another order.

What it detects
    Tool definitions that both prompts hold, byte for byte, at other places among the tools. Tools that come,
    go or change are told apart (CL104, CL105); what is left must only be out of order.

Why it costs
    Tools stand at or near the front of every prompt. From the first one that moved on, tools, system prompt and the
    whole history are computed again, though no word of them is new. Typical causes are a map or set that is walked
    without sorting, and MCP servers that answer in another order each time. In the sample `resorted-tools` four
    such requests of eight compute 4,401 tokens again, of prompts of 2,500 at most.

How it is measured
    Tokens computed again in requests whose first change is a moved tool. The remedy is replayed: the tools stay in
    the order in which they were first sent. The model loses nothing by it.

How to fix
    Sort tools by name before every request, or keep the list that the session started with.

Example
    One request lists `grep, read_file, write_file`, the next `write_file, grep, read_file`. Nothing was edited, and
    everything behind the system prompt is computed again.

When to ignore
    Never; the order costs nothing to keep.
"""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, finding
from cachelens.advise.rules.wording import count
from cachelens.model.edits import Edit


class ReorderedTools(EditRule):
    """CL103."""

    code = "CL103"
    name = "reordered-tools"
    precedence = 30

    def claim(self, view: View) -> Claim | None:
        """A tool definition at another place."""
        moved = view.edit.kind == "moved" and view.kind == "tools"
        return Claim(("tools",), silent=True) if moved else None

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding for all requests."""
        requests = sorted({edit.request for edit in edits if case.costly(edit)})
        orders = {
            _order(case, one) for edit in edits for one in (edit.before, edit.request) if case.costly(edit)
        }
        most = max((len(order) for order in orders), default=0)
        return finding(
            case,
            edits,
            claims,
            title=f"the same tools come in another order in {count(len(requests), 'request')}",
            fix="sort tools by name, or keep the order in which the session first sent them",
            details={"tools": most, "different orders": len(orders)},
        )


def _order(case: Case, request: int) -> tuple[int, ...]:
    segments = case.trace.segments
    return tuple(
        int(segments.content[row]) for row in case.path(request).tolist() if case.is_kind(row, "tools")
    )
