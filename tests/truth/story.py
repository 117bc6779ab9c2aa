"""Agent sessions that know what they sent. In: a script and causes of waste. Out: captures, and the truth.

Every part of a prompt keeps its name (`slot`) from request to request, whatever becomes of its text. So what was
sent before is known by name and needs no alignment; tokens are counted by a tokenizer on the texts themselves, and
what a cache could have served by comparing whole prompts, id by id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from cachelens.tokens.tokenizer import Tokenizer
from tests.advise.sessions import Session, tool, words

Json = Any
#: Tokens of the frame of a message, and ids that stand for them by role.
FRAME = 4
_ROLES = {"system": -10, "user": -20, "assistant": -30, "tool": -40}
_TOKENIZER = Tokenizer("o200k_base")


@cache
def ids_of(text: str) -> tuple[int, ...]:
    """Token ids of a text."""
    return tuple(_TOKENIZER.encode(text).tolist())


def tokens_of(text: str) -> int:
    """Tokens of a text without a frame."""
    return len(ids_of(text))


class Message(dict[str, Json]):
    """A message of a body, with a name that it keeps."""

    def __init__(self, given: dict[str, Json], slot: str) -> None:
        super().__init__(given)
        self.slot = slot


class Piece(NamedTuple):
    """A part of a prompt: its name, where in the body it stands, its ids with the frame."""

    slot: str
    path: str
    ids: tuple[int, ...]


class Sent(NamedTuple):
    """One request: when it started, the pieces of its prompt in order, and those of the reply."""

    start: float
    story: str
    prompt: tuple[Piece, ...]
    reply: tuple[Piece, ...]

    @property
    def tokens(self) -> int:
        """Tokens of the prompt."""
        return sum(len(piece.ids) for piece in self.prompt)


def _pieces(message: Message, at: int) -> list[Piece]:
    """The parts of a message, as Chat Completions are rendered: thinking, text, calls; the first is framed."""
    role, here = message["role"], f"messages[{at}]"
    texts: list[tuple[str, str, str]] = []
    if message.get("reasoning_content"):
        texts.append(("thinking", f"{here}.reasoning_content", message["reasoning_content"]))
    content = message["content"]
    if isinstance(content, list):
        texts += [
            (block.get("slot", str(number)), f"{here}.content[{number}].text", block["text"])
            for number, block in enumerate(content)
        ]
    elif content:
        texts.append(("0", f"{here}.content", content))
    for number, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        path = f"{here}.tool_calls[{number}].function.arguments"
        texts.append((call["id"], path, f"{function['name']}\n{function['arguments']}"))
    found = []
    for number, (slot, path, text) in enumerate(texts):
        frame = (-1, _ROLES[role], -2, -3) if number == 0 else ()
        found.append(Piece(f"{message.slot}/{slot}", path, frame + ids_of(text)))
    return found


def _tool_piece(given: Json, at: int) -> Piece:
    shown = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    return Piece(f"tool/{given['function']['name']}", f"tools[{at}]", ids_of(shown))


@dataclass
class Story(Session):
    """A session whose messages have names, and which writes down what it sent."""

    sent: list[Sent] = field(default_factory=list)
    _slots: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.messages = [Message(message, "system") for message in self.messages]

    def slot(self) -> str:
        """A name that no other message has."""
        self._slots += 1
        return f"m{self._slots}"

    def user(self, text: str) -> Story:
        """A message of the user."""
        super().user(text)
        self._name()
        return self

    def result(self, call_id: str, text: str) -> Story:
        """What a tool answered."""
        super().result(call_id, text)
        self._name()
        return self

    def ask(
        self,
        text: str | None = "done",
        calls: Sequence[tuple[str, Json]] = (),
        echo: bool = True,
        reported: tuple[int, int] | None = None,
        reasoning: str | None = None,
    ) -> list[str]:
        """Send a request, and put the reply behind it as it came."""
        lead = [m for m in self.messages if m["role"] == "system"]
        rest = [m for m in self.messages if m["role"] != "system"]
        assert self.messages == [*lead, *rest]
        prompt = [piece for at, message in enumerate(lead) for piece in _pieces(message, at)]
        prompt += [_tool_piece(given, at) for at, given in enumerate(self.tools)]
        prompt += [piece for at, message in enumerate(rest, len(lead)) for piece in _pieces(message, at)]
        start = self.clock
        ids = super().ask(text, calls, False, reported, reasoning)
        reply = Message(deepcopy(self.calls[-1].response["choices"][0]["message"]), self.slot())
        self.sent.append(Sent(start, self.name, tuple(prompt), tuple(_pieces(reply, 0))))
        if echo:
            self.messages.append(reply)
        return ids

    def _name(self) -> None:
        self.messages[-1] = Message(self.messages[-1], self.slot())

    def find(self, slot: str) -> Message:
        """The message with this name."""
        return next(one for one in self.messages if isinstance(one, Message) and one.slot == slot)


class Account(NamedTuple):
    """One request under a cache that forgets nothing and serves token by token."""

    prompt: int
    hit: int
    again: int
    fresh: int


def requests_of(stories: Sequence[Story]) -> list[Sent]:
    """Requests of all stories in order of time, as a capture of them has them."""
    return sorted((sent for story in stories for sent in story.sent), key=lambda sent: sent.start)


def accounts(stories: Sequence[Story]) -> list[Account]:
    """What happened to the tokens of every request."""
    held: list[tuple[int, ...]] = []
    latest: dict[str, Sent] = {}
    found = []
    for sent in requests_of(stories):
        ids = [token for piece in sent.prompt for token in piece.ids]
        hit = max((_same(other, ids) for other in held), default=0)
        again = sum(_held(latest[sent.story], sent, hit)) if sent.story in latest else 0
        found.append(Account(len(ids), hit, again, len(ids) - hit - again))
        reply = [token for piece in sent.reply for token in piece.ids]
        held.append((*ids, *reply[:-1]))
        latest[sent.story] = sent
    return found


def whole_again(stories: Sequence[Story], least: int) -> dict[int, int]:
    """By request: tokens of pieces of `least` tokens or more that were sent before and all computed again."""
    latest: dict[str, Sent] = {}
    found: dict[int, int] = {}
    for at, (sent, account) in enumerate(zip(requests_of(stories), accounts(stories), strict=True)):
        before = latest.get(sent.story)
        flags = [False] * account.hit + (_held(before, sent, account.hit) if before else [])
        end = 0
        for piece in sent.prompt:
            start, end = end, end + len(piece.ids)
            if before and len(piece.ids) >= least and all(flags[start:end]):
                found[at] = found.get(at, 0) + len(piece.ids)
        latest[sent.story] = sent
    return found


def first_difference(stories: Sequence[Story], at: int) -> tuple[int, int]:
    """Where a request departs from the one before it in its story, and the reply: the piece's start, and the token."""
    requests = requests_of(stories)
    before = next(one for one in reversed(requests[:at]) if one.story == requests[at].story)
    then = [token for piece in (*before.prompt, *before.reply) for token in piece.ids]
    shared = _same(then, [token for piece in requests[at].prompt for token in piece.ids])
    start = end = 0
    for piece in requests[at].prompt:
        start, end = end, end + len(piece.ids)
        if shared < end:
            break
    return start, shared


