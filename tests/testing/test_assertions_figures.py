"""Stable prefixes, hit rates and findings: exact to the token, and what a failure says of them."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions
from cachelens.pipeline import analyze
from cachelens.testing import assert_hit_rate, assert_no_findings, assert_prefix_stable
from cachelens.testing.traces import read
from tests.advise.sessions import tool, words
from tests.testing.conversations import (
    Body,
    clock,
    conversation,
    message,
    other_description,
    other_model,
    swap_tools,
)

# -- the stable prefix


@pytest.mark.parametrize("upto", ["head", "tools", "system", 10])
def test_a_stable_head_is_stable(upto: Any):
    other = conversation(2)
    for body in other:
        body["messages"][1]["content"] = words("another question", 20)
    assert_prefix_stable([*conversation(3), *other], upto=upto)


def test_what_changes_behind_the_part_asked_for_does_not_count():
    requests = conversation(3)
    other_description(requests[2])
    assert_prefix_stable(requests, upto="system")  # in Chat Completions it stands before the tools
    system = int(read(requests[:1], {}).contents.tokens[0])
    assert_prefix_stable(requests, upto=system)
    for upto in ("tools", "head", 200):
        said = message(lambda upto=upto: assert_prefix_stable(requests, upto=upto))
        assert "1 of 3 requests does not begin with exactly the" in said
        assert "of requests[0]: requests[2]" in said
        assert " BREAK   changed: tools, tools[1] (note)" in said
        assert "differs from the prompt of requests[0]" in said
    assert "tools-first" not in message(lambda: assert_prefix_stable(requests))
    with pytest.raises(AssertionError, match=r"the system prompt of requests\[0\]"):
        assert_prefix_stable(requests, upto="system", render="tools-first")


def test_so_many_tokens_are_counted_exactly():
    requests = conversation(2)
    text = requests[1]["messages"][0]["content"]
    requests[1]["messages"][0]["content"] = text.replace("be exact", "be brief")
    said = message(lambda: assert_prefix_stable(requests, upto=100))
    shared = int(said.partition("requests[1] shares ")[2].split()[0])
    assert 0 < shared < 12
    assert f"first at token {shared}, {shared} into segment 0" in said
    assert_prefix_stable(requests, upto=shared)
    said = message(lambda: assert_prefix_stable(requests, upto=shared + 1))
    assert f"with exactly the first {shared + 1} tokens of requests[0]" in said
    assert f"requests[1] shares {shared} of these {shared + 1} tokens" in said


def test_a_head_that_only_grows_is_not_the_same():
    requests = conversation(2)
    requests[1]["tools"].append(tool("more", "One more.", x="string"))
    said = message(lambda: assert_prefix_stable(requests, upto="tools"))
    assert "requests[1] shares" in said
    assert "there" in said
    assert "tools[2]" in said
    said = message(lambda: assert_prefix_stable(requests[::-1], upto="tools"))
    assert "requests[1]" in said


def test_every_request_counts_not_only_the_next():
    requests = conversation(4)
    for body in requests[2:]:
        swap_tools(body)
    assert "2 of 4 requests do not begin" in message(lambda: assert_prefix_stable(requests))


def test_another_model_shares_nothing():
    requests = conversation(2)
    other_model(requests[1])
    said = message(lambda: assert_prefix_stable(requests))
    assert "shares 0 of these" in said
    assert "model-changed" in said


@pytest.mark.parametrize(
    ("requests", "upto", "match"),
    [
        (conversation(2, system=None, tools=False), "head", "no tools or system prompt"),
        (conversation(2, tools=False), "tools", "no tools in any"),
        (conversation(2), 100_000, "which is less than 100,000"),
        (conversation(2), 0, "no number of tokens"),
        (conversation(2), "messages", "neither"),
    ],
)
def test_a_prefix_that_is_not_there_cannot_be_stable(requests: list[Body], upto: Any, match: str):
    with pytest.raises(UsageError, match=match):
        assert_prefix_stable(requests, upto=upto)


# -- hit rates


def rate(requests: list[Body], of: str = "prompt") -> Fraction:
    totals = analyze(read(requests, {}), AnalyzeOptions(engine="ideal")).totals
    whole = totals.prompt_tokens - (totals.fresh_tokens if of == "repeated" else 0)
    return Fraction(totals.hit_tokens, whole)


@pytest.mark.parametrize("of", ["prompt", "repeated"])
def test_rates_are_compared_exactly(of: Any):
    requests = conversation(4)
    clock(requests[2])
    exact = rate(requests, of)
    assert 0 < exact < 1
    assert_hit_rate(requests, at_least=exact, of=of, engine="ideal")
    above = exact + Fraction(1, 10**9)
    said = message(lambda: assert_hit_rate(requests, at_least=above, of=of, engine="ideal"))
    first = said.splitlines()[0]
    have, want = first.removeprefix("hit rate ").split(" %")[0], first.split("not ")[1].split(" %")[0]
    assert Decimal(have) < Decimal(want)  # however close they are
    assert "diverged" in said
    assert "REQUEST requests[2]" in said
    assert "CL101 volatile-prefix" in said or "CL107" in said
    # The nearest float below is enough, the nearest above is not.
    assert_hit_rate(requests, at_least=float(exact) - 1e-12, of=of, engine="ideal")
    with pytest.raises(AssertionError):
        assert_hit_rate(requests, at_least=float(exact) + 1e-12, of=of, engine="ideal")


@pytest.mark.parametrize("at_least", [0.1, "10%", Fraction(1, 10), Decimal("0.1"), 0, "0.1"])
def test_shares_may_be_written_in_several_ways(at_least: Any):
    assert_hit_rate(conversation(3), at_least=at_least, engine="ideal")


@pytest.mark.parametrize("at_least", [1.1, -0.1, float("nan"), float("inf"), "150%", "much", Decimal("NaN")])
def test_shares_that_are_none(at_least: Any):
    with pytest.raises(UsageError):
        assert_hit_rate(conversation(2), at_least=at_least, engine="ideal")


def anthropic(marked: bool) -> list[Body]:
    """Three requests over Anthropic Messages, long enough to be cached, with or without a breakpoint."""
    text = {"type": "text", "text": words("system", 2000)}
    if marked:
        text["cache_control"] = {"type": "ephemeral"}  # type: ignore[assignment]
    messages = []
    requests = []
    for at in range(3):
        messages.append({"role": "user", "content": f"question {at}"})
        requests.append(
            {
                "model": "claude-sonnet-4-5",
                "max_tokens": 9,
                "system": [text],
                "messages": deepcopy(messages),
            }
        )
        messages.append({"role": "assistant", "content": "yes"})
    return requests


def test_a_provider_cache_needs_its_breakpoints_and_its_time():
    assert_hit_rate(anthropic(True), at_least=0.95, of="repeated", engine="anthropic")
    assert_hit_rate(anthropic(True), at_least=0.95, of="repeated")  # told by the model
    said = message(lambda: assert_hit_rate(anthropic(False), at_least="95%", engine="anthropic"))
    assert said.startswith("hit rate 0 %, not 95 %: 0 of ")
    assert "unmarked" in said
    assert "CL403 missing-breakpoint" in said
    assert_hit_rate(anthropic(True), at_least=0.6, engine="anthropic", gap_s=200)
    said = message(lambda: assert_hit_rate(anthropic(True), at_least=0.6, engine="anthropic", gap_s=400))
    assert "expired" in said


def test_a_cache_too_small():
    requests = conversation(4)
    assert_hit_rate(requests, at_least=0.5, engine="lru", capacity="inf")
    said = message(lambda: assert_hit_rate(requests, at_least=0.5, engine="lru", capacity=100))
    assert "evicted" in said
    assert "100 tokens" in said
    assert "no cache could serve more than" in said


def test_nothing_sent_twice_has_no_rate():
    with pytest.raises(UsageError, match="no token was sent twice"):
        assert_hit_rate(conversation(1), at_least=0.5, of="repeated", engine="ideal")
    with pytest.raises(UsageError, match="neither"):
        assert_hit_rate(conversation(1), at_least=0.5, of="all", engine="ideal")  # type: ignore[arg-type]


# -- findings


def test_findings_of_chosen_rules():
    requests = conversation(4)
    swap_tools(requests[2])
    swap_tools(requests[3])
    said = message(lambda: assert_no_findings(requests, engine="ideal"))
    assert "CL103 reordered-tools" in said.splitlines()[0]
    assert " BREAK   reordered: tools, tools[0]" in said
    for codes in (["CL103"], "CL103", ["reordered-tools", "CL101"], {"cl103"}):
        assert "CL103" in message(lambda codes=codes: assert_no_findings(requests, codes, engine="ideal"))
    assert_no_findings(requests, ["CL101", "CL104"], engine="ideal")
    assert_no_findings(conversation(4), engine="ideal")


@pytest.mark.parametrize("codes", [["CL999"], ["volatile"], []])
def test_rules_that_are_none(codes: list[str]):
    with pytest.raises(UsageError):
        assert_no_findings(conversation(2), codes, engine="ideal")
