"""Anthropic's rules, one by one, with figures worked out by hand. `*`: see tests/simulate/scenes.py."""

from __future__ import annotations

import pytest

from cachelens.errors import UsageError
from cachelens.simulate.engine import Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.engines.anthropic import Anthropic
from tests.simulate.scenes import Ask, check_page, play, scene, timed


def figures(replay):
    return list(zip(replay.hit.tolist(), replay.written_5m.tolist(), replay.written_1h.tolist(), strict=True))


def test_worked_examples_of_the_page() -> None:
    assert check_page("anthropic") >= 3


def test_without_markers_nothing_is_cached() -> None:
    replay = play("anthropic", timed((0, "system:3000 a:100"), (9, "system:3000 a:100")))
    assert figures(replay) == [(0, 0, 0), (0, 0, 0)]
    assert any("No request has a cache marker" in note for note in replay.notes)


def test_up_to_the_marked_block_alone() -> None:
    replay = play("anthropic", timed((0, "system:3000* a:100"), (9, "system:3000* b:100")))
    assert figures(replay) == [(0, 3000, 0), (3000, 0, 0)]


def test_written_from_what_is_read_to_the_last_breakpoint() -> None:
    replay = play("anthropic", timed((0, "system:3000* a:100*"), (9, "system:3000* a:100 b:70* c:5")))
    assert figures(replay) == [(0, 3100, 0), (3100, 70, 0)]


def test_a_prefix_that_was_never_written_is_not_found_however_often_it_was_sent() -> None:
    replay = play("anthropic", timed((0, "system:3000 a:100*"), (9, "system:3000 b:100*")))
    assert figures(replay) == [(0, 3100, 0), (0, 3100, 0)]


def test_every_token_must_be_equal() -> None:
    replay = play("anthropic", timed((0, "system:3000*"), (9, "system:2999 x:1*")))
    assert figures(replay)[1] == (0, 3000, 0)


def test_equal_tokens_are_one_entry_however_they_are_cut() -> None:
    replay = play("anthropic", timed((0, "system:2000 system[2000]:1000*"), (9, "system:3000* a:10")))
    assert figures(replay)[1] == (3000, 0, 0)


@pytest.mark.parametrize(
    ("between", "read"),
    [(18, 2000), (19, 0)],
)
def test_looks_back_at_twenty_places_the_breakpoint_included(between: int, read: int) -> None:
    # The entry ends `between` + 1 blocks above the breakpoint.
    new = " ".join(f"n{number}:10" for number in range(between))
    replay = play("anthropic", timed((0, "a:2000*"), (9, f"a:2000 {new} z:10*")))
    assert replay.hit.tolist() == [0, read]


def test_parts_of_one_block_count_once() -> None:
    parts = "n:10 " + " ".join(f"m{number}:10+" for number in range(40))
    replay = play("anthropic", timed((0, "a:2000*"), (9, f"a:2000 {parts} z:10*")))
    assert replay.hit.tolist() == [0, 2000]


def test_an_entry_in_the_middle_of_a_block_is_not_a_place_to_look_at() -> None:
    # The first request's block ends where the second's goes on: another block, though the tokens agree.
    replay = play("anthropic", timed((0, "a:2000 b:50*"), (9, "a:2000 b:50 c:10+ d:5*")))
    assert replay.hit.tolist() == [0, 0]


def test_each_breakpoint_looks_back() -> None:
    new = " ".join(f"n{number}:10" for number in range(30))
    replay = play("anthropic", timed((0, "a:2000*"), (9, f"a:2000* {new} z:10*")))
    assert figures(replay)[1] == (2000, 310, 0)


def test_the_last_four_markers_count() -> None:
    five = "a:2000* b:10* c:10* d:10* e:10*"
    replay = play("anthropic", timed((0, five), (9, "a:2000* x:10"), (18, "a:2000 b:10* x:10")))
    # No entry was made after a by the first request: the second makes it.
    assert figures(replay) == [(0, 2040, 0), (0, 2000, 0), (2010, 0, 0)]
    assert any("more than 4 markers" in note for note in replay.notes)


