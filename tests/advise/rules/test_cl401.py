"""CL401: sessions that push each other out, and the smallest cache that holds them."""

from __future__ import annotations

import pytest

from tests.advise.sessions import Session, candidates, case_of, result_of, words

#: Holds one of the sessions below, and not both.
OPTIONS = {"engine": "lru", "capacity": "900"}


def _session(name: str, start: float, turns: int = 4) -> Session:
    session = Session(name=name, system=words(f"{name} system", 200), start=start)
    for turn in range(turns):
        session.user(words(f"{name} {turn}", 30)).ask("done")
    return session


def fires() -> list[Session]:
    """Two sessions that take turns."""
    return [_session("a", 1_800_000_000.0), _session("b", 1_800_000_005.0)]


def near_miss() -> list[Session]:
    """The same two, one after the other: what is evicted is not needed any more."""
    return [_session("a", 1_800_000_000.0), _session("b", 1_800_001_000.0)]


def _misses(sessions: list[Session], engine: str, capacity: int) -> int:
    """Tokens lost to capacity, by a case of its own."""
    case = case_of(*sessions, engine=engine, capacity=str(capacity))
    return sum(case.lost(request, "capacity") for request in range(len(case)))


def test_the_size_is_the_smallest_that_does() -> None:
    (found,) = candidates("CL401", *fires(), **OPTIONS)
    lost = _misses(fires(), "lru", 900)
    assert found.tokens == lost > 1000
    assert found.measure == "computed again"
    case = case_of(*fires(), **OPTIONS)
    assert found.requests == [r for r in range(len(case)) if case.lost(r, "capacity")]
    assert found.plan is not None
    size = found.plan.capacity_tokens
    assert size == found.details["capacity needed"]
    assert isinstance(size, int)
    assert _misses(fires(), "lru", size) <= lost / 10
    assert _misses(fires(), "lru", size - 1) > lost / 10
    assert found.details["too small at"] == size - 1
    left = _misses(fires(), "lru", size)
    assert found.details["share of misses removed"] == round(1 - left / lost, 4)
    assert f"{size:,}" in found.title


def test_the_saving_is_that_of_the_size() -> None:
    (finding,) = [one for one in result_of(*fires(), **OPTIONS).findings if one.code == "CL401"]
    assert finding.saving is not None
    left = _misses(fires(), "lru", int(finding.details["capacity needed"]))
    assert finding.saving.computed_tokens == finding.tokens - left
    assert finding.saving.prompt_tokens == 0


@pytest.mark.parametrize("engine", ["sglang", "vllm"])
def test_other_engines_are_replayed_at_the_size(engine: str) -> None:
    options = {"engine": engine, "capacity": "960"}
    (found,) = candidates("CL401", *fires(), **options)
    assert found.plan is not None
    assert found.plan.capacity_tokens is not None
    assert _misses(fires(), engine, found.plan.capacity_tokens) <= found.tokens / 10


def test_nothing_is_said_where_nothing_is_lost() -> None:
    assert candidates("CL401", *near_miss(), **OPTIONS) == []
    assert candidates("CL401", *fires(), engine="lru") == []
    assert candidates("CL401", *fires()) == []  # the ideal cache has no size
