"""Renderings of prompts: each equals the default rendering of bodies from which the harness left things out itself."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.ingest.exchange import Exchange
from cachelens.ingest.finish import Ingested, finish
from cachelens.ingest.intern import SegmentTrie
from cachelens.ingest.lineage import _Finder
from cachelens.ingest.reader import Reader
from cachelens.ingest.shorten import Shortener
from cachelens.model.kinds import KINDS, ROLES
from cachelens.model.options import IngestOptions
from cachelens.model.render import CHOICES, NAMES, Render
from cachelens.model.trace import Trace
from tests.ingest.bytes_tokenizer import BytesTokenizer
from tests.ingest.conversations import (
    DIALECTS,
    LIST_FIELDS,
    URLS,
    Turn,
    body,
    conversations,
    messages,
    rendered,
)
from tests.ingest.traces import body as chat_body
from tests.ingest.traces import call, message, result, trace_of

RENDERINGS = [
    Render.parse(",".join(filter(None, names)))
    for names in product(("", *CHOICES["order"]), CHOICES["thinking"], CHOICES["system"])
]


def read(dialect: str, bodies: list[Any], render: str | None, known: bool) -> Trace:
    """A trace of request bodies. `known` False: each is read as if nothing had been read before."""
    reader, shortener = Reader(BytesTokenizer(), lambda *image: 85, render), Shortener()
    calls = []
    for at, one in enumerate(bodies):
        exchange = Exchange(at + 1, json.dumps(one).encode(), url=URLS[dialect], started_us=at * 1_000_000)
        calls.append(reader.exchange(exchange, 0, shortener if known else Shortener()))
    facts = Ingested(("t",), (), "exact", str(Render.parse(render)), ())
    return finish(calls, reader.contents, reader.trie, facts)


def prompt(trace: Trace, row: int) -> list[tuple[object, ...]]:
    """What a server would be given: kinds, roles and tokens in order, and where the cache is marked."""
    segments, contents = trace.segments, trace.contents
    return [
        (
            KINDS[segments.kind[at]],
            ROLES[segments.role[at]],
            int(contents.tokens[segments.content[at]]),
            contents.token_ids(int(segments.content[at])).tobytes(),
            int(segments.breakpoint_s[at]),
        )
        for at in segments.path(row)
    ]


@st.composite
def sessions(draw: st.DrawFn) -> list[list[Turn]]:
    """Requests of one session: its history grows, is cut back and goes on otherwise."""
    history: list[Turn] = []
    requests = []
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.integers(0, 3)) == 0:
            history = history[: draw(st.integers(0, len(history)))]
        history = history + draw(conversations)
        requests.append(history)
    return requests


#: A message that is nothing but thinking, before the system prompt.
THINKING_FIRST = [[Turn("assistant", second_thinking="a"), Turn("system", text="a")]]


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=60, deadline=None)
@given(requests=sessions(), render=st.sampled_from(RENDERINGS))
@example(requests=THINKING_FIRST, render=Render(thinking="thinking-stripped"))
@example(
    requests=[[*THINKING_FIRST[0], Turn("user", text="b")]], render=Render(thinking="thinking-last-turn")
)
def test_a_rendering_is_that_of_bodies_without_what_it_leaves_out(
    dialect: str, requests: list[list[Turn]], render: Render
) -> None:
    sent = [messages(dialect, one) for one in requests]
    wanted = [rendered(dialect, one, {render.thinking, render.system}) for one in sent]
    found = read(dialect, [body(dialect, one) for one in sent], str(render), known=True)
    plain = read(dialect, [body(dialect, one) for one in wanted], render.order, known=False)
    for mine, theirs in zip(found.last_segment.tolist(), plain.last_segment.tolist(), strict=True):
        assert prompt(found, mine) == prompt(plain, theirs)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=25, deadline=None)
@given(history=conversations, render=st.sampled_from(RENDERINGS))
def test_whatever_is_known_renders_alike(dialect: str, history: list[Turn], render: Render) -> None:
    """Left out bytes, the order of requests and what was read before change nothing."""
    sent = messages(dialect, history)
    bodies = [body(dialect, sent[:end]) for end in (len(sent), len(sent) // 2, len(sent), 1, len(sent))]
    known, alone = (read(dialect, bodies, str(render), known=known) for known in (True, False))
    assert [prompt(known, row) for row in known.last_segment.tolist()] == [
        prompt(alone, row) for row in alone.last_segment.tolist()
    ]


def growing(turns: int, calls: int) -> list[tuple[Any, Any]]:
    """An agent's session: each turn of the user is followed by `calls` tool calls and an answer, all with thinking."""
    history = [message("system", "s")]
    exchanges = []
    for turn in range(turns):
        history.append(message("user", f"question {turn} " * 20))
        for step in range(calls + 1):
            given = chat_body(history)
            said = message("assistant", f"answer {turn} " * 20)
            answer = call(f"c{turn}-{step}", f'{{"path": "f{turn}-{step}"}}') if step < calls else said
            answer["reasoning_content"] = f"thinking {turn}-{step} " * 40
            exchanges.append((given, answer))
            history = [*history, answer]
            if step < calls:
                history.append(result(f"c{turn}-{step}", f"text of file {turn}-{step} " * 5))
    return exchanges


