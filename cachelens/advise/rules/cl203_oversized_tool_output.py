"""One tool output fills the prompts.

What it detects
    A single tool output of more than 2,000 tokens (`output_tokens`), by 64 at least, that makes up 5 % or more
    (`oversized_share`) of all prompt tokens of its session. One finding for all of them; its title names the output
    that a cap would shorten most.

Why it costs
    Agents send their whole history with every request, so an output counts once for each request that follows it.
    5 % is where one output outweighs twenty equal ones; below 2,000 tokens there is little to cut.

How it is measured
    Tokens carried by these outputs, over all prompts that hold them. Density: of their rare identifiers (paths,
    symbols, numbers, words that few texts hold) the share that the assistant wrote later. The remedy is replayed:
    the first 2,000 tokens are kept from the first request on, so no prefix breaks.

How to fix
    Cap what a tool returns, and say how to get the rest (`lines 1-200 of 5,120; use offset`). Codex cuts command
    output in the middle, Claude Code has `BASH_MAX_OUTPUT_LENGTH` and `MAX_MCP_OUTPUT_TOKENS`. Let searches print
    names before contents.

Example
    `cat server.log` with 40,000 tokens at step 3 of 30: 1.1 million of 2.9 million prompt tokens.

When to ignore
    Where the density says that most of it was used. The saving is an upper bound: the model sees less, and may have
    to ask for the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from cachelens.advise.candidate import Candidate, Excerpt, Place
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.advise.rules.outputs import (
    counted,
    density_of,
    excerpt_of,
    is_output,
    path_at,
    short_path,
    tool_at,
)

#: What an output is known by in a session, wherever a changed history puts it: content, id of its call.
_Key = tuple[str, int, int]


@dataclass
class _Output:
    """One output in one session: its rows, its text's `tokens`, how many tokens prompts carry of it."""

    tokens: int
    carried: int = 0
    rows: list[int] = field(default_factory=list)
    requests: set[int] = field(default_factory=set)


class OversizedToolOutput:
    """CL203."""

    code = "CL203"
    name = "oversized-tool-output"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate for all of them."""
        sizes: Counter[str] = Counter()
        for session, tokens in zip(case.sessions, case.work.prompt_tokens.tolist(), strict=True):
            sizes[session] += tokens
        found = [
            (output.carried / sizes[session], output)
            for (session, _, _), output in _outputs(case).items()
            if output.carried >= case.thresholds.oversized_share * sizes[session]
        ]
        if found:
            yield self._candidate(case, found)

    def _candidate(self, case: Case, found: list[tuple[float, _Output]]) -> Candidate:
        kept = case.thresholds.output_tokens
        share, worst = max(
            found, key=lambda pair: (pair[1].carried * (1 - kept / pair[1].tokens), -pair[1].rows[0])
        )
        rows = [row for _, output in found for row in output.rows]
        requests = sorted({request for _, output in found for request in output.requests})
        tool, path = tool_at(case, worst.rows[0]), path_at(case, worst.rows[0])
        of_what = f" ({short_path(path)})" if path else ""
        several = f"{len(found)} outputs fill the prompts; " if len(found) > 1 else ""
        first = min(worst.requests)
        row = next(row for row in worst.rows if case.tree.holds(row, int(case.trace.last_segment[first])))
        return Candidate(
            title=f"{several}one output of {tool}{of_what} is {worst.tokens:,} tokens long, and {100 * share:.1f} %"
            " of all prompt tokens of its session",
            group=("outputs",),
            place=Place(first, row, None, case.tree.start[row]),
            requests=requests,
            tokens=sum(output.carried for _, output in found),
            measure="carried",
            fix=f"cap what {tool} returns, for example at {kept:,} tokens, and say how to get the rest",
            plan=Plan(shorten=dict.fromkeys(rows, kept)),
            changes_input=True,
            break_even=f"pays at once: {counted(kept, 'token', 'tokens')} are sent from the first time on, so no"
            " prefix breaks; not where the model then asks for the rest",
            details={
                "outputs": len(found),
                "tools": ", ".join(sorted({tool_at(case, output.rows[0]) for _, output in found})),
                "largest": max(output.tokens for _, output in found),
                "share of its session": round(share, 4),
                **density_of(case, rows),
            },
            excerpt=Excerpt(None, excerpt_of(case.text(row))),
        )


def _outputs(case: Case) -> dict[_Key, _Output]:
    """Long outputs by session."""
    trace, least = case.trace, case.thresholds.output_tokens + case.thresholds.min_tokens
    segments, contents = trace.segments, trace.contents
    text = (contents.tokens - contents.framing)[segments.content] if len(segments) else contents.tokens[:0]
    long = (text >= least) & (contents.offsets[1:] > contents.offsets[:-1])[segments.content]
    found: dict[_Key, _Output] = {}
    for row in long.nonzero()[0].tolist():
        if not is_output(case, row):
            continue
        tokens = int(text[row])
        for request in case.tree.holders(row).tolist():
            key = case.sessions[request], int(segments.content[row]), int(segments.call_id[row])
            output = found.setdefault(key, _Output(tokens))
            output.carried += tokens
            output.requests.add(request)
            if not output.rows or output.rows[-1] != row:
                output.rows.append(row)
    return found
