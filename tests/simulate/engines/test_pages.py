"""Pages of engines with a size: their worked examples computed again, and what they must say."""

from __future__ import annotations

from pathlib import Path

import pytest

from cachelens.simulate.engine import Setup, Tier
from cachelens.simulate.engines import ENGINES
from tests.simulate.tables import rows
from tests.simulate.workloads import work_of

FOLDER = Path(__file__).parents[3] / "docs" / "engines"
PAGES = ("sglang", "vllm", "hicache", "lmcache", "mooncake-store", "ideal", "optimal", "lru")
#: Columns that tell what came from the slower tier.
TIER_COLUMNS = ("from host", "from store")


@pytest.mark.parametrize("page", PAGES)
def test_worked_examples(page: str, tmp_path: Path) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    assert rows(text, page)
    examples = 0
    for engine in PAGES:
        for options, requests, cells in rows(text, engine):
            examples += 1
            capacity, host = options.pop("capacity", None), options.pop("host", None)
            size, policy = options.pop("page", None), options.pop("policy", None)
            setup = Setup(
                int(capacity) if capacity else None,
                int(size) if size else None,
                policy,
                (Tier("host", int(host)),) if host else (),
                options,
            )
            replay = ENGINES.load(engine)(work_of(requests, tmp_path), setup).replay()
            assert [f"{hit:,}" for hit in replay.hit.tolist()] == [row["served"] for row in cells]
            for column in TIER_COLUMNS:
                if column in cells[0]:
                    loaded = replay.tiers["host"].tolist()
                    assert [f"{hit:,}" for hit in loaded] == [row[column] for row in cells]
    assert examples == text.count("<!-- example")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short_and_names_its_sources(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    assert len(text.splitlines()) <= 80
    assert f"Engine `{page}`" in text
    below = {"hicache": "sglang", "lmcache": "vllm", "mooncake-store": "vllm"}.get(page)
    inherited = ENGINES.load(below).facts.sources if below else ()
    for source in ENGINES.load(page).facts.sources:
        assert source in inherited or source.where in text
