"""What of earlier reads and writes of a file a later one makes superfluous. In: touches in order. Out: `Loss`es.

Line numbers move when a file is edited. An edit whose place in an earlier answer is known moves that answer's
lines along; after one whose place is not known only a read or write of the whole file counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cachelens.attribute.content.lines import Page, page
from cachelens.attribute.content.touch import Edit, Touch
from cachelens.attribute.texts import Texts

#: Lines from the first to the last, both included.
Range = tuple[int, int]

#: Share of the lines of a part that is read again that must read as before; fewer means that the numbers moved.
_SAME: Final = 0.5


class Replaced(NamedTuple):
    """Lines `first` to `last` of an answer that an edit replaced by `size` lines; `last` < `first`: inserted."""

    first: int
    last: int
    size: int


class Held(NamedTuple):
    """An answer that shows (a read) or a call that holds (a write) the content of a file.

    `row`, `content`: of the result. `left`: lines that nothing later shows, None for all of them. `edits`: what
    was replaced since, None when line numbers are not known any more. `call`: row of the call.
    """

    row: int
    content: int
    call: int
    touch: Touch
    left: tuple[Range, ...] | None = None
    edits: tuple[Replaced, ...] | None = ()

    @property
    def is_read(self) -> bool:
        """Whether this is a read, not a write."""
        return self.touch.action == "read"


class Loss(NamedTuple):
    """Part of `held` that is superfluous now: characters `spans` of its text, None for all of it."""

    held: Held
    spans: tuple[tuple[int, int], ...] | None


class View(NamedTuple):
    """The answer of a read: its lines begin at number `base` where they carry none (None: not known which).

    `whole`: it shows the whole file.
    """

    page: Page
    base: int | None
    whole: bool

    def ranges(self) -> tuple[Range, ...]:
        """The lines it shows."""
        numbers = self.page.numbers
        if not self.page.numbered:
            return ((self.base, self.base + len(numbers) - 1),) if numbers and self.base is not None else ()
        found: list[Range] = []
        for number in numbers:
            if found and number == found[-1][1] + 1:
                found[-1] = (found[-1][0], number)
            else:
                found.append((number, number))
        return tuple(found)

    def at(self, line: int) -> int | None:
        """Index of a line of the file in the page."""
        if self.page.numbered:
            return self.page.index.get(line)
        at = line - self.base if self.base is not None else -1
        return at if 0 <= at < len(self.page.numbers) else None

    def number(self, index: int) -> int:
        """The line of the file at an index of the page."""
        return self.page.numbers[index] + (0 if self.page.numbered else (self.base or 1) - 1)

    def span(self, lines: Range) -> tuple[int, int] | None:
        """The characters of lines that it shows."""
        first, last = self.at(lines[0]), self.at(lines[1])
        return None if first is None or last is None else (self.page.starts[first], self.page.ends[last])


@dataclass(eq=False)
class Files:
    """Rules of supersession; remembers the pages of answers, and nothing of any prompt."""

    texts: Texts
    _views: dict[tuple[int, Touch], View | None] = field(default_factory=dict)

    def after(
        self, held: tuple[Held, ...], touch: Touch, now: Held | None, content: int
    ) -> tuple[list[Loss], tuple[Held, ...]]:
        """What `touch`, answered by `content`, makes superfluous of `held`, and what is held after it.

        `now`: the touch itself, when it may become superfluous in its turn.
        """
        losses: list[Loss] = []
        kept: list[Held] = []
        for one in held:
            loss, rest = self._one(one, touch, content)
            if loss is not None:
                losses.append(loss)
            if rest is not None:
                kept.append(rest)
        if now is not None:
            kept.append(now)
        return losses, tuple(kept)

    def _one(self, one: Held, touch: Touch, content: int) -> tuple[Loss | None, Held | None]:
        if touch.action == "write":
            return Loss(one, self._spans(one, one.left) if one.left is not None else None), None
        if touch.action == "edit":
            return self._edited(one, touch.edits) if one.is_read else (None, one)
        later = self.view(content, touch)
        if later is None:
            return None, one
        if later.whole:
            return Loss(one, self._spans(one, one.left) if one.left is not None else None), None
        return self._read_again(one, later) if one.is_read else (None, one)

    def view(self, content: int, touch: Touch) -> View | None:
        """What the answer `content` of the read `touch` shows; None when that cannot be told."""
        key = content, touch
        if key not in self._views:
            text = self.texts(content)
            self._views[key] = _view(page(text), touch) if text is not None else None
        return self._views[key]

    def _read_again(self, one: Held, later: View) -> tuple[Loss | None, Held | None]:
        """The lines of an earlier read that a later one of a part of the file shows again."""
        earlier = self.view(one.content, one.touch)
        if earlier is None or one.edits is None:
            return None, one
        left = one.left if one.left is not None else earlier.ranges()
        again: list[Range] = []
        for first, last in later.ranges():
            low, high = _original(first, one.edits, up=True), _original(last, one.edits, up=False)
            for start, end in left:
                again += _shown_again(earlier, later, (max(start, low), min(end, high)), one.edits)
        return self._without(one, earlier, left, again)

    def _edited(self, one: Held, edits: tuple[Edit, ...] | None) -> tuple[Loss | None, Held | None]:
        """The lines of an earlier read that edits replace."""
        earlier = self.view(one.content, one.touch)
        if edits is None or earlier is None:
            return None, one._replace(edits=None)
        if one.edits is None:
            return None, one
        left = one.left if one.left is not None else earlier.ranges()
        gone: list[Range] = []
        replaced = list(one.edits)
        for edit in edits:
            places = earlier.page.places(edit.old)
            size = edit.new.count("\n") - edit.old.count("\n")
            if len(places) != 1 and not (edit.every and places):
                if size:
                    return None, one._replace(edits=None)
                continue
            for place in places:
                change = _change(earlier, place, edit)
                if any(change.first <= other.last and other.first <= change.last for other in replaced):
                    return None, one._replace(edits=None)
                replaced.append(change)
                gone += [
                    (max(start, change.first), min(end, change.last))
                    for start, end in left
                    if max(start, change.first) <= min(end, change.last)
                ]
        return self._without(one._replace(edits=tuple(sorted(replaced))), earlier, left, gone)

    def _without(
        self, one: Held, earlier: View, left: tuple[Range, ...], gone: list[Range]
    ) -> tuple[Loss | None, Held | None]:
        if not gone:
            return None, one
        gone = _merged(gone)
        rest = _minus(left, gone)
        if not rest and one.left is None:
            return Loss(one, None), None
        spans = tuple(span for lines in gone if (span := earlier.span(lines)) is not None)
        return Loss(one, spans), one._replace(left=rest) if rest else None

    def _spans(self, one: Held, left: tuple[Range, ...]) -> tuple[tuple[int, int], ...]:
        earlier = self.view(one.content, one.touch)
        return tuple(s for lines in left if (s := earlier.span(lines)) is not None) if earlier else ()


def _view(shown: Page, touch: Touch) -> View:
    size = len(shown.numbers)
    if shown.shown is not None:
        first, last, total = shown.shown
        fits = shown.numbered or last - first + 1 == size
        return View(shown, first if fits else None, (first, last) == (1, total))
    asked = None if touch.last is None else touch.last - touch.first + 1
    from_start = shown.numbers[:1] == (1,) if shown.numbered else True
    to_end = asked is None or size < asked
    whole = touch.certain and touch.first == 1 and from_start and to_end and not shown.cut and size > 0
    if shown.numbered and any(b != a + 1 for a, b in zip(shown.numbers, shown.numbers[1:], strict=False)):
        whole = False
    return View(shown, touch.first if touch.certain else None, whole)


def _change(earlier: View, place: tuple[int, int], edit: Edit) -> Replaced:
    """The lines that an edit at the lines `place` of a page replaces, without those it leaves as they are."""
    first, last = place
    text, offsets = earlier.page.joined
    old = earlier.page.plain[first : last + 1]
    start = text.find(edit.old, offsets[first])
    before, after = text[offsets[first] : start], "\n".join(old)[start - offsets[first] + len(edit.old) :]
    new = (before + edit.new + after).split("\n")
    if not after and edit.old.endswith("\n"):
        new = new[:-1] if new[-1:] == [""] else new
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    begin = (
        earlier.number(first + head) if first + head < len(earlier.page.numbers) else earlier.number(last) + 1
    )
    return Replaced(begin, begin + len(old) - head - tail - 1, len(new) - head - tail)


def _original(line: int, edits: tuple[Replaced, ...], up: bool) -> int:
    """The line of the earlier answer that is now `line`; of a new line the next (`up`) or the one before."""
    moved = 0
    for first, last, size in edits:
        now = first + moved
        if line < now:
            break
        if line < now + size:
            return last + 1 if up else first - 1
        moved += size - (last - first + 1)
    return line - moved


def _now(line: int, edits: tuple[Replaced, ...]) -> int | None:
    """Where a line of the earlier answer is now; None for one that was replaced."""
    moved = 0
    for first, last, size in edits:
        if line < first:
            break
        if line <= last:
            return None
        moved += size - (last - first + 1)
    return line + moved


def _shown_again(earlier: View, later: View, lines: Range, edits: tuple[Replaced, ...]) -> list[Range]:
    """Those of the lines that the later answer shows too.

    Where both number their lines, all of them if most read the same; else the numbers are a guess, and only lines
    that read the same count.
    """
    equal: list[Range] = []
    compared: list[Range] = []
    for line in range(lines[0], lines[1] + 1):
        then, number = earlier.at(line), _now(line, edits)
        now = later.at(number) if number is not None else None
        if then is None or now is None:
            continue
        compared.append((line, line))
        if earlier.page.plain[then].rstrip() == later.page.plain[now].rstrip():
            equal.append((line, line))
    if len(equal) < _SAME * len(compared):
        return []
    return _merged(compared if earlier.page.numbered and later.page.numbered else equal)


def _merged(ranges: list[Range]) -> list[Range]:
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _minus(left: tuple[Range, ...], gone: list[Range]) -> tuple[Range, ...]:
    """The lines of `left` that are not in `gone`; both in order and without overlap."""
    found: list[Range] = []
    for first, last in left:
        at = first
        for start, end in gone:
            if end < at or start > last:
                continue
            if start > at:
                found.append((at, start - 1))
            at = end + 1
        if at <= last:
            found.append((at, last))
    return tuple(found)
