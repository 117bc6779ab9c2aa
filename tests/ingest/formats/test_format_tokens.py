"""Token and hash traces."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.captures import jsonl
from tests.builders.reading import read

ids = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=700)


@given(ids, ids)
def test_token_blocks_hold_the_tokens_in_order(prompt: list[int], output: list[int]) -> None:
    (request,) = read(jsonl([{"request_id": "a", "tokens": prompt, "output_tokens": output}])).token_requests
    for blocks, tokens in ((request.prompt, prompt), (request.output, output)):
        assert [block.tokens for block in blocks[:-1]] == [256] * (len(blocks) - 1)
        assert sum(block.tokens for block in blocks) == len(tokens)
        data = b"".join(block.ids for block in blocks)
        assert list(struct.unpack(f"<{len(tokens)}I", data)) == tokens
        assert all(block.key == block.ids for block in blocks)
    assert request.output_tokens == len(output)


def test_shared_prefixes_share_block_keys() -> None:
    one, two = list(range(600)), [*range(512), 9, 9]
    first, second = read(jsonl([{"tokens": one}, {"tokens": two}])).token_requests
    assert [block.key for block in first.prompt[:2]] == [block.key for block in second.prompt[:2]]
    assert first.prompt[2].key != second.prompt[2].key


def test_fields_of_token_traces() -> None:
    line = {"request_id": 7, "tokens": [1], "output_tokens": 5, "timestamp": 1.25, "duration_s": 0.5}
    line |= {"namespace": "n", "priority": 2, "session_id": "s", "model": "m"}
    (request,) = read(jsonl([line])).token_requests
    assert (request.request_id, request.output_tokens, request.output) == ("7", 5, [])
    assert (request.started_us, request.ended_us) == (1_250_000, 1_750_000)
    assert (request.namespace, request.priority, request.session_key, request.model) == ("n", 2, "s", "m")


def test_bad_token_lines_are_counted() -> None:
    lines = [{"tokens": [1]}, {"tokens": []}, {"tokens": [-1]}, {"tokens": [2**32]}, {"tokens": ["a"]}]
    got = read(jsonl([*lines, {"tokens": [1], "output_tokens": -1}]))
    assert len(got.records) == 1
    assert got.skipped == {"empty-prompt": 1, "bad-shape": 4}


@given(st.integers(1, 5000))
def test_mooncake_blocks_add_up_to_the_input(length: int) -> None:
    count = -(-length // 512)
    line = {"timestamp": 27_000, "input_length": length, "output_length": 3, "hash_ids": list(range(count))}
    (request,) = read(jsonl([line])).token_requests
    assert [block.key for block in request.prompt] == [str(n).encode() for n in range(count)]
    assert sum(block.tokens for block in request.prompt) == length
    assert all(block.tokens == 512 for block in request.prompt[:-1])
    assert not any(block.ids for block in request.prompt)
    assert (request.started_us, request.output_tokens) == (27_000_000, 3)


def test_mooncake_lines_whose_length_and_blocks_disagree_are_counted() -> None:
    base = {"timestamp": 0, "output_length": 1}
    lines = [
        base | {"input_length": 512, "hash_ids": [1]},
        base | {"input_length": 513, "hash_ids": [1]},
        base | {"input_length": 512, "hash_ids": [1, 2]},
        base | {"input_length": 0, "hash_ids": []},
        base | {"input_length": 5, "hash_ids": [1], "output_length": -1},
        base | {"input_length": 5, "hash_ids": [[]]},
    ]
    got = read(jsonl(lines))
    assert len(got.records) == 1
    assert got.skipped == {"block-count": 2, "empty-prompt": 1, "bad-shape": 2}


def session(name: str = "trace_1", **more: Any) -> dict[str, Any]:
    """A kv-cache-tester session: two requests around a sub-agent of two, blocks of 4 tokens."""

    def request(at: float, tokens: int, hashes: list[int]) -> dict[str, Any]:
        return {
            "t": at,
            "type": "n",
            "model": "m",
            "in": tokens,
            "out": 2,
            "hash_ids": hashes,
            "api_time": 1.5,
        }

    agent = {
        "t": 5.0,
        "type": "subagent",
        "agent_id": "a",
        "requests": [request(0, 9, [1, 7]), request(30, 8, [1, 7])],
    }
    return {
        "id": name,
        "block_size": 4,
        "hash_id_scope": "local",
        "requests": [request(0, 10, [1, 2]), agent, request(20.5, 14, [1, 2, 3])],
    } | more


def test_kv_cache_tester_flattens_sub_agents_by_time() -> None:
    got = read(json.dumps(session()).encode())
    assert got.format == "kv-cache-tester"
    assert [(r.started_us, r.record) for r in got.token_requests] == [
        (0, 1),
        (5_000_000, 2),
        (20_500_000, 4),
        (35_000_000, 3),
    ]
    first, nested, second, last = got.token_requests
    assert [block.tokens for block in first.prompt] == [4, 4, 2]
    assert first.prompt[0].key == nested.prompt[0].key == second.prompt[0].key
    assert first.prompt[:2] == second.prompt[:2]
    assert [block.tokens for block in last.prompt] == [4, 4]
    assert (second.ended_us, second.session_key, second.model) == (22_000_000, "trace_1", "m")


def test_kv_cache_tester_adds_up_the_starts_of_nested_sub_agents() -> None:
    innermost = {"t": 1.0, "in": 4, "hash_ids": [1]}
    middle = {"t": 20.0, "type": "subagent", "requests": [innermost]}
    outer = {"t": 300.0, "type": "subagent", "requests": [middle]}
    (request,) = read(json.dumps(session(requests=[outer])).encode()).token_requests
    assert request.started_us == 321_000_000


def test_kv_cache_tester_keys_are_local_to_a_session_and_tails_to_a_request() -> None:
    one = read(json.dumps(session()).encode()).token_requests
    other = read(json.dumps(session("trace_2")).encode()).token_requests
    keys = [[block.key for request in trace for block in request.prompt] for trace in (one, other)]
    assert not set(keys[0]) & set(keys[1])
    tails = [request.prompt[-1].key for request in one if request.prompt[-1].tokens < 4]
    assert len(tails) == len(set(tails)) == 3
    shared = [read(json.dumps(session(name, hash_id_scope="global")).encode()) for name in "ab"]
    assert len({got.token_requests[0].prompt[0].key for got in shared}) == 1
    assert len({got.token_requests[0].prompt[-1].key for got in shared}) == 2


def test_kv_cache_tester_counts_what_does_not_fit_and_reads_the_rest() -> None:
    data = session()
    data["requests"][0]["in"] = 12
    data["requests"][2]["in"] = 3
    data["requests"] += [{"type": "n"}, 5, {"t": 1, "in": 0}]
    got = read(json.dumps(data).encode())
    assert [request.record for request in got.token_requests] == [2, 3]
    assert got.skipped == {"block-count": 2, "bad-shape": 2, "empty-prompt": 1}
    text = json.dumps(session()).encode()
    got = read(text[:-60])
    assert [request.record for request in got.token_requests] == [1, 2, 3]
    assert got.skipped == {"truncated-file": 1}


@pytest.mark.parametrize("size", [0, -1, 1 << 40, "4"])
def test_kv_cache_tester_without_a_block_size(size: Any) -> None:
    got = read(json.dumps(session(block_size=size)).encode())
    assert (got.records, got.skipped) == ([], {"bad-shape": 1})
