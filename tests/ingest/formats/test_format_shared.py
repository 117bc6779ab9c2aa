"""Real captures: the three containers of each hold the same calls. Needs ../shared beside the repository."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.detect import detect
from cachelens.ingest.source import Source
from tests.builders.reading import read

SHARED = Path(__file__).parents[4] / "shared"
CAPTURES = sorted(path.parent.name for path in SHARED.glob("traces/*/session.har.zst"))
pytestmark = pytest.mark.skipif(not CAPTURES, reason="needs the captures in ../shared")


def facts(exchange: Exchange) -> tuple[Any, ...]:
    return (
        exchange.started_us,
        exchange.ended_us,
        exchange.first_token_us,
        exchange.status,
        exchange.url,
        json.dumps(json.loads(exchange.request), sort_keys=True),
        _response(exchange.response),
    )


def _response(body: bytes) -> str:
    """SSE text, or canonical JSON; a Responses stream is the response that it ends with."""
    text = body.decode()
    if text.startswith("{"):
        return json.dumps(json.loads(text), sort_keys=True)
    last = text.rpartition("event: response.completed\ndata: ")[2]
    return json.dumps(json.loads(last)["response"], sort_keys=True) if last != text else text


@pytest.mark.parametrize("capture", CAPTURES)
def test_three_containers_hold_the_same_calls(capture: str) -> None:
    folder = SHARED / "traces" / capture
    containers = [read(folder / name) for name in ("session.jsonl.zst", "session.har.zst", "flows.mitm.zst")]
    assert [container.format for container in containers] == ["pairs", "har", "mitmproxy"]
    assert [container.reports for container in containers] == [(), (), ()]
    pairs, har, flows = (sorted(map(facts, container.exchanges)) for container in containers)
    assert len(pairs) == json.loads((folder / "meta.json").read_text())["requests"]
    assert har == flows
    assert pairs == har


def test_golden_workloads_come_back_token_for_token() -> None:
    for path in (SHARED / "golden" / "forky.jsonl.gz", SHARED / "golden" / "tinyvocab.jsonl.gz"):
        got = read(path)
        assert got.format == "tokens"
        lines = [json.loads(line) for line in gzip.open(path)]
        assert len(got.token_requests) == len(lines)
        for request, line in zip(got.token_requests, lines, strict=True):
            assert request.request_id == line["request_id"]
            assert b"".join(block.ids for block in request.prompt) == _packed(line["tokens"])
            assert b"".join(block.ids for block in request.output) == _packed(line["output_tokens"])


def _packed(tokens: list[int]) -> bytes:
    return b"".join(token.to_bytes(4, "little") for token in tokens)


@pytest.mark.parametrize(
    ("name", "requests", "unique"), [("conversation", 12_031, 182_790), ("synthetic", 3_993, 43_924)]
)
def test_mooncake_traces(name: str, requests: int, unique: int) -> None:
    got = read(SHARED / "public" / "mooncake" / f"{name}_trace.jsonl.zst")
    assert (got.format, len(got.records), got.reports) == ("mooncake", requests, ())
    assert len({block.key for request in got.token_requests for block in request.prompt}) == unique


def test_kv_cache_tester_sessions() -> None:
    files = sorted((SHARED / "public" / "kv-cache-tester").glob("*.json.zst"))
    assert files
    for path in [*files[::6], *(path for path in files if path.name.startswith("trace_0277"))]:
        got = read(path)
        assert (got.format, got.reports) == ("kv-cache-tester", ())
        with zstandard.open(path) as stream:
            totals = json.load(stream)["totals"]["combined_tokens"]
        assert (
            sum(block.tokens for request in got.token_requests for block in request.prompt) == totals["input"]
        )
        assert sum(request.output_tokens or 0 for request in got.token_requests) == totals["output"]
        starts = [request.started_us or 0 for request in got.token_requests]
        assert starts == sorted(starts)


def test_other_logs_are_not_taken_for_requests() -> None:
    for path in [
        *SHARED.glob("traces/otel*/*.zst"),
        *SHARED.glob("traces/litellm*/*.zst"),
    ]:
        with pytest.raises(Exception, match=r"keys .* \(not a request\)"):
            detect(Source(path.name, path))
