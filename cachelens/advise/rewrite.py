"""A trace as it would be if a plan were followed. In: a trace, its history, a `Plan`. Out: another trace.

Requests keep their numbers, times and replies. A lineage that the plan leaves alone is copied row by row, so
that the cost follows what changes and not what is sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from cachelens.advise.made_contents import STUB_TOKENS as STUB_TOKENS
from cachelens.advise.made_contents import MadeContents
from cachelens.advise.plan import Plan
from cachelens.attribute.edits import Pair
from cachelens.attribute.history import History, compare
from cachelens.model.edits import Edit
from cachelens.model.kinds import KIND_CODE, ROLE_CODE
from cachelens.model.trace import Int32, Int64, Segments, Trace

#: Edits whose new text is a segment of its own.
_WHOLE = ("inserted", "summarized")


class Entry(NamedTuple):
    """One segment of a rewritten prompt.

    `at`: its place in the prompt as captured, -1 for one that stands there only because of the plan.
    `row`: the captured row it is made of. `late`: new text that was moved behind what had been sent. `mark`: TTL
    of a breakpoint behind it in seconds, 0 for none: breakpoints belong to requests, and are not carried on.
    """

    at: int
    content: int
    row: int
    late: bool = False
    mark: int = 0


def rewrite(trace: Trace, past: History, plan: Plan) -> Trace:
    """`trace` with the requests that `plan` asks for. Raises KeyError for an edit that `past` does not have."""
    return _Rewriter(trace, past, plan).run()


@dataclass
class _Rewriter:
    trace: Trace
    past: History
    plan: Plan
    _states: dict[int, list[Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        segments, plan = self.trace.segments, self.plan
        self.content: list[int] = segments.content.tolist()
        self.old_parent: list[int] = segments.parent.tolist()
        self.old_mark: list[int] = segments.breakpoint_s.tolist()
        self.new = MadeContents(self.trace.contents)
        self.parent: list[int] = []
        self.source: list[int] = []
        self.placed_content: list[int] = []
        self.late: list[bool] = []
        self.mark: list[int] = []
        self._next: dict[tuple[int, int, int, bool, int], int] = {}
        self._plain: dict[int, int] = {-1: -1}
        #: Row of a first request behind which nothing of its own was undone -> its prompt, captured and rewritten.
        self._twins: dict[int, tuple[list[int], list[Entry]]] = {}
        self.undone: defaultdict[int, list[Edit]] = defaultdict(list)
        for number in plan.undo:
            edit = self.past.edits[number]
            self.undone[edit.request].append(edit)

    def run(self) -> Trace:
        trace = self.trace
        predecessor = trace.predecessor.tolist()
        self.waiting = Counter(predecessor)
        for edits in self.undone.values():
            self.waiting.update({edit.before for edit in edits if edit.sibling})
        lasts, outputs = [], []
        for request, before in enumerate(predecessor):
            entries = self._entries(request, before)
            if entries is None:
                last = self._plain_row(int(trace.last_segment[request]))
            else:
                last = -1
                for entry in entries:
                    last = self._follow(last, entry.content, entry.row, entry.mark, entry.late)
                if self.waiting[request]:
                    self._states[request] = entries
            lasts.append(last)
            outputs.append(self._reply(request, last))
        return self._trace(np.array(lasts, dtype=np.int64), np.array(outputs, dtype=np.int64))

    # -- rows

    def _plain_row(self, row: int) -> int:
        """The new row of a captured one whose path the plan changes row by row at most."""
        pending = []
        while row not in self._plain:
            pending.append(row)
            row = self.old_parent[row]
        new = self._plain[row]
        for row in reversed(pending):
            content, mark = self._own(row), self.old_mark[row]
            if content is not None:
                new = self._follow(new, content, row, mark)
            elif mark and new >= 0:
                # The breakpoint behind a row that is left out is now behind the one before it.
                mark = max(mark, self.mark[new])
                new = self._follow(
                    self.parent[new], self.placed_content[new], self.source[new], mark, self.late[new]
                )
            self._plain[row] = new
        return new

    def _own(self, row: int) -> int | None:
        """The content of a row after shortening, None when it is left out."""
        kept = self.plan.shorten.get(row)
        if kept is None:
            return self.content[row]
        return self.new.shortened(self.content[row], kept) if kept else None

    def _follow(self, row: int, content: int, source: int, mark: int, late: bool = False) -> int:
        """The new row of `content` behind the new row `row`."""
        key = (row, content, source, late, mark)
        found = self._next.get(key)
        if found is None:
            found = self._next[key] = len(self.parent)
            self.parent.append(row)
            self.source.append(source)
            self.placed_content.append(content)
            self.late.append(late)
            self.mark.append(mark)
        return found

    def _reply(self, request: int, last: int) -> int:
        trace = self.trace
        prompt_end = int(trace.last_segment[request])
        rows: list[int] = []
        row = int(trace.last_output[request])
        while row != prompt_end:
            rows.append(row)
            row = self.old_parent[row]
        for row in reversed(rows):
            last = self._follow(last, self.content[row], row, self.old_mark[row])
        return last

    # -- prompts

    def _entries(self, request: int, before: int) -> list[Entry] | None:
        """The prompt of a request entry by entry; None when it is made of captured rows alone."""
        undone = {edit.number: edit for edit in self.undone.get(request, ())}
        sibling = next((edit.before for edit in undone.values() if edit.sibling), -1)
        if sibling >= 0:
            before = sibling
        state = self._taken(before)
        cleared = self.plan.clear.get(request)
        twins = bool(self._twins) and before < 0
        if state is None and not undone and not cleared and not twins:
            return None
        rows = self.trace.segments.path(int(self.trace.last_segment[request])).tolist()
        twin = self._like_twin(rows) if twins else None
        if twin is not None:
            entries = twin
        elif before < 0 or (not undone and state is None):
            if not cleared:
                return None
            entries = self._captured(rows)
        else:
            entries = self._continued(request, before, rows, state, undone, sibling >= 0)
            if sibling >= 0:
                place = self._behind(request, before, list(undone.values()))
                if place is not None:
                    self._twins[rows[place]] = rows, entries
        if cleared:
            entries = [
                entry._replace(content=self.new.stub(entry.content)) if entry.row in cleared else entry
                for entry in entries
            ]
        return entries

    def _taken(self, before: int) -> list[Entry] | None:
        """The rewritten prompt of an earlier request; dropped once nobody else continues it."""
        if before < 0:
            return None
        self.waiting[before] -= 1
        return self._states.get(before) if self.waiting[before] else self._states.pop(before, None)

    def _behind(self, request: int, before: int, undone: Sequence[Edit]) -> int | None:
        """The place of a first request that all its undone edits are in front of; None when there is none."""
        offsets = compare(self.trace, request, before, sibling=True).offsets
        places = [edit.now_at if edit.now_at >= 0 else bisect_left(offsets, edit.depth) for edit in undone]
        return max(places) if max(places) < len(offsets) - 1 else None

    def _like_twin(self, rows: Sequence[int]) -> list[Entry] | None:
        """A first request that starts like one that was made like an earlier one; None when it does not.

        It was served by that one, and is again when it is rewritten in the same way.
        """
        found = next((self._twins[row] for row in reversed(rows) if row in self._twins), None)
        if found is None:
            return None
        others, entries = found
        shared = next(
            (at for at, pair in enumerate(zip(rows, others, strict=False)) if pair[0] != pair[1]), None
        )
        same = min(len(rows), len(others)) if shared is None else shared
        alone = set(others[same:])
        own = ((at, self._own(rows[at]), rows[at]) for at in range(same, len(rows)))
        made = [
            *(entry._replace(mark=0) for entry in entries if entry.row not in alone),
            *(Entry(at, content, row) for at, content, row in own if content is not None),
        ]
        return self.marked(made, rows, set())

    def _captured(self, rows: Sequence[int]) -> list[Entry]:
        kept = ((at, self._own(row), row) for at, row in enumerate(rows))
        entries = [Entry(at, content, row) for at, content, row in kept if content is not None]
        return self.marked(entries, rows, set())

    def marked(self, entries: list[Entry], rows: Sequence[int], gone_back: set[int]) -> list[Entry]:
        """`entries` with the breakpoints of the captured prompt `rows`, each behind what it stood behind.

        The breakpoint of a segment that is not there any more, or that stands elsewhere (`gone_back`, places), goes
        to the one before it.
        """
        index = {entry.at: at for at, entry in enumerate(entries) if entry.at >= 0}
        home = -1
        for at, row in enumerate(rows):
            if at in index and at not in gone_back:
                home = index[at]
            mark = self.old_mark[row]
            if mark and home >= 0:
                entries[home] = entries[home]._replace(mark=max(mark, entries[home].mark))
        return entries

    def _continued(
        self,
        request: int,
        before: int,
        rows: Sequence[int],
        state: list[Entry] | None,
        undone: dict[int, Edit],
        sibling: bool,
    ) -> list[Entry]:
        pair = self.past.pairs.get(request) if not sibling else None
        if pair is None:
            pair = compare(self.trace, request, before, sibling)
        return _Continuation(self, pair, rows, state, list(undone.values())).run()

    # -- tables

    def _trace(self, lasts: Int64, outputs: Int64) -> Trace:
        trace, old = self.trace, self.trace.segments
        source = np.array(self.source, dtype=np.int64)
        late = np.array(self.late, dtype=np.bool_)
        content = np.array(self.placed_content, dtype=np.int64)
        contents = self.new.finish()
        segments = Segments(
            parent=np.array(self.parent, dtype=np.int32),
            content=content.astype(np.int32),
            kind=np.where(late, KIND_CODE["user"], old.kind[source]).astype(np.uint8),
            role=np.where(late, ROLE_CODE["user"], old.role[source]).astype(np.uint8),
            name=np.where(late, -1, old.name[source]).astype(np.int32),
            call_id=np.where(late, -1, old.call_id[source]).astype(np.int32),
            breakpoint_s=self._marks(np.array(self.mark, dtype=np.int32)),
            message=old.message[source],
            field=old.field[source],
            strings=old.strings,
        )
        depth = [0] * (len(source) + 1)
        tokens = contents.tokens[content].tolist() if len(source) else []
        for row, (above, count) in enumerate(zip(self.parent, tokens, strict=True)):
            depth[row] = depth[above] + count
        requests = trace.requests.with_columns(
            pl.Series("prompt_tokens", [depth[row] for row in lasts.tolist()], dtype=pl.Int64)
        )
        if self.plan.mark_s is not None:
            requests = requests.with_columns(
                pl.lit(self.plan.mark_s, dtype=pl.Int32).alias("auto_breakpoint_ttl_s")
            )
        if self.plan.ttl_s is not None:
            name = "auto_breakpoint_ttl_s"
            longer = pl.when(pl.col(name) > 0).then(pl.lit(self.plan.ttl_s, dtype=pl.Int32))
            requests = requests.with_columns(longer.otherwise(pl.col(name)).alias(name))
        return replace(
            trace,
            requests=requests,
            segments=segments,
            contents=contents,
            last_segment=lasts,
            last_output=outputs,
        )

    def _marks(self, seconds: Int32) -> Int32:
        if self.plan.ttl_s is None:
            return seconds
        return np.where(seconds > 0, np.int32(self.plan.ttl_s), seconds)


@dataclass
class _Continuation:
    """The prompt that continues a rewritten one: what was sent stays as it was rewritten."""

    rewriter: _Rewriter
    pair: Pair
    rows: Sequence[int]
    state: list[Entry] | None
    undone: list[Edit]

    def run(self) -> list[Entry]:
        pair = self.pair
        self.earlier, self.following = self._earlier()
        self.ranks = {at: rank for rank, at in enumerate(self.earlier)}
        self.before_of = {match.now: match.before for match in pair.found}
        changed = {edit.now_at: edit for edit in self.undone if edit.before_at >= 0 and edit.now_at >= 0}
        for at, edit in changed.items():
            self.before_of.setdefault(at, edit.before_at)
        dropped = {edit.now_at for edit in self.undone if edit.before_at < 0}
        back = {edit.now_at for edit in self.undone if edit.kind == "moved"}
        stray = {edit.now_at for edit in self._edits() if edit.kind == "moved"} - back
        # What goes back, or becomes what it was, does not make old text of what stands before it now.
        last = max((match.now for match in pair.found if match.now not in back), default=-1)
        carried = {entry.content for entries in self.following.values() for entry in entries}
        late = self._late(changed, carried)
        # What was sent stands in the order in which it was sent, as rewritten before.
        settled = [
            (self._rank(self.before_of[at]), self._entry(at, self.before_of[at], changed), at)
            for at in sorted(self.before_of)
            if at not in stray and at not in dropped
        ]
        for edit in self.undone:
            if edit.now_at < 0:
                kept = [*self._sent(edit.before_at), *self.following.get(edit.before_at, [])]
                settled.append((self._rank(edit.before_at), kept, -1))
        settled.sort(key=lambda item: item[0])
        # The rest stands behind what precedes it in the later prompt.
        behind: dict[int, list[Entry]] = {}
        anchor = -1
        for at in range(last + 1):
            if at in self.before_of and at not in stray and at not in dropped:
                # Where a segment goes back to is no place for what had come to stand behind it.
                anchor = anchor if at in back else at
            elif at not in dropped:
                own = self._entry(at, self.before_of.get(at, -1), changed)
                behind.setdefault(anchor, []).extend(own)
        entries = list(self.following.get(-1, []))
        waiting = behind.get(-1, [])
        for _, found, at in settled:
            if at >= 0 and at not in back:
                # Old text that is kept comes first: it was sent behind this, and new text was not.
                entries += [*waiting, *found]
                waiting = behind.get(at, [])
            else:
                entries += found
        entries += [*waiting, *late]
        for at in range(last + 1, len(self.rows)):
            if at not in dropped and at not in self.before_of:
                entries += self._own(at)
        return self.rewriter.marked(entries, self.rows, back)

    def _edits(self) -> Sequence[Edit]:
        """All edits between the two prompts, undone or not."""
        if self.pair.sibling:
            return self.undone
        return self.rewriter.past.edits_of.get(self.pair.request, ())

    def _rank(self, before: int) -> tuple[int, int]:
        """Where a place of the earlier prompt comes in it as rewritten; what was left out, behind what preceded it."""
        if not self.ranks or before >= self.pair.reply_at:
            return before, 0
        step = 0
        while before >= 0 and before not in self.ranks:
            before -= 1
            step += 1
        return self.ranks.get(before, -1), step

    def _earlier(self) -> tuple[dict[int, Entry], dict[int, list[Entry]]]:
        """The rewritten earlier prompt by captured place, and what the plan put behind each of them."""
        earlier: dict[int, Entry] = {}
        following: dict[int, list[Entry]] = {}
        last = -1
        for entry in self.state or ():
            if entry.at >= 0:
                last = entry.at
                earlier[last] = entry
            elif not (self.pair.sibling and entry.late):
                following.setdefault(last, []).append(entry)
        return earlier, following

    def _entry(self, at: int, before: int, changed: dict[int, Edit]) -> list[Entry]:
        """Place `at` of the later prompt, with what the plan put behind it before."""
        row = self.rows[at]
        own = self.rewriter.content[row]
        if before < 0:
            return self._own(at)
        then = self.pair.then[before]
        if at not in changed and own != self.rewriter.content[then]:
            return [*self._own(at), *self.following.get(before, [])]
        sent = self._sent(before)
        return [*(entry._replace(at=at, row=row) for entry in sent), *self.following.get(before, [])]

    def _own(self, at: int) -> list[Entry]:
        content = self.rewriter._own(self.rows[at])
        return [] if content is None else [Entry(at, content, self.rows[at])]

    def _sent(self, before: int) -> list[Entry]:
        """What stood at a place of the earlier prompt, or was generated there, as rewritten."""
        row = self.pair.then[before]
        if before in self.earlier:
            entry = self.earlier[before]
            return [Entry(-1, entry.content, entry.row)]
        if self.state is not None and before < self.pair.reply_at:
            return []  # left out of the earlier prompt already
        content = self.rewriter._own(row)
        return [] if content is None else [Entry(-1, content, row)]

    def _late(self, changed: dict[int, Edit], carried: set[int]) -> list[Entry]:
        """New text of undone edits, to be sent behind all that had been sent before."""
        found: list[Entry] = []
        for edit in sorted(self.undone, key=lambda edit: edit.number):
            if edit.number in self.rewriter.plan.silent or edit.now_at < 0 or edit.kind == "framed":
                continue
            row = self.rows[edit.now_at]
            content = self.rewriter.content[row]
            if edit.head + edit.tail == int(self.rewriter.trace.contents.tokens[content]):
                continue  # nothing new: moved as it was, or a part of it left out
            if edit.kind in _WHOLE or not edit.head + edit.tail:
                if content not in carried:
                    found.append(Entry(-1, content, row, late=True))
            elif edit.now_at in changed:
                part = self.rewriter.new.middle(content, edit.head, edit.tail)
                if part is not None:
                    found.append(Entry(-1, part, row, late=True))
        return found