def put_in(planted: Sequence[Story], twins: Sequence[Story]) -> list[int]:
    """By request: tokens of text that it holds, and neither its predecessor nor its clean twin does."""
    latest: dict[str, Sent] = {}
    found = []
    for sent, clean in zip(requests_of(planted), requests_of(twins), strict=True):
        before = latest.get(sent.story)
        found.append(0 if before is None else _new(before, sent, {piece.slot for piece in clean.prompt}))
        latest[sent.story] = sent
    return found


def _new(before: Sent, now: Sent, clean: set[str]) -> int:
    then = {piece.slot: piece.ids for piece in (*before.prompt, *before.reply)}
    new = 0
    for piece in now.prompt:
        own = then.get(piece.slot)
        if own is None:
            new += len(piece.ids) if piece.slot not in clean else 0
        elif (own[:1] == (-1,)) == (piece.ids[:1] == (-1,)):  # otherwise it is a frame that came or went
            head = _same(own, piece.ids)
            new += len(piece.ids) - head - _same(own[head:][::-1], piece.ids[head:][::-1])
    return new


def _same(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _held(before: Sent, now: Sent, hit: int) -> list[bool]:
    """For each token of `now` behind `hit` whether its piece, and in it its place, was sent before."""
    then = {piece.slot: piece.ids for piece in (*before.prompt, *before.reply)}
    last = before.reply[-1].slot if before.reply else ""
    flags: list[bool] = []
    for piece in now.prompt:
        own = then.get(piece.slot, ())
        head = _same(own, piece.ids)
        tail = _same(own[head:][::-1], piece.ids[head:][::-1])
        frames = [FRAME * (ids[:1] == (-1,)) for ids in (own, piece.ids)]
        if 2 * (head + tail - min(head, *frames)) < min(len(own) - frames[0], len(piece.ids) - frames[1]):
            head = tail = 0  # less than half of it is the same: another text at the same place
        flags += [True] * head + [False] * (len(piece.ids) - head - tail) + [True] * tail
        if piece.slot == last and (tail or head == len(own)):
            flags[-1] = False  # the last token of a reply was sampled, and computed by nobody
    return flags[hit:]


TOOLS = (
    tool("look_up", "Finds a file by a part of its name.", what="string"),
    tool("bash", "Runs a command of the project.", command="string"),
    tool("open_file", "Reads a file of the project.", path="string"),
    tool("write_file", "Writes a file of the project.", path="string", text="string"),
)


class Step(NamedTuple):
    """A tool call and what it answers; `used`: whether the next reply refers to the answer."""

    name: str
    arguments: Json
    output: str
    used: bool = True


class Cause:
    """Something a harness does to what it sends. Each method is told the number of the request in its story."""

    code: str = ""
    #: What it puts in says nothing, so that its remedy leaves it out.
    silent: bool = False

    def start(self, story: Story) -> None:
        """Before anything is sent."""

    def before(self, story: Story, number: int) -> None:
        """Before request `number` is sent."""

    def step(self, story: Story, number: int, step: Step) -> Step:
        """The tool call that answers request `number`, in place of `step`."""
        return step

    def echoed(self, story: Story, number: int, reply: Message) -> None:
        """When the reply to request `number` has been put behind the history."""


#: Requests of a story.
LENGTH = 10


def story(
    name: str,
    causes: Sequence[Cause] = (),
    start: float = 1_800_000_000.0,
    length: int = LENGTH,
    **more: Any,
) -> Story:
    """A clean session, and what `causes` make of it: ten requests, or `length`, in two turns of the user.

    A head of two thousand tokens that all stories share, tools that are all used, outputs that are all referred to.
    """
    made = Story(name=name, system=words("head", 700), tools=deepcopy(list(TOOLS)), start=start, **more)
    made.user(words(f"{name} task", 40))
    for cause in causes:
        cause.start(made)
    latest: Step | None = None
    for number in range(length):
        if number == LENGTH // 2:
            made.user(words(f"{name} second", 30))
        for cause in causes:
            cause.before(made, number)
        text = "I begin:" if latest is None else "I go on:"
        if latest is not None and latest.used:
            text = f"I have {latest.output.split()[-1]} now, so I go on:"
        text += " " + words(f"{name} plan {number}", 30)
        thought = words(f"{name} thought {number}", 15)
        if number in (LENGTH // 2 - 1, length - 1):
            made.ask(text, reasoning=thought)
            latest = None
        else:
            latest = step_of(name, number)
            for cause in causes:
                latest = cause.step(made, number, latest)
            (call_id,) = made.ask(text, [(latest.name, latest.arguments)], reasoning=thought)
            made.result(call_id, latest.output)
        reply = made.messages[-1] if made.messages[-1]["role"] == "assistant" else made.messages[-2]
        for cause in causes:
            cause.echoed(made, number, reply)
    return made


def step_of(name: str, number: int) -> Step:
    """The clean tool call of a request."""
    tool_name, arguments = (
        ("look_up", {"what": f"{name}_part_{number}"}),
        ("bash", {"command": f"make {name}_target_{number}"}),
        ("open_file", {"path": f"src/{name}_{number}.py"}),
        ("write_file", {"path": f"out/{name}_{number}.txt", "text": words(f"{name} text {number}", 20)}),
    )[number % 4]
    return Step(tool_name, arguments, words(f"{name} output {number}", 90))
