"""The synthetic trace has the size that was asked for, grows as agents do, and repeats no text of its own."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import pytest

from tests.bench.make_agent_jsonl import growth, write


def made(mb: float, sessions: int, turns: int, interleaved: bool) -> list[bytes]:
    stream = io.BytesIO()
    write(stream, mb, sessions, turns, interleaved, seed=3)
    return stream.getvalue().splitlines(keepends=True)


@pytest.mark.parametrize("interleaved", [False, True])
def test_size_and_order(interleaved: bool):
    lines = made(4, 4, 20, interleaved)
    assert abs(sum(map(len, lines)) / 4e6 - 1) < 0.03
    records = [json.loads(line) for line in lines]
    times = [r["timestamp"] for r in records]
    assert times == sorted(set(times))
    tasks = [r["request"]["messages"][1]["content"] for r in records]
    assert len(set(tasks)) == 4
    assert sum(a != b for a, b in pairwise(tasks)) == (79 if interleaved else 3)


def test_sessions_only_append_and_echo_their_replies():
    records = [json.loads(line) for line in made(4, 2, 25, interleaved=False)][:25]
    for before, now in pairwise(records):
        history = before["request"]["messages"]
        sent = now["request"]["messages"]
        assert sent[: len(history)] == history
        assert sent[len(history)] == before["response"]["choices"][0]["message"]
        assert len(sent) == len(history) + 2


def test_text_is_not_filler():
    last = [json.loads(line) for line in made(4, 2, 25, interleaved=True)][-2:]
    texts = [m["content"] for r in last for m in r["request"]["messages"][1:]]
    lines = [line for text in texts for line in text.split("\n")]
    assert len(set(lines)) == len(lines)


def test_same_arguments_same_bytes():
    assert made(2, 2, 15, interleaved=True) == made(2, 2, 15, interleaved=True)


def test_too_small_a_file_is_refused():
    with pytest.raises(ValueError, match="need at least"):
        growth(5, 10, 150)
