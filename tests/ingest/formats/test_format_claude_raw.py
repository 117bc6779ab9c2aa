"""Pairing Claude Code's raw bodies, which name neither times nor each other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.detect import is_capture_folder
from cachelens.ingest.formats.raw_pairing import Digests, pair
from tests.builders.captures import Call, claude_raw
from tests.builders.reading import read

Json = Any


def answer(name: str, tool: bool) -> Json:
    """An assistant message as a response holds it."""
    block = (
        {"type": "tool_use", "id": f"toolu_{name}", "name": "t", "input": {}}
        if tool
        else text(f"said {name}")
    )
    return {
        "id": f"msg_{name}",
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "-"}, block],
    }


def text(words: str, **more: Json) -> Json:
    return {"type": "text", "text": words} | more


def conversation(
    label: str, turns: int, start: float, step: float, tool: bool, named: bool = False
) -> list[Call]:
    """A lineage of calls; the newest message is spelled as a marked list, older ones as strings."""
    calls: list[Call] = []
    history: list[Json] = []
    for turn in range(turns):
        newest = {"role": "user", "content": [text(f"{label} {turn}", cache_control={"type": "ephemeral"})]}
        system = [
            text(
                f"x-anthropic-billing-header: cc_version=1;{' cc_prev_req=req_PREV;' if named and turn else ''}"
            )
        ]
        said = answer(f"{label}{turn}", tool)
        calls.append(
            Call(
                {"system": system, "messages": [*history, newest]},
                said,
                start + turn * step,
                duration=step * 0.9,
            )
        )
        history += [
            {"role": "user", "content": f"{label} {turn}"},
            {"role": "assistant", "content": said["content"]},
        ]
    return calls


def given_answers(exchanges: list[Exchange]) -> list[tuple[str, str]]:
    """For each exchange its last user text and the id of its response, empty without one."""
    found = []
    for exchange in exchanges:
        last = json.loads(exchange.request)["messages"][-1]["content"][0]["text"]
        found.append((last, json.loads(exchange.response)["id"] if exchange.response else ""))
    return found


def test_one_conversation_is_paired_in_order(tmp_path: Path) -> None:
    claude_raw(tmp_path, conversation("a", 3, 1_800_000_000.5, 10, tool=True))
    got = read(tmp_path)
    assert got.format == "claude-raw"
    assert given_answers(got.exchanges) == [(f"a {n}", f"msg_a{n}") for n in range(3)]
    first = got.exchanges[0]
    assert (first.started_us, first.ended_us) == (1_800_000_000_500_000, 1_800_000_009_500_000)
    assert first.request_id == "req_000"
    assert got.skipped == {}


def test_concurrent_conversations_are_told_apart_by_what_later_requests_repeat(tmp_path: Path) -> None:
    """Answers overlap, and those of b overtake those of a; only the last of each stays open."""
    calls = conversation("a", 4, 1_800_000_000, 10, tool=True) + conversation(
        "b", 4, 1_800_000_001, 7, tool=False
    )
    claude_raw(tmp_path, sorted(calls, key=lambda call: call.start))
    got = read(tmp_path)
    paired = dict(given_answers(got.exchanges))
    assert {f"{x} {n}": paired[f"{x} {n}"] for x in "ab" for n in range(3)} == {
        f"{x} {n}": f"msg_{x}{n}" for x in "ab" for n in range(3)
    }
    assert all(not paired[key] or paired[key] == "msg_" + key.replace(" ", "") for key in paired)


def test_two_waiting_requests_get_no_answer_on_a_guess(tmp_path: Path) -> None:
    calls = conversation("a", 1, 1_800_000_000, 10, tool=True) + conversation(
        "b", 1, 1_800_000_001, 10, tool=True
    )
    claude_raw(tmp_path, calls)
    got = read(tmp_path)
    assert given_answers(got.exchanges) == [("a 0", ""), ("b 0", "")]
    assert got.skipped == {"response-unpaired": 2}


def test_request_that_names_the_one_before_it() -> None:
    """Two answers of the same text: only the name tells which of them the later request goes on from."""
    digests = Digests()
    first, second = conversation("a", 2, 0, 10, tool=False, named=True)
    body = second.request_text.replace("req_PREV", "req_2").encode()
    requests = [digests.request(first.request_text.encode(), 1), digests.request(body, 20)]
    reply = first.response_text.encode()
    responses = [digests.response(reply, "req_1", 5), digests.response(reply, "req_2", 6)]
    assert pair(requests, responses) == {0: 1}


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 40), st.integers(1, 12), st.booleans()),
        min_size=1,
        max_size=4,
    )
)
def test_pairs_are_never_wrong_and_repeated_answers_are_always_found(
    lineages: list[tuple[int, int, int, bool]],
) -> None:
    digests = Digests()
    calls = [
        (label, turn, call)
        for label, (turns, start, step, tool) in enumerate(lineages)
        for turn, call in enumerate(conversation(f"c{label}", turns, start, step, tool))
    ]
    requests = sorted((call.start, label, turn, call) for label, turn, call in calls)
    responses = sorted((call.start + call.duration, label, turn, call) for label, turn, call in calls)
    pairs = pair(
        [digests.request(call.request_text.encode(), int(at * 1e9)) for at, _, _, call in requests],
        [
            digests.response(call.response_text.encode(), f"r{number}", int(at * 1e9))
            for number, (at, _, _, call) in enumerate(responses)
        ],
    )
    for request, response in pairs.items():
        assert requests[request][1:3] == responses[response][1:3]
    for number, (_, label, turn, _) in enumerate(requests):
        if turn < lineages[label][0] - 1:
            assert number in pairs


def test_broken_files_are_counted_and_the_rest_read(tmp_path: Path) -> None:
    claude_raw(tmp_path, conversation("a", 2, 1_800_000_000, 10, tool=True))
    for number, data in enumerate(
        [b"", b"{", b"[]", b'{"x": 1}', b'{"messages": [1]}', b'{"messages": ["\xff"]}']
    ):
        path = tmp_path / f"ffffffff-0000-4000-8000-00000000000{number}.request.json"
        path.write_bytes(data)
        os.utime(path, (1, 1))
    (tmp_path / "req_x.response.json").write_bytes(b"\xff")
    (tmp_path / "notes.txt").write_text("left alone")
    got = read(tmp_path)
    assert len(got.exchanges) == 2
    assert got.skipped == {
        "no-request-body": 1,
        "not-json": 2,
        "bad-shape": 2,
        "bad-utf8": 1,
        "response-unpaired": 1,
    }


def test_folders_are_told_by_their_files(tmp_path: Path) -> None:
    assert not is_capture_folder(tmp_path)
    (tmp_path / "x.request.json").write_text("{}")
    assert not is_capture_folder(tmp_path)
    claude_raw(tmp_path / "raw", conversation("a", 1, 1, 1, tool=True))
    assert is_capture_folder(tmp_path / "raw")
    (tmp_path / "cachelens.json").write_text("{}")
    assert is_capture_folder(tmp_path)
