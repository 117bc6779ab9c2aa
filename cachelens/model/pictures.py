"""What pictures are drawn from. In: filled by `cachelens.pipeline.pictures`. Out: JSON, and back.

All of it is aggregated and bounded, however long the trace: what was left out is summed, never dropped.
"""

from __future__ import annotations

import msgspec

from cachelens.model.curve import Curve
from cachelens.model.inspection import Departure, EditRow, SegmentRow


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the tree of prompts: segments in a row that are alike and stand in the same prompts.

    `parent` is an index into the same list (-1: prompts begin here), and smaller than its own. `kind` as of
    segments, `other` for `folded` stretches that are too small to tell apart, summed with all below them. `name`: of
    the tool. `depth`: tokens of a prompt before it; `tokens` of the stretch, each counted once; `requests` hold it
    (of folded ones: the most that hold any of them). `sent_tokens`: tokens times requests, of which `hit_tokens` were
    served from cache and `repeated_tokens` had been sent before.
    """

    parent: int
    kind: str
    name: str | None
    depth: int
    segments: int
    tokens: int
    requests: int
    sent_tokens: int
    hit_tokens: int
    repeated_tokens: int
    folded: int = 0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What fills the prompts: all segments of one kind, of one tool, about one file.

    `name`: of the tool, `item`: the path or command that its call names; None where there is none, or where
    `folded` groups of the same kind and name were summed. `contents`: distinct texts, of `tokens` in all. `sends`: how
    often they stood in prompts. `sent_tokens`, of which `hit_tokens` were served from cache and `repeated_tokens` had
    been sent before.
    """

    kind: str
    name: str | None
    item: str | None
    contents: int
    tokens: int
    sends: int
    sent_tokens: int
    hit_tokens: int
    repeated_tokens: int
    folded: int = 0


class BridgeStep(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens computed and sent once this remedy is followed as well as all before it, by replay.

    `fingerprints`: the findings whose remedies this step adds: one, but for the last of many. `changes_input`: the
    model would see other text.
    """

    code: str
    name: str
    title: str
    fingerprints: tuple[str, ...]
    changes_input: bool
    computed_tokens: int
    prompt_tokens: int
    cost_usd: float | None = None


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """One request looked at closely. `why`: `break`, `finding`, `waste` or `first`.

    `segments` may leave out some in the middle of what is alike: their positions and tokens are missing in between.
    The rest as in `cachelens.model.inspection.Inspection`.
    """

    request_id: str
    why: tuple[str, ...]
    segments: tuple[SegmentRow, ...]
    edits: tuple[EditRow, ...] = ()
    divergence_edit: int | None = None
    break_: Departure | None = msgspec.field(default=None, name="break")
    echo: Departure | None = None


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """All that pictures need beside the requests.

    `curve`: the hit rate over cache sizes. `tree`: the radix tree of prompts; its `sent_tokens` sum to the prompt
    tokens. `groups`: what fills the prompts, most sent tokens first; they sum to the same. `bridge`: remedies one
    after the other, until all are followed. `views`: requests looked at closely, in order of start.
    """

    curve: Curve
    tree: tuple[Stretch, ...]
    groups: tuple[Group, ...]
    bridge: tuple[BridgeStep, ...]
    views: tuple[RequestView, ...]
