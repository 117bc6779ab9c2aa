"""Qwen: explicit and implicit caches, with figures worked out by hand."""

from __future__ import annotations

from tests.simulate.scenes import Ask, check_page, play, timed

MODEL = "qwen3-coder-plus"


def test_worked_examples_of_the_page() -> None:
    assert check_page("qwen") >= 1


def test_explicit() -> None:
    at = [(0, "a:1023*"), (9, "a:1024*"), (18, "a:1024 b:10*"), (318, "a:1024* c:1"), (619, "a:1024* c:1")]
    replay = play("qwen", timed(*at, model=MODEL))
    assert replay.hit.tolist() == [0, 0, 1024, 1024, 0]
    assert replay.written_5m.tolist() == [0, 1024, 10, 0, 1024]
    assert replay.written_1h is None


def test_explicit_looks_back_at_twenty() -> None:
    for between, read in ((18, 2000), (19, 0)):
        new = " ".join(f"n{number}:10" for number in range(between))
        replay = play("qwen", timed((0, "a:2000*"), (9, f"a:2000 {new} z:10*"), model=MODEL))
        assert replay.hit.tolist() == [0, read]


def test_implicit_single_tokens_from_the_minimum_on() -> None:
    at = [(0, "a:1023 b:9"), (9, "a:1023 c:9"), (18, "d:1024 b:9"), (99_999, "d:1024 c:9")]
    replay = play("qwen", timed(*at, model=MODEL))
    assert replay.hit.tolist() == [0, 0, 0, 1024]
    assert replay.written_5m is None
    assert any("256" in note for note in replay.notes)


def test_a_request_uses_one_of_the_two() -> None:
    asks = [Ask("a:2000*", 0, model=MODEL), Ask("a:2000", 9, model=MODEL), Ask("a:2000", 18, model=MODEL)]
    assert play("qwen", asks).hit.tolist() == [0, 0, 2000]


def test_a_marker_at_the_top_level_is_explicit() -> None:
    replay = play("qwen", timed((0, "a:2000"), (9, "a:2000 b:10"), model=MODEL, auto_s=300))
    assert replay.written_5m.tolist() == [2000, 10]
