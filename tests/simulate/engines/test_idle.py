"""How long ago an expired prefix was used, by the rules of each provider."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.simulate.engine import Engine, Replay, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import Workload
from tests.simulate.scenes import Ask, scene, timed

SECOND = 1_000_000
#: Engines with a lifetime: a model, options, and what prefixes live for in seconds.
LIVES = {
    "anthropic": ("claude-sonnet-4-5", {"minimum": "1"}, 300),
    "bedrock": ("anthropic.claude-sonnet-4-5", {"minimum": "1"}, 300),
    "qwen": ("qwen3-max", {"minimum": "1"}, 300),
    "openai": ("gpt-4o", {"minimum": "1"}, 300),
    "gemini": ("gemini-2.5-pro", {"minimum": "1", "ttl_s": "300"}, 300),
    "kimi": ("kimi-k3", {"ttl_s": "300"}, 300),
    "xai": ("grok-4.7", {"ttl_s": "300"}, 300),
    "deepseek": ("deepseek-v4-pro", {"ttl_s": "300"}, 300),
}


def play(engine: str, work: Workload, **options: str) -> Replay:
    kind: type[Engine] = ENGINES.load(engine)
    return kind(work, Setup(options=options, explain=True)).replay()


def idle_s(replay: Replay) -> list[float]:
    assert replay.idle_us is not None
    return [one / SECOND if one >= 0 else -1 for one in replay.idle_us.tolist()]


@pytest.mark.parametrize("name", list(LIVES))
def test_the_gap_runs_from_the_start_of_the_last_use(name: str) -> None:
    model, options, lives = LIVES[name]
    # A prefix read once more before it ends lives on from there; then it is left alone for too long.
    starts = [0, lives - 10, 2 * lives + 5, 2 * lives + 10]
    asks = timed(*((start, "a:2048*") for start in starts), model=model, first=1, end=2)
    replay = play(name, scene(asks), **options)
    assert (replay.hit > 0).tolist() == [False, True, False, True]
    assert idle_s(replay) == [-1, -1, lives + 15, -1]


def test_the_deepest_expired_prefix_counts_and_only_what_was_not_read() -> None:
    asks = timed(
        (0, "a:2000** b:2000*"),
        (200, "a:2000** c:2000*"),
        (400, "a:2000** b:2000*"),  # a is read; what it shares beyond was used 400 s ago, a only 200 s ago
        (500, "a:2000** b:2000*"),
    )
    replay = play("anthropic", scene(asks))
    assert replay.hit.tolist() == [0, 2000, 2000, 4000]
    assert idle_s(replay) == [-1, -1, 400, -1]


def test_of_several_expired_prefixes_the_one_that_would_have_been_read_counts() -> None:
    asks = timed((0, "a:2000* b:2000*"), (200, "a:2000* c:2000*"), (600, "a:2000* b:2000*"))
    replay = play("anthropic", scene(asks))
    assert replay.hit.tolist() == [0, 2000, 0]
    assert idle_s(replay) == [-1, -1, 600]  # a alone was used 400 s ago


def test_what_expired_above_what_is_read_lost_nothing() -> None:
    asks = timed(
        (0, "a:1000*"),
        (250, "a:1000 b:1000*"),  # reads a
        (400, "a:1000 b:1000*"),  # reads b
        # The first marker lies inside a block, which the search from the second one steps over to the expired a.
        (560, "a:1000 b:1000* c:1000+ d:1000*"),
    )
    replay = play("anthropic", scene(asks), minimum="1")
    assert replay.hit.tolist() == [0, 1000, 2000, 2000]
    assert idle_s(replay) == [-1, -1, -1, -1]


def test_of_openai_a_prompt_below_the_minimum_lost_nothing_to_expiry() -> None:
    model = "gpt-4o"
    short = timed((0, "a:900"), (1000, "a:900"), model=model)
    assert idle_s(play("openai", scene(short))) == [-1, -1]
    # Alive is too little to be read: what expired would have made it enough.
    asks = timed((0, "a:512 b:2048"), (900, "a:512 c:2048"), (1000, "a:512 b:2048"), model=model)
    replay = play("openai", scene(asks))
    assert replay.hit.tolist() == [0, 0, 0]
    assert idle_s(replay) == [-1, -1, 1000]


def test_without_times_nothing_has_a_gap() -> None:
    work = scene([Ask("a:2048*"), Ask("a:2048*")])
    for name, (_, options, _) in LIVES.items():
        assert idle_s(play(name, work, **options)) == [-1, -1], name


@st.composite
def conversations(draw: st.DrawFn) -> list[Ask]:
    """Requests over few blocks at times around a lifetime of 300 s."""
    clock = 0.0
    found = []
    for _ in range(draw(st.integers(1, 10))):
        clock += draw(st.sampled_from([1, 100, 290, 300, 301, 700]))
        blocks = draw(st.lists(st.sampled_from(["a:600", "b:700", "c:1300"]), min_size=1, max_size=4))
        marks = draw(st.lists(st.sampled_from(["", "*", "**"]), min_size=len(blocks), max_size=len(blocks)))
        found.append(Ask(" ".join(b + m for b, m in zip(blocks, marks, strict=True)), clock))
    return found


@pytest.mark.parametrize("name", list(LIVES))
@settings(max_examples=60, deadline=None)
@given(conversations())
def test_there_is_a_gap_exactly_where_expiry_lost_something(name: str, asks: list[Ask]) -> None:
    model, options, lives = LIVES[name]
    work = scene([replace(ask, model=model) for ask in asks])
    kind: type[Engine] = ENGINES.load(name)
    setup = Setup(options=options, concurrent=False, explain=True)
    replay = kind(work, setup).replay()
    lasting = dict(kind.relaxed(setup))["expiry"]
    unexpired = kind(work, lasting).replay()
    assert idle_s(unexpired) == [-1] * len(asks)
    gaps = idle_s(replay)
    assert [gap >= 0 for gap in gaps] == (unexpired.hit > replay.hit).tolist()
    starts = np.array([ask.start for ask in asks])
    for request, gap in enumerate(gaps):
        if gap >= 0:
            assert gap > lives  # nothing that is younger has expired
            assert starts[request] - gap in starts[:request]
