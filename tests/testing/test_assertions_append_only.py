"""Histories that only grow pass; a failure names the request that is wrong, and what broke it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.testing import assert_append_only, assert_hit_rate, assert_no_findings, assert_prefix_stable
from cachelens.testing.traces import read
from tests.advise.sessions import Session, words
from tests.testing.conversations import (
    TOOLS,
    Body,
    clock,
    conversation,
    drop_tool,
    message,
    other_description,
    other_model,
    respell_arguments,
    rewrite_output,
    slide,
    swap_tools,
)

MUTATIONS: dict[str, tuple[Callable[[Body], None], str, str]] = {
    # mutation -> the break it makes, and the rule that it belongs to
    "clock": (clock, "inserted|changed: system, messages[0].content", ""),
    "swapped tools": (swap_tools, "reordered: tools, tools[0]", "CL103 reordered-tools"),
    "a tool's description": (other_description, "changed: tools, tools[1]", "CL104 tool-schema-churn"),
    "a tool gone": (drop_tool, "removed: tools, tools[1]", "CL105 tool-set-flap"),
    "an old output": (rewrite_output, "changed: tool_result, messages[3].content", "CL107 rewritten-history"),
    "spelling": (
        respell_arguments,
        "respelled: tool_call, messages[2].tool_calls[0].function.arguments",
        "CL113 unstable-serialisation",
    ),
    "a window": (slide, "removed: user, messages[1].content", "CL107 rewritten-history"),
    "a model": (other_model, "model-changed: other, model", ""),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_named_where_it_happened(name: str):
    mutate, broke, rule = MUTATIONS[name]
    requests = conversation(5)
    assert_append_only(requests)
    mutate(requests[3])
    said = message(lambda: assert_append_only(requests[:4]))
    assert said.startswith("1 of 4 prompts does not extend the one before: requests[3]\n")
    kinds, _, place = broke.partition(": ")
    assert any(f" BREAK   {kind}: {place}" in said for kind in kinds.split("|")), said
    assert "differs from the prompt of requests[2]" in said
    assert rule in said
    if rule:
        assert "fix: " in said
        assert f"cachelens explain {rule[:5]}" in said


def test_both_sides_are_shown_word_by_word():
    requests = conversation(3)
    requests[1]["messages"][0]["content"] = requests[1]["messages"][0]["content"].replace("exact", "brief")
    said = message(lambda: assert_append_only(requests))
    assert "be [-exact-]" in said
    assert "be {+brief+}" in said
    assert said.startswith("2 of 3 prompts do not extend the one before: requests[1], requests[2]\n")


def test_short_prompts_are_compared_even_where_they_look_unrelated():
    # Nothing but the system prompt ties these together, and that changes: as a capture they are three conversations.
    requests = [
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": f"It is 10:3{at}."},
                *({"role": "user", "content": f"question {n}"} for n in range(at + 1)),
            ],
        }
        for at in range(3)
    ]
    assert len(set(read(requests, {}).requests["lineage_id"])) == 3
    said = message(lambda: assert_append_only(requests))
    assert "2 of 3 prompts do not extend" in said
    assert "CL101 volatile-prefix" in said
    assert "say lineages=3" in said
    assert_append_only(requests, lineages=3)
    assert "3 conversations, not 2" in message(lambda: assert_append_only(requests, lineages=2))
    assert "CL101" in message(
        lambda: assert_no_findings(requests, ["CL101"], engine="ideal", thresholds={"min_tokens": "1"})
    )


def test_conversations_are_judged_each_for_itself():
    one, other = conversation(3), conversation(3, system="a different one")
    other[0]["messages"][1]["content"] = words("another question", 20)
    for body in other[1:]:
        body["messages"][1]["content"] = words("another question", 20)
    mixed = [body for pair in zip(one, other, strict=True) for body in pair]
    assert_append_only(mixed, lineages=2)
    assert_append_only(mixed, lineages=None)
    assert "requests[1]" in message(lambda: assert_append_only(mixed))
    other_description(mixed[5])
    said = message(lambda: assert_append_only(mixed, lineages=2))
    assert "1 of 6 prompts does not extend the one before: requests[5]" in said
    assert "differs from the prompt of requests[3]" in said


def test_replies_are_compared_when_asked_for():
    session = Session(system="s").user(words("q", 20)).steps(2)
    session.ask()
    pairs = [(deepcopy(call.request), call.response) for call in session.calls]
    assert_append_only(pairs, faithful_replies=True)
    for body, _ in pairs[1:]:
        body["messages"][2]["content"] = "something else that was never generated"
    assert_append_only(pairs)
    said = message(lambda: assert_append_only(pairs, faithful_replies=True))
    assert said.startswith("1 of 3 prompts holds another reply than was generated: requests[1]")
    assert " ECHO   changed: assistant, messages[2].content" in said


sessions = st.builds(
    lambda name, system, tools, steps, tokens: (
        Session(name=name, system=words("sys", 30) if system else None, tools=TOOLS if tools else [])
        .user(words(name, 12))
        .steps(steps, tokens=tokens)
    ),
    st.sampled_from(["a", "b", "c"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
    st.integers(1, 40),
)


@settings(max_examples=6, deadline=None)
@given(sessions)
def test_append_only_sessions_pass(session: Session):
    session.ask()
    assert_append_only([call.request for call in session.calls])
    trace = read([(call.request, call.response) for call in session.calls], {})
    assert_append_only(trace, faithful_replies=True)
    assert_no_findings(trace, ["CL101", "CL103", "CL104", "CL107", "CL112", "CL113"], engine="ideal")
    assert_prefix_stable(trace, upto=1)
    assert_hit_rate(trace, at_least=1, of="repeated", engine="ideal")
    if session.system is not None or session.tools:
        assert_prefix_stable(trace)


@settings(max_examples=6, deadline=None)
@given(sessions, st.data())
def test_a_changed_message_is_found_at_its_place(session: Session, data: st.DataObject):
    session.ask()
    requests = [deepcopy(call.request) for call in session.calls]
    at = data.draw(st.integers(1, len(requests) - 1))
    old = len(requests[at - 1]["messages"])
    texts = [n for n in range(old) if requests[at]["messages"][n].get("content")]
    number = data.draw(st.sampled_from(texts))
    content = requests[at]["messages"][number]["content"]
    requests[at]["messages"][number]["content"] = "Zebra. " + content
    said = message(lambda: assert_append_only(requests[: at + 1]))
    assert said.startswith(f"1 of {at + 1} prompts does not extend the one before: requests[{at}]\n")
    assert f"messages[{number}].content" in said.partition(" BREAK ")[2].splitlines()[0]


def test_messages_fit_the_page_however_long_prompts_are():
    requests = conversation(40)
    for body in requests[1:]:
        body["messages"][1]["content"] = "\x1b[31m" + "wide 宽 " * 1_000 + str(len(body["messages"]))
    said = message(lambda: assert_append_only(requests))
    assert len(said.splitlines()) < 60
    assert max(map(len, said.splitlines())) <= 100
    assert "\x1b" not in said
    assert "and 31 more" in said
