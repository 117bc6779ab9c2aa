"""The same file is read again and again.

What it detects
    A file that was read more than once in one prompt, whole or in overlapping ranges of lines, unchanged or changed
    in between: later reads that repeat what an earlier one shows, and lines of earlier reads that a later one shows
    anew. One finding for all files, which names the worst of them.

Why it costs
    A file of 3,000 tokens read six times stands in the prompt six times, and is sent with all requests that follow.

How it is measured
    Tokens carried that another read of the same file makes superfluous. Lines that an edit changed are CL301. Reads
    that repeat an earlier one are replaced by a note of 8 tokens the first time they would be sent; earlier reads
    of what changed since are cleared where that pays; the trace is replayed.

How to fix
    Let the read tool answer `unchanged since it was read above`, or with the lines that changed. Tell the model which
    files it has already seen after a summary, the usual reason for reading again.

Example
    `read_file {"path": "app.py"}` at steps 2, 5 and 9, with no write in between: two superfluous copies.

When to ignore
    Where edits by others are expected between reads. The saving is an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.rules.outputs import counted, output_candidate, short_path, worst_of
from cachelens.advise.rules.rereads import Reread, rereads
from cachelens.advise.surplus import Region, sum_of

#: Files named in the details.
_NAMED = 6
_FIX = "let the read tool answer that the file is unchanged, or with the lines that changed"


class RereadFile:
    """CL202."""

    code = "CL202"
    name = "reread-file"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate for all files."""
        found = rereads(case)
        found.sort(key=lambda one: -_carried(one.regions))
        if found:
            yield self._candidate(case, found)

    def _candidate(self, case: Case, files: Sequence[Reread]) -> Candidate:
        regions = [region for one in files for region in one.regions]
        total, worst = sum_of(case, regions), files[0]
        times = f"{'twice' if worst.reads == 2 else f'{worst.reads:,} times'} in one prompt"
        title = f"{short_path(worst.path)} is read {times}"
        if len(files) > 1:
            what = counted(len(files), "file", "files")
            title = f"{what} are read again, most of all {short_path(worst.path)}, {times}"
        repeated = [part for region in regions if (part := region.only(["dup_exact", "echo"])) is not None]
        return output_candidate(
            case,
            regions,
            title=f"{title}; {total.carried:,} superfluous tokens carried",
            group=("files",),
            fix=_FIX,
            total=total,
            details={
                "files": len(files),
                "worst": ", ".join(
                    f"{short_path(one.path)} ({_carried(one.regions):,})" for one in files[:_NAMED]
                ),
                "reads": worst.reads,
                "lines": worst.lines,
                "repeated outputs": sum_of(case, repeated).copies,
            },
            worst=worst_of(worst.regions),
        )


def _carried(regions: Sequence[Region]) -> int:
    return sum(region.tokens * region.prompts for region in regions)
