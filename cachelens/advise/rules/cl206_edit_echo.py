"""A tool that writes or edits sends back what was just written.

What it detects
    Results of tools that write, append to or edit files of which 80 % of the shingles of 8 tokens stand earlier in
    the prompt, most often in the call itself.

Why it costs
    The text is in the prompt twice from then on, once as the call and once as its answer: half of what such a step
    adds says nothing new, and all later requests carry it.

How it is measured
    Tokens carried, over all prompts that hold them. The answer is replaced by a note of 8 tokens the first time it
    is sent, so no prefix breaks, and the trace is replayed.

How to fix
    Let the tool answer `done`, with line numbers and what it did not do as asked: a formatter's changes, for one.

Example
    `write_file {"path": "app.py", "content": …}` answered with the 600 lines of the file.

When to ignore
    Where the answer shows what the model cannot know: a file that a formatter changed. Such an answer differs, and
    counts only when it differs in less than a fifth. The saving is an upper bound.
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
from cachelens.advise.surplus import Region, sum_of


class EditEcho:
    """CL206."""

    code = "CL206"
    name = "edit-echo"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate per tool."""
        groups: defaultdict[str, list[Region]] = defaultdict(list)
        for region in case.surplus:
            part = region.only(["echo"])
            if part is not None and is_output(case, region.row) and action_at(case, region.row) in WRITES:
                groups[tool_at(case, region.row)].append(part)
        for tool, regions in groups.items():
            total, worst = sum_of(case, regions), worst_of(regions)
            path = path_at(case, worst.row)
            answers = counted(total.copies, "answer", "answers")
            example = f"; most: {short_path(path)}" if path else ""
            yield output_candidate(
                case,
                regions,
                title=f"{tool} sends back what it was given: {answers}, {total.carried:,} tokens carried{example}",
                group=(tool,),
                fix="let the tool answer that it is done, and show only what it changed beyond what was asked",
                total=total,
                details={"answers": total.copies, "largest": worst.tokens},
            )
