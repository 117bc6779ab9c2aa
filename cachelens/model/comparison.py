"""Two analyses side by side. In: filled by `cachelens.pipeline.comparison`. Out: JSON, and back.

Counts are tokens and exact. Rates are shares from 0 to 1; how far two of them are apart is told in percentage points
and, apart from that, relative to the first, so that nobody takes one for the other.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from cachelens.model.findings import Location
from cachelens.model.result import Result
from cachelens.model.rows import EngineFacts, TraceFacts

#: Identifies the JSON layout; raised when a field changes meaning or goes.
COMPARISON_SCHEMA = "cachelens.comparison/1"

#: What a figure is counted in. `rate`: a share from 0 to 1. `factor`: how many times.
Unit = Literal["tokens", "count", "rate", "factor", "usd"]
#: Which way is better; empty: neither way is, by itself.
Better = Literal["more", "less", ""]
#: What the change does. Empty: neither way is better, one of the two values is not known, or they are amounts of
#: work that is not known to be the same.
Effect = Literal["better", "worse", "same", ""]
#: A cause on both sides: found after only, found before only, about more, about fewer tokens, or the same.
State = Literal["appeared", "vanished", "grew", "shrank", "unchanged"]
#: How a cause was found again: by its `fingerprint`, or by its `rule` alone, since its place or title has changed.
MatchedBy = Literal["fingerprint", "rule", ""]
#: How a session was found again: by an `id` of its own, by ids of its `requests`, by the `file` that it alone stands
#: in, as the `only` one of either side, or by `order`, where all sessions (of a file) have the same lineages and
#: as many requests.
PairedBy = Literal["id", "requests", "file", "only", "order"]
#: `mixed`: some of the figures that it is judged by are better, some worse.
Judgment = Literal["better", "worse", "mixed", "same"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two: a short name, the version of cachelens that analyzed it, what was read, what was replayed."""

    name: str
    cachelens: str
    trace: TraceFacts
    engine: EngineFacts


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that is not the same on both sides, such as `engine` or `capacity`, in words."""

    name: str
    before: str
    after: str


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """One figure before and after; None where it does not exist.

    `change`: after less before, in `unit`; None for rates. `change_pp`: of rates only, in percentage points.
    `relative`: after over before, less 1; None where before is 0.
    """

    name: str
    title: str
    unit: Unit
    before: int | float | None
    after: int | float | None
    change: int | float | None
    change_pp: float | None
    relative: float | None
    better: Better
    effect: Effect


class PartDelta(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome or label: its tokens, and its share of all prompt tokens of its side."""

    name: str
    tokens: Delta
    share: Delta


class BucketDelta(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of waste: tokens carried, tokens computed, and these as a share of all computed tokens of its side."""

    name: str
    carried: Delta
    computed: Delta
    share: Delta


class LayoutDelta(msgspec.Struct, frozen=True, kw_only=True):
    """Both traces under one other cache, unlimited: `order` of its prompts, hit rate, computed tokens, cost."""

    engine: str
    order: str
    hit_rate: Delta
    computed: Delta
    cost: Delta


class FindingSide(msgspec.Struct, frozen=True, kw_only=True):
    """A cause of waste on one side. `saving_tokens` None: there is nothing to replay; `saving_share` of computed.

    `location` is without excerpts.
    """

    fingerprint: str
    title: str
    tokens: int
    requests: int
    sessions: int
    saving_tokens: int | None = None
    saving_share: float | None = None
    saving_usd: float | None = None
    location: Location | None = None


class FindingDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A cause of waste before and after; None where it was not found.

    `title`, `verdict`, `measure`, `changes_input`, `fix` are those of after, or of before where it is gone. The
    changes are after less before; what is not there counts as 0. `change_saving` None: no saving is known of a side
    that has it.
    """

    state: State
    matched_by: MatchedBy
    code: str
    name: str
    title: str
    verdict: str
    measure: str
    changes_input: bool
    fix: str
    before: FindingSide | None
    after: FindingSide | None
    change_tokens: int
    change_requests: int
    change_saving: int | None


class SessionDelta(msgspec.Struct, frozen=True, kw_only=True):
    """One session on both sides, and how it was found again."""

    before_id: str
    after_id: str
    paired_by: PairedBy
    requests: Delta
    prompt: Delta
    computed: Delta
    hit_rate: Delta


class Unpaired(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions of one side that were not found on the other, summed."""

    sessions: int
    requests: int
    prompt_tokens: int
    computed_tokens: int


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions found on both sides.

    `pairs`: those whose computed tokens changed most, first; `paired` is the number of all of them, and
    `left_out_*` sum up what changed in those that are not listed. `ways`: how many were paired which way. `better`,
    `worse`, `same` count all pairs, by computed tokens where they have equally many requests, of which there are
    `same_length`, and by hit rates elsewhere. `why`: why others were not paired; empty: all were.
    """

    paired: int
    ways: dict[str, int]
    pairs: tuple[SessionDelta, ...]
    left_out: int
    left_out_prompt_change: int
    left_out_computed_change: int
    better: int
    worse: int
    same: int
    same_length: int
    only_before: Unpaired
    only_after: Unpaired
    why: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What changed between two analyses, before and after.

    `across`: conditions that differ and were to be compared all the same. `judgment` goes by the effects of the
    figures that `judged_by` names: those of the whole where both sides did the `same_work`, that is, where all
    sessions were paired and have equally many requests; otherwise rates alone. `figures`: the headline.
    `outcomes` and `labels`: their changes sum to that of the prompt tokens. `causes`: appeared, grew, shrank,
    vanished, unchanged ones, each by tokens. It holds
    no text of prompts, even where the results do.
    """

    schema: str = COMPARISON_SCHEMA
    cachelens: str
    before: Side
    after: Side
    across: tuple[Difference, ...]
    judgment: Judgment
    judged_by: tuple[str, ...]
    same_work: bool
    figures: tuple[Delta, ...]
    outcomes: tuple[PartDelta, ...]
    labels: tuple[PartDelta, ...]
    buckets: tuple[BucketDelta, ...]
    causes: tuple[FindingDelta, ...]
    layouts: tuple[LayoutDelta, ...]
    sessions: Sessions
    notes: tuple[str, ...] = ()

    def figure(self, name: str) -> Delta:
        """The headline figure of that name. Raises KeyError when there is none."""
        for found in self.figures:
            if found.name == name:
                return found
        raise KeyError(name)


class Illustrated(Comparison, frozen=True, kw_only=True):
    """A comparison with both results, for renderers that draw pictures of them. JSON is that of `plain`."""

    results: tuple[Result, Result]


def plain(document: Comparison) -> Comparison:
    """The comparison without the results that pictures are drawn from."""
    return Comparison(**{name: getattr(document, name) for name in Comparison.__struct_fields__})