def test_below_the_minimum_nothing_is_cached_and_nothing_said() -> None:
    for model, least in (
        ("claude-sonnet-4-5-20250929", 1024),
        ("claude-opus-4.7", 2048),
        ("claude-opus-5", 512),
    ):
        asks = [Ask(f"a:{least - 1}*", 0, model=model), Ask(f"a:{least - 1}*", 9, model=model)]
        assert figures(play("anthropic", asks)) == [(0, 0, 0), (0, 0, 0)], model
        asks = [Ask(f"a:{least}*", 0, model=model), Ask(f"a:{least}*", 9, model=model)]
        replay = play("anthropic", asks)
        assert figures(replay) == [(0, least, 0), (least, 0, 0)], model
        assert replay.notes == (), model


def test_a_marker_below_the_minimum_leaves_its_tokens_to_the_next_one() -> None:
    replay = play("anthropic", timed((0, "a:500* b:1000*"), (9, "a:500* c:1000*")))
    assert figures(replay) == [(0, 1500, 0), (0, 1500, 0)]


def test_an_unlisted_model_is_said_to_be_assumed() -> None:
    replay = play("anthropic", [Ask("a:2000*", 0, model="claude-next-9")])
    assert any("claude-next-9 is assumed" in note for note in replay.notes)
    assert play("anthropic", [Ask("a:2000*", 0, model="x")], model="claude-opus-4-5").written_5m.tolist() == [
        0
    ]


def test_five_minutes_from_the_start_of_the_last_use() -> None:
    at = [(0, "a:2000*"), (300, "a:2000*"), (600, "a:2000*"), (901, "a:2000*")]
    assert figures(play("anthropic", timed(*at))) == [(0, 2000, 0), (2000, 0, 0), (2000, 0, 0), (0, 2000, 0)]
    lasting = play("anthropic", timed(*at), expiry=False)
    assert lasting.hit.tolist() == [0, 2000, 2000, 2000]


def test_the_lifetime_runs_from_the_start_even_of_a_long_response() -> None:
    asks = [Ask("a:2000*", 0, first=1, end=290), Ask("a:2000*", 301)]
    assert play("anthropic", asks).hit.tolist() == [0, 0]


def test_reading_by_looking_back_refreshes_the_entry_that_is_read() -> None:
    at = [(0, "a:2000*"), (200, "a:2000 b:10*"), (400, "a:2000 c:10*")]
    assert play("anthropic", timed(*at)).hit.tolist() == [0, 2000, 2000]


def test_an_entry_that_is_passed_over_is_not_refreshed() -> None:
    at = [(0, "a:2000* b:10*"), (200, "a:2000 b:10*"), (400, "a:2000* c:10")]
    assert figures(play("anthropic", timed(*at)))[2] == (0, 2000, 0)


def test_an_hour_costs_more_and_lasts_longer() -> None:
    at = [(0, "a:2000** b:500*"), (400, "a:2000** b:500*"), (400 + 3601, "a:2000** b:500*")]
    assert figures(play("anthropic", timed(*at))) == [(0, 500, 2000), (2000, 500, 0), (0, 500, 2000)]


def test_one_lifetime_for_all_markers() -> None:
    at = [(0, "a:2000*"), (400, "a:2000*")]
    assert figures(play("anthropic", timed(*at), ttl="1h")) == [(0, 0, 2000), (2000, 0, 0)]
    assert figures(play("anthropic", timed((0, "a:2000**"), (400, "a:2000**")), ttl="5m")) == [
        (0, 2000, 0),
        (0, 2000, 0),
    ]


def test_longer_lifetimes_come_first() -> None:
    replay = play("anthropic", timed((0, "a:2000* b:500**")))
    # All up to the last marker of an hour is written for an hour.
    assert figures(replay) == [(0, 0, 2500)]
    assert any("a longer lifetime after a shorter one" in note for note in replay.notes)


def test_a_lifetime_that_does_not_exist_is_the_default_one_and_said_so() -> None:
    replay = play("anthropic", timed((0, "a:2000^"), (400, "a:2000^")))
    assert replay.hit.tolist() == [0, 0]
    assert any("does not have: 2; 300 s" in note for note in replay.notes)


def test_automatic_marks_the_end_of_every_prompt() -> None:
    at = [(0, "system:2000 a:100"), (9, "system:2000 a:100 b:50 c:20"), (18, "system:2000 d:1")]
    assert figures(play("anthropic", timed(*at, auto_s=300))) == [(0, 2100, 0), (2100, 70, 0), (0, 2001, 0)]


