"""A system prompt that takes a large share of what is sent.

What it detects
    Lineages whose system prompt is longer than 100 tokens and takes more than a tenth of all that they send.

Why it costs
    It stands in every prompt. Cached or not, it takes room, and each server has to compute it at least once.

How it is measured
    Tokens of the system prompt in every request of the lineage.

How to fix
    Say it shorter, or load parts of it when they are needed.

Example
    A system prompt of 400 tokens in ten requests of 3,000 tokens: 4,000 tokens carried.

When to ignore
    Where every sentence of it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable

from cachelens.advise.candidate import Candidate, Place, Verdict
from cachelens.advise.case import Case

_TOKENS = 100
_SHARE = 0.1


class LongSystemPrompt:
    """EX101."""

    code = "EX101"
    name = "long-system-prompt"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate per lineage."""
        for lineage, requests in case.requests_of_lineage.items():
            of = [sum(map(case.tokens, self._rows(case, request))) for request in requests]
            carried, sent = sum(of), int(case.work.prompt_tokens[requests].sum())
            if max(of) > _TOKENS and carried > _SHARE * sent:
                yield Candidate(
                    title=f"the system prompt has {max(of):,} tokens and is {carried / sent:.0%} of what is sent",
                    group=(lineage,),
                    place=Place(requests[0], self._rows(case, requests[0])[0]),
                    requests=requests,
                    tokens=carried,
                    measure="carried",
                    fix="say it shorter, or load parts of it when they are needed",
                    verdict=Verdict.DIAGNOSTIC,
                )

    @staticmethod
    def _rows(case: Case, request: int) -> list[int]:
        return [row for row in case.path(request).tolist() if case.is_kind(row, "system")]
