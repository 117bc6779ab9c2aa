"""CL109: histories that a summary replaces, and whether that paid."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.rules import RULES
from cachelens.advise.rules.compactions import compactions
from tests.advise.sessions import Session, candidates, case_of, tool, words

SUMMARY = "What was done so far:\n" + words("summary", 60)
SESSION = {"prompt_cache_key": "conversation-0123456789abcdef"}


def started(name: str = "s", url: str | None = None, model: str = "example-1") -> Session:
    options: dict[str, Any] = {} if url is None else {"url": url}
    tools = [tool("look_up", what="string")]
    session = Session(
        name, system=words("system", 80), tools=tools, model=model, extra=dict(SESSION), **options
    )
    return session.user("the task: " + words("task", 30))


def summarized(session: Session, summary: str, side: bool) -> None:
    """The summary is written: by a request of its own with another system prompt, or by one that goes on."""
    if not side:
        session.user("Summarize the conversation.").ask(summary, echo=False)
        return
    writer = Session(
        "writer", system="You summarize.", extra=session.extra, start=session.clock, url=session.url
    )
    writer.model = session.model
    writer.user(json.dumps(session.messages)).ask(summary)
    session.calls += writer.calls
    session.clock += session.step


def inside(later: int, summary: str = SUMMARY, steps: int = 8) -> Session:
    """The history of one lineage gives way to a summary, and its last steps stay."""
    session = started().steps(steps)
    summarized(session, summary, side=True)
    message = {"role": "user", "content": f"<summary>\n{summary}\n</summary>"}
    session.messages = [*session.messages[:2], message, *session.messages[-4:]]
    session.steps(later, seed="later")
    session.ask()
    return session


def across(
    later: int, steps: int = 8, introduction: str = "Go on from here.\n", side: bool = False, **options: Any
) -> Session:
    """A new conversation begins with a summary of the old one."""
    session = started(**options).steps(steps)
    summarized(session, SUMMARY, side)
    session.messages = [session.messages[0], {"role": "user", "content": introduction + SUMMARY}]
    session.steps(later, seed="later")
    session.ask()
    return session


def kept_tail(later: int) -> Session:
    """As `inside`, but the summary is asked for in the conversation itself, so that a lineage of its own follows."""
    session = started().steps(8)
    tail = session.messages[-4:]
    summarized(session, SUMMARY, side=False)
    message = {"role": "user", "content": f"<summary>\n{SUMMARY}\n</summary>"}
    session.messages = [*session.messages[:2], message, *tail]
    session.steps(later, seed="later")
    session.ask()
    return session


def fires() -> list[Session]:
    return [inside(6), across(6), kept_tail(6), inside(0), across(0, side=True)]


def near_miss() -> list[Session]:
    """No summary; a window with a notice; a sub-agent's report; a new task; a report handed to another agent."""
    plain = started("plain").steps(6)
    plain.ask()
    notice = started("notice").steps(8)
    notice.messages[2:12] = [{"role": "user", "content": "[10 earlier messages are not shown]"}]
    notice.steps(2, seed="later")
    notice.ask()
    agent = started("agent").steps(4)
    report = SUMMARY
    other = Session("other", system=words("another system", 80), extra=dict(SESSION), start=1_800_000_020.0)
    other.user("look into it").ask(report)
    (call_id,) = agent.ask("handing over", [("look_up", {"what": "agent"})])
    agent.result(call_id, report).ask()
    agent.calls += other.calls
    new_task = started("new").steps(6)
    new_task.messages = [new_task.messages[0], {"role": "user", "content": words("another task", 40)}]
    new_task.steps(4, seed="later")
    new_task.ask()
    handoff = started("handoff").steps(6)
    handoff.ask(SUMMARY)
    handoff.messages = [
        {"role": "system", "content": words("reviewer", 80)},
        {"role": "user", "content": "Review this report.\n" + SUMMARY},
    ]
    handoff.steps(3, seed="later")
    handoff.ask()
    return [plain, notice, agent, new_task, handoff]


def only(session: Session, **options: object) -> Candidate:
    (found,) = candidates("CL109", session, **options)
    return found