def test_automatic_skips_thinking_and_takes_one_of_the_four() -> None:
    replay = play("anthropic", timed((0, "a:2000 thought:30"), (9, "a:2000 b:10"), auto_s=300))
    assert figures(replay) == [(0, 2000, 0), (2000, 10, 0)]
    replay = play("anthropic", timed((0, "a:2000* b:1* c:1* d:1* e:1"), auto_s=300))
    assert any("more than 4 markers" in note for note in replay.notes)


def test_readable_once_the_response_begins() -> None:
    asks = [
        Ask("a:2000*", 0, first=10, end=30),
        Ask("a:2000*", 9, first=2, end=3),
        Ask("a:2000*", 10),
    ]
    replay = play("anthropic", asks)
    assert figures(replay) == [(0, 2000, 0), (0, 2000, 0), (2000, 0, 0)]
    assert any("had begun, and could not read it: 1." in note for note in replay.notes)
    apart = Anthropic(scene(asks), Setup(concurrent=False)).replay()
    assert apart.hit.tolist() == [0, 2000, 2000]


def test_the_end_of_a_response_stands_in_for_its_beginning() -> None:
    asks = [Ask("a:2000*", 0, first=None, end=30), Ask("a:2000*", 29), Ask("a:2000*", 30)]
    replay = play("anthropic", asks)
    assert replay.hit.tolist() == [0, 0, 2000]
    assert any("first token has no time: 1;" in note for note in replay.notes)
    asks = [Ask("a:2000*", 0, first=None, end=None), Ask("a:2000*", 0)]
    assert play("anthropic", asks).hit.tolist() == [0, 2000]


def test_without_times_nothing_expires_and_the_replay_says_so() -> None:
    replay = play("anthropic", [Ask("a:2000*"), Ask("a:2000*")])
    assert replay.hit.tolist() == [0, 2000]
    assert any("expiry is not applicable" in note for note in replay.notes)


@pytest.mark.parametrize(
    ("column", "read"),
    [("invalidates_system", 2000), ("invalidates_messages", 2500), ("other", 2600)],
)
def test_parameters_that_invalidate_levels(column: str, read: int) -> None:
    prompt = "tool:2000* system:500* a:100*"
    asks = [Ask(prompt, 9 * at, more=((column, value),)) for at, value in enumerate(("x", "y", "x"))]
    replay = play("anthropic", asks)
    assert replay.hit.tolist() == [0, read, 2600]
    assert replay.written_5m.tolist() == [2600, 2600 - read, 0]


def test_namespaces_share_nothing() -> None:
    asks = [Ask("a:2000*", 0, namespace="x"), Ask("a:2000*", 9, namespace="y")]
    assert play("anthropic", asks).hit.tolist() == [0, 0]


def test_a_marker_inside_what_is_read_makes_an_entry_at_no_price() -> None:
    at = [(0, "a:2000 b:500*"), (9, "a:2000* b:500*"), (18, "a:2000* c:500")]
    assert figures(play("anthropic", timed(*at))) == [(0, 2500, 0), (2500, 0, 0), (2000, 0, 0)]


def test_relaxed_lifts_expiry_and_then_the_lack_of_markers() -> None:
    work = scene(timed((0, "a:2000* b:600"), (400, "a:2000* b:600 c:10"), (410, "a:2000 d:5")))
    hits = [Anthropic(work, Setup()).replay().hit.tolist()]
    relaxed = Anthropic.relaxed(Setup())
    assert [cause for cause, _ in relaxed] == ["expiry", "unmarked"]
    hits += [Anthropic(work, setup).replay().hit.tolist() for _, setup in relaxed]
    assert hits == [[0, 0, 0], [0, 2000, 0], [0, 2600, 2000]]


def test_a_size_cannot_be_had() -> None:
    with pytest.raises(UsageError, match="no size to choose"):
        Anthropic(scene([Ask("a:1")]), Setup(capacity_tokens=10))
    with pytest.raises(UsageError, match="unknown anthropic option"):
        Anthropic(scene([Ask("a:1")]), Setup(options={"colour": "red"}))
    assert ENGINES.load("anthropic").facts.order == "tools-first"


def test_markers_everywhere_are_readable_since_the_earliest_response() -> None:
    prompt = "a:2000 b:10"
    asks = [Ask(prompt, 0, first=100, end=101), Ask(prompt, 10, first=1), Ask(prompt, 20)]
    replay = play("anthropic", asks, marks="everywhere", expiry=False)
    assert replay.hit.tolist() == [0, 0, 2010]
