"""Prompts along paths of a tree: what is kept from one path to the next changes nothing but the time it takes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.formats.message_tree import Entries, MessageTree, Turn

ROLES = ("user", "assistant", "")
turn = st.tuples(st.sampled_from(ROLES), st.integers(0, 9), st.booleans())


def spelt(role: str, number: int, empty: bool) -> Turn:
    if empty:
        return Turn(role, b"")
    return Turn(role, json.dumps({"n": number} if role else {"role": "whole", "n": number}).encode())


def joined(turns: list[Turn]) -> list[object]:
    """The obvious way: messages one by one, neighbors of one role joined."""
    messages: list[dict[str, object]] = []
    for role, raw in turns:
        if not raw:
            continue
        if not role:
            messages.append(json.loads(raw))
        elif messages and messages[-1]["role"] == role:
            messages[-1]["content"].append(json.loads(raw))  # type: ignore[attr-defined]
        else:
            messages.append({"role": role, "content": [json.loads(raw)]})
    return list(messages)


@given(st.data())
def test_every_path_gives_its_turns_joined(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    parents = [data.draw(st.integers(-1, number - 1)) for number in range(size)]
    turns = [[spelt(*given) for given in data.draw(st.lists(turn, max_size=3))] for _ in range(size)]
    marks = [data.draw(st.sampled_from([(), ("a",), ("b",)])) for _ in range(size)]
    tree = MessageTree(Entries(parents.__getitem__, turns.__getitem__, marks.__getitem__))
    for last in data.draw(st.lists(st.integers(-1, size - 1), min_size=1, max_size=12)):
        path: list[int] = []
        at = last
        while at >= 0:
            path.insert(0, at)
            at = parents[at]
        prompt = tree.prompt(last)
        assert json.loads(prompt.body(b'{"m":'))["m"] == joined(
            [one for entry in path for one in turns[entry]]
        )
        assert prompt.marks == tuple(dict.fromkeys(mark for entry in path for mark in marks[entry]))


def test_parents_that_change_count_after_forget() -> None:
    parents = [-1, 0, 1]
    tree = MessageTree(Entries(parents.__getitem__, lambda n: [Turn("", str(n).encode())], lambda n: ()))
    assert tree.prompt(2).body(b'{"m":') == b'{"m":[0,1,2]}'
    parents[2] = 0
    tree.forget()
    assert tree.prompt(2).body(b'{"m":') == b'{"m":[0,2]}'


def test_a_circle_is_refused() -> None:
    tree = MessageTree(Entries([1, 0].__getitem__, lambda n: [], lambda n: ()))
    with pytest.raises(RecordError) as caught:
        tree.prompt(0)
    assert caught.value.reason == "broken-tree"
