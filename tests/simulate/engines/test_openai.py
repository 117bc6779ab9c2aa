"""OpenAI's rules of both generations, with figures worked out by hand."""

from __future__ import annotations

import pytest

from cachelens.simulate.engine import Setup
from cachelens.simulate.engines.openai import Openai
from tests.simulate.scenes import Ask, check_page, play, scene, timed

OLD = "gpt-4.1-2025-04-14"
NEW = "gpt-5.6-terra"


def test_worked_examples_of_the_page() -> None:
    assert check_page("openai") >= 2


def test_before_5_6_hits_are_multiples_of_128_from_1024_on() -> None:
    for shared, read in ((1023, 0), (1024, 1024), (1151, 1024), (1152, 1152), (3000, 2944)):
        replay = play("openai", timed((0, f"a:{shared} b:500"), (9, f"a:{shared} c:500"), model=OLD))
        assert replay.hit.tolist() == [0, read], shared
        assert replay.written_5m is None


def test_increments_of_gpt_5_5() -> None:
    for shared, read in ((2047, 0), (2048, 2048), (4095, 2048), (4096, 4096)):
        replay = play("openai", timed((0, f"a:{shared} b:9"), (9, f"a:{shared} c:9"), model="gpt-5.5"))
        assert replay.hit.tolist() == [0, read], shared


def test_in_memory_five_minutes_after_the_last_use() -> None:
    at = [(0, "a:2048"), (300, "a:2048"), (600, "a:2048"), (901, "a:2048")]
    assert play("openai", timed(*at, model=OLD)).hit.tolist() == [0, 2048, 2048, 0]
    assert play("openai", timed(*at, model=OLD), idle_s=600).hit.tolist() == [0, 2048, 2048, 2048]
    assert play("openai", timed(*at, model=OLD), expiry=False).hit.tolist() == [0, 2048, 2048, 2048]


def test_captured_retention() -> None:
    day = (("cache_retention_s", 86_400),)
    at = [(0, "a:2048"), (3600, "a:2048"), (3600 + 86_401, "a:2048")]
    assert play("openai", timed(*at, model=OLD, more=day)).hit.tolist() == [0, 2048, 0]
    # One that asks for no retention reads what another had kept, and does not prolong it.
    mixed = [
        Ask("a:2048", 0, model=OLD, more=day),
        Ask("a:2048", 3600, model=OLD, more=(("cache_retention_s", None),)),
        Ask("a:2048", 7200, model=OLD),
        Ask("a:2048", 86_401, model=OLD),
    ]
    assert play("openai", mixed).hit.tolist() == [0, 2048, 2048, 0]


def test_markers_mean_nothing_before_5_6() -> None:
    replay = play("openai", timed((0, "a:2048^ b:128"), (9, "a:2048^ b:128"), model=OLD))
    assert replay.hit.tolist() == [0, 2176]


@pytest.mark.parametrize("model", [OLD, NEW])
@pytest.mark.parametrize("column", ["invalidates_system", "invalidates_messages"])
def test_parameters_separate_whole_prompts(model: str, column: str) -> None:
    asks = [Ask("system:2048", 9 * at, model=model, more=((column, v),)) for at, v in enumerate("xyx")]
    assert play("openai", asks).hit.tolist() == [0, 0, 2048]


def test_from_5_6_on_the_end_of_every_prompt_is_written() -> None:
    at = [(0, "system:1500 a:100"), (9, "system:1500 a:100 b:30 c:7"), (18, "system:1500 d:100")]
    replay = play("openai", timed(*at, model=NEW))
    # Single tokens, and a fork that was never a breakpoint is not found.
    assert replay.hit.tolist() == [0, 1600, 0]
    assert replay.written_5m.tolist() == [1600, 37, 1600]
    assert replay.written_1h is None


def test_explicit_breakpoints_of_5_6() -> None:
    at = [(0, "system:1500^ a:100"), (9, "system:1500^ b:100"), (18, "system:1500 b:100")]
    replay = play("openai", timed(*at, model=NEW))
    assert replay.hit.tolist() == [0, 1500, 1600]
    assert replay.written_5m.tolist() == [1600, 100, 0]


def test_explicit_mode_has_no_breakpoint_but_its_own() -> None:
    alone = (("cache_mode", "explicit"),)
    asks = [
        Ask("system:1500 a:100", 0, model=NEW, more=alone),  # no breakpoint at all: nothing is cached
        Ask("system:1500 a:100", 9, model=NEW, more=alone),
        Ask("system:1500^ a:100", 18, model=NEW, more=alone),
        Ask("system:1500^ a:100", 27, model=NEW, more=alone),
        Ask("system:1500 a:100", 36, model=NEW),  # implicit: from its end up to what was written above
        Ask("system:1500 a:100", 45, model=NEW),
    ]
    replay = play("openai", asks)
    assert replay.hit.tolist() == [0, 0, 0, 1500, 1500, 1600]
    assert replay.written_5m.tolist() == [0, 0, 1500, 0, 100, 0]


def test_the_implicit_breakpoint_and_the_latest_three_are_written() -> None:
    at = [(0, "a:1500^ b:1^ c:1^ d:1^ e:1"), (9, "a:1500 x:1"), (18, "a:1500 b:1 x:1")]
    replay = play("openai", timed(*at, model=NEW))
    assert replay.hit.tolist() == [0, 0, 1501]
    assert not replay.notes


def test_no_limit_to_blocks_between_breakpoints() -> None:
    far = " ".join(f"n{number}:1" for number in range(500))
    replay = play("openai", timed((0, "a:1500"), (9, f"a:1500 {far}"), model=NEW))
    assert replay.hit.tolist() == [0, 1500]


@pytest.mark.parametrize(("others", "read"), [(79, 1500), (80, 0)])
def test_the_latest_eighty_breakpoints_are_considered(others: int, read: int) -> None:
    marks = " ".join(f"n{number}:1^" for number in range(others))
    replay = play("openai", timed((0, "a:1500"), (9, f"a:1500 {marks}"), model=NEW))
    assert replay.hit.tolist() == [0, read]


def test_thirty_minutes_and_1024_tokens() -> None:
    at = [(0, "a:1024"), (1800, "a:1024"), (3601, "a:1024")]
    assert play("openai", timed(*at, model=NEW)).hit.tolist() == [0, 1024, 0]
    assert play("openai", timed((0, "a:1023"), (9, "a:1023"), model=NEW)).written_5m.tolist() == [0, 0]


def test_generations_in_one_trace() -> None:
    at = [(0, NEW), (1, OLD), (10, NEW), (11, OLD), (12, "llama")]
    asks = [Ask("a:1500", start, model=model) for start, model in at]
    replay = play("openai", asks)
    assert replay.hit.tolist() == [0, 0, 1500, 1408, 0]
    assert replay.written_5m.tolist() == [1500, 0, 0, 0, 0]
    assert any("Generation automatic for model llama is assumed" in note for note in replay.notes)


def test_relaxed() -> None:
    work = scene(timed((0, "a:1500 b:10"), (4000, "a:1500 b:10"), (4001, "a:1500 c:10"), model=NEW))
    hits = [
        Openai(work, setup).replay().hit.tolist() for _, setup in (("", Setup()), *Openai.relaxed(Setup()))
    ]
    assert hits == [[0, 0, 0], [0, 1510, 0], [0, 1510, 1500]]
