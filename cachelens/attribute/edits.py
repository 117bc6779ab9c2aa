"""How one prompt was made out of another: an edit for each segment that is not as it was.

In: two prompts as segment rows, the reply between them, and the matches of their segments. Out: `Edit`s in
order of depth. New segments at the end are no edits; those that were slipped in before old ones are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cachelens.attribute.align import Match, common_ends, in_order
from cachelens.attribute.spelling import respelling
from cachelens.attribute.texts import Texts
from cachelens.model.edits import Edit
from cachelens.model.kinds import KIND_CODE
from cachelens.model.trace import Trace

#: A run of segments was summarized when what stands in their place is shorter by this factor.
_SUMMARY_FACTOR = 3
#: Fewest segments that a summary stands for.
_SUMMARIZED = 2
_TOOLS, _CALL, _ASSISTANT = (KIND_CODE[name] for name in ("tools", "tool_call", "assistant"))


@dataclass(frozen=True)
class Pair:
    """Two prompts to be compared: `request` comes after `before`.

    `then`: rows of the earlier prompt and, from place `reply_at` on, of the reply to it; `now`: rows of the
    later prompt. `found`: matches between places of both. `offsets`: where the segments of the later prompt
    begin, in tokens, and where the last one ends. `sibling` as in `Edit`. `written_out`: the calls of the reply
    came back as text.
    """

    request: int
    before: int
    then: Sequence[int]
    reply_at: int
    now: Sequence[int]
    found: Sequence[Match]
    offsets: Sequence[int]
    sibling: bool = False
    written_out: bool = False

    @property
    def echoed(self) -> bool:
        """Whether something of the reply stands in the later prompt."""
        return self.written_out or any(
            match.before >= self.reply_at and match.head + match.tail > 0 for match in self.found
        )


def edits_of(trace: Trace, texts: Texts, pair: Pair, first: int) -> list[Edit]:
    """The edits that lead from one prompt to the other, numbered from `first`, in order of depth."""
    return _Differ(trace, texts, pair).run(first)


@dataclass
class _Differ:
    trace: Trace
    texts: Texts
    pair: Pair

    def run(self, first: int) -> list[Edit]:
        pair = self.pair
        # What has no tokens can come and go: no cache sees it.
        found = [match for match in pair.found if self._tokens(pair.now[match.now])]
        kept = self._in_order(found)
        self.covered = _covered(found, pair.offsets)
        edits: list[Edit] = []
        last_then = len(pair.then) if pair.echoed else pair.reply_at
        partner_now = {match.now for match in found}
        partner_then = {match.before for match in found}
        loose_then = [at for at in range(last_then) if at not in partner_then and self._tokens(pair.then[at])]
        loose_now = [
            at for at in range(len(pair.now)) if at not in partner_now and self._tokens(pair.now[at])
        ]
        anchors = [found[index] for index in sorted(kept)]
        for index, match in enumerate(found):
            if index not in kept:
                edits.append(self._moved(match, anchors))
            elif match.tail or match.head < self._tokens(pair.now[match.now], pair.then[match.before]):
                edits.append(self._changed(match.before, match.now, match.head, match.tail))
        at_then = at_now = start_now = 0
        for anchor in [*anchors, None]:
            end_then = anchor.before if anchor else last_then
            end_now = anchor.now if anchor else len(pair.now)
            gone, at_then = _take(loose_then, at_then, end_then)
            new, at_now = _take(loose_now, at_now, end_now)
            edits += self._gap(gone, new, start_now, closed=anchor is not None)
            start_now = end_now + 1
        edits.sort(key=lambda edit: (edit.depth, edit.now_at, edit.before_at))
        return [edit._replace(number=first + index) for index, edit in enumerate(edits)]

    def _in_order(self, found: Sequence[Match]) -> set[int]:
        """Indexes of matches that were not moved: what stands behind the reply now, and did not before, was."""
        reply = next((match.now for match in found if match.before >= self.pair.reply_at), len(self.pair.now))
        rest = [
            index
            for index, match in enumerate(found)
            if match.now <= reply or match.before >= self.pair.reply_at
        ]
        return {rest[index] for index in in_order([found[index] for index in rest])}

    def _gap(self, gone: list[int], new: list[int], place: int, closed: bool) -> list[Edit]:
        """Edits between two segments that stayed; `place` follows the first of them in the later prompt.

        `closed` False: behind the last of them.
        """
        depth = self.pair.offsets[place]
        if closed and self._summarized(gone, new):
            return [
                *(self._edit("summarized", at, -1, depth=depth) for at in gone),
                *(self._edit("summarized", -1, at) for at in new),
            ]
        edits: list[Edit] = []
        for at in gone:
            partner = next((other for other in new if self._same_thing(at, other, closed)), None)
            if partner is not None:
                new.remove(partner)
                head, tail = self._common(at, partner)
                edits.append(self._changed(at, partner, head, tail))
                depth = self.pair.offsets[partner + 1]
                continue
            in_reply = at >= self.pair.reply_at
            kind = "removed" if closed or in_reply else "truncated"
            # How the other prompt goes on says nothing about two that only begin alike.
            if kind != "truncated" or not self.pair.sibling:
                edits.append(self._edit(kind, at, -1, depth=depth))
        if closed:
            edits += [self._edit("inserted", -1, at) for at in new]
        return edits

    def _moved(self, match: Match, anchors: Sequence[Match]) -> Edit:
        """A segment taken from between two that stayed to another place: it takes effect at the first of both."""
        index = bisect_left(anchors, match.before, key=lambda anchor: anchor.before)
        left = self.pair.offsets[anchors[index - 1].now + 1] if index else 0
        depth = min(left, self.pair.offsets[match.now])
        return self._edit("moved", match.before, match.now, match.head, match.tail, depth)

    def _summarized(self, gone: list[int], new: list[int]) -> bool:
        pair = self.pair
        if len(gone) < max(_SUMMARIZED, 2 * len(new)) or not new or gone[-1] >= pair.reply_at:
            return False
        if any(self._same_call(at, other) for at in gone for other in new):
            return False  # an output and what stands for it now
        tokens, content = self.trace.contents.tokens, self.trace.segments.content
        before = sum(int(tokens[content[pair.then[at]]]) for at in gone)
        return before >= _SUMMARY_FACTOR * sum(int(tokens[content[pair.now[at]]]) for at in new)

    def _same_thing(self, then_at: int, now_at: int, closed: bool) -> bool:
        """Whether two segments with nothing in common stand for the same: an output and its stub, a call."""
        segments = self.trace.segments
        then, now = self.pair.then[then_at], self.pair.now[now_at]
        if self.pair.written_out and then_at >= self.pair.reply_at:
            return bool(segments.kind[then] == _CALL and segments.kind[now] == _ASSISTANT)
        if segments.kind[then] != segments.kind[now]:
            return False
        if segments.kind[then] == _TOOLS and segments.name[then] != segments.name[now]:
            return False
        if segments.call_id[then] >= 0 or segments.call_id[now] >= 0:
            return self._same_call(then_at, now_at)
        return closed

    def _same_call(self, then_at: int, now_at: int) -> bool:
        """Whether two segments are the same call of a tool, or answer the same one."""
        segments = self.trace.segments
        then, now = self.pair.then[then_at], self.pair.now[now_at]
        same = segments.call_id[then] == segments.call_id[now] >= 0
        return bool(same) and segments.kind[then] == segments.kind[now]

    def _common(self, then_at: int, now_at: int) -> tuple[int, int]:
        contents, content = self.trace.contents, self.trace.segments.content
        rows = self.pair.then[then_at], self.pair.now[now_at]
        then, now = (contents.token_ids(int(content[row])) for row in rows)
        return common_ends(then, now)

    def _changed(self, then_at: int, now_at: int, head: int, tail: int) -> Edit:
        contents, content = self.trace.contents, self.trace.segments.content
        one, other = int(content[self.pair.then[then_at]]), int(content[self.pair.now[now_at]])
        kind = "changed"
        a, b = (contents.token_ids(c)[int(contents.framing[c]) :] for c in (one, other))
        if len(a) == len(b) > 0 and np.array_equal(a, b):
            kind = "framed"
        elif self.texts.known:
            texts = self.texts(one), self.texts(other)
            if texts[0] is not None and texts[1] is not None and respelling(texts[0], texts[1]):
                kind = "respelled"
        return self._edit(kind, then_at, now_at, head, tail)

    def _tokens(self, *rows: int) -> int:
        content, tokens = self.trace.segments.content, self.trace.contents.tokens
        return max(int(tokens[content[row]]) for row in rows)

    def _edit(
        self, kind: str, then_at: int, now_at: int, head: int = 0, tail: int = 0, depth: int | None = None
    ) -> Edit:
        pair = self.pair
        if depth is None:
            depth = pair.offsets[now_at] + head
        return Edit(
            number=-1,
            request=pair.request,
            before=pair.before,
            kind=kind,
            before_at=then_at,
            now_at=now_at,
            before_row=pair.then[then_at] if then_at >= 0 else -1,
            now_row=pair.now[now_at] if now_at >= 0 else -1,
            head=head,
            tail=tail,
            in_reply=then_at >= pair.reply_at,
            depth=depth,
            after_tokens=self.covered[-1] - _covered_before(self.covered, pair.offsets, depth),
            sibling=pair.sibling,
        )


def _take(places: list[int], at: int, end: int) -> tuple[list[int], int]:
    """Places from index `at` on that lie before `end`, and the index after them."""
    stop = at
    while stop < len(places) and places[stop] < end:
        stop += 1
    return places[at:stop], stop


def _covered(found: Sequence[Match], offsets: Sequence[int]) -> list[int]:
    """Tokens held before, up to the start of each segment and the end of the last."""
    held = [0] * len(offsets)
    for match in found:
        held[match.now + 1] = match.head + match.tail
    for at in range(1, len(held)):
        held[at] += held[at - 1]
    return held


def _covered_before(covered: Sequence[int], offsets: Sequence[int], depth: int) -> int:
    """Tokens held before up to the segment that holds `depth`, and the part of it before `depth`."""
    at = int(np.searchsorted(offsets, depth, side="right")) - 1
    return covered[at] + min(depth - offsets[at], covered[min(at + 1, len(covered) - 1)] - covered[at])
