"""The captures in `sample_traces/` are those the agent makes, and show what they claim to show."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import zstandard

from tests.samples import containers
from tests.samples.agent import PRUNED, Turn, converse, prune
from tests.samples.make import FOLDER
from tests.samples.project import CLOCK_AFTER, CLOCK_BEFORE, FILES, KIND_AFTER, KIND_BEFORE
from tests.samples.provider import Usage, automatic, local_server, marked, pieces
from tests.samples.scripts import DOCUMENT, FIX, SURVEY
from tests.samples.toolbox import SCOUT_TOOLS, TOOLS, Checkout
from tests.samples.variants import START_MS, Sample, count_breaks, samples
from tests.samples.wire import anthropic, chat, gemini, responses

SAMPLES = samples()
BY_NAME = {sample.name: sample for sample in SAMPLES}
MEGABYTE = 1_000_000


def plain(data: bytes) -> bytes:
    """`data` without its compression: another version of zstd may write other bytes."""
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=64 * MEGABYTE)
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def bodies(name: str) -> list[dict[str, Any]]:
    lines = plain(BY_NAME[name].data).splitlines()
    return [json.loads(line)["request"] for line in lines]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_made_again_the_file_is_the_same(sample: Sample):
    assert plain((FOLDER / sample.name).read_bytes()) == plain(sample.data), (
        "run `python -m tests.samples.make` and review the difference"
    )


def test_folder_holds_the_samples_and_nothing_else():
    assert {path.name for path in FOLDER.iterdir()} == {*BY_NAME, "README.md"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1.7 * MEGABYTE


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_no_sample_holds_a_credential(sample: Sample):
    data = plain(sample.data)
    assert not re.search(rb"(?i)authorization|api[-_]?key|bearer |cookie\"?:\s*\"|sk-[a-z0-9]|[?&]key=", data)


def test_truth():
    truth = {s.name: (s.requests, s.sessions, s.lineages, s.breaks, s.skipped) for s in SAMPLES}
    assert truth == {
        "append-only.jsonl": (10, 1, 1, 0, 0),
        "no-clock.jsonl": (8, 1, 1, 0, 0),
        "append-only-anthropic.har": (8, 1, 1, 0, 0),
        "nonce-in-system.jsonl": (10, 1, 1, 9, 0),
        "clock.jsonl": (8, 1, 1, 7, 0),
        "resorted-tools.jsonl": (8, 1, 1, 4, 0),
        "pruned-history.jsonl.zst": (18, 1, 1, 2, 0),
        "interleaved.jsonl": (24, 3, 3, 0, 0),
        "sub-agents.mitm": (14, 1, 3, 0, 0),
        "gemini.har": (8, 1, 1, 0, 0),
        "claude-trace.jsonl": (8, 1, 1, 0, 0),
        "requests-only.jsonl": (8, 1, 1, 0, 0),
        "broken.jsonl": (8, 1, 1, 0, 6),
        "tokens.jsonl": (20, 4, 4, 0, 0),
    }


def test_appending_sends_every_message_again_unchanged():
    sent = [body["messages"] for body in bodies("append-only.jsonl")]
    assert all(now[: len(before)] == before for before, now in itertools.pairwise(sent))
    assert len(sent[-1]) > 2 * len(sent[1])


def test_nonce_is_the_only_change():
    sent = bodies("nonce-in-system.jsonl")
    assert len({body["system"][0]["text"] for body in sent}) == len(sent)
    assert len({body["system"][1]["text"] for body in sent}) == 1
    assert len({json.dumps(body["tools"]) for body in sent}) == 1


def test_clock_is_the_only_change():
    systems = [body["messages"][0]["content"] for body in bodies("clock.jsonl")]
    assert len(set(systems)) == len(systems)
    assert len({re.sub(r"\d\d:\d\d:\d\d", "", text) for text in systems}) == 1


def test_resorted_tools_are_the_same_tools():
    orders = [[t["function"]["name"] for t in body["tools"]] for body in bodies("resorted-tools.jsonl")]
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(t.name for t in TOOLS))}
    assert sum(a != b for a, b in itertools.pairwise(orders)) == 4


def test_pruning_replaces_old_results_only():
    turns = converse(FIX, "any", START_MS)
    full = turns[-1].messages
    kept = prune(full, keep=2, step=1)
    results = [i for i, m in enumerate(full) if m.role == "tool"]
    for i, (before, after) in enumerate(zip(full, kept, strict=True)):
        assert after.text == (PRUNED if i in results[:-2] else before.text)


def test_sessions_of_the_interleaved_sample_overlap():
    lines = [json.loads(line) for line in BY_NAME["interleaved.jsonl"].data.splitlines()]
    tasks = [line["request"]["messages"][1]["content"] for line in lines]
    assert len(set(tasks)) == 2, "two sessions share their task, so only what follows tells them apart"
    assert sum(a != b for a, b in itertools.pairwise(tasks)) > 6
    assert "session" not in json.dumps([{k: v for k, v in x.items() if k != "request"} for x in lines])


def test_scouts_run_in_parallel_below_the_main_thread():
    turns = converse(SURVEY, "survey", START_MS)
    spans = {
        thread: (
            min(t.started_ms for t in turns if t.thread == thread),
            max(t.ended_ms for t in turns if t.thread == thread),
        )
        for thread in ("main.scout1", "main.scout2")
    }
    (a, b), (c, d) = spans.values()
    assert max(a, c) < min(b, d)
    main = [t for t in turns if t.thread == "main"]
    resumed = next(t for t in main if any(m.name == "delegate" for m in t.messages))
    assert resumed.started_ms >= max(b, d)
    assert all(t.tools == SCOUT_TOOLS for t in turns if t.thread != "main")


def _unsse(text: str) -> list[dict[str, Any]]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _joined_chat(text: str) -> Any:
    said, calls = "", {}
    for event in _unsse(text):
        for choice in event["choices"]:
            said += choice["delta"].get("content", "")
            for part in choice["delta"].get("tool_calls", []):
                call = calls.setdefault(part["index"], {"name": "", "arguments": ""})
                call["name"] += part["function"].get("name", "")
                call["arguments"] += part["function"]["arguments"]
    return said, list(calls.values()), _unsse(text)[-1]["usage"]


def _whole_chat(body: dict[str, Any]) -> Any:
    message = body["choices"][0]["message"]
    return message["content"], [c["function"] for c in message.get("tool_calls", [])], body["usage"]


def _joined_anthropic(text: str) -> Any:
    blocks: list[dict[str, Any]] = []
    for event in _unsse(text):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"], json=""))
        elif event["type"] == "content_block_delta":
            delta = {k: v for k, v in event["delta"].items() if k != "type"}
            for key, value in delta.items():
                name = "json" if key == "partial_json" else key
                blocks[-1][name] += value
    for block in blocks:
        written = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(written)
    return blocks


def _joined_responses(text: str) -> Any:
    said: dict[int, str] = {}
    for event in _unsse(text):
        if event["type"].endswith(".delta"):
            said[event["output_index"]] = said.get(event["output_index"], "") + event["delta"]
    return [said[index] for index in sorted(said)]


def _whole_responses(body: dict[str, Any]) -> Any:
    return [
        item["arguments"] if item["type"] == "function_call" else item["content"][0]["text"]
        for item in body["output"]
    ]


def _joined_gemini(text: str) -> Any:
    return [part for event in _unsse(text) for part in event["candidates"][0]["content"]["parts"]]


@pytest.mark.parametrize(
    ("wire", "joined", "whole"),
    [
        (chat, _joined_chat, _whole_chat),
        (anthropic, _joined_anthropic, lambda body: body["content"]),
        (responses, _joined_responses, _whole_responses),
        (gemini, _joined_gemini, lambda body: body["candidates"][0]["content"]["parts"]),
    ],
    ids=["chat", "anthropic", "responses", "gemini"],
)
def test_a_streamed_reply_says_what_the_whole_one_says(
    wire: ModuleType, joined: Callable[[str], Any], whole: Callable[[dict[str, Any]], Any]
):
    for turn in converse(FIX, "any", START_MS):
        usage = Usage(prompt=2000, cached=1024, written=300, output=40)
        assert joined(wire.reply_sse(turn, usage)) == whole(wire.reply_json(turn, usage))


@pytest.mark.parametrize("wire", [chat, anthropic, responses, gemini])
def test_append_only_is_append_only_in_every_spelling(wire: ModuleType):
    turns = converse(DOCUMENT, "any", START_MS)
    assert count_breaks([[text for text, _ in wire.rendered(turn).prompt] for turn in turns]) == 0


def test_breaks_are_counted():
    assert count_breaks([["a"], ["a", "b"], ["a"], ["x", "a"], ["x", "a"]]) == 2


def _reported(turns: list[Turn], wire: ModuleType, account: Any) -> list[Usage]:
    usages: list[Usage] = account(wire.rendered(turn) for turn in turns)
    assert all(min(u.cached, u.written) >= 0 and u.cached + u.written <= u.prompt for u in usages)
    return usages


def test_reported_cache_reads_are_plausible():
    turns = converse(FIX, "any", START_MS)
    local = _reported(turns, chat, local_server)
    before = [local[i].prompt + local[i].output - 1 for i in range(len(turns) - 1)]
    # A radix cache serves the prompt before and all it generated but the last token, give or take the seam.
    assert all(abs(u.cached - b) <= 2 for u, b in zip(local[1:], before, strict=True))
    provider = _reported(turns, responses, automatic)
    assert provider[0].cached == 0
    assert all(u.cached % 128 == 0 and u.cached >= 1024 for u in provider[1:])
    claude = _reported(turns, anthropic, marked)
    assert [u.cached for u in claude[1:]] == [u.cached + u.written for u in claude[:-1]]


def test_marked_cache_forgets_after_five_minutes():
    early, late = converse(DOCUMENT, "a", START_MS)[0], converse(DOCUMENT, "a", START_MS + 600_000)[0]
    assert [u.cached for u in marked([anthropic.rendered(early), anthropic.rendered(late)])] == [0, 0]


def test_pieces_lose_nothing():
    for text in FILES.values():
        assert "".join(pieces(text)) == text


def _untnet(data: bytes) -> tuple[Any, bytes]:
    size, _, rest = data.partition(b":")
    body, mark, rest = rest[: int(size)], rest[int(size) : int(size) + 1], rest[int(size) + 1 :]
    if mark in b"}]":
        items = []
        while body:
            item, body = _untnet(body)
            items.append(item)
        return (dict(zip(items[::2], items[1::2], strict=True)) if mark == b"}" else items), rest
    value = {
        b",": lambda: body,
        b";": body.decode,
        b"#": lambda: int(body),
        b"^": lambda: float(body),
        b"!": lambda: body == b"true",
        b"~": lambda: None,
    }[mark]()
    return value, rest


def test_tnetstrings_can_be_read_back():
    value = {"a": [1, -2.5, True, False, None, b"\x00:", "süß", []], "b": {b"k": {}}}
    assert _untnet(containers.tnetstring(value)) == (value, b"")


def test_flows_are_dumped_in_the_order_they_ended():
    data, ends = BY_NAME["sub-agents.mitm"].data, []
    while data:
        flow, data = _untnet(data)
        ends.append(flow["response"]["timestamp_end"])
    assert len(ends) == 14
    assert ends == sorted(ends)


RUN = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1] + "/tests")
module, failed = importlib.import_module("test_table"), []
for name in dir(module):
    if name.startswith("test_"):
        try:
            getattr(module, name)()
        except AssertionError:
            failed.append(name)
print(json.dumps(failed))
"""


@pytest.mark.parametrize("clock", [False, True])
@pytest.mark.parametrize("kind", [False, True])
def test_the_scripted_test_run_is_what_the_project_really_does(tmp_path: Path, clock: bool, kind: bool):
    checkout = Checkout()
    if clock:
        checkout.call("edit_file", {"path": "tidekit/units.py", "old": CLOCK_BEFORE, "new": CLOCK_AFTER})
    if kind:
        checkout.call("edit_file", {"path": "tidekit/table.py", "old": KIND_BEFORE, "new": KIND_AFTER})
    for path, text in checkout.files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], capture_output=True, check=True)
    said = checkout.call("run_command", {"command": "python -m pytest -q"})
    assert sorted(re.findall(r"FAILED \S+::(\w+)", said)) == sorted(json.loads(done.stdout))
