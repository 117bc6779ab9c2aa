"""CL405: a main thread and its sub-agents in a cache for one of them."""

from __future__ import annotations

from tests.advise.sessions import Session, candidates, case_of, words

#: Holds the main thread, or a sub-agent.
OPTIONS = {"engine": "lru", "capacity": "1400"}


def _session(gap: float = 0.0) -> list[Session]:
    """A main thread that hands a task to a sub-agent and goes on; the sub-agent starts `gap` seconds later."""
    task = words("task", 250)
    main = Session(name="main", system=words("main system", 250), step=100.0)
    main.user("find out about it").steps(1, tokens=20)
    (call,) = main.ask("on it", [("task", {"prompt": task})])
    sub = Session(name="sub", system=words("sub system", 150), start=main.clock - 80.0 + gap)
    sub.user(task).ask("found")
    main.result(call, "found").ask("so it is")
    main.steps(1, "more", 20)
    return [main, sub]


def fires() -> list[Session]:
    """The sub-agent runs between two requests of the main thread."""
    return _session()


def near_miss() -> list[Session]:
    """The sub-agent runs when the main thread has ended."""
    return _session(gap=1000.0)


def test_the_main_thread_is_evicted_by_its_sub_agent() -> None:
    case = case_of(*fires(), **OPTIONS)
    assert len(set(case.sessions)) == 1
    (found,) = candidates("CL405", *fires(), **OPTIONS)
    (request,) = found.requests
    assert case.lineages[request] == case.lineages[0] != case.lineages[int(case.evictor[request])]
    assert found.tokens == case.lost(request, "capacity") > 300
    assert found.details["tokens of the main thread evicted by a sub-agent"] == found.tokens
    assert found.details["share of all capacity misses"] == 1.0
    assert found.plan is None  # the size is CL401's
    assert "1 session" in found.title


def test_a_sub_agent_that_comes_later_harms_nobody() -> None:
    assert candidates("CL405", *near_miss(), **OPTIONS) == []


def test_other_sessions_are_not_lineages_of_one() -> None:
    one = Session(name="a", system=words("a system", 300), step=100.0)
    other = Session(name="b", system=words("b system", 300), start=one.start + 50.0, step=100.0)
    for session in (one, other):
        session.user(f"hello {session.name}").ask("hi")
        session.user("again").ask("yes")
    case = case_of(one, other, engine="lru", capacity="900")
    assert len(set(case.sessions)) == 2
    assert sum(case.lost(request, "capacity") for request in range(len(case))) > 300
    assert candidates("CL405", one, other, engine="lru", capacity="900") == []


def test_a_cache_without_bounds_evicts_nobody() -> None:
    assert candidates("CL405", *fires(), engine="lru") == []
