"""Edit scripts: one prompt made out of another, and what was done. In: hypothesis. Out: `Script`s.

Between two edits stands a segment that stays, so that each has one reading only. What was planted is written
down as it is planted, with the tokens counted one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from hypothesis import strategies as st

from tests.truth.tables import FRAME, SPACE, Ask, Seg, word

KINDS = ("user", "assistant", "tool_result", "system")
_GONE, _NEW = -1, -1


class Planted(NamedTuple):
    """One edit as `cachelens.model.edits.Edit` would describe it, but for its number and rows."""

    kind: str
    before_at: int
    now_at: int
    head: int
    tail: int
    in_reply: bool
    depth: int
    after_tokens: int


class Unit(NamedTuple):
    """A piece of a script: what stood there, what stands there now, the edits (indexes of `planted`), new texts."""

    then: tuple[Seg, ...]
    now: tuple[Seg, ...]
    edits: tuple[int, ...] = ()
    new: tuple[int, ...] = ()


@dataclass
class Script:
    """`before` and the `reply` to it, the prompt `now`, and what was `planted`.

    `held`: for each token of `now` whether it was in `before` or `reply`. `units`: the same piece by piece, as far
    as anything was sent before; `more`: new segments at the end.
    """

    before: list[Seg]
    reply: list[Seg]
    now: list[Seg]
    planted: list[Planted]
    held: list[bool]
    units: list[Unit]
    more: list[Seg]

    @property
    def asks(self) -> list[Ask]:
        """Both requests."""
        return [Ask(self.before, self.reply), Ask(self.now, (), 0)]

    def without(self, undone: set[int], silent: set[int]) -> list[int]:
        """Token ids of the prompt in which the units with these numbers were left alone.

        What they had put in follows all that was sent before, but for those in `silent`.
        """
        ids: list[int] = []
        late: list[int] = []
        for number, unit in enumerate(self.units):
            for seg in unit.then if number in undone else unit.now:
                ids += seg.whole
            if number in undone - silent:
                late += unit.new
        return ids + late + [token for seg in self.more for token in seg.whole]


@dataclass
class _Writer:
    """Writes both prompts at once. `then` and `now` are places in them."""

    draw: st.DrawFn
    framed: bool
    words: int = 0
    then: list[Seg] = field(default_factory=list)
    now: list[Seg] = field(default_factory=list)
    edits: list[tuple[str, int, int, int, int]] = field(default_factory=list)  # kind, then, now, head, tail
    depths: list[int] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)

    def do(self, name: str) -> None:
        """Keep a segment, or make an edit, and remember it as a unit."""
        then, now, edits = len(self.then), len(self.now), len(self.edits)
        new = getattr(self, name)() or ()
        made = tuple(range(edits, len(self.edits)))
        self.units.append(Unit(tuple(self.then[then:]), tuple(self.now[now:]), made, tuple(new)))

    def fresh(self, tokens: int | None = None, kind: str | None = None) -> Seg:
        self.words += 1
        size = tokens or self.draw(st.integers(8, 14))
        of = kind or self.draw(st.sampled_from(KINDS))
        call = f"call{self.words}" if of == "tool_result" else None
        return Seg(word(self.words, size), of, self.framed and self.draw(st.booleans()), call)

    def send(self, seg: Seg, held: Sequence[bool]) -> None:
        assert len(held) == seg.tokens
        self.now.append(seg)
        self.held += held

    def keep(self) -> None:
        seg = self.fresh()
        self.then.append(seg)
        self.send(seg, [True] * seg.tokens)

    def note(self, kind: str, then: int, now: int, head: int = 0, tail: int = 0) -> None:
        self.edits.append((kind, then, now, head, tail))
        self.depths.append(len(self.held) + head)

    # -- edits

    def changed(self) -> tuple[int, ...]:
        seg = self.fresh()
        size = len(seg.ids)
        gone = self.draw(st.integers(0, size // 2 - 1))
        put = self.draw(st.integers(0 if gone else 1, 3))
        head = self.draw(st.integers(0, size - gone))
        new = self.fresh(put).ids if put else ()
        other = seg._replace(ids=seg.ids[:head] + new + seg.ids[head + gone :])
        frame, tail = seg.tokens - size, size - gone - head
        self.note("changed", len(self.then), len(self.now), frame + head, tail)
        self.then.append(seg)
        self.send(other, [True] * (frame + head) + [False] * put + [True] * tail)
        return new

    def respelled(self) -> tuple[int, ...]:
        seg = self.fresh()
        head = self.draw(st.integers(1, len(seg.ids)))
        other = seg._replace(ids=(*seg.ids[:head], SPACE, *seg.ids[head:]))
        frame = seg.tokens - len(seg.ids)
        self.note("respelled", len(self.then), len(self.now), frame + head, len(seg.ids) - head)
        self.then.append(seg)
        self.send(other, [True] * (frame + head) + [False] + [True] * (len(seg.ids) - head))
        return (SPACE,)

    def framed_(self) -> None:
        seg = self.fresh()
        other = seg._replace(framed=not seg.framed)
        self.note("framed", len(self.then), len(self.now), 0, len(seg.ids))
        self.then.append(seg)
        self.send(other, [False] * (FRAME * other.framed) + [True] * len(seg.ids))

    def inserted(self) -> list[int]:
        new: list[int] = []
        for _ in range(self.draw(st.integers(1, 2))):
            seg = self.fresh()
            self.note("inserted", _GONE, len(self.now))
            self.send(seg, [False] * seg.tokens)
            new += seg.whole
        return new

    def removed(self) -> None:
        for _ in range(self.draw(st.integers(1, 2))):
            self.note("removed", len(self.then), _NEW)
            self.then.append(self.fresh())

    def truncated(self) -> None:
        for _ in range(self.draw(st.integers(1, 3))):
            self.note("truncated", len(self.then), _NEW)
            self.then.append(self.fresh())

    def stubbed(self) -> tuple[int, ...]:
        """A tool output in place of which something else stands, known by the id of its call."""
        seg = self.fresh(kind="tool_result")
        other = self.fresh(2, "tool_result")._replace(call=seg.call, framed=seg.framed)
        frame = seg.tokens - len(seg.ids)
        self.note("changed", len(self.then), len(self.now), frame, 0)
        self.then.append(seg)
        self.send(other, [False] * other.tokens)
        return other.ids

    def summarized(self) -> tuple[int, ...]:
        count = self.draw(st.integers(2, 4))
        gone = [self.fresh(14) for _ in range(count)]
        for number in range(count):
            self.note("summarized", len(self.then) + number, _NEW)
        self.then += gone
        self.note("summarized", _GONE, len(self.now))
        seg = self.fresh(3)
        self.send(seg, [False] * seg.tokens)
        return seg.whole


_EDITS = ("changed", "respelled", "framed_", "inserted", "removed", "stubbed", "summarized")
_ECHOES = ("changed", "respelled", "framed_", "inserted", "removed")


@st.composite
def scripts(
    draw: st.DrawFn, edits: Sequence[str] = _EDITS, framed: bool = True, moves: bool = True
) -> Script:
    """A prompt, the reply to it, and an edited prompt that goes on from both."""
    writer = _Writer(draw, framed)
    for _ in range(draw(st.integers(1, 3))):
        writer.do("keep")
    for name in draw(st.lists(st.sampled_from(edits), max_size=4)) if edits else ():
        writer.do(name)
        writer.do("keep")
    end = len(writer.then)
    how = draw(st.sampled_from(["echoed", "edited echo", "none", "truncated"]))
    if how == "none":
        reply = [writer.fresh()] if draw(st.booleans()) else []
    elif how == "truncated":
        if edits:
            writer.do("truncated")
        end, reply = len(writer.then), [writer.fresh()]
    else:
        echoes = (
            draw(st.lists(st.sampled_from(_ECHOES), max_size=2)) if how == "edited echo" and edits else ()
        )
        for name in echoes:
            writer.do(name)
            writer.do("keep")
        if not echoes:
            writer.do("keep")
        if how == "edited echo" and edits and draw(st.booleans()):
            writer.do("removed")
        reply = writer.then[end:]
    more: list[Seg] = []
    for _ in range(draw(st.integers(0, 2))):
        seg = writer.fresh()
        more.append(seg)
        writer.send(seg, [False] * seg.tokens)
    behind = [sum(writer.held[depth:]) for depth in writer.depths]
    planted = [
        Planted(*edit, in_reply=edit[1] >= end, depth=depth, after_tokens=after)
        for edit, depth, after in zip(writer.edits, writer.depths, behind, strict=True)
    ]
    script = Script(writer.then[:end], list(reply), writer.now, planted, writer.held, writer.units, more)
    if moves and not planted and draw(st.booleans()):
        return _moved(draw, script)
    return script


def _moved(draw: st.DrawFn, script: Script) -> Script:
    """The same with one segment that stayed taken over two others or more, if there are as many."""
    sent = len(script.before)
    if sent < 3:
        return script
    source = draw(st.integers(0, sent - 1))
    target = draw(st.sampled_from([at for at in range(sent) if abs(at - source) > 1] or [source]))
    if target == source:
        return script
    now = list(script.now)
    seg = now.pop(source)
    now.insert(target, seg)
    kept = sum(s.tokens for s in script.now[: len(script.now) - len(script.more)])
    depth = sum(s.tokens for s in now[: min(source, target)])
    planted = Planted("moved", source, target, seg.tokens, 0, False, depth, kept - depth)
    all_held = tuple(script.now[: len(script.now) - len(script.more)])
    unit = Unit(all_held, tuple(now[: len(all_held)]), (0,))
    return replace(script, now=now, planted=[planted], units=[unit])


@st.composite
def sessions(draw: st.DrawFn, edits: Sequence[str] = _EDITS, most: int = 6) -> list[Ask]:
    """A few lineages side by side: requests that go on, are edited, tried again, fork, or start anew.

    Lineages begin with some of the same segments. With `edits` empty every prompt only grows.
    """
    shared = [
        Seg(word(900 + at, draw(st.integers(8, 40))), "system") for at in range(draw(st.integers(1, 3)))
    ]
    asks: list[Ask] = []
    words = 0

    def fresh(kind: str) -> Seg:
        nonlocal words
        words += 1
        call = f"call{words}" if kind == "tool_result" else None
        return Seg(word(words, draw(st.integers(2, 30))), kind, draw(st.booleans()), call)

    for _ in range(draw(st.integers(2, most))):
        before = draw(st.integers(-1, len(asks) - 1)) if asks else -1
        reply = [fresh("assistant") for _ in range(draw(st.integers(0, 2)))]
        if before < 0:
            prompt = [*shared, fresh("user")]
        else:
            prompt = [*asks[before].prompt, *asks[before].reply]
            if edits:
                prompt = _edited(draw, prompt, fresh)
            if draw(st.integers(0, 5)):
                prompt += [fresh(draw(st.sampled_from(KINDS))) for _ in range(draw(st.integers(1, 3)))]
            elif not edits or draw(st.booleans()):
                prompt = list(asks[before].prompt)  # tried again
        asks.append(Ask(prompt, reply, before, start=draw(st.sampled_from([0, 0, 400, 4000])) * len(asks)))
    return asks


def _edited(draw: st.DrawFn, prompt: list[Seg], fresh: Callable[[str], Seg]) -> list[Seg]:
    """`prompt` after up to two edits anywhere, on top of one another if so it falls."""
    for _ in range(draw(st.integers(0, 2))):
        if not prompt:
            return prompt
        at = draw(st.integers(0, len(prompt) - 1))
        seg = prompt[at]
        what = draw(
            st.sampled_from(["insert", "remove", "change", "move", "respell", "summarize", "replace"])
        )
        if what == "insert":
            prompt = [*prompt[:at], fresh("user"), *prompt[at:]]
        elif what == "remove":
            prompt = prompt[:at] + prompt[at + 1 :]
        elif what == "change":
            cut = draw(st.integers(0, len(seg.ids)))
            ids = seg.ids[:cut] + fresh("user").ids[:2] + seg.ids[cut + draw(st.integers(0, 2)) :]
            prompt = [*prompt[:at], seg._replace(ids=ids), *prompt[at + 1 :]]
        elif what == "move":
            prompt = prompt[:at] + prompt[at + 1 :]
            to = draw(st.integers(0, len(prompt)))
            prompt = [*prompt[:to], seg, *prompt[to:]]
        elif what == "respell":
            cut = draw(st.integers(0, len(seg.ids)))
            ids = (*seg.ids[:cut], SPACE, *seg.ids[cut:])
            prompt = [*prompt[:at], seg._replace(ids=ids), *prompt[at + 1 :]]
        elif what == "summarize":
            prompt = [*prompt[:at], fresh("user"), *prompt[at + draw(st.integers(2, 4)) :]]
        else:
            prompt = [*prompt[:at], fresh(seg.kind)._replace(call=seg.call), *prompt[at + 1 :]]
    return prompt
