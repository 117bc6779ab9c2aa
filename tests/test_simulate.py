"""From a capture to a grid of caches, and to an analysis under every engine."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cachelens.cli.per_request import rows
from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, CurveOptions, GridOptions, IngestOptions, KvOptions
from cachelens.model.result import encode
from cachelens.model.trace import Trace
from cachelens.pipeline import analyze, curve, load, simulate
from cachelens.simulate.engines import ENGINES
from tests.shared import SHARED, needs_shared

SAMPLES = Path(__file__).parents[1] / "sample_traces"
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.suffix != ".md")


def sample(name: str) -> Trace:
    return load([str(SAMPLES / name)], IngestOptions())


#: Engines whose slower tier has no size of its own.
NEED_TIER = ("lmcache", "mooncake-store")


def cache(engine: str, capacity: str) -> AnalyzeOptions:
    """An engine at a capacity, unlimited where it has none, with a tier where it needs one."""
    facts = ENGINES.load(engine).facts
    sized = facts.sized and facts.kind != "api"
    tiers = (("host", "2k"),) if engine in NEED_TIER else ()
    return AnalyzeOptions(engine=engine, capacity=capacity if sized else "inf", tiers=tiers)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_token_is_accounted_for_under_every_engine(engine: str, name: str) -> None:
    result = analyze(sample(name), cache(engine, "6k"))  # checks itself
    totals = result.totals
    assert totals.hit_rate <= totals.optimal_hit_rate <= totals.ideal_hit_rate
    assert result.engine.name == engine
    assert sum(result.engine.tier_hit_tokens.values()) <= result.totals.hit_tokens


def test_what_was_lost_is_lost_to_the_limit_that_was_in_the_way(tmp_path: Path) -> None:
    small = analyze(sample("append-only.jsonl"), AnalyzeOptions(engine="lru", capacity="1k")).totals
    assert small.outcomes["capacity"] == small.reusable_tokens - small.hit_tokens > 0
    # No marker in a Chat Completions body: Anthropic's cache would have served it all with one.
    unmarked = analyze(sample("append-only.jsonl"), AnalyzeOptions(engine="anthropic")).totals
    assert unmarked.outcomes["unmarked"] > 0.8 * unmarked.reusable_tokens
    assert unmarked.outcomes["capacity"] == unmarked.hit_tokens == 0
    # The same prompt again: after a minute it is there, ten minutes later it is gone.
    path = tmp_path / "calls.jsonl"
    starts = (0, 60, 660)
    path.write_text(
        "".join(f'{{"tokens": {list(range(1280))}, "timestamp": {1.7e9 + at}}}\n' for at in starts)
    )
    kept = analyze(load([str(path)], IngestOptions()), AnalyzeOptions(engine="openai"))
    assert [row.outcomes.get("expiry", 0) for row in kept.requests] == [0, 0, 1280]
    assert [row.outcomes.get("hit", 0) for row in kept.requests] == [0, 1280, 0]


@needs_shared
@pytest.mark.parametrize("capture", ["agno", "opencode-anthropic", "langgraph-concurrent", "codex"])
@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_token_is_accounted_for_on_real_captures(engine: str, capture: str) -> None:
    trace = load([str(SHARED / "traces" / capture / "session.jsonl.zst")], IngestOptions())
    totals = analyze(trace, cache(engine, "50k")).totals
    marked = engine not in ("anthropic", "bedrock") or capture == "opencode-anthropic"
    assert (totals.hit_tokens > 0) == marked  # without markers these cache nothing


def test_the_engine_is_the_one_that_the_traffic_met() -> None:
    assert analyze(sample("nonce-in-system.jsonl"), AnalyzeOptions()).engine.name == "anthropic"
    assert analyze(sample("gemini.har"), AnalyzeOptions()).engine.name == "gemini"
    assert analyze(sample("clock.jsonl"), AnalyzeOptions()).engine.name == "sglang"
    assert analyze(sample("tokens.jsonl"), AnalyzeOptions()).engine.name == "ideal"
    assert analyze(sample("clock.jsonl"), AnalyzeOptions(capacity="5k")).engine.name == "lru"


def test_one_change_costs_everything_in_one_layout_and_little_in_another() -> None:
    rows = {row.engine: row for row in analyze(sample("nonce-in-system.jsonl"), AnalyzeOptions()).engines}
    # The nonce stands behind the tools where these come first, and before everything elsewhere.
    ideal = analyze(sample("nonce-in-system.jsonl"), AnalyzeOptions(engine="ideal")).totals
    assert ideal.hit_rate > 0.2
    assert rows["sglang"].hit_rate < 0.01
    assert rows["sglang"].order == "system-first"
    assert rows["anthropic"].cost_usd is not None
    assert rows["openai"].cost_usd is None  # the model is not sold there


def test_processes_change_no_figure() -> None:
    options = GridOptions(
        engines=("sglang", "vllm", "lru"), capacities=("2k", "50%", "inf"), policies=("lru",)
    )
    trace = sample("interleaved.jsonl")
    assert encode(simulate(trace, options).grid) == encode(simulate(trace, replace(options, jobs=2)).grid)


def test_a_grid_has_every_combination_in_order() -> None:
    options = GridOptions(engines=("sglang", "ideal"), capacities=("2k", "inf"), policies=("lru", "lfu"))
    cells = simulate(sample("interleaved.jsonl"), options).grid.cells
    assert [(cell.engine, cell.policy, cell.capacity_tokens) for cell in cells] == [
        ("sglang", "lru", 2_000),
        ("sglang", "lru", None),
        ("sglang", "lfu", 2_000),
        ("sglang", "lfu", None),
        ("ideal", "", None),
    ]
    assert cells[-1].of_ideal == 1.0
    assert cells[0].evicted_tokens > 0 == cells[1].evicted_tokens


def test_grid_and_curve_agree_on_lru() -> None:
    trace = sample("pruned-history.jsonl.zst")
    line = curve(trace, CurveOptions(points=0, capacities=("1000", "3000")))
    whole = [
        point.optimal_hit_tokens or 1 for point in line.points if point.capacity_tokens in (1_000, 3_000)
    ]
    cells = simulate(trace, GridOptions(engines=("lru", "optimal"), capacities=("1000", "3000"))).grid.cells
    assert [cell.hit_tokens for cell in cells] == [
        *(point.lru_hit_tokens for point in line.points if point.capacity_tokens in (1_000, 3_000)),
        *(point.optimal_hit_tokens for point in line.points if point.capacity_tokens in (1_000, 3_000)),
    ]
    assert [cell.of_optimal for cell in cells] == [
        *(cell.hit_tokens / best for cell, best in zip(cells[:2], whole, strict=True)),
        1.0,
        1.0,
    ]


def test_a_price_is_the_sum_over_requests() -> None:
    trace = sample("append-only-anthropic.har")
    found = simulate(trace, GridOptions(engines=("anthropic",)))
    (cell,), (replay,) = found.grid.cells, found.replays
    assert set(trace.requests["model"]) == {"claude-sonnet-4-5"}
    assert replay.written_5m is not None
    written, hit = int(replay.written_5m.sum()), int(replay.hit.sum())
    uncached = cell.prompt_tokens - hit - written
    usd = (uncached * Decimal(3) + hit * Decimal("0.3") + written * Decimal("3.75")) / 1_000_000
    assert cell.cost_usd == pytest.approx(float(usd), rel=1e-12)
    lines = list(rows(found))
    assert sum(line["cost_usd"] for line in lines) == pytest.approx(cell.cost_usd, rel=1e-12)
    for line in lines:
        assert (
            line["uncached_tokens"] + line["hit_tokens"] + line["written_5m_tokens"] == line["prompt_tokens"]
        )
    elsewhere = simulate(trace, GridOptions(engines=("openai",))).grid.cells[0]
    assert elsewhere.cost_usd is None
    assert elsewhere.cost_note == "no price: claude-sonnet-4-5 was not called there"


def test_routing_costs_what_another_replica_held() -> None:
    trace = sample("interleaved.jsonl")
    options = GridOptions(engines=("lru",), capacities=("inf",))
    one = simulate(trace, options).grid.cells[0]
    spread = simulate(trace, replace(options, replicas=3, router="round-robin")).grid.cells[0]
    sticky = simulate(trace, replace(options, replicas=3, router="session")).grid.cells[0]
    assert spread.hit_tokens + spread.routing_tokens == one.hit_tokens
    assert spread.routing_tokens > sticky.routing_tokens
    assert spread.pooled_hit_rate == one.hit_rate
    small = simulate(trace, replace(options, capacities=("1k",), replicas=3, router="session")).grid.cells[0]
    best = simulate(trace, GridOptions(engines=("optimal",), capacities=("3k",))).grid.cells[0]
    assert small.of_optimal == small.hit_tokens / best.hit_tokens  # against all replicas together


def test_slower_tiers_serve_what_faster_ones_let_go() -> None:
    trace = sample("interleaved.jsonl")
    small = GridOptions(engines=("lru",), capacities=("2k",))
    tiered = simulate(trace, replace(small, tiers=(("host", "1k"), ("disk", "1m")))).grid.cells[0]
    alone = simulate(trace, small).grid.cells[0]
    three = simulate(trace, replace(small, capacities=("3k",))).grid.cells[0]
    whole = simulate(trace, replace(small, capacities=("inf",))).grid.cells[0]
    assert tiered.tiers["host"] == three.hit_tokens - alone.hit_tokens
    assert tiered.tiers["disk"] == whole.hit_tokens - three.hit_tokens
    assert tiered.hit_tokens == whole.hit_tokens
    assert tiered.of_optimal == 1.0  # against what device and tiers could hold together
    alike = analyze(
        trace, AnalyzeOptions(engine="lru", capacity="2k", tiers=(("host", "1k"), ("disk", "1m")))
    )
    assert alike.engine.tier_hit_tokens == tiered.tiers
    assert alike.totals.optimal_hit_rate == alike.totals.ideal_hit_rate


def test_memory_is_a_capacity() -> None:
    trace = sample("interleaved.jsonl")
    kv = KvOptions(model="llama-3.1-8b", memory="24gib", kv_dtype="fp8")
    options = GridOptions(engines=("vllm",), kv=kv)
    grid = simulate(trace, options).grid
    assert grid.model is not None
    assert grid.cells[0].flop_hit_rate is not None
    assert 0 < grid.cells[0].flop_hit_rate <= grid.cells[0].hit_rate
    assert grid.cells[0].capacity_tokens is not None
    assert 80_000 < grid.cells[0].capacity_tokens < 130_000
    with pytest.raises(UsageError, match="the weights of llama-3-70b"):
        simulate(trace, replace(options, kv=replace(kv, model="llama-3-70b")))


def test_reported_tokens_stand_beside_the_simulated() -> None:
    grid = simulate(sample("append-only-anthropic.har"), GridOptions(engines=("anthropic",))).grid
    assert grid.reported_requests == 8
    assert grid.cells[0].above_reported is not None
    assert abs(grid.cells[0].above_reported) < 0.02
    assert simulate(sample("tokens.jsonl"), GridOptions()).grid.cells[0].above_reported is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (GridOptions(engines=("vllm",), policies=("lfu",)), "vllm does not evict by 'lfu'"),
        (GridOptions(engines=("lru", "vllm"), policies=("lfu",)), "none of the engines evicts by 'lfu'"),
        (GridOptions(engines=("sglang",), tiers=(("host", "1m"),)), "sglang has no slower tiers"),
        (GridOptions(engines=("lru",), capacities=("8gib",)), "needs --model"),
        (GridOptions(engines=("lru",), capacities=("0",)), "holds nothing"),
        (GridOptions(engines=("sglang",), capacities=("10",), page_size=16), "less than one page"),
        (GridOptions(engines=("sglang",), engine_options={"tre": "classic"}), "has an option 'tre'"),
        (GridOptions(engines=("sglang",), engine_options={"vllm.x": "1"}), "which is not replayed"),
        (GridOptions(engines=("sglang",), engine_options={"tree": "oak"}), "Invalid enum value 'oak'"),
        (GridOptions(engines=("sglang",), kv=KvOptions(model="llama-3-7b")), "unknown model 'llama-3-7b'"),
    ],
)
def test_what_cannot_be(options: GridOptions, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        simulate(sample("append-only.jsonl"), options)


def test_a_lifetime_needs_times(tmp_path: Path) -> None:
    path = tmp_path / "no_times.jsonl"
    path.write_text('{"tokens": [1, 2, 3], "output_tokens": [4]}\n')
    trace = load([str(path)], IngestOptions())
    for options in ({"ttl": "1h"}, {"anthropic.ttl": "1h"}):
        with pytest.raises(UsageError, match="needs times"):
            simulate(trace, GridOptions(engines=("anthropic",), engine_options=options))
    with pytest.raises(UsageError, match="needs times"):
        analyze(trace, AnalyzeOptions(engine="kimi", engine_options={"ttl_s": "60"}))


def test_a_curve_has_a_line_for_each_engine_and_policy_at_the_very_sizes_of_a_grid() -> None:
    trace = sample("interleaved.jsonl")
    lines = (("sglang", "lru"), ("sglang", "lfu"), ("vllm", None))
    own = {"sglang.tree": "classic"}
    options = CurveOptions(
        points=0, capacities=("3k", "inf"), lines=lines, engine_options=own, concurrent=False
    )
    found = curve(trace, options)
    assert [(line.engine, line.policy, line.page_size) for line in found.series] == [
        ("sglang", "lru", 1),
        ("sglang", "lfu", 1),
        ("vllm", "lru", 16),
    ]
    for line in found.series:
        asked = GridOptions((line.engine,), (line.policy,), ("3k", str(found.working_set)), concurrent=False)
        mine = own if line.engine == "sglang" else {}
        cells = simulate(trace, replace(asked, engine_options=mine)).grid.cells
        assert list(line.points) == [(cell.capacity_tokens, cell.hit_tokens) for cell in cells]
    with pytest.raises(UsageError, match="anthropic has no size"):
        curve(trace, CurveOptions(lines=(("anthropic", None),)))


def test_a_mark_may_be_memory() -> None:
    kv = KvOptions(model="qwen3-32b")
    found = curve(sample("interleaved.jsonl"), CurveOptions(marked="1gib", kv=kv))
    assert found.marked_capacity_tokens == 4096
    assert found.kv_bytes_per_token == 262_144
    assert 4096 in {point.capacity_tokens for point in found.points}