def test_inside_a_lineage() -> None:
    session = inside(6)
    case = case_of(session)
    (one,) = compactions(case)
    assert (one.writer, one.request, one.later) == (8, 9, 6)
    prompt, hit = case.work.prompt_tokens, case.replay.hit
    # The result of the last call is new, whatever else is sent.
    assert one.tokens_after == int(prompt[9]) - case.tokens(int(case.path(9)[-1]))
    assert one.computed == one.tokens_after - int(hit[9])
    assert one.writer_computed == int(prompt[8] - hit[8])
    assert one.written == int(case.work.output_tokens[8])
    assert one.tokens_before == int(prompt[7]) + sum(case.tokens(row) for row in case.reply(7))
    assert one.saved > 500
    (found,) = RULES.load("CL109")().find(case)
    assert found.tokens == one.computed > 100
    assert found.plan is None
    assert list(found.requests) == [9]
    assert {code for code, _ in case.claims.values()} == {"CL109"}


def test_a_fork_that_keeps_the_last_steps() -> None:
    """It shares nothing but the task with the prompt it goes on from, and echoes none of its replies."""
    case = case_of(kept_tail(6))
    assert int(case.trace.predecessor[9]) == 0
    assert case.past.edits == []
    (one,) = compactions(case)
    assert (one.before, one.writer, one.request, one.later) == (7, 8, 9, 6)


@pytest.mark.parametrize("introduction", ["Go on from here.\n", "<summary>\n"])
def test_a_new_lineage_that_begins_with_the_summary(introduction: str) -> None:
    case = case_of(across(6, introduction=introduction))
    assert len(case.roots) == 2
    (one,) = compactions(case)
    assert (one.before, one.writer, one.request, one.later) == (7, 8, 9, 6)
    assert one.tokens_before == int(case.work.prompt_tokens[7])
    assert one.tokens_after == int(case.work.prompt_tokens[9])
    assert case.trace.segments.location(one.row) == "messages[1].content"


def test_an_introduction_is_enough_where_the_writer_was_not_captured() -> None:
    session = across(6, introduction="This session is being continued from a previous conversation.\n")
    del session.calls[8]
    case = case_of(session)
    (one,) = compactions(case)
    assert (one.before, one.writer, one.request) == (7, -1, 8)
    (found,) = RULES.load("CL109")().find(case)
    assert found.details["summaries whose request was not captured"] == 1
    plain = across(6)
    del plain.calls[8]
    assert candidates("CL109", plain) == []


def test_payback_in_tokens() -> None:
    case = case_of(across(6))
    (one,) = compactions(case)
    assert one.cost is None
    spent, carried, after = one.computed + one.writer_computed + one.written, one.saved, 0
    while spent > carried * (1 + after):
        after += 1
    assert one.payback == after
    assert one.repaid is (after <= 6)


def test_payback_in_dollars() -> None:
    """With every request billed by hand, going on without compaction is cheaper up to the payback and not after it."""
    session = across(30, steps=40, url="https://api.openai.com/v1/chat/completions", model="gpt-4.1")
    case = case_of(session, engine="openai")
    (one,) = compactions(case)
    assert one.cost is not None
    computed, served, generated = Decimal(2), Decimal("0.5"), Decimal(8)
    assert one.cost == (computed, served, generated)
    hit = one.tokens_after - one.computed
    writer_hit = one.writer_prompt - one.writer_computed
    at_once = one.computed * computed + hit * served
    at_once += one.writer_computed * computed + writer_hit * served + one.written * generated

    def loss(later: int) -> Decimal:
        without = (1 + later) * one.tokens_before * served
        return at_once + later * one.tokens_after * served - without

    assert one.payback is not None
    assert loss(one.payback) <= 0
    assert one.payback == 0 or loss(one.payback - 1) > 0
    assert one.spent == loss(0)


@pytest.mark.parametrize("make", [inside, partial(across, side=True)])
def test_the_verdict_follows_the_payback(make: Any) -> None:
    paid, unpaid = only(make(12)), only(make(0))
    assert paid.verdict is Verdict.LEGITIMATE
    assert paid.group == ("compaction", "paid")
    assert unpaid.verdict is Verdict.AVOIDABLE
    assert unpaid.group == ("compaction", "not paid")


def test_a_second_compaction_ends_the_first() -> None:
    session = inside(4)
    second = "Then this was done:\n" + words("second summary", 60)
    summarized(session, second, side=True)
    message = {"role": "user", "content": f"<summary>\n{second}"}
    session.messages = [*session.messages[:2], message, *session.messages[-5:]]
    session.steps(3, seed="last")
    session.ask()
    case = case_of(session)
    first, last = compactions(case)
    assert first.request < last.request
    assert first.later == 4
    assert last.later == 3


@pytest.mark.parametrize("session", near_miss(), ids=lambda session: session.name)
def test_no_summary(session: Session) -> None:
    assert candidates("CL109", session) == []
