"""docs/engines has a page for each engine, and it says what the code says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cachelens.simulate.engines import ENGINES
from cachelens.simulate.policies import POLICIES
from cachelens.simulate.routers import ROUTERS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", list(ENGINES))
def test_every_engine_has_a_page_with_its_sources_options_and_gaps(name: str) -> None:
    engine = ENGINES.load(name)
    page = (DOCS / "engines" / f"{name}.md").read_text(encoding="utf-8")
    flat = " ".join(page.replace("\n", " ").split())
    for source in engine.facts.sources:
        assert source.date in page, source
    for sentence in engine.facts.unknown:
        assert " ".join(sentence.split()) in flat, sentence
    linked = [DOCS / "engines" / found for found in re.findall(r"\]\(([\w-]+\.md)", page)]
    explained = page + "".join(other.read_text(encoding="utf-8") for other in linked if other.exists())
    for option in fields(engine.Options):
        assert f"`{option.name}" in explained, option.name
    assert f"(engines/{name}.md)" in (DOCS / "README.md").read_text(encoding="utf-8")


def test_every_policy_and_router_is_explained() -> None:
    page = (DOCS / "engines" / "sglang.md").read_text(encoding="utf-8")
    for name in POLICIES:
        assert f"`{name}`" in page, name
    routers = (DOCS / "routers.md").read_text(encoding="utf-8")
    for name in ROUTERS:
        assert f"`{name}`" in routers or f"**{name}**" in routers, name