@pytest.mark.parametrize("captured", [True, False])
@pytest.mark.parametrize("thinking", CHOICES["thinking"])
def test_thinking_left_out_breaks_no_lineage(thinking: str, captured: bool) -> None:
    """What a server leaves out is no edit: each request continues the one before, replies captured or not."""
    exchanges = [(given, answer if captured else None) for given, answer in growing(5, 3)]
    trace = trace_of(exchanges, render=thinking)
    assert trace.predecessor.tolist() == list(range(-1, len(exchanges) - 1))


def test_thinking_is_computed_and_kept_by_the_server_but_not_sent_again() -> None:
    said = message("assistant", "A", reasoning_content="T")
    first, second = [message("user", "U")], [message("user", "U"), said, message("user", "V")]
    trace = trace_of([(chat_body(first), said), (chat_body(second), None)], render="thinking-stripped")
    output = prompt(trace, int(trace.last_output[0]))
    assert [kind for kind, *_ in output] == ["tools", "user", "thinking", "assistant"]
    again = prompt(trace, int(trace.last_segment[1]))
    assert [kind for kind, *_ in again] == ["tools", "user", "assistant", "user"]
    assert again[:2] == output[:2]
    assert again[2][3] != output[3][3], "the answer is now the first of its message and carries the frame"


def test_a_new_turn_takes_the_thinking_of_the_turn_before_away() -> None:
    exchanges = growing(2, 1)
    trace = trace_of(exchanges, render="thinking-last-turn")
    kinds = [[kind for kind, *_ in prompt(trace, int(row))] for row in trace.last_segment]
    assert kinds == [
        ["system", "tools", "user"],
        ["system", "tools", "user", "thinking", "tool_call", "tool_result"],
        ["system", "tools", "user", "tool_call", "tool_result", "assistant", "user"],
        ["system", "tools", "user", "tool_call", "tool_result", "assistant", "user", *kinds[1][3:]],
    ]
    common = len(
        set(trace.segments.path(int(trace.last_segment[1])))
        & set(trace.segments.path(int(trace.last_segment[2])))
    )
    assert common == 3, "the prompts part where the thinking was"


