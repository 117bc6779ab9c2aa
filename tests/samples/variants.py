"""The captures in `sample_traces/`. In: nothing. Out: SAMPLES, what each shows, its bytes and the truth about it.

The truth is what the agent did, known without reading the capture back: how many requests it made in how
many conversations, and which of them did not simply extend the one before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import zstandard

from tests.samples import containers
from tests.samples.agent import SYSTEM, Harness, Turn, converse, ident, prune, spread
from tests.samples.provider import Rendered, Usage, automatic, local_server, marked
from tests.samples.scripts import DOCUMENT, FEET, FIX, SURVEY, Script
from tests.samples.toolbox import TOOLS, Tool
from tests.samples.wire import Json, anthropic, chat, gemini, responses

#: When the first sample session starts: 2026-03-02, 09:00 UTC.
START_MS = 1_772_442_000_000

Account = Callable[[Iterable[Rendered]], list[Usage]]


@dataclass(frozen=True)
class Sample:
    """One capture. `lineages` counts growing prompts; `breaks` requests that do not extend their
    predecessor; `skipped` records nobody can read."""

    name: str
    shows: str
    data: bytes
    requests: int
    sessions: int
    lineages: int
    breaks: int
    skipped: int = 0


def count_breaks(prompts: Sequence[Sequence[str]]) -> int:
    """How many of `prompts`, pieces in prompt order, do not start with all pieces of the one before."""
    return sum(list(now[: len(before)]) != list(before) for before, now in itertools.pairwise(prompts))


def _truth(turns: Sequence[Turn], wire: ModuleType) -> dict[str, int]:
    threads: dict[tuple[str, str], list[list[str]]] = {}
    for turn in turns:
        prompt = [text for text, _ in wire.rendered(turn).prompt]
        threads.setdefault((turn.session, turn.thread), []).append(prompt)
    return {
        "requests": len(turns),
        "sessions": len({session for session, _ in threads}),
        "lineages": len(threads),
        "breaks": sum(map(count_breaks, threads.values())),
    }


def _sample(
    name: str,
    shows: str,
    turns: Sequence[Turn],
    wire: ModuleType,
    account: Account,
    write: Callable[[list[containers.Captured]], bytes],
    stream: bool = True,
    skipped: int = 0,
) -> Sample:
    usages = account(wire.rendered(turn) for turn in turns)
    calls = containers.captured(turns, usages, wire, stream)
    return Sample(name, shows, write(calls), skipped=skipped, **_truth(turns, wire))


def _nonce(number: int, started_ms: int) -> tuple[str, ...]:
    return f"trace-context: {ident('', 'nonce', number)}", SYSTEM


def _clock(number: int, started_ms: int) -> tuple[str, ...]:
    now = containers.iso(started_ms)[:19].replace("T", " ")
    return (f"{SYSTEM}\nThe current date and time is {now} UTC.\n",)


def _resorted(number: int) -> tuple[Tool, ...]:
    """The usual order, but for a few calls in which a set was walked in another order."""
    if number in {2, 3}:
        return tuple(sorted(TOOLS, key=lambda t: t.name))
    return TOOLS[::-1] if number == 6 else TOOLS


def _broken(calls: list[containers.Captured]) -> bytes:
    good = containers.pairs(calls).splitlines(keepends=True)
    bad = [
        good[1][: len(good[1]) // 3] + b"\n",
        b"INFO tidekit proxy restarted\n",
        b'{"timestamp":"2026-03-02T09:00:09.000+00:00","method":"GET","url":"http://127.0.0.1:30000/health",'
        b'"status":200,"duration_s":0.001,"request":null,"response":null}\n',
        b'{"timestamp":"2026-03-02T09:00:11.000+00:00","method":"POST","request":{"model":"\xff\xfe"}}\n',
        b"\x00" * 512 + b"\n",
        good[4][: len(good[4]) - 40],
    ]
    lines = []
    for number, line in enumerate(good):
        lines.append(line)
        if number < BROKEN_LINES - 1:
            lines.append(bad[number])
    return b"".join(lines) + bad[-1]


#: Unreadable records in broken.jsonl; the last is the file's cut end.
BROKEN_LINES = 6


def _tokens() -> Sample:
    """Three conversations over one shared prefix, a fourth in a namespace of its own."""
    shared = _ids(128, "shared")
    requests: list[tuple[int, Json]] = []
    for talk in range(4):
        prompt = [*shared, *_ids(64, "task", talk)]
        for turn in range(5):
            output = _ids(24 + 8 * (talk + turn) % 40, "out", talk, turn)
            start = START_MS + 1000 * (3 * turn + talk) + spread(0, 700, "tokens", talk, turn)
            record: Json = {
                "request_id": f"talk{talk}-{turn}",
                "timestamp": containers.iso(start),
                "tokens": prompt,
                "output_tokens": output,
            }
            if talk == 3:
                record["namespace"] = "adapter-b"
            requests.append((start, record))
            prompt = [*prompt, *output, *_ids(64, "tool", talk, turn)]
    data = containers.token_trace(record for _, record in sorted(requests, key=lambda pair: pair[0]))
    return Sample("tokens.jsonl", "token ids instead of text; two namespaces", data, 20, 4, 4, 0)


def _ids(count: int, *key: object) -> list[int]:
    return [spread(0, 32_000, *key, place) for place in range(count)]


def _merged(*sessions: list[Turn]) -> list[Turn]:
    return sorted((turn for session in sessions for turn in session), key=lambda turn: turn.started_ms)


def _long() -> list[Turn]:
    script = Script(FIX.turns + DOCUMENT.turns)
    return converse(script, "pruned", START_MS, Harness(view=lambda messages: prune(messages, keep=6)))


def samples() -> tuple[Sample, ...]:
    """All captures, in the order of the table in their README."""
    concurrent = _merged(
        converse(FEET, "one", START_MS),
        converse(DOCUMENT, "two", START_MS + 1_300),
        converse(FEET, "three", START_MS + 4_900),
    )
    return (
        _sample(
            "append-only.jsonl",
            "the good case: every prompt extends the one before (pairs, Chat Completions, streamed)",
            converse(FIX, "append-only", START_MS),
            chat,
            local_server,
            containers.pairs,
        ),
        _sample(
            "append-only-anthropic.har",
            "cache markers that move with the last message are no change (HAR, Anthropic Messages)",
            converse(FEET, "append-anthropic", START_MS),
            anthropic,
            marked,
            containers.har,
        ),
        _sample(
            "nonce-in-system.jsonl",
            "a nonce at the top of the system prompt, new with every request (Anthropic Messages)",
            converse(FIX, "nonce", START_MS, Harness(system=_nonce)),
            anthropic,
            marked,
            containers.pairs,
        ),
        _sample(
            "clock.jsonl",
            "the time to the second at the end of the system prompt (Chat Completions)",
            converse(FEET, "clock", START_MS, Harness(system=_clock)),
            chat,
            local_server,
            containers.pairs,
            stream=False,
        ),
        _sample(
            "no-clock.jsonl",
            "the session of `clock.jsonl` before somebody put the time into the system prompt",
            converse(FEET, "no-clock", START_MS),
            chat,
            local_server,
            containers.pairs,
            stream=False,
        ),
        _sample(
            "resorted-tools.jsonl",
            "tools that change their order now and then (Chat Completions)",
            converse(FEET, "resorted", START_MS, Harness(tools=_resorted)),
            chat,
            local_server,
            containers.pairs,
            stream=False,
        ),
        _sample(
            "pruned-history.jsonl.zst",
            "old tool results replaced by a notice, four at a time (Anthropic Messages, compressed)",
            _long(),
            anthropic,
            marked,
            lambda calls: zstandard.ZstdCompressor(level=12).compress(containers.pairs(calls)),
        ),
        _sample(
            "interleaved.jsonl",
            "three concurrent sessions without ids, in the order they ended (Chat Completions)",
            concurrent,
            chat,
            local_server,
            lambda calls: containers.pairs(containers.by_end(calls)),
            stream=False,
        ),
        _sample(
            "sub-agents.mitm",
            "a main thread and two parallel sub-agents (mitmproxy dump, Responses, streamed)",
            converse(SURVEY, "survey", START_MS),
            responses,
            automatic,
            containers.mitmproxy,
        ),
        _sample(
            "gemini.har",
            "Gemini, streamed; some responses in base64 (HAR)",
            converse(DOCUMENT, "gemini", START_MS),
            gemini,
            automatic,
            lambda calls: containers.har(calls, encode_every=3),
        ),
        _sample(
            "claude-trace.jsonl",
            "what claude-trace writes (Anthropic Messages, streamed)",
            converse(DOCUMENT, "claude-trace", START_MS),
            anthropic,
            marked,
            containers.claude_trace,
        ),
        _sample(
            "requests-only.jsonl",
            "request bodies alone: no responses, no usage (Chat Completions)",
            converse(FEET, "requests-only", START_MS),
            chat,
            local_server,
            containers.bare,
            stream=False,
        ),
        _sample(
            "broken.jsonl",
            "a good session with unreadable lines in between, cut off at its end (pairs)",
            converse(DOCUMENT, "broken", START_MS),
            chat,
            local_server,
            _broken,
            stream=False,
            skipped=BROKEN_LINES,
        ),
        _tokens(),
    )
