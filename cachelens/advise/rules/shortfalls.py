"""Why a server served another number of tokens than was simulated. In: a `Case`. Out: one word per request, or none.

Nothing is made up: what none of these words covers is unexplained, and is counted as that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd

from cachelens.advise.case import Case

#: Requests that reported something from the cache before their common divisor says how a server rounds, and the
#: smallest of them what it caches at least.
_ROUNDED = 5
#: A capture with less than this share of the prompt that the server counted lacks a part of it: no two
#: vocabularies are that far apart.
_WHOLE = 0.6

EXPLANATIONS = {
    "server-reason": "the server says why it missed",
    "capture-partial": "the capture lacks part of the prompt",
    "outside-the-capture": "more was cached than anything in the capture had sent before",
    "rounding": "less than one step of the server's own counting",
    "below-minimum": "less than the least that the server ever served from its cache",
    "routing-key-changed": "the routing key is not that of the requests with this prefix",
    "upper-bound": "the replayed cache is a bound that no server promises to reach",
}


def difference(case: Case, request: int) -> int:
    """Cached tokens reported less expected, as the server counts them; 0 where it reported nothing."""
    told = case.told
    return int(told.cached[request] - told.expected[request]) if told.cached[request] >= 0 else 0


def step_of(case: Case) -> int:
    """The largest number that divides all reported cached counts, 1 where too few say anything."""
    counts = [count for count in case.told.cached.tolist() if count > 0]
    return reduce(gcd, counts) if len(counts) >= _ROUNDED and len(set(counts)) > 1 else 1


def least_of(case: Case) -> int:
    """The smallest cached count that was reported, other than 0; 0 where too few say anything."""
    counts = [count for count in case.told.cached.tolist() if count > 0]
    return min(counts) if len(counts) >= _ROUNDED else 0


def key_changed(case: Case, keys: Sequence[str | None], request: int) -> bool:
    """Whether a request was given another routing key than the one it continues."""
    before = int(case.trace.predecessor[request])
    return before >= 0 and keys[request] != keys[before]


class Shortfalls:
    """Explains the requests of one case."""

    def __init__(self, case: Case) -> None:
        self._case = case
        frame = case.trace.requests
        self._partial: list[str | None] = frame["partial"].to_list()
        self._reasons: list[str | None] = frame["reported_miss_reason"].to_list()
        self._keys: list[str | None] = frame["routing_key"].to_list()
        self._ours: list[int] = case.work.prompt_tokens.tolist()
        self._anything: list[int] = case.work.reusable(1, keeps_output=True).tolist()
        self._step, self._least = step_of(case), least_of(case)
        first: dict[str, int] = {}
        for request, key in enumerate(self._keys):
            if key is not None:
                first.setdefault(key, request)
        self._first_of_key = first

    def explain(self, request: int) -> str | None:
        """A key of EXPLANATIONS; None when the request is as expected, reported nothing, or is unexplained."""
        verdict = self._case.told.verdict[request]
        if verdict == "less":
            return self._less(request)
        return self._more(request) if verdict == "more" else None

    def _less(self, request: int) -> str | None:
        case = self._case
        if self._reasons[request] is not None:
            return "server-reason"
        if case.engine.facts.kind == "bound":
            return "upper-bound"
        if -difference(case, request) < self._step:
            return "rounding"
        if not case.told.cached[request] and case.told.expected[request] < self._least:
            return "below-minimum"
        return "routing-key-changed" if self._other_key(request) else None

    def _more(self, request: int) -> str | None:
        case = self._case
        theirs = int(case.told.prompt[request])
        if self._partial[request] is not None or self._ours[request] < _WHOLE * theirs:
            return "capture-partial"
        # Shares of either count: the most that anything before could have left, against what was served.
        most = self._anything[request] / self._ours[request] if self._ours[request] else 0.0
        tolerance = self._case.told.tolerance
        served = int(case.told.cached[request]) / theirs
        return "outside-the-capture" if served > most + tolerance else None

    def _other_key(self, request: int) -> bool:
        if key_changed(self._case, self._keys, request):
            return True
        key = self._keys[request]
        first = int(self._case.trace.predecessor[request]) < 0
        return first and key is not None and self._first_of_key[key] == request
