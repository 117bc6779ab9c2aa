"""The same tool output stands in a prompt twice.

What it detects
    Tool outputs of 64 tokens or more that are a copy of one earlier in the same prompt, earlier answers to a call
    that was made again with the same arguments and got another answer, and outputs of which 80 % stand earlier in
    the prompt. One finding per tool and kind. Files that are read again are CL202, failed commands that ran again
    CL205, answers of tools that write or edit files CL206. A file that is much like another one is no copy of it.

Why it costs
    An output is sent with every request that follows it: 2,000 tokens read at step 10 of 40 are 60,000 tokens of
    prompts. From the cache they cost a tenth or nothing, but they fill the context and the KV cache all the same,
    and they are computed once more whenever the prefix breaks.

How it is measured
    Tokens carried, over all prompts that hold them. Of two equal outputs only the later one counts. Copies are
    replaced by a note of 8 tokens the first time they would be sent, and the trace is replayed; earlier answers
    can only be cleared from a later request on, which breaks the prefix once, so that is done where it pays.

How to fix
    Let the tool answer `unchanged since the call above` when its output is what it was; the read tools of some
    agents do. Clear outdated answers in batches, at moments when the prefix is computed anew: Anthropic's API does
    it with `context_management` and `clear_tool_uses`.

Example
    `list_files {}` at steps 3, 9 and 15, each with the same 900 names: two copies, 1,800 tokens in every later prompt.

When to ignore
    Where the model needs the text near the end of the prompt to keep it in mind. The saving is an upper bound: the
    model sees other text, and may call the tool once more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.rules.outputs import (
    WRITES,
    action_at,
    counted,
    is_output,
    output_candidate,
    path_at,
    short_path,
    tool_at,
    worst_of,
)
from cachelens.advise.rules.rereads import beside_rereads
from cachelens.advise.surplus import Region, sum_of

_FIX = {
    "dup_exact": "let the tool answer that nothing has changed since it was called before",
    "dup_call": "clear the earlier answers in batches, or let the tool answer with what has changed",
    "echo": "let the tool answer with what is not in the prompt yet",
}


class DuplicateToolOutput:
    """CL201."""

    code = "CL201"
    name = "duplicate-tool-output"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate per tool and kind of copy."""
        groups: defaultdict[tuple[str, str], list[Region]] = defaultdict(list)
        for region in beside_rereads(case):
            if not is_output(case, region.row):
                continue
            action = action_at(case, region.row)
            for label in _FIX:
                part = region.only([label])
                # What is shorter costs about as much as the note in its place.
                if part is None or part.tokens < case.thresholds.min_tokens:
                    continue
                if not (label == "echo" and (action in WRITES or action == "read")):
                    groups[tool_at(case, region.row), label].append(part)
        for (tool, label), regions in groups.items():
            yield self._candidate(case, tool, label, regions)

    def _candidate(self, case: Case, tool: str, label: str, regions: list[Region]) -> Candidate:
        total, worst = sum_of(case, regions), worst_of(regions)
        path = path_at(case, worst.row)
        example = f"; most: {short_path(path)}" if path else ""
        what = {
            "dup_exact": f"{tool} returned the same output again: {counted(total.copies, 'copy', 'copies')}",
            "dup_call": f"{tool} was called again with the same arguments:"
            f" {counted(total.copies, 'earlier answer', 'earlier answers')}",
            "echo": f"{tool} returned what nearly all stood in the prompt before:"
            f" {counted(total.copies, 'output', 'outputs')}",
        }[label]
        return output_candidate(
            case,
            regions,
            title=f"{what}, {total.carried:,} tokens carried{example}",
            group=(tool, label),
            fix=_FIX[label],
            total=total,
            details={"copies": total.copies, "label": label, "largest": worst.tokens},
        )
