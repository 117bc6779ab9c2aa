"""Small workloads for the tests: requests as plain token tuples, and the tables they make when cut up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from cachelens.model.trace import Contents, Int64, Segments
from cachelens.prefix.forest import Forest, place

#: For property tests: results must not depend on how busy the machine is.
untimed = settings(deadline=None, max_examples=50)

#: A token as the oracles see it: an id, or (atomic content name, index inside it).
Token = int | tuple[str, int]
#: A piece of a prompt: token ids, or an atomic content as (name, tokens).
Piece = tuple[int, ...] | tuple[str, int]


@dataclass(frozen=True)
class Request:
    """One request: pieces of the prompt, then pieces of what was generated."""

    namespace: str
    prompt: tuple[Piece, ...]
    output: tuple[Piece, ...] = ()

    @property
    def looked(self) -> tuple[Token, ...]:
        return spell(self.prompt)

    @property
    def touched(self) -> tuple[Token, ...]:
        return spell(self.prompt + self.output)


def spell(pieces: Sequence[Piece]) -> tuple[Token, ...]:
    tokens: list[Token] = []
    for piece in pieces:
        if piece and isinstance(piece[0], str):
            tokens += [(piece[0], i) for i in range(int(piece[1]))]
        else:
            tokens += [int(t) for t in piece]
    return tuple(tokens)


def of(*texts: str, namespace: str = "m") -> list[Request]:
    """Requests from strings: a letter a token, `|` before what was generated."""
    requests = []
    for text in texts:
        prompt, _, output = text.partition("|")
        requests.append(
            Request(namespace, (tuple(map(ord, prompt)),), (tuple(map(ord, output)),) if output else ())
        )
    return requests


@dataclass(frozen=True)
class Tables:
    segments: Segments
    contents: Contents
    prompt_rows: Int64
    output_rows: Int64
    namespaces: list[str]

    def place(self) -> tuple[Forest, Int64, Int64]:
        forest, (lookup, touch) = place(
            self.segments, self.contents, [self.prompt_rows, self.output_rows], self.namespaces
        )
        return forest, lookup, touch


def tables(requests: Sequence[Request], rename: Callable[[int], int] = lambda token: token) -> Tables:
    """The segment trie and contents of `requests`, cut as their pieces are."""
    contents: dict[Piece, int] = {}
    rows: dict[tuple[int, int], int] = {}

    def append(after: int, pieces: Sequence[Piece]) -> int:
        for piece in pieces:
            content = contents.setdefault(piece, len(contents))
            after = rows.setdefault((after, content), len(rows))
        return after

    prompts = [append(-1, r.prompt) for r in requests]
    outputs = [append(end, r.output) for end, r in zip(prompts, requests, strict=True)]
    atomic = [bool(piece) and isinstance(piece[0], str) for piece in contents]
    ids = [() if a else tuple(map(rename, p)) for a, p in zip(atomic, contents, strict=True)]  # type: ignore[arg-type]
    tokens = [int(p[1]) if a else len(p) for a, p in zip(atomic, contents, strict=True)]
    return Tables(
        segments=trie([parent for parent, _ in rows], [content for _, content in rows]),
        contents=payloads(ids, tokens),
        prompt_rows=np.array(prompts, dtype=np.int64),
        output_rows=np.array(outputs, dtype=np.int64),
        namespaces=[r.namespace for r in requests],
    )


def trie(parent: Sequence[int], content: Sequence[int]) -> Segments:
    n = len(parent)
    none = np.full(n, -1, np.int32)
    return Segments(
        parent=np.array(parent, np.int32),
        content=np.array(content, np.int32),
        kind=np.zeros(n, np.uint8),
        role=np.zeros(n, np.uint8),
        name=none,
        call_id=none,
        breakpoint_s=np.zeros(n, np.int32),
        message=none,
        field=none,
        strings=(),
    )


def payloads(ids: Sequence[Sequence[int]], tokens: Sequence[int]) -> Contents:
    n = len(ids)
    return Contents(
        kind=np.zeros(n, np.uint8),
        bytes=np.zeros(n, np.int64),
        tokens=np.array(tokens, np.int64),
        framing=np.zeros(n, np.int32),
        offsets=np.cumsum([0, *map(len, ids)]).astype(np.int64),
        ids=np.array([token for row in ids for token in row], np.uint32),
    )


@st.composite
def pieces_of(draw: st.DrawFn, tokens: tuple[int, ...]) -> tuple[Piece, ...]:
    """`tokens` cut at random places, empty pieces included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(tokens)), max_size=4)))
    edges = [0, *cuts, len(tokens)]
    return tuple(tokens[a:b] for a, b in pairwise(edges))


@st.composite
def workloads(
    draw: st.DrawFn, max_requests: int = 12, max_new: int = 9, atomic: bool = True
) -> list[Request]:
    """Requests that start as some earlier path, cut anywhere, and go on with few different tokens."""
    requests: list[Request] = []
    paths: list[tuple[Piece, ...]] = [()]
    letters = st.integers(0, 2)
    for _ in range(draw(st.integers(1, max_requests))):
        base = draw(st.sampled_from(paths))
        if draw(st.booleans()):  # an exact continuation, cut as before
            kept = base[: draw(st.integers(0, len(base)))]
        else:  # the same tokens, cut anew; atomic contents end what can be cut
            plain: list[int] = []
            for token in spell(base):
                if not isinstance(token, int):
                    break
                plain.append(token)
            kept = draw(pieces_of(tuple(plain[: draw(st.integers(0, len(plain)))])))
        new = draw(pieces_of(tuple(draw(st.lists(letters, max_size=max_new)))))
        if atomic and draw(st.integers(0, 4)) == 0:
            name = draw(st.sampled_from(["x", "y"]))
            new = (*new, (name, {"x": 3, "y": 2}[name]))
        output = draw(pieces_of(tuple(draw(st.lists(letters, max_size=4)))))
        request = Request(draw(st.sampled_from(["m", "m", "n"])), kept + new, output)
        requests.append(request)
        paths.append(request.prompt + request.output)
    return requests
