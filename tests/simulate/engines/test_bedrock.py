"""Bedrock: what differs from Anthropic's own platform."""

from __future__ import annotations

import pytest

from tests.simulate.scenes import Ask, check_page, play, timed

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-pro-v1:0"


def test_worked_examples_of_the_page() -> None:
    assert check_page("bedrock") >= 1


@pytest.mark.parametrize(("between", "read"), [(18, 2000), (19, 0)])
def test_claude_looks_back(between: int, read: int) -> None:
    new = " ".join(f"n{number}:10" for number in range(between))
    replay = play("bedrock", timed((0, "a:2000*"), (9, f"a:2000 {new} z:10*"), model=CLAUDE))
    assert replay.hit.tolist() == [0, read]
    assert replay.notes == ()


def test_nova_finds_a_prefix_only_where_it_is_marked_again() -> None:
    at = [(0, "a:2000*"), (9, "a:2000 b:10*"), (18, "a:2000* b:10")]
    replay = play("bedrock", timed(*at, model=NOVA))
    assert replay.hit.tolist() == [0, 0, 2000]
    assert replay.written_5m.tolist() == [2000, 2010, 0]
    assert replay.written_1h is None


def test_nova_has_no_hour() -> None:
    replay = play("bedrock", timed((0, "a:2000**"), (301, "a:2000**"), model=NOVA))
    assert replay.hit.tolist() == [0, 0]
    assert any("lifetime that the API does not have: 2; 300 s" in note for note in replay.notes)


def test_families_in_one_trace() -> None:
    asks = [Ask("a:2000**", 9 * at, model=model) for at, model in enumerate((CLAUDE, NOVA, CLAUDE, NOVA))]
    replay = play("bedrock", asks)
    assert replay.hit.tolist() == [0, 0, 2000, 2000]
    assert replay.written_5m.tolist() == [0, 2000, 0, 0]
    assert replay.written_1h.tolist() == [2000, 0, 0, 0]


def test_sources_that_contradict_each_other_are_named() -> None:
    replay = play("bedrock", [Ask("a:3000*", 0, model="anthropic.claude-opus-4-7-v1")])
    assert replay.written_5m.tolist() == [3000]
    assert any("2,048 for model claude-opus-4-7 is contradicted" in note for note in replay.notes)
