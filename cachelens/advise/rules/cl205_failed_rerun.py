"""The output of a command that failed stays in the prompt after the command ran again.

What it detects
    A command whose answer says that it failed (an exit code, or a form that nothing but a failure has), and the
    same command with the same arguments answered again later with other text: the failed call and its output, from
    the later answer on.

Why it costs
    Tests and builds fail often and at length while an agent works on them. Of ten runs the last one counts; the nine
    before are carried by every request that follows.

How it is measured
    Tokens carried from the later answer on, over all prompts that hold both. They were needed until then, so they
    can only be cleared from a later request on, which computes what stands behind them once more: that is replayed
    where it pays, and the finding says what it would take where it does not.

How to fix
    Clear failed output once the command was run again, several at a time, when the cache is cold or just before a
    summary. Let test runners print the first failure and a count instead of everything.

Example
    `pytest` three times with 2,400 tokens of failures each, then once with `12 passed`: 7,200 tokens stay.

When to ignore
    Where a failure shows what was tried before. The saving is an upper bound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.rules.outputs import counted, is_output, output_candidate, tool_at, worst_of
from cachelens.advise.surplus import Region, sum_of


class FailedRerun:
    """CL205."""

    code = "CL205"
    name = "failed-rerun"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate per tool."""
        groups: defaultdict[str, list[Region]] = defaultdict(list)
        for region in case.surplus:
            part = region.only(["failed_rerun"])
            if part is not None:
                groups[tool_at(case, region.row)].append(part)
        for tool, regions in groups.items():
            outputs = [region for region in regions if is_output(case, region.row)]
            if not outputs:
                continue
            total, failed = sum_of(case, regions), sum_of(case, outputs).copies
            what = counted(failed, "failed output", "failed outputs")
            yield output_candidate(
                case,
                regions,
                title=f"{tool} ran a failed command again, and its failure is still sent: {what},"
                f" {total.carried:,} tokens carried",
                group=(tool,),
                fix="clear failed output in batches once the command ran again, and let the command print less",
                total=total,
                details={"outputs": failed, "largest": worst_of(outputs).tokens},
            )
