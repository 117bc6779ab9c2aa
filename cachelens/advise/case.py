"""Everything a rule may look at. In: a trace replayed by one cache. Out: `Case`, with what rules share.

What is costly is computed when a rule first asks for it, and once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cachelens.advise.tree import Tree, tree_of
from cachelens.attribute.content import ContentFacts
from cachelens.attribute.history import History
from cachelens.attribute.ledger import Ledger
from cachelens.attribute.texts import Texts
from cachelens.model.edits import Edit
from cachelens.model.kinds import KIND_CODE, OUTCOME_CODE
from cachelens.model.trace import Int64, Trace
from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.workload import Workload

if TYPE_CHECKING:
    from cachelens.advise.edit_rule import Claim
    from cachelens.advise.surplus import Region

#: The engine and setup of a case replayed on a workload.
Replayer = Callable[[Workload, Setup], Replay]


@dataclass(frozen=True)
class Thresholds:
    """Where rules begin to speak. Each with its origin in the rule that uses it (docs/rules).

    `min_tokens`, `min_share`: findings that are about fewer tokens, or a smaller share of all computed tokens or of
    all that is paid, are left out, whatever the rule; `carried_share`: so are those about tokens that are only
    carried and cannot be got rid of, below this share of all prompt tokens. `oversized_share`: share of all
    prompt tokens carried that one tool output may take, and `output_tokens` how long it may be whatever it takes.
    `tool_share`: share of all prompt tokens that a tool definition which is never called may
    take; `tool_requests`: fewest requests of a lineage that say so. `shareable_tokens`: fewest tokens that sessions
    could share.
    """

    min_tokens: int = 64
    min_share: float = 0.005
    carried_share: float = 0.05
    oversized_share: float = 0.05
    output_tokens: int = 2000
    tool_share: float = 0.0
    tool_requests: int = 5
    shareable_tokens: int = 512


@dataclass(frozen=True)
class Told:
    """What servers said, per request: -1 where it was not said. `verdict` as in `pipeline.reported`, or empty.

    `cached`, `prompt`: tokens as the server counts them. `expected`: the tokens that the replay would have
    served, in the same count. `tolerance`: share of a prompt by which both may differ and be as expected.
    """

    cached: Int64
    prompt: Int64
    verdict: Sequence[str]
    expected: Int64
    tolerance: float


@dataclass(frozen=True, eq=False)
class TokenPrices:
    """What a prompt token of each request costs in US dollars: read from the cache, computed, computed and kept."""

    read: npt.NDArray[np.float64]
    computed: npt.NDArray[np.float64]
    kept: npt.NDArray[np.float64]


@dataclass(eq=False)
class Case:
    """A trace under one cache, and all that was found out about it.

    `optimal`, `reusable`: hit tokens per request of perfect eviction and of an infinite cache. `limits`: hits
    per request as one limit of the cache after the other is lifted, by outcome. `content`: labels, calls and
    density. `ledger`: both planes. `outcome_tokens[i, o]`: tokens of request i with outcome o. `prices`: None where
    a price is not known.
    """

    trace: Trace
    work: Workload
    engine_name: str
    engine: type[Engine]
    setup: Setup
    replay: Replay
    limits: Mapping[str, Int64]
    reusable: Int64
    texts: Texts
    past: History
    content: ContentFacts
    ledger: Ledger
    outcome_tokens: Int64
    told: Told
    thresholds: Thresholds = field(default_factory=Thresholds)
    prices: TokenPrices | None = None

    def __len__(self) -> int:
        return len(self.trace)

    # -- the trace, as lists

    @cached_property
    def sessions(self) -> list[str]:
        """Session of each request."""
        return self.trace.requests["session_id"].to_list()

    @cached_property
    def lineages(self) -> list[str]:
        """Lineage of each request."""
        return self.trace.requests["lineage_id"].to_list()

    @cached_property
    def requests_of_lineage(self) -> dict[str, list[int]]:
        """Requests of each lineage, ascending."""
        found: dict[str, list[int]] = {}
        for request, lineage in enumerate(self.lineages):
            found.setdefault(lineage, []).append(request)
        return found

    @cached_property
    def requests_of_session(self) -> dict[str, list[int]]:
        """Requests of each session, ascending."""
        found: dict[str, list[int]] = {}
        for request, session in enumerate(self.sessions):
            found.setdefault(session, []).append(request)
        return found

    @cached_property
    def roots(self) -> list[int]:
        """Requests that continue no other."""
        return np.flatnonzero(self.trace.predecessor < 0).tolist()

    @cached_property
    def started_us(self) -> list[int | None]:
        """Start of each request in microseconds since the epoch, None where unknown."""
        return self.trace.requests["started_at"].to_physical().to_list()

    def path(self, request: int) -> Int64:
        """Segment rows of a request's prompt."""
        return self.trace.segments.path(int(self.trace.last_segment[request]))

    def reply(self, request: int) -> list[int]:
        """Segment rows of what was generated, empty when it was not captured."""
        rows: list[int] = []
        end, row = int(self.trace.last_segment[request]), int(self.trace.last_output[request])
        while row != end:
            rows.append(row)
            row = int(self.trace.segments.parent[row])
        return rows[::-1]

    def text(self, row: int) -> str | None:
        """Text of a segment, without framing; None where it has none."""
        return self.texts(int(self.trace.segments.content[row])) if row >= 0 else None

    def tokens(self, row: int) -> int:
        """Tokens of a segment, framing included."""
        return int(self.trace.contents.tokens[self.trace.segments.content[row]])

    def name(self, row: int) -> str | None:
        """Name of the tool that a segment defines, calls or answers; None where it has none."""
        number = int(self.trace.segments.name[row])
        return self.trace.segments.strings[number] if number >= 0 else None

    def is_kind(self, row: int, *kinds: str) -> bool:
        """Whether a segment is of one of these kinds."""
        return int(self.trace.segments.kind[row]) in {KIND_CODE[kind] for kind in kinds}

    def new_user_turn(self, request: int) -> bool:
        """Whether the request brings a message of the user that its predecessor's prompt did not have."""
        before = int(self.trace.predecessor[request])
        if before < 0:
            return True
        held = {int(self.trace.segments.content[row]) for row in self.path(before).tolist()}
        return any(
            self.is_kind(row, "user") and int(self.trace.segments.content[row]) not in held
            for row in self.path(request).tolist()
        )

    @cached_property
    def tree(self) -> Tree:
        """Which prompts hold a segment."""
        return tree_of(self.trace)

    @cached_property
    def surplus(self) -> Sequence[Region]:
        """What prompts could do without."""
        from cachelens.advise.surplus import surplus

        return surplus(self)

    # -- what it cost

    def lost(self, request: int, *outcomes: str) -> int:
        """Tokens of a request with any of these outcomes."""
        return int(sum(self.outcome_tokens[request, OUTCOME_CODE[name]] for name in outcomes))

    @cached_property
    def evictor(self) -> Int64:
        """The request that pushed out the first token each request lost to capacity, -1 where none did."""
        if self.replay.evictor is None:
            return np.full(len(self), -1, dtype=np.int64)
        return self.replay.evictor

    @property
    def idle_us(self) -> Int64 | None:
        """Microseconds for which the expired prefix of each request had not been used, -1 where none expired."""
        return self.replay.idle_us

    @cached_property
    def computed(self) -> int:
        """Tokens computed in all."""
        return int((self.work.prompt_tokens - self.replay.hit).sum())

    @cached_property
    def claims(self) -> dict[int, tuple[str, Claim]]:
        """Edit number -> code of the rule that it belongs to, and what this rule said of it."""
        from cachelens.advise.edit_rule import claims

        return claims(self)

    def costly(self, edit: Edit) -> bool:
        """Whether something that had been sent before stood behind the edit."""
        return edit.after_tokens > 0
