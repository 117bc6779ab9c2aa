"""DeepSeek's prefix units, with figures worked out by hand."""

from __future__ import annotations

from cachelens.simulate.engine import Setup
from cachelens.simulate.engines.deepseek import Deepseek
from tests.simulate.scenes import Ask, check_page, play, scene, timed


def test_worked_examples_of_the_page() -> None:
    assert check_page("deepseek") >= 2


def test_a_prefix_that_two_requests_share_is_a_unit_from_the_third_on() -> None:
    at = [(0, "a:500 b:100"), (9, "a:500 c:100"), (18, "a:500 d:100"), (27, "a:500 c:100 e:1")]
    assert play("deepseek", timed(*at)).hit.tolist() == [0, 0, 500, 600]


def test_where_prompts_part_inside_a_block() -> None:
    at = [(0, "a:500 x:50 b:9"), (9, "a:500 x:50 c:9"), (18, "a:500 x:49 d:9"), (27, "a:500 x:49 e:9")]
    # 550 is shared by the first two; the third has 549 of it, which is no unit, and makes it one.
    assert play("deepseek", timed(*at)).hit.tolist() == [0, 0, 0, 549]


def test_the_end_of_the_prompt_and_of_the_answer_are_units() -> None:
    at = [(0, "a:500 => b:100"), (9, "a:500 b:100 c:10"), (18, "a:500 c:10")]
    # 99 of the 100 generated tokens: the last one was never computed.
    assert play("deepseek", timed(*at)).hit.tolist() == [0, 599, 500]


def test_half_an_answer_is_no_unit() -> None:
    at = [(0, "a:500 => b:100"), (9, "a:500 b:50 c:10"), (18, "a:500 b:50 d:10")]
    assert play("deepseek", timed(*at)).hit.tolist() == [0, 500, 550]


def test_an_answer_is_readable_when_it_ends() -> None:
    asks = [
        Ask("a:500 => b:100", 0, first=1, end=20),
        Ask("a:500 c:10", 0.5),
        Ask("a:500 b:100 c:1", 19.5),
        Ask("a:500 b:100 d:1", 20),
    ]
    assert play("deepseek", asks).hit.tolist() == [0, 0, 500, 599]


def test_expiry_only_on_request() -> None:
    at = [(0, "a:500"), (100_000, "a:500")]
    assert play("deepseek", timed(*at)).hit.tolist() == [0, 500]
    assert play("deepseek", timed(*at), ttl_s=3600).hit.tolist() == [0, 0]
    assert Deepseek.relaxed(Setup()) == ()
    ((cause, setup),) = Deepseek.relaxed(Setup(options={"ttl-s": "3600"}))
    assert (cause, Deepseek(scene(timed(*at)), setup).replay().hit.tolist()) == ("expiry", [0, 500])
