"""Gemini, Kimi and xAI: caches without markers, with figures worked out by hand."""

from __future__ import annotations

import pytest

from cachelens.errors import UsageError
from cachelens.simulate.engine import Setup
from cachelens.simulate.engines import ENGINES
from tests.simulate.scenes import Ask, check_page, play, scene, timed


@pytest.mark.parametrize("engine", ["gemini", "kimi", "xai"])
def test_worked_examples_of_the_page(engine: str) -> None:
    assert check_page(engine) >= 1


@pytest.mark.parametrize(
    ("model", "least"),
    [("gemini-2.5-pro", 2048), ("models/gemini-3.1-pro-preview", 4096), ("gemini-3.8-flash", 4096)],
)
def test_gemini_minimum_by_model(model: str, least: int) -> None:
    for shared, read in ((least - 1, 0), (least, least), (least + 1, least + 1)):
        replay = play("gemini", timed((0, f"a:{shared} b:1"), (9, f"a:{shared} c:1"), model=model))
        assert replay.hit.tolist() == [0, read]


def test_gemini_before_2_5_caches_nothing_by_itself() -> None:
    assert play("gemini", timed((0, "a:9000"), (9, "a:9000"), model="gemini-2.0-flash")).hit.tolist() == [
        0,
        0,
    ]


def test_gemini_says_what_is_contradicted_or_assumed() -> None:
    assert any("earlier version" in n for n in play("gemini", [Ask("a:1", 0, model="gemini-2.5-pro")]).notes)
    assert any("is assumed" in n for n in play("gemini", [Ask("a:1", 0, model="gemini-9")]).notes)


@pytest.mark.parametrize(("engine", "increment"), [("kimi", 256), ("xai", 128)])
def test_whole_increments(engine: str, increment: int) -> None:
    for shared, read in ((increment - 1, 0), (increment, increment), (3 * increment - 1, 2 * increment)):
        at = timed((0, f"a:{shared}* b:300"), (9, f"a:{shared} c:300"), model="m")
        replay = play(engine, at)
        assert replay.hit.tolist() == [0, read]
        assert replay.written_5m is None
    assert ENGINES.load(engine).facts.page_size == increment
    with pytest.raises(UsageError, match="no pages of"):
        ENGINES.load(engine)(scene([Ask("a:1")]), Setup(page_size=16))


@pytest.mark.parametrize("engine", ["gemini", "kimi", "xai"])
def test_lifetime_on_request(engine: str) -> None:
    at = [(0, "a:5120"), (600, "a:5120"), (1201, "a:5120")]
    asks = timed(*at, model="gemini-2.5-pro")
    assert play(engine, asks).hit.tolist() == [0, 5120, 5120]
    assert play(engine, asks, ttl_s=600).hit.tolist() == [0, 5120, 0]
    kind = ENGINES.load(engine)
    assert kind.relaxed(Setup()) == ()
    ((cause, setup),) = kind.relaxed(Setup(options={"ttl_s": "600"}))
    assert (cause, kind(scene(asks), setup).replay().hit.tolist()) == ("expiry", [0, 5120, 5120])
    untimed = play(engine, [Ask("a:5120", model="gemini-2.5-pro")] * 2, ttl_s=1)
    assert untimed.hit.tolist() == [0, 5120]
    assert any("not applicable" in note for note in untimed.notes)


@pytest.mark.parametrize("engine", ["gemini", "kimi", "xai", "openai"])
def test_generated_text_is_not_found(engine: str) -> None:
    asks = timed((0, "a:5120 => b:512"), (9, "a:5120 b:512 c:1"), model="gemini-2.5-pro")
    assert play(engine, asks).hit.tolist() == [0, 5120]