def test_cost_follows_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither putting prompts together nor finding lineages goes through the whole history again and again."""
    steps, searches = [0], [0]
    follow, broken = SegmentTrie.follow, _Finder._broken

    def counted(self: SegmentTrie, row: int, parts: Any, message: int) -> int:
        steps[0] += 1
        return follow(self, row, parts, message)

    def searched(self: _Finder, index: int, extended: int) -> int:
        searches[0] += 1
        return broken(self, index, extended)

    monkeypatch.setattr(SegmentTrie, "follow", counted)
    monkeypatch.setattr(_Finder, "_broken", searched)
    exchanges = growing(12, 6)
    counts = {}
    for thinking in CHOICES["thinking"]:
        steps[0] = searches[0] = 0
        trace_of(exchanges, render=thinking)
        counts[thinking] = steps[0]
        assert searches[0] == 1, "only the first request has no prompt to continue"
    # Each message is placed once more, when its turn is over.
    assert counts["thinking-last-turn"] <= 2 * counts["thinking-kept"]
    assert counts["thinking-kept"] <= 6 * len(exchanges)


@pytest.mark.parametrize(
    ("render", "texts"),
    [
        ("system-first", ["S", "{tools}", "U", "N", "V"]),
        ("system-first,system-hoisted", ["S", "N", "{tools}", "U", "V"]),
        ("tools-first", ["{tools}", "S", "U", "N", "V"]),
        ("tools-first,system-hoisted", ["{tools}", "S", "N", "U", "V"]),
    ],
)
def test_system_messages_in_mid_conversation(render: str, texts: list[str]) -> None:
    given = [message("system", "S"), message("user", "U"), message("developer", "N"), message("user", "V")]
    trace = trace_of([(chat_body(given), None)], render=render)
    shown = []
    for row in trace.segments.path(int(trace.last_segment[0])):
        content = int(trace.segments.content[row])
        words = bytes(
            trace.contents.token_ids(content)[int(trace.contents.framing[content]) :].astype("uint8")
        )
        shown.append("{tools}" if words.startswith(b"{") else words.decode())
    assert shown == texts
    places = {trace.segments.location(int(row)) for row in trace.segments.path(int(trace.last_segment[0]))}
    assert "messages[2].content" in places, "a message that was moved still says where it stood in the body"


def test_a_reply_that_is_continued_by_its_id_loses_its_thinking_too() -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "T"}]}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A"}]}
    first = {"model": "m", "input": "U"}
    second = {"model": "m", "previous_response_id": "x", "input": [{"role": "user", "content": "V"}]}
    response = {"id": "x", "object": "response", "status": "completed", "output": [reasoning, said]}
    for name in ("thinking-stripped", "thinking-last-turn"):
        reader, shortener = Reader(BytesTokenizer(), lambda *image: 85, name), Shortener()
        calls = [
            reader.exchange(
                Exchange(at, json.dumps(one).encode(), json.dumps(reply).encode(), url=URLS["responses"]),
                0,
                shortener,
            )
            for at, (one, reply) in enumerate([(first, response), (second, {})], 1)
        ]
        trace = finish(calls, reader.contents, reader.trie, Ingested(("t",), (), "exact", name, ()))
        kinds = [
            [kind for kind, *_ in prompt(trace, int(row))]
            for row in (trace.last_output[0], trace.last_segment[1])
        ]
        assert kinds == [["user", "thinking", "assistant"], ["user", "assistant", "user"]]


def test_a_marker_on_thinking_goes_to_the_part_before() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    blocks = [
        {"type": "text", "text": "A"},
        {"type": "thinking", "thinking": "T", **marked},
        {"type": "text", "text": "B"},
    ]
    given = [{"role": "user", "content": "U"}, {"role": "assistant", "content": blocks}]
    trace = read("anthropic", [body("anthropic", given)], "thinking-stripped", known=False)
    assert [(kind, mark) for kind, *_, mark in prompt(trace, int(trace.last_segment[0]))][3:] == [
        ("assistant", 300),
        ("assistant", 0),
    ]


def test_what_stays_of_a_message_that_was_only_thinking() -> None:
    """Chat templates render the empty message; of the other APIs none sends one."""
    only = [Turn("user", "a"), Turn("assistant", thinking="b"), Turn("user", "c")]
    frames = {}
    for dialect in DIALECTS:
        trace = read(dialect, [body(dialect, messages(dialect, only))], "thinking-stripped", known=False)
        found = prompt(trace, int(trace.last_segment[0]))
        frames[dialect] = [tokens for kind, _, tokens, *_ in found if kind in ("assistant", "thinking")]
    assert frames == {"anthropic": [], "chat": [4], "responses": [], "gemini": []}


@pytest.mark.parametrize("render", RENDERINGS)
def test_names_stand_for_a_rendering(render: Render) -> None:
    assert Render.parse(str(render)) == render
    assert IngestOptions(render=str(render)).render == str(render)
    reversed_ = ",".join(reversed(str(render).split(",")))
    assert IngestOptions(render=reversed_).render == str(render)


def test_defaults_are_left_unsaid() -> None:
    assert str(Render.parse("thinking-kept, system-in-place")) == str(Render()) == "default"
    assert str(Render.parse("system-hoisted,tools-first,thinking-kept")) == "tools-first,system-hoisted"
    assert IngestOptions().render is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tols-first", "unknown rendering 'tols-first'"),
        ("tools-first,thinking", "unknown rendering 'thinking'"),
        ("tools-first,system-first", "renderings 'tools-first' and 'system-first' contradict each other"),
        ("thinking-kept,thinking-stripped", "contradict"),
        ("default,tools-first", "stands alone"),
        (",", "empty"),
        ("", "empty"),
    ],
)
def test_names_that_are_none_or_contradict(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        IngestOptions(render=text)


def test_every_choice_is_tried() -> None:
    assert {name for render in RENDERINGS for name in str(render).split(",")} - {"default"} == set(NAMES) - {
        "thinking-kept",
        "system-in-place",
    }
    assert set(LIST_FIELDS) == set(DIALECTS)
