"""CL104: tool definitions that change."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.advise.rules.definitions import Difference, common_path, difference
from tests.advise.rules.figures import behind, saving, sent_again
from tests.advise.sessions import Session, candidates, case_of, tool, words

Json = Any

BASE = [
    tool("find", words("describes find", 20), what="string", limit="integer"),
    tool("read", words("describes read", 20), path="string"),
]


def changed(*edits: Json) -> Session:
    """Each request with one more edit of the first definition; None leaves it."""
    session = Session("churn", words("rules", 60), deepcopy(BASE)).user(words("task", 30))
    session.use("find", {"at": 0}, words("out", 40))
    for number, edit in enumerate(edits):
        if edit is not None:
            session.tools[0] = edit(deepcopy(session.tools[0]))
        session.use("find", {"at": number + 1}, words(f"out {number}", 40))
    return session


def reversed_keys(one: Json) -> Json:
    return (
        {key: reversed_keys(value) for key, value in reversed(one.items())} if isinstance(one, dict) else one
    )


def described(one: Json) -> Json:
    one["function"]["description"] += " Agents: reviewer."
    return one


def limited(one: Json) -> Json:
    one["function"]["parameters"]["properties"]["limit"]["type"] = "number"
    return one


def renamed(one: Json) -> Json:
    one["function"]["name"] = "seek"
    return one


def fires() -> list[Session]:
    return [changed(reversed_keys), changed(described, None, described), changed(limited)]


def near_miss() -> list[Session]:
    return [changed(None, None), changed(renamed)]


def test_key_order_is_silent() -> None:
    case = case_of(fires()[0])
    (found,) = candidates("CL104", fires()[0])
    assert found.title == "the definition of tool find changes in key order alone in 1 request"
    assert found.group == ("find", "key order", "")
    assert list(found.requests) == [1]
    assert found.plan is not None
    assert found.plan.silent == found.plan.undo
    first = next(at for at, row in enumerate(case.path(0).tolist()) if case.is_kind(row, "tools"))
    assert found.tokens == pytest.approx(behind(case, 1, first), abs=12)
    assert found.tokens > 150
    assert saving(case, found).computed_tokens >= found.tokens
    assert not found.changes_input
    assert candidates("CL113", fires()[0]) == []


def test_a_description() -> None:
    case = case_of(fires()[1])
    (found,) = candidates("CL104", fires()[1])
    assert found.title == "the description of tool find changes in 2 requests"
    assert found.group == ("find", "description", "description")
    assert list(found.requests) == [1, 3]
    assert found.details["field"] == "description"
    assert found.tokens == pytest.approx(sent_again(case, 1) + sent_again(case, 3), abs=8)
    assert saving(case, found).computed_tokens == pytest.approx(found.tokens, abs=8)
    assert found.excerpt is not None
    assert "Agents" in (found.excerpt.now or "")
    assert not found.changes_input


def test_a_schema() -> None:
    (found,) = candidates("CL104", fires()[2])
    assert found.title == "the schema of tool find changes in 1 request"
    assert found.group == ("find", "schema", "parameters.properties.limit.type")
    assert found.changes_input
    assert found.break_even


def test_two_tools_are_two_findings() -> None:
    session = changed(described)
    session.tools[1] = described(deepcopy(session.tools[1]))
    session.ask()
    assert [found.group[0] for found in candidates("CL104", session)] == ["find", "read"]


@pytest.mark.parametrize("number", range(2))
def test_near_miss(number: int) -> None:
    assert candidates("CL104", near_miss()[number]) == []


CASES = [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, Difference("key order", ())),
    ({"a": 1}, {"a": 2}, Difference("schema", ("a",))),
    ({"a": 1}, {"a": 1, "b": 2}, Difference("schema", ("b",))),
    ({"function": {"title": "x"}}, {"function": {"title": "y"}}, Difference("description", ("title",))),
    ({"p": [{"title": "1"}, 1]}, {"p": [{"title": "2"}, 2]}, Difference("schema", ("p.title", "p"))),
    ({"required": ["a", "b"]}, {"required": ["b", "a"]}, Difference("list order", ())),
    ({"items": ["a", "b"]}, {"items": ["b", "a"]}, Difference("schema", ("items",))),
    ({"required": ["a"]}, {"required": ["a", "b"]}, Difference("schema", ("required",))),
]  # fmt: skip


@pytest.mark.parametrize(("before", "now", "wanted"), CASES)
def test_differences(before: Json, now: Json, wanted: Difference) -> None:
    assert difference(json.dumps(before), json.dumps(now)) == wanted


def test_spelling_and_what_is_no_json() -> None:
    assert difference('{"a": 1}', '{"a":1}') == Difference("spelling", ())
    assert difference("not json", "{}") == Difference("schema", ("",))
    assert difference("[" * 100_000, "[") == Difference("schema", ("",))
    assert common_path(("a.b.c", "a.b.d")) == "a.b"
    assert common_path(("a.b", "c")) == common_path(()) == ""


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(JSONS, JSONS)
def test_a_difference_says_nothing_only_where_the_same_is_said(before: Json, now: Json) -> None:
    found = difference(json.dumps(before), json.dumps(now))
    assert found.says_nothing == (json.dumps(before, sort_keys=True) == json.dumps(now, sort_keys=True))
