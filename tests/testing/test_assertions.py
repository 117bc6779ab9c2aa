"""Assertions fail on the request that is wrong, say what broke it, and never pass because there is nothing to see."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cachelens
from cachelens.errors import CachelensError, InputError, UsageError
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.pipeline import analyze, load
from cachelens.testing import (
    assert_append_only,
    assert_hit_rate,
    assert_no_findings,
    assert_prefix_stable,
)
from cachelens.testing.traces import read
from tests.advise.sessions import Session, tool, words

Body = dict[str, Any]
TOOLS = [tool("look_up", "Looks something up.", what="string"), tool("note", "Takes a note.", text="string")]


def conversation(count: int = 4, system: str | None = "be exact", tools: bool = True) -> list[Body]:
    """`count` requests, each the one before and more."""
    start = None if system is None else f"{system}\n{words('system', 60)}"
    session = Session(system=start, tools=TOOLS if tools else [])
    session.user(words("question", 20)).steps(count - 1)
    session.ask()
    return [deepcopy(call.request) for call in session.calls]


def message(check: Callable[[], None]) -> str:
    """What a failing assertion says."""
    with pytest.raises(AssertionError) as caught:
        check()
    return str(caught.value)


def clock(body: Body) -> None:
    body["messages"][0]["content"] = "It is 10:31:19 now.\n" + body["messages"][0]["content"]


def swap_tools(body: Body) -> None:
    body["tools"].reverse()


def other_description(body: Body) -> None:
    body["tools"][1]["function"]["description"] = "Takes a short note."


def drop_tool(body: Body) -> None:
    del body["tools"][1]


def rewrite_output(body: Body) -> None:
    body["messages"][3]["content"] = "(left out)"


def respell_arguments(body: Body) -> None:
    call = body["messages"][2]["tool_calls"][0]["function"]
    call["arguments"] = call["arguments"].replace(": ", ":")


def slide(body: Body) -> None:
    del body["messages"][1:4]


def other_model(body: Body) -> None:
    body["model"] = "example-2"


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


# -- what is given


class Model:
    """An object of an SDK's reply, as harnesses put them into their messages."""

    __api_exclude__ = frozenset({"parsed"})

    def __init__(self, **fields: Any) -> None:
        self.fields = fields

    def model_dump(self, *, mode: str, exclude_unset: bool, exclude: frozenset[str]) -> dict[str, Any]:
        assert mode == "json"
        assert exclude_unset
        return {name: value for name, value in self.fields.items() if name not in exclude}


def test_objects_of_sdks_stand_for_what_is_sent():
    plain, objects = conversation(3), conversation(3)
    for body in objects:
        body["messages"] = [
            Model(**said, parsed=1) if said["role"] == "assistant" else said for said in body["messages"]
        ]
    one, other = read(plain, {}), read(objects, {})
    assert one.requests.equals(other.requests)
    assert one.contents.ids.tolist() == other.contents.ids.tolist()


def test_a_capture_and_a_trace_are_taken_as_they_are(tmp_path: Path):
    requests = conversation(3)
    path = tmp_path / "capture.jsonl"
    path.write_text("".join(json.dumps({"request": body}) + "\n" for body in requests))
    trace = load([str(path)], IngestOptions())
    for one in (path, str(path), trace, cachelens.load(path)):
        assert_append_only(one)
        assert_prefix_stable(one)
        assert_hit_rate(one, at_least=0.3, engine="ideal")
    clock(requests[1])
    path.write_text("".join(json.dumps({"request": body}) + "\n" for body in requests))
    assert "r2" in message(lambda: assert_append_only(path))


def test_records_that_are_no_requests_may_stand_in_a_capture_but_broken_ones_not(tmp_path: Path):
    path = tmp_path / "capture.jsonl"
    good = "".join(json.dumps({"method": "POST", "request": body}) + "\n" for body in conversation(2))
    body = {"model": "claude-example-1", "messages": [{"role": "user", "content": "how long is this?"}]}
    count = {"url": "https://api.anthropic.com/v1/messages/count_tokens", "request": body}
    path.write_text(good + '{"method": "GET", "request": null}\n' + json.dumps(count) + "\n")
    assert_append_only(path)
    path.write_text(good + '{"method": "POST", "request": {"model": \n')
    with pytest.raises(InputError, match="record 3 could not be read"):
        assert_append_only(path)
    assert_append_only(load([str(path)], IngestOptions()))


def continued() -> list[Body]:
    return [
        {"model": "m", "input": [{"role": "user", "content": "hello"}]},
        {
            "model": "m",
            "previous_response_id": "resp_1",
            "input": [{"role": "user", "content": "and then?"}],
        },
    ]


def test_a_stored_response_must_be_given():
    with pytest.raises(UsageError, match=r"known only in part: requests\[1\]"):
        assert_append_only(continued())
    content = [{"type": "output_text", "text": "hi"}]
    reply = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "role": "assistant", "content": content}],
    }
    one, two = continued()
    assert_append_only([(one, reply), (two, None)])


@pytest.mark.parametrize(
    ("requests", "options", "match"),
    [
        ([], {}, "no requests"),
        ({"model": "m", "messages": []}, {}, "a list of request bodies"),
        ([["role", "user"]], {}, r"requests\[0\] is no request body"),
        ([{"messages": [{"role": "user", "content": {1, 2}}]}], {}, r"requests\[0\] is no JSON"),
        ([{"messages": [{"role": "user", "content": "x"}], "n": float("nan")}], {}, "no JSON"),
        ([*conversation(1), {"nothing": 1}], {}, r"requests\[1\] could not be read: not-an-llm-request"),
        ([{"nothing": 1}], {}, "requests: no LLM request found"),
        (conversation(1), {"gap_s": -1}, "gap_s"),
        (conversation(1), {"urls": "x"}, "unknown option 'urls'"),
        (conversation(1), {"lineages": 0}, "no number of conversations"),
        ("/nowhere/to/be/found.jsonl", {}, "found.jsonl"),
    ],
)
def test_what_cannot_be_judged_never_passes(requests: Any, options: dict[str, Any], match: str):
    with pytest.raises(CachelensError, match=match):
        assert_append_only(requests, **options)


def test_options_that_do_not_fit(tmp_path: Path):
    trace = read(conversation(2), {})
    with pytest.raises(UsageError, match="not for a trace"):
        assert_append_only(trace, url="http://example.test")
    path = tmp_path / "capture.jsonl"
    path.write_text(json.dumps({"request": conversation(1)[0]}) + "\n")
    with pytest.raises(UsageError, match="not for a capture"):
        assert_append_only(path, gap_s=1.0)
    with pytest.raises(UsageError, match="unknown option 'polcy'"):
        assert_hit_rate(trace, at_least=0, polcy="lru")  # type: ignore[call-arg]
    dialect = trace.requests["dialect"].replace("chat", "hashes")
    hashed = replace(trace, requests=trace.requests.with_columns(dialect=dialect))
    with pytest.raises(UsageError, match="block hashes"):
        assert_append_only(hashed)
