"""What was not worth sending. In: a trace, its calls and references. Out: `Labels`.

One walk over the segment trie: each row is entered once, and what begins to hold there is written down once, for
all prompts that hold it. docs/labels.md says what every label means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from cachelens.attribute.content.accesses import Deed, normal_path
from cachelens.attribute.content.calls import Call, Calls
from cachelens.attribute.content.cuts import Cuts
from cachelens.attribute.content.echo import find_echoes
from cachelens.attribute.content.files import Files, Held, Loss
from cachelens.attribute.content.options import LabelOptions
from cachelens.attribute.content.preorder import Journal
from cachelens.attribute.content.references import Use
from cachelens.attribute.content.touch import Touch
from cachelens.attribute.texts import Texts
from cachelens.model.kinds import KIND_CODE, LABEL_CODE, ROLE_CODE
from cachelens.model.labels import Labels
from cachelens.model.trace import Int64, Trace

#: Kinds of which a later copy can be a duplicate. What the assistant wrote comes back because histories are sent
#: again; definitions of tools stand once.
_COPIES = frozenset(KIND_CODE[name] for name in ("user", "tool_result", "system"))
_ASSISTANT = ROLE_CODE["assistant"]

#: (row, lo, hi, label, since, cause), as `Labels.of` takes them.
Fact = tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Walkable:
    """What a walk over a trace needs: its rows in depth-first order, their depths, and equal contents.

    `payloads[content]` is the first content of the same text.
    """

    order: list[int]
    depths: list[int]
    payloads: Int64


def label(
    trace: Trace,
    texts: Texts,
    calls: Calls,
    references: Mapping[int, Use],
    walk: Walkable,
    options: LabelOptions,
) -> Labels:
    """All facts about the rows of a trace; of a trace without text the duplicates alone."""
    found = _Walk(trace, texts, calls, references, walk, options)
    facts = found.run()
    if texts.known:
        echoes = find_echoes(
            trace, texts, calls, options, walk.payloads, walk.order, walk.depths, found.lost()
        )
        facts += [(row, *found.whole(row), LABEL_CODE["echo"], row, cause) for row, cause in echoes]
    return Labels.of(facts)


@dataclass(frozen=True)
class _Answered:
    """The latest call of its kind that was answered, and those before it of which its answer is an exact copy."""

    calls: tuple[int, ...]
    results: tuple[int, ...]


@dataclass
class _Walk:
    trace: Trace
    texts: Texts
    calls: Calls
    references: Mapping[int, Use]
    walk: Walkable
    options: LabelOptions
    facts: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        segments, contents = self.trace.segments, self.trace.contents
        self.content = segments.content.tolist()
        self.kind = segments.kind.tolist()
        self.parent = segments.parent.tolist()
        self.assistant = (segments.role == _ASSISTANT).tolist()
        self.tokens = contents.tokens.tolist()
        self.framing = contents.framing.tolist()
        self.same = self.walk.payloads.tolist()
        self.names = Counter(
            name
            for call in self.calls.at.values()
            for name in {touch.path.rpartition("/")[2] for touch in call.deed.touches}
        )
        self.files = Files(self.texts)
        self.cuts = Cuts(self.texts)
        self.journal = Journal()
        # What the path to the row at hand holds.
        self.copies: dict[
            int, tuple[int, ...]
        ] = {}  # rows that hold a text and are no superfluous copy of it
        self.answered: dict[tuple[str, str, str], _Answered] = {}
        self.held: dict[tuple[str, ...], tuple[Held, ...]] = {}
        self.touched: dict[int, int] = {}
        self.folder: dict[int, str] = {}
        self.aging: dict[int, tuple[int, ...]] = {}
        self.turn: list[int] = []

    def whole(self, row: int) -> tuple[int, int]:
        """The tokens of a row's text: all but its framing."""
        content = self.content[row]
        return self.framing[content], self.tokens[content]

    def run(self) -> list[Fact]:
        copies = self._copies()
        self.turn = [0] * len(self.parent)
        call_of, use = self.calls.call_of, self.references
        steps = self.options.unreferenced_steps
        fewest = self.options.min_rare_identifiers
        unused = {row for row, one in use.items() if not one.referenced and one.rare >= fewest}
        for row in self.journal.visit(self.walk.order, self.walk.depths):
            text = copies[self.content[row]]
            copy_of = self._copy(row, text) if text >= 0 else -1
            if unused:
                above = self.parent[row]
                turn = self.turn[above] if above >= 0 else 0
                if self.assistant[row] and (above < 0 or not self.assistant[above]):
                    turn += 1
                    for old in self.aging.get(turn - steps - 1, ()):
                        self._fact("unreferenced", old, row, -1)
                self.turn[row] = turn
                if row in unused:
                    self.journal.set(self.aging, turn, (*self.aging.get(turn, ()), row))
            if row in call_of:
                self._result(row, self.calls.at[call_of[row]], copy_of >= 0)
        return self.facts

    def lost(self) -> dict[int, list[tuple[int, int, int]]]:
        """By row from which on it is so: rows and tokens that are superfluous for what they say, found so far."""
        found: dict[int, list[tuple[int, int, int]]] = {}
        for row, lo, hi, code, since, _ in self.facts:
            if code != LABEL_CODE["unreferenced"]:
                found.setdefault(since, []).append((row, lo, hi))
        return found

    def _fact(self, name: str, row: int, since: int, cause: int) -> None:
        self.facts.append((row, *self.whole(row), LABEL_CODE[name], since, cause))

    def _copies(self) -> list[int]:
        """By content: what stands for its text, when the text is long enough and at two rows or more; else -1."""
        same = self.same
        rows: dict[int, int] = {}
        for content in self.content:
            rows[same[content]] = rows.get(same[content], 0) + 1
        contents, smallest = self.trace.contents, self.options.min_duplicate_tokens
        sizes = (contents.tokens - contents.framing).tolist()
        has_ids = (contents.offsets[1:] > contents.offsets[:-1]).tolist()
        return [
            text if has_ids[content] and sizes[content] >= smallest and rows.get(text, 0) > 1 else -1
            for content, text in enumerate(same)
        ]

    def _copy(self, row: int, text: int) -> int:
        """The row of which `row` is a duplicate; -1 when it is none."""
        copies = self.copies.get(text) or ()
        if copies and (self.kind[row] in _COPIES or not self.texts.known):
            self._fact("dup_exact", row, row, copies[0])
            return copies[0]
        self.journal.set(self.copies, text, (*copies, row))
        return -1

    def _stale(self, name: str, row: int, since: int) -> None:
        """A whole row is superfluous."""
        self._fact(name, row, since, since)
        self._gone(row)

    def _gone(self, row: int) -> None:
        """A later copy of this row is no duplicate of it."""
        text = self.same[self.content[row]]
        copies = self.copies.get(text) or ()
        if row in copies:
            self.journal.set(self.copies, text, tuple(other for other in copies if other != row))

    def _result(self, row: int, call: Call, is_copy: bool) -> None:
        done = call.deed
        counts = True
        if done.touches and self._met_again(call):
            counts = not self.calls.access_failed(row)
        self._answer(row, call, is_copy, counts or done.action == "run")
        if call.row not in self.touched or self.touched[call.row] is None:
            self.journal.set(self.touched, call.row, row)
            if done.touches and counts and self._met_again(call):
                self._touch(row, call, is_copy)
            self._move(row, done)

    def _met_again(self, call: Call) -> bool:
        """Whether another call may be about the same file."""
        return any(self.names[touch.path.rpartition("/")[2]] > 1 for touch in call.deed.touches)

    def _answer(self, row: int, call: Call, is_copy: bool, counts: bool) -> None:
        """Earlier results of the same call are superfluous now, and failed commands with them.

        But for those that this one is a copy of: then it is the copy that is superfluous. One that does not count,
        an error where a file was expected, makes no more than earlier errors superfluous.
        """
        done = call.deed
        if not call.repeatable:
            return
        key = done.name, done.arguments, self._folder(done)
        before = self.answered.get(key)
        if before is None:
            self.journal.set(self.answered, key, _Answered((call.row,), (row,)))
            return
        if before.calls[-1] == call.row:
            self.journal.set(self.answered, key, _Answered(before.calls, (*before.results, row)))
            return
        text = self.same[self.content[row]]
        stale = [
            old
            for old in before.results
            if not (is_copy and self.same[self.content[old]] == text)
            and (counts or self.calls.access_failed(old))
        ]
        kept = tuple(old for old in before.results if old not in stale)
        for earlier in stale:
            self._stale("dup_call", earlier, row)
        if done.action == "run":
            failed = [earlier for earlier in before.results if self.calls.command_failed(earlier)]
            for earlier in failed:
                if earlier in stale:
                    self._fact("failed_rerun", earlier, row, row)
            for earlier_call in sorted({self.calls.call_of[earlier] for earlier in failed}):
                if earlier_call in before.calls:
                    self._call_fact("failed_rerun", earlier_call, row)
        calls = (*before.calls, call.row) if kept else (call.row,)
        self.journal.set(self.answered, key, _Answered(calls, (*kept, row)))

    def _call_fact(self, name: str, row: int, since: int) -> None:
        """The text of the call at `row`: of one spelled in a message, from where it begins."""
        lo, hi = self.whole(row)
        start = self.calls.at[row].start
        if start:
            text = self.texts(self.content[row]) or ""
            lo, hi = self.cuts.tokens(self.content[row], start, len(text))
        self.facts.append((row, lo, hi, LABEL_CODE[name], since, since))

    def _folder(self, done: Deed) -> str:
        """What the folder of a command is known by; empty for what runs in no shell, or says itself where."""
        if done.action != "run" or done.folder is not None or (done.moved.folder or "").startswith("/"):
            return ""
        return self.folder.get(0, "")

    def _move(self, row: int, done: Deed) -> None:
        """Some shells stay where a command went."""
        if done.moved.lost:
            self.journal.set(self.folder, 0, f"?{row}")
        elif done.moved.folder is not None:
            to = normal_path(done.moved.folder) or ""
            now = self.folder.get(0, "")
            where = to if to.startswith("/") else f"{now}/{to}"
            if where != now:
                self.journal.set(self.folder, 0, where)

    def _key(self, touch: Touch, done: Deed) -> tuple[str, ...]:
        """What a file is known by. A relative name is the same file only for tools of the same folder."""
        if touch.path.startswith("/") or done.action not in ("run", "patch"):
            return (touch.path,)
        if done.folder is not None and done.folder.startswith("/"):
            return (normal_path(f"{done.folder}/{touch.path}") or touch.path,)
        return ("in", done.folder or self.folder.get(0, ""), touch.path)

    def _touch(self, row: int, call: Call, is_copy: bool) -> None:
        done, content = call.deed, self.content[row]
        alone = len(done.touches) == 1
        for touch in done.touches:
            if touch.action == "read" and not alone and (touch.first, touch.last) != (1, None):
                continue
            key = self._key(touch, done)
            before = self.held.get(key, ())
            holds = alone and touch.action in ("read", "write") and done.action != "delete"
            now = Held(row, content, call.row, touch) if holds else None
            # Of an answer that is a copy of an earlier one, the earlier one goes on to count.
            copied: tuple[Held, ...] = ()
            if is_copy and touch.action == "read":
                text = self.same[content]
                copied = tuple(one for one in before if one.is_read and self.same[one.content] == text)
            if copied:
                before = tuple(one for one in before if one not in copied)
                now = None
            losses, after = self.files.after(before, touch, now, content)
            left = {one.row for one in after}
            for loss in losses:
                self._lose(loss, row)
                if loss.held.row not in left:
                    self._gone(loss.held.row)
            self.journal.set(self.held, key, (*copied, *after))

    def _lose(self, loss: Loss, since: int) -> None:
        held = loss.held
        if not held.is_read:
            self._call_fact("superseded_write", held.call, since)
            self._stale("superseded_write", held.row, since)
        elif loss.spans is None:
            self._stale("superseded_read", held.row, since)
        else:
            for start, end in loss.spans:
                lo, hi = self.cuts.tokens(held.content, start, end)
                self.facts.append((held.row, lo, hi, LABEL_CODE["superseded_read"], since, since))
