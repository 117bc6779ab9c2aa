"""CL111: thinking that is left out, moved or changed, by the harness or by the server."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.rules import RULES
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.loading import load
from cachelens.pipeline.savings import Bench
from tests.advise.sessions import Session, candidates, case_of, tool, trace_of, words
from tests.builders.captures import Call, pairs

STEPS = 4


def started(name: str = "s") -> Session:
    return Session(name, system=words("system", 80), tools=[tool("look_up", what="string")]).user(
        "work on it"
    )


def thinking(session: Session, steps: int, drop: bool, tagged: bool = False, said: int = 30) -> Session:
    """Steps that think, say something and call a tool; `drop`: the thinking is not sent back."""
    for _ in range(steps):
        number = len(session.calls)
        thoughts, saying = words(f"think {number}", 60), words(f"say {number}", said)
        text = f"<think>\n{thoughts}\n</think>\n\n{saying}" if tagged else saying
        calls = [("look_up", {"what": f"part_{number}.txt"})]
        (call_id,) = session.ask(text, calls, reasoning=None if tagged else thoughts)
        if drop:
            session.messages[-1].pop("reasoning_content", None)
            session.messages[-1]["content"] = saying
        session.result(call_id, words(f"out {number}", 40))
    return session


def sent_and_dropped() -> Session:
    """Thinking that is sent back at first, and left out from the next turn of the user on."""
    session = thinking(started(), STEPS, drop=False)
    session.ask("all done")
    for message in session.messages:
        message.pop("reasoning_content", None)
    session.user("and now the rest").ask("done again")
    return session


def fires() -> list[Session]:
    dropped = thinking(started(), STEPS, drop=True)
    dropped.ask()
    tagged = thinking(started(), STEPS, drop=True, tagged=True)
    tagged.ask()
    return [dropped, tagged, sent_and_dropped()]


def near_miss() -> list[Session]:
    kept = thinking(started(), STEPS, drop=False)
    kept.ask()
    none = started().steps(STEPS)
    none.ask()
    return [kept, none]


def only(session: Session, **options: object) -> Candidate:
    (found,) = candidates("CL111", session, **options)
    return found


def test_thinking_that_is_not_sent_back() -> None:
    session = fires()[0]
    case = case_of(session)
    (found,) = RULES.load("CL111")().find(case)
    assert found.group == ("dropped", "harness")
    assert list(found.requests) == [1, 2, 3, 4]
    assert found.verdict is Verdict.AVOIDABLE
    assert found.changes_input
    assert found.title == f"the thinking of {STEPS} replies is left out of later prompts"
    # What was said and called behind the thinking is computed again, without the last token that nobody had.
    behind = 0
    thought = 0
    for request in range(STEPS):
        first, *others = case.reply(request)
        thought += case.tokens(first)
        behind += sum(case.tokens(row) for row in others) - 1
    assert found.details["thinking tokens left out"] == thought
    # The frame of the message stands before the text now and is served.
    assert behind <= found.tokens <= behind + 4 * STEPS
    assert found.plan is not None
    bench = Bench(case, None)
    kept = case_of(near_miss()[0])
    assert bench.bill(found.plan).computed == kept.computed
    assert bench.bill(found.plan).prompt == int(kept.work.prompt_tokens.sum())


def test_thinking_in_tags_is_thinking() -> None:
    found = only(fires()[1])
    assert found.group == ("dropped", "harness")
    assert int(found.details["thinking tokens left out"]) > STEPS * 100
    assert found.title.startswith(f"the thinking of {STEPS} replies is left out")


def test_thinking_that_comes_back_as_text_is_one_cause() -> None:
    session = thinking(started(), STEPS, drop=False)
    session.ask()
    for call in session.calls:
        for message in call.request["messages"]:
            if "reasoning_content" in message:
                message["content"] = (
                    f"<think>{message.pop('reasoning_content')}</think>\n{message['content']}"
                )
    case = case_of(session)
    assert {code for code, _ in case.claims.values()} == {"CL111"}
    (found,) = RULES.load("CL111")().find(case)
    assert found.group == ("changed", "harness")
    assert found.title == f"the thinking of {STEPS} replies comes back in other words or as text"
    assert found.plan is not None
    assert Bench(case, None).bill(found.plan).computed == case_of(near_miss()[0]).computed


def test_thinking_that_had_been_sent_breaks_the_history() -> None:
    session = sent_and_dropped()
    case = case_of(session)
    (found,) = RULES.load("CL111")().find(case)
    assert found.details["generated in the request before"] == 0
    last = len(session.calls) - 1
    assert list(found.requests) == [last]
    assert found.tokens == case.lost(last, "divergence") > 3 * 100
    assert found.place is not None
    assert case.trace.segments.location(found.place.row) == "messages[2].reasoning_content"


@pytest.mark.parametrize("session", near_miss(), ids=["kept", "none"])
def test_nothing_to_say(session: Session) -> None:
    assert candidates("CL111", session) == []


def test_a_cache_without_generated_text_loses_only_what_had_been_sent() -> None:
    assert candidates("CL111", fires()[0], engine="openai") == []
    case = case_of(fires()[0], engine="openai")
    assert {code for code, _ in case.claims.values()} == {"CL111"}
    assert only(sent_and_dropped(), engine="ideal", engine_options={"keep_output": "false"}).tokens > 0


@pytest.mark.parametrize("said", [1, 30])
@pytest.mark.parametrize("render", ["thinking-stripped", "thinking-last-turn"])
def test_what_the_server_leaves_out_is_legitimate(render: str, said: int) -> None:
    session = thinking(started(), STEPS, drop=False, said=said)
    session.ask("all done")
    session.user("and now the rest").ask("done again")
    trace = trace_of(session, options=IngestOptions(render=render))
    case, _ = build_case(trace, AnalyzeOptions(engine="ideal"))
    (found,) = RULES.load("CL111")().find(case)
    assert found.group == ("dropped", "server")
    assert found.verdict is Verdict.LEGITIMATE
    last = len(session.calls) - 1
    wanted = list(range(1, STEPS + 1)) if render == "thinking-stripped" else [last]
    assert list(found.requests) == wanted
    assert {code for code, _ in case.claims.values()} == {"CL111"}
    assert found.plan is not None
    kept = case_of(session)
    assert Bench(case, None).bill(found.plan).computed == kept.computed


def test_summaries_cannot_come_back(tmp_path: Path) -> None:
    """Gemini's thoughts are no part of what was generated: the change is CL111's, and nothing is said of it."""
    url = "http://localhost:9000/v1beta/models/example-1:generateContent"
    contents: list[object] = []
    calls = []
    for number in range(4):
        contents.append({"role": "user", "parts": [{"text": words(f"ask {number}", 40)}]})
        said = {"text": words(f"say {number}", 40)}
        thought = {"text": words(f"think {number}", 40), "thought": True}
        reply = {"candidates": [{"content": {"role": "model", "parts": [thought, said]}}]}
        body = {"contents": deepcopy(contents)}
        calls.append(Call(body, reply, start=1_800_000_000.0 + number, url=url))
        contents.append({"role": "model", "parts": [said]})
    path = tmp_path / "gemini.jsonl"
    path.write_bytes(pairs(calls))
    case, _ = build_case(load([str(path)], IngestOptions()), AnalyzeOptions(engine="ideal"))
    assert {claim.key for _, claim in case.claims.values()} == {("dropped", "nobody")}
    assert list(RULES.load("CL111")().find(case)) == []
