"""Figures of rules, counted another way. In: a case. Out: token counts from the ids alone."""

from __future__ import annotations

from difflib import SequenceMatcher

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.model.findings import Saving
from cachelens.pipeline.savings import Bench


def ids_of(case: Case, rows: list[int]) -> list[int]:
    """Token ids of segment rows."""
    contents, content = case.trace.contents, case.trace.segments.content
    return [int(token) for row in rows for token in contents.token_ids(int(content[row]))]


def prompt(case: Case, request: int) -> list[int]:
    """Token ids of a prompt."""
    return ids_of(case, case.path(request).tolist())


def sent_again(case: Case, request: int, before: int | None = None, reply: bool = True) -> int:
    """Tokens behind the first difference that the earlier prompt and reply held too, by longest common blocks.

    The last token of a reply was never computed.
    """
    before = int(case.trace.predecessor[request]) if before is None else before
    then = prompt(case, before) + (ids_of(case, case.reply(before))[:-1] if reply else [])
    now = prompt(case, request)
    head = next((at for at, pair in enumerate(zip(then, now, strict=False)) if pair[0] != pair[1]), 0)
    blocks = SequenceMatcher(None, then[head:], now[head:], autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def behind(case: Case, request: int, at: int) -> int:
    """Tokens of the earlier prompt and reply behind its segment `at`, but for the last one of the reply."""
    before = int(case.trace.predecessor[request])
    rows = [*case.path(before).tolist()[at + 1 :], *case.reply(before)]
    return sum(case.tokens(row) for row in rows) - 1


def saving(case: Case, candidate: Candidate) -> Saving:
    """What following the remedy saves, replayed."""
    assert candidate.plan is not None
    return Bench(case, None).saving(candidate.plan)
