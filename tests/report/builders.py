"""Results and curves made by hand, small enough to check by eye. In: numbers. Out: model objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cachelens.model.curve import Curve, CurvePoint
from cachelens.model.findings import Bucket, Finding, Location, Remedies, Saving
from cachelens.model.grid import Cell, Grid, ModelFacts
from cachelens.model.result import Result, Totals
from cachelens.model.rows import Break, EngineFacts, RequestRow, TraceFacts
from cachelens.model.skips import SkipReport


def facts(**changes: Any) -> TraceFacts:
    values: dict[str, Any] = {
        "requests": 0,
        "sessions": 1,
        "lineages": 1,
        "prompt_tokens": 0,
        "unique_tokens": 0,
        "working_set_tokens": 0,
        "output_tokens": 0,
        "encoding": "o200k_base",
        "render": "tools-first",
        "sources": ("captures/agent.har",),
    }
    return TraceFacts(**(values | changes))


def row(number: int, outcomes: Mapping[str, int], **changes: Any) -> RequestRow:
    """Request `number`, which continues the one before it; all but fresh and diverged tokens are reusable."""
    prompt = sum(outcomes.values())
    values: dict[str, Any] = {
        "request_id": f"r{number}",
        "session_id": "s1",
        "lineage_id": "main",
        "previous_request_id": f"r{number - 1}" if number > 1 else None,
        "source_file": "captures/agent.har",
        "source_record": number,
        "model": "m",
        "prompt_tokens": prompt,
        "outcomes": dict(outcomes),
        "reusable_tokens": prompt - outcomes.get("fresh", 0) - outcomes.get("divergence", 0),
    }
    return RequestRow(**(values | changes))


def broken(lost: int, **changes: Any) -> Break:
    values: dict[str, Any] = {
        "kind": "changed",
        "previous_request_id": "r1",
        "segment": 0,
        "component": "system",
        "message": None,
        "path": "system[0].text",
        "name": None,
        "token_offset": 1214,
        "segment_offset": 48,
        "char_offset": 214,
        "lost_tokens": lost,
    }
    return Break(**(values | changes))


def result(
    rows: Iterable[RequestRow],
    trace: Mapping[str, Any] | None = None,
    engine: Mapping[str, Any] | None = None,
    optimal_hit_tokens: int | None = None,
) -> Result:
    """A Result whose totals are the sums of `rows`, as `model.result.check` demands."""
    rows = tuple(rows)
    outcomes: dict[str, int] = {}
    for item in rows:
        for name, tokens in item.outcomes.items():
            outcomes[name] = outcomes.get(name, 0) + tokens
    prompt = sum(outcomes.values())
    hit = outcomes.get("hit", 0)
    fresh = outcomes.get("fresh", 0)
    reusable = sum(item.reusable_tokens for item in rows)
    told = [item for item in rows if item.reported_cached_tokens is not None]
    lost = [(-item.break_.lost_tokens, item.request_id) for item in rows if item.break_]
    model = {"name": "radix", "policy": "lru", "capacity_tokens": 200_000, "page_size": 1}
    optimal = hit if optimal_hit_tokens is None else optimal_hit_tokens
    return Result(
        cachelens="0.1.0",
        trace=facts(**({"requests": len(rows), "prompt_tokens": prompt} | dict(trace or {}))),
        engine=EngineFacts(**(model | dict(engine or {}))),
        totals=Totals(
            prompt_tokens=prompt,
            hit_tokens=hit,
            prefilled_tokens=prompt - hit,
            fresh_tokens=fresh,
            reusable_tokens=reusable,
            outcomes=outcomes,
            hit_rate=hit / prompt if prompt else 0.0,
            ideal_hit_rate=reusable / prompt if prompt else 0.0,
            optimal_hit_rate=optimal / prompt if prompt else 0.0,
            mean_hit_ratio=sum(r.outcomes.get("hit", 0) / r.prompt_tokens for r in rows if r.prompt_tokens)
            / len(rows)
            if rows
            else 0.0,
            prefill_amplification=(prompt - hit) / fresh if fresh else None,
            reported_cached_tokens=sum(r.reported_cached_tokens or 0 for r in told) if told else None,
            reported_prompt_tokens=sum(r.prompt_tokens for r in told) if told else None,
        ),
        requests=rows,
        worst_breaks=tuple(name for _, name in sorted(lost)),
    )


def saving(tokens: int, computed: int, **changes: Any) -> Saving:
    return Saving(
        computed_tokens=tokens,
        prompt_tokens=changes.pop("prompt_tokens", 0),
        share=tokens / computed if computed else 0.0,
        **changes,
    )


def finding(code: str = "CL101", **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "code": code,
        "name": "volatile-prefix",
        "title": "a time in the system prompt changes between requests, to the second",
        "verdict": "avoidable",
        "location": Location(
            request_id="r12",
            previous_request_id="r11",
            component="system",
            path="system[0].text",
            char_offset=214,
        ),
        "requests": 7,
        "request_ids": ("r12", "r24", "r36"),
        "sessions": 1,
        "tokens": 400_000,
        "measure": "computed again",
        "saving": saving(390_000, 1_000_000),
        "changes_input": False,
        "fix": "leave it out, round it, or put it into the latest message",
        "fingerprint": "0123456789abcdef",
        "details": {"granularity": "second", "requests with a new value": 7},
    }
    return Finding(**(values | changes))


def wasteful() -> Result:
    """The session with buckets, findings of every verdict, and all remedies together."""
    base = session()
    computed = base.totals.prefilled_tokens
    carried = {"retransmission": 380_000, "tool_output_reparsing": 710_000, "stale_history": 930_000}
    served = {"retransmission": 0, "tool_output_reparsing": 600_000, "stale_history": 850_000}
    first = base.requests[-1]
    wasted = sum(carried.values()) - sum(served.values())
    rows = (*base.requests[:-1], msgspec.structs.replace(first, buckets=carried, wasted_tokens=wasted))
    return msgspec.structs.replace(
        base,
        requests=rows,
        buckets={
            name: Bucket(
                carried_tokens=tokens,
                computed_tokens=tokens - served[name],
                held_tokens=tokens // 10,
                causes={"hit": served[name], "divergence": tokens - served[name]},
            )
            for name, tokens in carried.items()
        },
        findings=(
            finding(saving=saving(390_000, computed)),
            finding(
                "CL202",
                title="src/app.py is read 6 times",
                saving=saving(90_000, computed),
                changes_input=True,
                left_out=40_000,
                break_even="pays when 4 requests follow",
            ),
            finding("CL109", title="history replaced by a summary", verdict="legitimate", saving=None),
            *(
                finding(f"CL10{n}", title=f"cause {n}", saving=saving(1000 - n, computed))
                for n in range(3, 9)
            ),
            finding(
                "CL901", title="the server counts 3.1 % more prompt tokens", verdict="diagnostic", saving=None
            ),
        ),
        remedies=Remedies(
            all_together=saving(430_000, computed),
            same_input=saving(395_000, computed),
            what_if=saving(391_000, computed),
            what_if_codes=("CL101", "CL103"),
        ),
    )


def session() -> Result:
    """84 requests of two lineages: seven broken by edits, tokens lost in every way an unpaged cache has."""
    rows: list[RequestRow] = []
    edits = ("changed", "inserted", "removed", "reordered", "truncated", "changed", "changed")
    components = ("system", "tools", "tool_result", "tools", "user", "assistant", "system")
    paths = (
        "system[0].text",
        "tools[3]",
        "messages[14].content[0].content",
        "tools[0]",
        "messages[2].content",
        "messages[9].content[1].text",
        "system[0].text",
    )
    for number in range(1, 85):
        prompt, at = 20_000 + 1_250 * number, number // 12 - 1
        outcomes = {"fresh": 1_250, "hit": prompt - 1_250}
        change: dict[str, Any] = {"reported_cached_tokens": prompt - 2_000 - 13 * number}
        if number == 1:
            outcomes = {"fresh": prompt}
            change = {"reported_cached_tokens": 0}
        elif number % 12 == 0:
            kept = 1_214 + 700 * at
            outcomes = {"hit": kept, "fresh": 1_250, "divergence": prompt - kept - 1_250}
            change["break_"] = broken(
                outcomes["divergence"],
                kind=edits[at],
                component=components[at],
                path=paths[at],
                name=None if at % 2 else "read_file",
                token_offset=kept,
                char_offset=214 + 100 * at if at != 3 else None,
                previous_request_id=f"r{number - 1}",
            )
        elif number % 7 == 0:
            outcomes = {"hit": prompt - 9_000, "fresh": 1_250, "capacity": 7_500, "alignment": 250}
        rows.append(row(number, outcomes, lineage_id="main" if number % 3 else "sub-agent", **change))
    return result(
        rows,
        trace={
            "sessions": 3,
            "lineages": 2,
            "unique_tokens": 151_000,
            "working_set_tokens": 980_000,
            "skipped": (
                SkipReport("captures/agent.har", "bad-json", 1, (17,), "record ends inside a string"),
                SkipReport("captures/agent.har", "no-request-body", 2, (3, 41), ""),
            ),
            "skipped_records": 3,
            "notes": ("No times in this capture: requests are taken in file order.",),
        },
        optimal_hit_tokens=5_452_000,
    )


def curve(marked: int | None = None, size: int = 33, **changes: Any) -> Curve:
    """A curve of 6.1 M prompt tokens with a knee at 60,000 tokens; LRU bends later than perfect eviction."""
    prompt, ideal, working_set = 6_100_000, 5_520_000, 980_000
    capacities = sorted(
        {round(1_000 * (working_set / 1_000) ** (at / (size - 1))) for at in range(size)}
        | ({marked} - {None})
    )
    points = [CurvePoint(0, 0, 0)]
    for capacity in capacities:
        best = min(ideal, round(ideal * (capacity / working_set) ** 0.3))
        lru = min(best, round(ideal * min(1.0, capacity / working_set) ** 0.75))
        points.append(CurvePoint(capacity, lru, best))
    values: dict[str, Any] = {
        "cachelens": "0.1.0",
        "trace": facts(
            requests=84, sessions=3, lineages=5, prompt_tokens=prompt, working_set_tokens=working_set
        ),
        "page_size": 1,
        "prompt_tokens": prompt,
        "ideal_hit_tokens": ideal,
        "working_set": working_set,
        "points": tuple(points),
        "marked_capacity_tokens": marked,
    }
    return Curve(**(values | changes))


def cell(**changes: Any) -> Cell:
    values: dict[str, Any] = {
        "engine": "sglang",
        "policy": "lru",
        "capacity_tokens": 200_000,
        "capacity": "200k",
        "page_size": 1,
        "prompt_tokens": 6_100_000,
        "hit_tokens": 3_570_000,
        "hit_rate": 3_570_000 / 6_100_000,
        "mean_hit_ratio": 0.52,
        "flop_hit_rate": None,
        "of_ideal": 0.647,
        "of_optimal": 0.7,
    }
    return Cell(**(values | changes))


def grid(**changes: Any) -> Grid:
    """Two policies of one engine, a paged one with a tier, and an API."""
    values: dict[str, Any] = {
        "cachelens": "0.1.0",
        "trace": facts(requests=84, sessions=3, lineages=5, prompt_tokens=6_100_000),
        "working_set_tokens": 1_250_000,
        "ideal_hit_tokens": 5_520_000,
        "timed": True,
        "model": ModelFacts(
            name="qwen3-32b",
            kv_dtype="bf16",
            kv_bytes_per_token=262_144.0,
            source="https://example.org/config",
        ),
        "cells": (
            cell(flop_hit_rate=0.41, waited=3),
            cell(policy="lfu", hit_tokens=0, hit_rate=0.0, mean_hit_ratio=0.0, of_ideal=0.0, of_optimal=0.0),
            cell(
                engine="hicache",
                page_size=16,
                tiers={"host": 1_000_000},
                rejected=1,
                replicas=2,
                router="round-robin",
                routing_tokens=1234,
            ),
            cell(
                engine="anthropic",
                policy="",
                capacity_tokens=None,
                capacity="unlimited",
                written_5m_tokens=500_000,
                written_1h_tokens=0,
                cost_usd=4.25,
                above_reported=-0.006,
                notes=("expiry is not applicable",),
            ),
        ),
        "reported_requests": 80,
        "reported_cached_tokens": 3_500_000,
        "reported_prompt_tokens": 6_000_000,
        "unknown": {"anthropic": ("Whether the lookback counts 20 or 21 blocks is not published.",)},
        "notes": (),
    }
    return Grid(**(values | changes))
