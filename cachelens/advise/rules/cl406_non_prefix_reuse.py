"""Unchanged content behind a change, which only a position-independent cache could serve.

What it detects
    Whole segments (a message, a tool result, a tool definition) of 256 tokens or more that are computed again
    because something before them changed (outcome `divergence`), though they themselves are as they were sent
    before in the same session.

Why it costs
    A prefix cache serves a token only if everything before it is equal. Caches that are independent of position
    (CacheBlend, EPIC, llama.cpp's `--cache-reuse`) keep the KV of such blocks and repair it, at some loss of
    accuracy or by computing a part of it again. This finding is the most that they could add here.

How it is measured
    Outcomes are counted by token; a segment counts only if all of its tokens are `divergence` and its content
    stood in an earlier prompt of the session. 256 tokens because such caches work in chunks of about that size.

How to fix
    First mend what changes in front (CL101 to CL113): that brings back the same tokens for nothing. What is left
    is for a position-independent cache.

Example
    A date in the first line of the system prompt changes at midnight; 40 tool results of 500 tokens behind it are
    as they were.

When to ignore
    Whenever the change in front can be mended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.model.kinds import KINDS, OUTCOME_CODE
from cachelens.model.trace import Int64

#: Fewest tokens of a segment that counts.
MIN_SEGMENT = 256


class NonPrefixReuse:
    """CL406."""

    code = "CL406"
    name = "non-prefix-reuse"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding: how many tokens in whole segments."""
        found: Counter[str] = Counter()
        segments: set[tuple[str, int]] = set()
        spoiled = []
        runs = _divergence(case)
        held: dict[str, set[int]] = {}
        walked: dict[str, set[int]] = {}
        for request in range(len(case)):
            session = case.sessions[request]
            own = held.setdefault(session, set())
            if request in runs:
                before = sum(found.values())
                for row, content, tokens in _whole(case, request, runs[request]):
                    if content in own:
                        found[KINDS[case.trace.segments.kind[row]]] += tokens
                        segments.add((session, content))
                if sum(found.values()) > before:
                    spoiled.append(request)
            _hold(case, request, own, walked.setdefault(session, set()))
        total = sum(found.values())
        if not total:
            return
        yield Candidate(
            title=f"{total:,} tokens computed again stand in unchanged segments behind a change",
            group=(),
            place=None,
            requests=spoiled,
            tokens=total,
            measure="in whole segments that had been sent before",
            fix="mend what changes in front of them; only a position-independent cache serves them as it is",
            verdict=Verdict.DIAGNOSTIC,
            details={
                "different segments": len(segments),
                **{f"tokens of kind {kind}": tokens for kind, tokens in found.most_common()},
            },
        )


def _divergence(case: Case) -> dict[int, Int64]:
    """Request -> rows (lo, hi) of its tokens that were computed again because of a change before them."""
    out = case.ledger.outcomes
    some = out.outcome == OUTCOME_CODE["divergence"]
    requests = out.request[some]
    ranges = np.column_stack((out.lo[some], out.hi[some]))
    return {int(request): ranges[requests == request] for request in np.unique(requests)}


def _whole(case: Case, request: int, ranges: Int64) -> Iterable[tuple[int, int, int]]:
    """(row, content, tokens) of the long segments that lie in one of `ranges` whole."""
    content, tokens = case.trace.segments.content, case.trace.contents.tokens
    rows = case.path(request)
    ends = np.cumsum(tokens[content[rows]])
    at = 0
    for row, end in zip(rows.tolist(), ends.tolist(), strict=True):
        size = int(tokens[content[row]])
        if size < MIN_SEGMENT:
            continue
        while at < len(ranges) and ranges[at, 1] < end:
            at += 1
        if at < len(ranges) and ranges[at, 0] <= end - size:
            yield row, int(content[row]), size


def _hold(case: Case, request: int, own: set[int], walked: set[int]) -> None:
    """Remember the contents of a prompt; rows walked before are not walked again."""
    parent, content = case.trace.segments.parent, case.trace.segments.content
    row = int(case.trace.last_segment[request])
    while row >= 0 and row not in walked:
        walked.add(row)
        own.add(int(content[row]))
        row = int(parent[row])
