"""What assertions take, and that what cannot be judged never passes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cachelens
from cachelens.errors import CachelensError, InputError, UsageError
from cachelens.model.options import IngestOptions
from cachelens.pipeline import load
from cachelens.testing import assert_append_only, assert_hit_rate, assert_prefix_stable
from cachelens.testing.traces import read
from tests.testing.conversations import Body, clock, conversation, message


class Model:
    """An object of an SDK's reply, as harnesses put them into their messages."""

    __api_exclude__ = frozenset({"parsed"})

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def model_dump(self, *, mode: str, exclude_unset: bool, exclude: frozenset[str]) -> dict[str, Any]:
        assert mode == "json"
        assert exclude_unset
        return {name: value for name, value in self.fields.items() if name not in exclude}


def test_objects_of_sdks_stand_for_what_is_sent():
    plain, objects = conversation(3), conversation(3)
    for body in objects:
        body["messages"] = [
            Model(**said, parsed=1) if said["role"] == "assistant" else said for said in body["messages"]
        ]
    one, other = read(plain, {}), read(objects, {})
    assert one.requests.equals(other.requests)
    assert one.contents.ids.tolist() == other.contents.ids.tolist()


def test_a_capture_and_a_trace_are_taken_as_they_are(tmp_path: Path):
    requests = conversation(3)
    path = tmp_path / "capture.jsonl"
    path.write_text("".join(json.dumps({"request": body}) + "\n" for body in requests))
    trace = load([str(path)], IngestOptions())
    for one in (path, str(path), trace, cachelens.load(path)):
        assert_append_only(one)
        assert_prefix_stable(one)
        assert_hit_rate(one, at_least=0.3, engine="ideal")
    clock(requests[1])
    path.write_text("".join(json.dumps({"request": body}) + "\n" for body in requests))
    assert "r2" in message(lambda: assert_append_only(path))


def test_records_that_are_no_requests_may_stand_in_a_capture_but_broken_ones_not(tmp_path: Path):
    path = tmp_path / "capture.jsonl"
    good = "".join(json.dumps({"method": "POST", "request": body}) + "\n" for body in conversation(2))
    body = {"model": "claude-example-1", "messages": [{"role": "user", "content": "how long is this?"}]}
    count = {"url": "https://api.anthropic.com/v1/messages/count_tokens", "request": body}
    path.write_text(good + '{"method": "GET", "request": null}\n' + json.dumps(count) + "\n")
    assert_append_only(path)
    path.write_text(good + '{"method": "POST", "request": {"model": \n')
    with pytest.raises(InputError, match="record 3 could not be read"):
        assert_append_only(path)
    assert_append_only(load([str(path)], IngestOptions()))


def continued() -> list[Body]:
    return [
        {"model": "m", "input": [{"role": "user", "content": "hello"}]},
        {
            "model": "m",
            "previous_response_id": "resp_1",
            "input": [{"role": "user", "content": "and then?"}],
        },
    ]


def test_a_stored_response_must_be_given():
    with pytest.raises(UsageError, match=r"known only in part: requests\[1\]"):
        assert_append_only(continued())
    content = [{"type": "output_text", "text": "hi"}]
    reply = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "role": "assistant", "content": content}],
    }
    one, two = continued()
    assert_append_only([(one, reply), (two, None)])


@pytest.mark.parametrize(
    ("requests", "options", "match"),
    [
        ([], {}, "no requests"),
        ({"model": "m", "messages": []}, {}, "a list of request bodies"),
        ([["role", "user"]], {}, r"requests\[0\] is no request body"),
        ([{"messages": [{"role": "user", "content": {1, 2}}]}], {}, r"requests\[0\] is no JSON"),
        ([{"messages": [{"role": "user", "content": "x"}], "n": float("nan")}], {}, "no JSON"),
        ([*conversation(1), {"nothing": 1}], {}, r"requests\[1\] could not be read: not-an-llm-request"),
        ([{"nothing": 1}], {}, "requests: no LLM request found"),
        (conversation(1), {"gap_s": -1}, "gap_s"),
        (conversation(1), {"urls": "x"}, "unknown option 'urls'"),
        (conversation(1), {"lineages": 0}, "no number of conversations"),
        ("/nowhere/to/be/found.jsonl", {}, "found.jsonl"),
    ],
)
def test_what_cannot_be_judged_never_passes(requests: Any, options: dict[str, Any], match: str):
    with pytest.raises(CachelensError, match=match):
        assert_append_only(requests, **options)


def test_options_that_do_not_fit(tmp_path: Path):
    trace = read(conversation(2), {})
    with pytest.raises(UsageError, match="not for a trace"):
        assert_append_only(trace, url="http://example.test")
    path = tmp_path / "capture.jsonl"
    path.write_text(json.dumps({"request": conversation(1)[0]}) + "\n")
    with pytest.raises(UsageError, match="not for a capture"):
        assert_append_only(path, gap_s=1.0)
    with pytest.raises(UsageError, match="unknown option 'polcy'"):
        assert_hit_rate(trace, at_least=0, polcy="lru")  # type: ignore[call-arg]
    dialect = trace.requests["dialect"].replace("chat", "hashes")
    hashed = replace(trace, requests=trace.requests.with_columns(dialect=dialect))
    with pytest.raises(UsageError, match="block hashes"):
        assert_append_only(hashed)
