"""Published transcripts and cassettes: calls and reported tokens are those that a plain count finds.

Needs ../shared beside the repository. Nothing of their texts is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.trace import Trace
from cachelens.pipeline import analyze, load

PUBLIC = Path(__file__).parents[4] / "shared" / "public"
CASSETTES = PUBLIC / "pydantic-ai-cassettes"
CLAUDE = PUBLIC / "tracelab" / "claude_session.jsonl"
CODEX = PUBLIC / "tracelab" / "codex_session.jsonl"
PI = PUBLIC / "pi-mono" / "large-session.jsonl"
pytestmark = pytest.mark.skipif(not PUBLIC.is_dir(), reason="needs the captures in ../shared")

#: Prompt, uncached, read, written and generated tokens of one call.
Counts = tuple[int, int, int, int, int]


def lines(path: Path) -> Iterator[Any]:
    return map(json.loads, path.read_text().splitlines())


def reported(trace: Trace) -> list[Counts]:
    names = ["prompt", "uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output"]
    rows = trace.requests.select(f"reported_{name}_tokens" for name in names).fill_null(0).rows()
    return [(prompt, fresh, read, short + long, output) for prompt, fresh, read, short, long, output in rows]


def claude_usage(usage: Any) -> Counts:
    fresh, read, written = (
        usage.get(f"{name}input_tokens") or 0 for name in ("", "cache_read_", "cache_creation_")
    )
    return (fresh + read + written, fresh, read, written, usage["output_tokens"])


def test_claude_code_transcript() -> None:
    last = {
        line["message"]["id"]: line["message"]["usage"]
        for line in lines(CLAUDE)
        if line["type"] == "assistant"
    }
    trace = load([str(CLAUDE)], IngestOptions())
    assert sorted(reported(trace)) == sorted(map(claude_usage, last.values()))
    assert set(trace.requests["partial"]) == {"system-and-tools-missing"}
    assert analyze(trace, AnalyzeOptions()).trace.lineages == 1


def test_codex_rollout() -> None:
    totals: dict[int, Any] = {}
    for line in lines(CODEX):
        info = line["payload"].get("info")
        if info:
            totals[info["total_token_usage"]["total_tokens"]] = info
    expected = [
        (
            u["input_tokens"],
            u["input_tokens"] - u["cached_input_tokens"],
            u["cached_input_tokens"],
            0,
            u["output_tokens"],
        )
        for u in (info["last_token_usage"] for info in totals.values())
    ]
    trace = load([str(CODEX)], IngestOptions())
    assert reported(trace) == expected
    assert sum(counts[0] for counts in expected) == max(
        info["total_token_usage"]["input_tokens"] for info in totals.values()
    )
    assert set(trace.requests["partial"]) == {"tools-missing"}
    assert analyze(trace, AnalyzeOptions()).trace.lineages == 1


def test_pi_session() -> None:
    usages = [
        line["message"]["usage"]
        for line in lines(PI)
        if line["type"] == "message" and line["message"]["role"] == "assistant"
    ]
    expected = [
        (
            u["input"] + u["cacheRead"] + u["cacheWrite"],
            u["input"],
            u["cacheRead"],
            u["cacheWrite"],
            u["output"],
        )
        for u in usages
    ]
    trace = load([str(PI)], IngestOptions())
    answered = [counts for counts in expected if any(counts)]
    assert sorted(reported(trace)) == sorted(answered)
    assert [(report.reason, report.records) for report in trace.skipped] == [
        ("no-answer", len(expected) - len(answered))
    ]
    assert analyze(trace, AnalyzeOptions()).trace.lineages == 1


def test_the_prompts_of_a_pi_session_grow_as_the_provider_counted() -> None:
    """The system prompt and the tools are not in the file, but what a call adds to the one before is."""
    columns = (
        load([str(PI)], IngestOptions()).requests.select("prompt_tokens", "reported_prompt_tokens").rows()
    )
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(columns)]
    # Claude counts about a fifth more than o200k_base; a few steps change what is not in the file.
    fitting = [abs(theirs - 1.2 * ours) <= max(120, 0.35 * theirs) for ours, theirs in steps]
    assert sum(fitting) >= len(steps) - 7


def cassette_usage(body: Any) -> Counts | None:
    """Reported tokens of a response body, read field by field for each API in the cassettes."""
    usage = body.get("usage") or body.get("usageMetadata") or {}
    if "tokens" in usage:  # Cohere
        usage = {**usage["tokens"], "num_cached_tokens": usage["cached_tokens"], "total_tokens": None}
    if "promptTokenCount" in usage:
        read = usage.get("cachedContentTokenCount", 0)
        prompt = usage["promptTokenCount"]
        output = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
        return (prompt, prompt - read, read, 0, output)
    if "cache_creation_input_tokens" in usage and "total_tokens" not in usage:
        return claude_usage(usage)
    if "inputTokens" in usage:
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        return (
            usage["inputTokens"] + read + written,
            usage["inputTokens"],
            read,
            written,
            usage["outputTokens"],
        )
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    if prompt is None:
        return None
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    read = details.get("cached_tokens") or usage.get("num_cached_tokens") or 0  # the latter: Mistral, vLLM
    written = details.get("cache_write_tokens") or 0
    output = usage.get("completion_tokens", usage.get("output_tokens"))
    return (prompt, prompt - read - written, read, written, output)


def request_body(request: Any) -> Any:
    if "parsed_body" in request:
        return request["parsed_body"]
    try:
        return json.loads(request.get("body") or "null")
    except ValueError:
        return None


def response_body(response: Any) -> Any:
    """A JSON body, or the response that a stream of events ends with."""
    text = (response.get("body") or {}).get("string") or ""
    if "parsed_body" in response or not text:
        return response.get("parsed_body") or {}
    if text[:1] in ("{", b"{"):
        return json.loads(text)
    events = [json.loads(row[6:]) for row in text.splitlines() if row.startswith("data: {")]
    return next(event["response"] for event in events if event["type"] == "response.completed")


def test_cassettes() -> None:
    expected: dict[tuple[str, int], Counts | None] = {}
    others = 0
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    paths = sorted(map(str, CASSETTES.glob("*.yaml")))
    for path in paths:
        interactions = yaml.load(Path(path).read_bytes(), Loader=loader)["interactions"]
        for number, interaction in enumerate(interactions, 1):
            request = interaction["request"]
            sent = request["method"] == "POST" and isinstance(request_body(request), dict)
            if sent and "count_tokens" not in request["uri"]:
                expected[path, number] = cassette_usage(response_body(interaction["response"]))
            else:
                others += 1
    trace = load(paths, IngestOptions())
    places = trace.requests.select("source_file", "source_record").rows()
    assert len(expected) + others == 114
    # One of them makes a cached content of a prompt and generates nothing.
    assert expected.keys() - set(places) <= {key for key in expected if "cached_content" in key[0]}
    assert len(expected) - 1 <= len(places) == len(set(places))
    assert sum(report.records for report in trace.skipped) == 114 - len(places)
    split = trace.requests["reported_uncached_tokens"].is_not_null().to_list()
    for place, found, known in zip(places, reported(trace), split, strict=True):
        counts = expected[place]
        assert found == counts if known else found[0] in (0, counts and counts[0])
    # Where a provider names what was cached in a way of its own, nothing is known; never is a number wrong.
    assert sum(split) >= 78
