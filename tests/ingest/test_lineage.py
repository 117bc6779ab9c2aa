"""Who continues whom: a wrong predecessor is a wrong verdict."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.model.trace import Trace
from tests.ingest.traces import TOOLS, body, call, message, result, trace_of


def lineages(trace: Trace) -> list[str]:
    return trace.requests["lineage_id"].to_list()


def sessions(trace: Trace) -> list[str]:
    return trace.requests["session_id"].to_list()


class Session:
    """A scripted agent: each turn sends its history, then a tool call and its result are appended."""

    def __init__(self, name: str, user: str, clock: bool = False) -> None:
        self.name, self.clock = name, clock
        self.history: list[dict[str, Any]] = [message("user", user)]
        self.turn = 0

    def step(self, now: int) -> tuple[dict[str, Any], dict[str, Any]]:
        system = "You are a careful agent. " + (f"It is {now}. " if self.clock else "") + "Use tools." * 3
        request = body([message("system", system), *self.history])
        self.turn += 1
        call_id = f"call-{self.name}-{self.turn}"
        answer = call(call_id, f'{{"path": "file{self.turn}"}}')
        self.history += [answer, result(call_id, f"text of file {self.turn} " * 4)]
        return request, answer


@settings(max_examples=60, deadline=None)
@given(
    order=st.lists(st.integers(0, 2), min_size=1, max_size=18),
    same_prompt=st.booleans(),
    clock=st.booleans(),
)
def test_interleaved_sessions_come_apart(order: list[int], same_prompt: bool, clock: bool) -> None:
    """Even when they send the same words: only the tool call ids tell them apart then."""
    agents = [Session(str(n), "Fix it" if same_prompt else f"Fix thing {n}", clock) for n in range(3)]
    trace = trace_of([agents[who].step(now) for now, who in enumerate(order)])
    last: dict[int, int] = {}
    for at, who in enumerate(order):
        assert trace.predecessor[at] == last.get(who, -1)
        last[who] = at
    assert len(set(lineages(trace))) == len(set(order))


def conversation(turns: int) -> list[dict[str, Any]]:
    history = [message("system", "You are an agent with a long enough system prompt."), message("user", "Go")]
    for turn in range(turns):
        history += [call(f"c{turn}"), result(f"c{turn}", f"output {turn} " * 5)]
    return history


def test_pruned_history_continues_its_lineage_and_not_the_first_request_it_still_extends() -> None:
    whole = conversation(4)
    pruned = [*whole[:3], result("c0", "[cleared]"), *whole[4:], call("c4"), result("c4", "more")]
    trace = trace_of(
        [(body(whole[: 2 + 2 * n]), whole[2 + 2 * n]) for n in range(4)]
        + [(body(whole), call("c4"))]
        + [(body(pruned), None)]
    )
    assert trace.predecessor.tolist() == [-1, 0, 1, 2, 3, 4]
    assert len(set(lineages(trace))) == 1


def test_a_sliding_window_continues_its_lineage() -> None:
    whole = conversation(6)
    window = [whole[0], *whole[4:], call("c6"), result("c6", "more")]
    trace = trace_of([(body(whole), call("c6")), (body(window), None)])
    assert trace.predecessor.tolist() == [-1, 0]


def test_a_fork_starts_a_lineage_in_the_same_session() -> None:
    whole = conversation(2)
    other = [*whole[:4], message("user", "Rather do this"), message("assistant", "Yes")]
    trace = trace_of([(body(whole[:4]), whole[4]), (body(whole), None), (body(other), None)])
    assert trace.predecessor.tolist() == [-1, 0, 0]
    assert lineages(trace) == ["l1", "l1", "l2"]
    assert sessions(trace) == ["s1", "s1", "s1"]


def test_a_sub_agent_belongs_to_the_session_that_spawned_it() -> None:
    task = "Look through every file and list what is wrong"
    spawn = call("c0", f'{{"prompt": "{task}"}}')
    main = [message("system", "main"), message("user", "Go")]
    sub = [message("system", "sub-agent"), message("user", task)]
    trace = trace_of([(body(main), spawn), (body(sub), None)])
    assert sessions(trace) == ["s1", "s1"]
    assert lineages(trace) == ["l1", "l2"]
    assert trace.requests["previous_request_id"].to_list() == [None, None]
    assert trace.requests["parent_request_id"].to_list() == [None, "r1"]


def test_a_title_call_belongs_to_the_session_but_continues_nothing() -> None:
    title = [message("system", "Make a title"), message("user", "Please fix the build")]
    main = [message("system", "You are an agent"), message("user", "Please fix the build")]
    trace = trace_of([(body(title, tools=None), message("assistant", "Fix")), (body(main), None)])
    assert trace.predecessor.tolist() == [-1, -1]
    assert sessions(trace) == ["s1", "s1"]


def test_unrelated_first_requests_are_sessions_of_their_own() -> None:
    start = message("system", "You are an agent")
    trace = trace_of([(body([start, message("user", f"Task {n}")]), call(f"c{n}")) for n in range(3)])
    assert sessions(trace) == ["s1", "s2", "s3"]


def test_explicit_keys_join_lineages() -> None:
    start = message("system", "You are an agent")
    exchanges = [(body([start, message("user", f"Task {n}")]), call(f"c{n}")) for n in range(3)]
    keys = [{"x-session-id": "a"}, {"x-session-id": "b"}, {"x-session-id": "c", "x-parent-session-id": "a"}]
    trace = trace_of(exchanges, headers=keys)
    assert sessions(trace) == ["s1", "s2", "s1"]
    assert len(set(lineages(trace))) == 3


def test_a_retry_after_a_failure_continues_the_request_it_repeats() -> None:
    history = conversation(1)
    trace = trace_of(
        [(body(history), None), (body(history), call("c9")), (body([*history, call("c9")]), None)]
    )
    assert trace.predecessor.tolist() == [-1, 0, 1]


def test_reordered_tools_do_not_end_a_lineage() -> None:
    history = conversation(2)
    two = [*TOOLS, {"type": "function", "function": {"name": "write"}}]
    trace = trace_of([(body(history[:4], tools=two), history[4]), (body(history, tools=two[::-1]), None)])
    assert trace.predecessor.tolist() == [-1, 0]


def test_a_turn_that_is_sent_back_changed_still_continues_its_lineage() -> None:
    """No tool call ids, the reply rewritten, the system prompt with a clock: what is held decides."""
    first = [message("system", "You are an agent. 10:00"), message("user", "A long enough question " * 5)]
    then = [
        message("system", "You are an agent. 10:01"),
        first[1],
        message("assistant", "rewritten"),
        message("user", "B"),
    ]
    trace = trace_of([(body(first), message("assistant", "as generated")), (body(then), None)])
    assert trace.predecessor.tolist() == [-1, 0]


def test_another_agent_that_is_shown_the_conversation_does_not_continue_it() -> None:
    """A judge holds every message and its reply, but neither the tools nor the system prompt."""
    history = [message("system", "You are an agent"), message("user", "A long enough question " * 5)]
    judged = [
        message("system", "You are a judge"),
        history[1],
        message("assistant", "other words"),
        message("user", "Good?"),
    ]
    judge_tools = [{"type": "function", "function": {"name": "grade"}}]
    trace = trace_of(
        [(body(history), message("assistant", "an answer")), (body(judged, tools=judge_tools), None)]
    )
    assert trace.predecessor.tolist() == [-1, -1]


def test_tool_call_ids_are_proof_whatever_else_changed() -> None:
    first = [message("system", "You are an agent"), message("user", "Go")]
    again = [
        message("system", "Now wholly different"),
        message("user", "Went"),
        call("c7", '{"a": 1}'),
        result("c7", "x"),
    ]
    other_tools = [{"type": "function", "function": {"name": "write"}}]
    trace = trace_of([(body(first), call("c7", '{"a":1}')), (body(again, tools=other_tools), None)])
    assert trace.predecessor.tolist() == [-1, 0]


def test_records_may_be_written_in_any_order() -> None:
    history = conversation(2)
    trace = trace_of([(body(history), None), (body(history[:4]), history[4])], starts=[2_000_000, 1_000_000])
    assert trace.requests["source_record"].to_list() == [2, 1]
    assert trace.predecessor.tolist() == [-1, 0]


def test_without_times_requests_keep_file_order_and_the_trace_says_so() -> None:
    history = conversation(2)
    trace = trace_of([(body(history[:4]), history[4]), (body(history), None)], timed=False)
    assert trace.predecessor.tolist() == [-1, 0]
    assert any("no times" in note for note in trace.notes)


def test_servers_that_count_tool_call_ids_from_zero_do_not_mix_sessions_up() -> None:
    """Two sessions with a clock, interleaved, both with ids `f:0`, `f:1`, …"""
    exchanges, histories = [], {name: [message("user", f"Task {name} " * 9)] for name in "AB"}
    for step in range(3):
        for name, history in histories.items():
            arguments = f'{{"path": "{name}{step}"}}'
            clock = message("system", f"You are an agent. It is {len(exchanges)}")
            exchanges.append((body([clock, *history]), call(f"f:{step}", arguments)))
            history += [call(f"f:{step}", arguments), result(f"f:{step}", f"out {name} {step}")]
    assert trace_of(exchanges).predecessor.tolist() == [-1, -1, 0, 1, 2, 3]


def test_a_clock_in_the_system_prompt_of_an_agent_without_tools_breaks_and_does_not_end_its_lineage() -> None:
    history = [message("user", "A long enough question " * 5)]
    exchanges = []
    for step in range(4):
        answer = message("assistant", f"answer {step} " * 4)
        clock = message("system", f"You are a writer. It is 10:0{step}")
        exchanges.append((body([clock, *history], tools=None), answer))
        history = [*history, answer, message("user", f"more {step}")]
    assert trace_of(exchanges).predecessor.tolist() == [-1, 0, 1, 2]


def test_sessions_with_different_keys_stay_apart_whatever_they_say() -> None:
    start, title = message("system", "You are an agent"), message("system", "Make a title")
    user = message("user", "Please fix the build")
    exchanges = [(body([title, user], tools=None), message("assistant", "Fix")), (body([start, user]), None)]
    keys = [{"x-session-id": "a"}] * 2 + [{"x-session-id": "b"}] * 2
    assert sessions(trace_of(exchanges * 2, headers=keys)) == ["s1", "s1", "s2", "s2"]
    assert trace_of(exchanges * 2, headers=keys).predecessor.tolist() == [-1] * 4
