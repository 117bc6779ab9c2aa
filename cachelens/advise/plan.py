"""Plans: what a remedy changes about a trace and its cache. In: edits, rows and settings. Out: `Plan`.

A plan is data, so that plans of several findings join into one and are replayed together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """Changes to a trace and to the cache it is replayed by; an empty plan changes nothing.

    `undo`: numbers of edits that are not made. What was sent stays as it was, and what the edit put in
    comes behind all that had been sent before, where it costs only itself; for those in `silent` it is not
    sent at all, because it says nothing (a nonce, another spelling, another order).
    `shorten`: segment row -> tokens of its text that are kept, from the first request on that sends it; with 0
    the segment is left out. `clear`: request -> rows of its prompt that are replaced by a stub from this
    request on, as long as its lineage carries them.
    `ttl_s`: lifetime that every cache breakpoint gets. `mark_s`: every request asks for a breakpoint with
    this lifetime at its end. `system_in_place`: system messages stay where they were sent.
    `capacity_tokens`: size of the cache. `options`: the engine's own options.
    """

    undo: frozenset[int] = frozenset()
    silent: frozenset[int] = frozenset()
    shorten: Mapping[int, int] = field(default_factory=dict)
    clear: Mapping[int, frozenset[int]] = field(default_factory=dict)
    ttl_s: int | None = None
    mark_s: int | None = None
    system_in_place: bool = False
    capacity_tokens: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: Plan) -> Plan:
        """Both together; of two numbers the larger, of two shortenings the shorter."""
        shorten = dict(self.shorten)
        for row, tokens in other.shorten.items():
            shorten[row] = min(tokens, shorten.get(row, tokens))
        clear = dict(self.clear)
        for request, rows in other.clear.items():
            clear[request] = clear.get(request, frozenset()) | rows
        return Plan(
            undo=self.undo | other.undo,
            silent=(self.silent | other.silent),
            shorten=shorten,
            clear=clear,
            ttl_s=_larger(self.ttl_s, other.ttl_s),
            mark_s=_larger(self.mark_s, other.mark_s),
            system_in_place=self.system_in_place or other.system_in_place,
            capacity_tokens=_larger(self.capacity_tokens, other.capacity_tokens),
            options={**self.options, **other.options},
        )

    @property
    def empty(self) -> bool:
        """Whether it changes nothing."""
        return self == Plan()

    @property
    def rewrites(self) -> bool:
        """Whether it changes what is sent, or how it is marked."""
        marks = self.ttl_s is not None or self.mark_s is not None
        return bool(self.undo or self.shorten or self.clear or self.system_in_place or marks)


def join(plans: Iterable[Plan]) -> Plan:
    """All plans together."""
    whole = Plan()
    for plan in plans:
        whole = whole | plan
    return whole


def _larger(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)
