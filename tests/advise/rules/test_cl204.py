"""CL204 unused-tool-definition."""

from __future__ import annotations

from tests.advise.rules.outputs import saving
from tests.advise.sessions import Session, candidates, case_of, tool, words

_TOOLS = [
    tool("look_up", "looks something up", what="string"),
    tool("send_mail", words("how to send mail", 60), to="string", text="string"),
    tool("make_coffee", words("how to make coffee", 40), strength="integer"),
]


def fires() -> list[Session]:
    """Two of three tools are never called."""
    return [Session("agent", system="You help.", tools=_TOOLS).user("go").steps(6)]


def near_miss() -> list[Session]:
    """A session that calls all of its tools, and one too short to tell."""
    one = Session("one", system="You help.", tools=_TOOLS).user("go").steps(5)
    one.use("send_mail", {"to": "a", "text": "b"}, "sent")
    one.use("make_coffee", {"strength": 3}, "made")
    one.ask("done")
    return [one, Session("short", tools=_TOOLS[:2], start=1_800_001_000.0).user("go").steps(3)]


def test_definitions_are_counted_in_every_request() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL204", *fires())
    path = case.path(0).tolist()
    sizes = {case.name(row): case.tokens(row) for row in path if case.is_kind(row, "tools")}
    each = sizes["send_mail"] + sizes["make_coffee"]
    assert len(case) == 6
    assert found.tokens == 6 * each
    assert list(found.requests) == list(range(6))
    assert found.group[1:] == ("look_up", "make_coffee", "send_mail")
    tools = str(found.details["tools"])
    assert tools.index("send_mail") < tools.index("make_coffee")
    assert "look_up" not in tools
    assert found.title.startswith("2 of 3 tools")
    assert f"{each:,} tokens in each of 6 requests" in found.title
    saved = saving(case, found)
    assert saved.prompt_tokens == 6 * each
    assert saved.computed_tokens == each


def test_what_is_called_is_needed_and_short_sessions_do_not_tell() -> None:
    assert candidates("CL204", *near_miss()) == []
    for session in near_miss():
        assert candidates("CL204", session) == []


def test_what_any_session_of_the_harness_calls_is_needed() -> None:
    two = Session("two", tools=_TOOLS, start=1_800_001_000.0).user("coffee")
    two.use("make_coffee", {"strength": 3}, "made")
    two.ask("done")
    # By a sub-agent with tools of its own: the same harness.
    three = Session("three", tools=[*_TOOLS, tool("extra", "e")], start=1_800_002_000.0).user("go")
    three.use("send_mail", {"to": "a", "text": "b"}, "sent")
    assert candidates("CL204", *fires(), two, three) == []
    (found,) = candidates("CL204", *fires(), two)
    assert found.details["unused"] == 1
    # The requests of the shorter session with the same tools send them too.
    assert len(found.requests) == 6 + len(two.calls)


def test_another_harness_does_not_speak_for_this_one() -> None:
    (agent,) = fires()
    other = Session("other", tools=_TOOLS, start=1_800_003_000.0).user("mail")
    other.use("send_mail", {"to": "a", "text": "b"}, "sent")
    other.ask("done")
    assert [one.details["unused"] for one in candidates("CL204", agent, other)] == [1]
    case = case_of(agent, other)
    names = ["example-agent" if session == case.sessions[0] else "another" for session in case.sessions]
    case.trace.requests.replace_column(
        case.trace.requests.columns.index("harness"),
        case.trace.requests["request_id"]
        .replace_strict(dict(zip(case.trace.requests["request_id"].to_list(), names, strict=True)))
        .alias("harness"),
    )
    from cachelens.advise.rules.cl204_unused_tool_definition import UnusedToolDefinition

    assert [one.details["unused"] for one in UnusedToolDefinition().find(case)] == [2]


def test_short_lineages_say_nothing_and_the_limit_moves() -> None:
    session = Session("short", tools=_TOOLS).user("go").steps(4)
    assert candidates("CL204", session) == []
    (found,) = candidates("CL204", session, thresholds={"tool_requests": "4"})
    assert found.details["unused"] == 2


def test_without_any_reply_nothing_is_known() -> None:
    (session,) = fires()
    for call in session.calls:
        object.__setattr__(call, "response", None)
    texts = Session("said", tools=_TOOLS).user("go")
    for number in range(6):
        texts.ask(f"answer {number}")
        texts.user(f"question {number}")
    (found,) = candidates("CL204", texts)
    assert found.details["unused"] == 3
    for call in texts.calls:
        object.__setattr__(call, "response", None)
    assert candidates("CL204", texts) == []
    # Calls that were sent back are known all the same.
    (known,) = candidates("CL204", session)
    assert known.details["unused"] == 2


def test_the_last_reply_counts_though_nobody_sent_it_back() -> None:
    session = Session("last", tools=_TOOLS[:2]).user("go").steps(5)
    assert len(candidates("CL204", session)) == 1
    session.ask(None, [("send_mail", {"to": "a", "text": "b"})])
    assert candidates("CL204", session) == []


def test_tools_that_are_not_defined_always_or_run_elsewhere_do_not_count() -> None:
    session = Session("flap", tools=list(_TOOLS)).user("go").steps(3)
    session.tools = [_TOOLS[0], _TOOLS[1]]
    session.steps(3, "later")
    (found,) = candidates("CL204", session)
    assert "make_coffee" not in str(found.details["tools"])
    assert found.details["defined"] == 2
    hosted = (
        Session("hosted", tools=[_TOOLS[0], {"type": "web_search", "name": "web_search"}]).user("go").steps(6)
    )
    assert candidates("CL204", hosted) == []


def test_share_that_is_let_pass() -> None:
    assert candidates("CL204", *fires(), thresholds={"tool_share": "0.9"}) == []
