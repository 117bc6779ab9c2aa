"""Published hash traces: the figures that others printed come out to the last digit."""

from __future__ import annotations

import pytest

from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, CurveOptions, IngestOptions
from cachelens.pipeline import analyze, curve, load
from tests.shared import SHARED, needs_shared

FRACTIONS = (0.01, 0.05, 0.1, 0.25, 0.5)
#: Unique blocks, infinite cache, then the hit rates at FRACTIONS; token-weighted and over whole blocks.
MOONCAKE = {
    "conversation": (182_790, ".3664", [".0523", ".1954", ".2784", ".3535", ".3631"], ".3736", ".382"),
    "synthetic": (43_924, ".6396", [".0343", ".1548", ".2598", ".4434", ".5888"], ".6512", ".661"),
}

pytestmark = needs_shared


def digits(rate: float, places: int = 4) -> str:
    return f"{rate:.{places}f}".removeprefix("0")


@pytest.mark.parametrize("name", MOONCAKE)
def test_mooncake_in_blocks(name: str) -> None:
    unique, infinite, rates, in_tokens, over_whole = MOONCAKE[name]
    trace = load([str(SHARED / "public" / "mooncake" / f"{name}_trace.jsonl.zst")], IngestOptions())
    found = curve(trace, CurveOptions(points=0, blocks=True, capacities=tuple(map(str, FRACTIONS))))
    assert found.working_set == unique
    assert digits(found.ideal_hit_tokens / found.prompt_tokens) == infinite
    by_size = {point.capacity_tokens: point for point in found.points}
    assert [digits(by_size[size].lru_hit_tokens / found.prompt_tokens) for size in found.capacities] == rates
    assert all((point.optimal_hit_tokens or 0) >= point.lru_hit_tokens for point in found.points)
    definitions = found.definitions
    assert digits(definitions["share of all prompt tokens"]) == in_tokens
    assert digits(definitions["blocks served over whole blocks sent"], 3) == over_whole
    assert digits(analyze(trace, AnalyzeOptions()).totals.ideal_hit_rate) == in_tokens


def test_hash_traces_claim_no_breaks() -> None:
    sessions = sorted(map(str, (SHARED / "public" / "kv-cache-tester").glob("*.json*")))[:12]
    trace = load(sessions, IngestOptions())
    result = analyze(trace, AnalyzeOptions())
    assert result.trace.encoding == "hashes"
    assert result.totals.outcomes["divergence"] == 0
    assert all(row.break_ is None for row in result.requests)
    assert result.trace.sessions == 12


def test_text_is_not_counted_in_blocks() -> None:
    trace = load([str(SHARED / "golden" / "forky.jsonl.gz")], IngestOptions())
    with pytest.raises(UsageError, match="only hash traces"):
        curve(trace, CurveOptions(blocks=True))
