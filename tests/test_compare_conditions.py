"""What can be compared: every condition that differs is refused or allowed by name, and doubts are told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cachelens.errors import UsageError
from cachelens.model.result import Result
from cachelens.pipeline.comparison import ALLOWABLE, compare, differences
from tests.report import builders


def _replaced(result: Result, where: str, **changes: Any) -> Result:
    return msgspec.structs.replace(
        result, **{where: msgspec.structs.replace(getattr(result, where), **changes)}
    )


OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "encoding": ("trace", {"encoding": "cl100k_base"}, ""),
    "render order": ("trace", {"render": "system-first"}, "render"),
    "engine": ("engine", {"name": "vllm"}, "engine"),
    "policy": ("engine", {"policy": "lfu"}, "policy"),
    "page size": ("engine", {"page_size": 16}, "page-size"),
    "capacity": ("engine", {"capacity_tokens": None}, "capacity"),
    "tiers": ("engine", {"tiers": {"host": 5}}, "capacity"),
    "engine options": ("engine", {"options": {"ttl": "5"}}, "options"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_condition_that_differs_is_refused_and_can_be_allowed(name: str) -> None:
    where, change, allowed = OTHERS[name]
    one = builders.session()
    other = _replaced(one, where, **change)
    for pair in ((one, other), (other, one)):
        with pytest.raises(UsageError) as caught:
            compare(*pair)
        assert f"{name}: " in caught.value.message
        assert caught.value.message.count("before") == 1
        assert caught.value.hint
        if not allowed:
            for all_of_them in ((), tuple(ALLOWABLE)):
                with pytest.raises(UsageError):
                    compare(*pair, allow=all_of_them)
            continue
        assert f"--across {allowed}" in caught.value.hint
        found = compare(*pair, allow=(allowed,))
        assert [one.name for one in found.across] == [name]
        for others in set(ALLOWABLE) - {allowed}:
            with pytest.raises(UsageError):
                compare(*pair, allow=(others,))


def test_all_reasons_are_told_at_once() -> None:
    one = builders.session()
    other = one
    for where, change, _ in OTHERS.values():
        other = _replaced(other, where, **change)
    assert [found.name for found in differences(one, other)] == [
        "encoding",
        "render order",
        "engine",
        "policy",
        "page size",
        "capacity",
        "tiers",
        "engine options",
    ]
    with pytest.raises(UsageError) as caught:
        compare(one, other)
    assert all(f"{name}: " in caught.value.message for name in OTHERS)
    assert "200,000 tokens before, unlimited after" in caught.value.message
    with pytest.raises(UsageError) as caught:
        compare(one, other, allow=tuple(ALLOWABLE))
    assert caught.value.message == "these cannot be compared: encoding: o200k_base before, cl100k_base after"


def test_an_engine_brings_its_own_policy_pages_and_options_but_no_size() -> None:
    one = builders.session()
    other = _replaced(one, "engine", name="vllm", policy="", page_size=16, options={"a": "1"})
    found = compare(one, other, allow=("engine",))
    assert [difference.name for difference in found.across] == [
        "engine",
        "policy",
        "page size",
        "engine options",
    ]
    with pytest.raises(UsageError, match="capacity: 200,000 tokens before, 100,000 tokens after"):
        compare(one, _replaced(other, "engine", capacity_tokens=100_000), allow=("engine",))
    with pytest.raises(UsageError, match="policy"):
        compare(one, _replaced(one, "engine", policy="lfu"), allow=("engine",))


def test_another_layout_of_results_is_refused() -> None:
    one = builders.session()
    with pytest.raises(UsageError, match="layout of the result: 1 before, 2 after"):
        compare(one, msgspec.structs.replace(one, schema="cachelens.result/2"))


def test_names_of_what_may_differ() -> None:
    one = builders.session()
    with pytest.raises(UsageError, match="unknown difference to compare across 'capacities'"):
        compare(one, one, allow=("capacities",))
    assert {condition for names in ALLOWABLE.values() for condition in names} == set(OTHERS) - {"encoding"}


def test_notes_say_what_makes_a_comparison_doubtful() -> None:
    one = builders.session()
    other = _replaced(
        msgspec.structs.replace(one, cachelens="9.9.9"), "trace", models=("m2",), skipped_records=0
    )
    notes = " ".join(compare(one, other, notes=("own note",)).notes)
    assert notes.startswith("own note")
    assert "before was analyzed by cachelens 0.1.0, after by 9.9.9" in notes
    assert "3 records of before could not be read" in notes
    assert "models called: none named before, m2 after" in notes
    exact = _replaced(one, "trace", encoding="exact")
    assert any("whether one tokenizer made them is not known" in note for note in compare(exact, exact).notes)


def test_no_text_of_prompts_gets_in() -> None:
    finding = builders.finding()
    assert finding.location is not None
    place = msgspec.structs.replace(finding.location, before="SECRET one", now="SECRET two")
    result = msgspec.structs.replace(
        builders.session(), findings=(msgspec.structs.replace(finding, location=place),), shows_text=True
    )
    assert b"SECRET" not in msgspec.json.encode(compare(result, result))
    assert compare(result, result).causes[0].after is not None
