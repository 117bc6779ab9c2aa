"""Which of Claude Code's raw response files answers which request file. In: bodies. Out: pairs, on evidence.

Nothing in the files says it outright. What does, in this order:

1. A later request names the previous request of its chain (`cc_prev_req` in its billing line). The
   request whose messages are exactly those before that answer is the one that was answered.
2. A later request repeats the answer: by the ids of its tool calls, or by its text if no other answer
   has the same. Again the request that ends just before it was the one.
3. The request is the only one that still waits for an answer when the response is written.

Messages are compared without `cache_control`, and a text alone equals a list of that one text block:
Claude Code spells the newest message the one way and older ones the other. Where the evidence leaves
two possibilities, there is no pair.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

import msgspec
import xxhash

_PREVIOUS = re.compile(rb"cc_prev_req=([A-Za-z0-9_-]{1,128})")
#: The billing line is the first thing in the system prompt.
_BILLING_BYTES = 4096


class _Request(msgspec.Struct):
    messages: list[msgspec.Raw]
    system: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct):
    role: str = ""
    content: msgspec.Raw = msgspec.Raw()


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    id: str = ""


@dataclass(frozen=True)
class RequestFacts:
    """What pairing needs of a request: `ends[i]` identifies its first i messages, `answers` the assistant's."""

    written_ns: int
    ends: tuple[bytes, ...]
    answers: tuple[tuple[int, bytes], ...]
    previous: str | None


@dataclass(frozen=True)
class ResponseFacts:
    """What pairing needs of a response. `answer` is empty when it has neither tool calls nor text."""

    name: str
    written_ns: int
    answer: bytes


@dataclass
class Digests:
    """Identities of messages, remembered by their bytes: a session repeats each of them many times."""

    _known: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)

    def request(self, body: bytes, written_ns: int) -> RequestFacts:
        """Facts of a request body. Raises msgspec.DecodeError when it is no Messages request."""
        request = msgspec.json.decode(body, type=_Request)
        ends, answers = [b""], []
        for index, raw in enumerate(request.messages):
            digest, answer = self._message(bytes(raw))
            ends.append(xxhash.xxh3_128_digest(ends[-1] + digest))
            if answer:
                answers.append((index, answer))
        named = _PREVIOUS.search(bytes(request.system)[:_BILLING_BYTES])
        return RequestFacts(written_ns, tuple(ends), tuple(answers), named[1].decode() if named else None)

    def response(self, body: bytes, name: str, written_ns: int) -> ResponseFacts:
        """Facts of a response body; no answer when it is no message."""
        try:
            message = msgspec.json.decode(body, type=_Message)
            return ResponseFacts(name, written_ns, _answer(bytes(message.content)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ResponseFacts(name, written_ns, b"")

    def _message(self, raw: bytes) -> tuple[bytes, bytes]:
        key = xxhash.xxh3_128_digest(raw)
        if key not in self._known:
            message = msgspec.json.decode(raw, type=_Message)
            content = msgspec.json.decode(message.content)
            if isinstance(content, str):
                content = [{"type": "text", "text": content}]
            for block in content if isinstance(content, list) else ():
                if isinstance(block, dict):
                    block.pop("cache_control", None)
            canonical = msgspec.json.encode([message.role, content], order="deterministic")
            answer = _answer(bytes(message.content)) if message.role == "assistant" else b""
            self._known[key] = (xxhash.xxh3_128_digest(canonical), answer)
        return self._known[key]


def _answer(content: bytes) -> bytes:
    """The identity of an answer: the ids of its tool calls, or its text where there are none."""
    if content[:1] == b'"':
        text, ids = msgspec.json.decode(content, type=str), list[str]()
    else:
        blocks = msgspec.json.decode(content, type=list[_Block])
        ids = [block.id for block in blocks if block.type == "tool_use" and block.id]
        text = "".join(block.text for block in blocks if block.type == "text")
    if ids:
        return b"calls" + xxhash.xxh3_128_digest("\0".join(ids).encode())
    return b"text" + xxhash.xxh3_128_digest(text.strip().encode()) if text.strip() else b""


def pair(requests: list[RequestFacts], responses: list[ResponseFacts]) -> dict[int, int]:
    """Index of the response to each request that has one. Both lists are sorted by time of writing."""
    pairing = _Pairing(requests, responses)
    pairing.by_name()
    pairing.by_answer()
    pairing.by_time()
    return pairing.response_of


class _Pairing:
    def __init__(self, requests: list[RequestFacts], responses: list[ResponseFacts]) -> None:
        self.response_of: dict[int, int] = {}
        self._taken: set[int] = set()
        self._requests = requests
        self._responses = responses
        self._ending: defaultdict[bytes, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            self._ending[request.ends[-1]].append(index)

    def by_name(self) -> None:
        """A request names the response before it: the answer is the last one in its messages."""
        named = {response.name: index for index, response in enumerate(self._responses)}
        for request in self._requests:
            response = named.get(request.previous or "")
            if response is not None and request.answers:
                self._link(request, request.answers[-1][0], response)

    def by_answer(self) -> None:
        """A request repeats an answer that only one response gave."""
        given: defaultdict[bytes, list[int]] = defaultdict(list)
        for index, response in enumerate(self._responses):
            given[response.answer].append(index)
        for request in self._requests:
            for position, answer in request.answers:
                if len(found := given.get(answer, [])) == 1:
                    self._link(request, position, found[0])

    def by_time(self) -> None:
        """A response comes while one request alone is waiting.

        A request no longer waits once another has gone on from it.
        """
        moments = [(request.written_ns, 0, index) for index, request in enumerate(self._requests)]
        moments += [(response.written_ns, 1, index) for index, response in enumerate(self._responses)]
        waiting: dict[int, bytes] = {}
        for _, is_response, index in sorted(moments):
            if not is_response:
                ends = set(self._requests[index].ends)
                waiting = {other: end for other, end in waiting.items() if end not in ends}
                if index not in self.response_of:
                    waiting[index] = self._requests[index].ends[-1]
            elif index not in self._taken and len(waiting) == 1:
                self._join(waiting.popitem()[0], index)

    def _link(self, later: RequestFacts, position: int, response: int) -> None:
        """Pair `response` with the one free request that ends where `later` has its answer."""
        before = self._responses[response].written_ns
        found = [
            index
            for index in self._ending[later.ends[position]]
            if index not in self.response_of and self._requests[index].written_ns <= before
        ]
        if response not in self._taken and len(found) == 1:
            self._join(found[0], response)

    def _join(self, request: int, response: int) -> None:
        self.response_of[request] = response
        self._taken.add(response)
