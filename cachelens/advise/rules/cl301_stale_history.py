"""Outputs are carried along after they were superseded, or without ever being used.

What it detects
    Lines of a file that were read or written again later, writes that were read back or overwritten, and tool
    outputs older than 10 steps of which no rare identifier (a path, a symbol, a number, a word that few texts hold)
    occurs in anything the assistant wrote later. The last kind is a candidate, not proof.

Why it costs
    Every request carries it. Served from the cache it costs a tenth of the price or nothing, but it fills the
    context window and the KV cache, and makes every other token behind it dearer to attend to.

How it is measured
    Tokens carried from the request on in which they are stale, each with the share of its rare identifiers that were
    used later. To clear X tokens makes the server compute what follows them once more: with writes at 1.25 times
    and reads at 0.1 times the price and 20 requests left, X must be more than 58 % of it. So the best moments are
    looked for with hindsight of the requests that follow, and what pays is replayed; where nothing does, there is no
    remedy, and the finding says what the best moment would have taken. Tokens of reread files are in CL202 too.

How to fix
    Clear in batches, not one by one: at a new task, after a pause longer than the cache's lifetime, or where the
    context is summarized anyway. Anthropic's API has `clear_tool_uses` with `clear_at_least` for that.

Example
    A test log of 9,000 tokens at step 4 that nobody refers to, carried through 60 more requests.

When to ignore
    Short sessions, and whatever the break-even says does not pay. The saving is an upper bound: a model may use a
    text without naming anything in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.rules.outputs import counted, output_candidate, path_at, short_path, tool_at, worst_of
from cachelens.advise.rules.rereads import beside_rereads
from cachelens.advise.surplus import sum_of

_KINDS = {
    "superseded_read": "read or changed again later",
    "superseded_write": "written, and read or overwritten later",
    "unreferenced": "never referred to",
}


class StaleHistory:
    """CL301."""

    code = "CL301"
    name = "stale-history"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate: what is stale is cleared together or not at all."""
        regions = [part for region in beside_rereads(case) if (part := region.only(_KINDS)) is not None]
        if not regions:
            return
        total, worst = sum_of(case, regions), worst_of(regions)
        details: dict[str, int | float | str] = {"texts": total.copies}
        for label, words in _KINDS.items():
            own = [part for region in regions if (part := region.only([label])) is not None]
            if own:
                details[words] = sum(region.tokens * region.prompts for region in own)
        path = path_at(case, worst.row)
        example = f"{tool_at(case, worst.row)} {short_path(path)}" if path else tool_at(case, worst.row)
        texts = counted(total.copies, "text", "texts")
        yield output_candidate(
            case,
            regions,
            title=f"superseded or never used, and sent again all the same: {texts}, {total.carried:,} tokens carried;"
            f" most: {example}",
            group=("stale-history",),
            fix="clear them in batches where the prefix is computed anyway, or where the break-even says it pays",
            total=total,
            details=details,
        )
