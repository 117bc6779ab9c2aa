"""Write a large pairs JSONL of growing agent sessions, the same bytes for the same arguments.

In: size in MB, sessions, turns, order, seed. Out: one file; each line holds a request that repeats the
whole history of its session, so sent text grows with the square of the session while unique text grows
with its length. Unique text looks like code and logs: words, identifiers, numbers and hex from a seeded
generator, no line twice.

    python -m tests.bench.make_agent_jsonl trace.jsonl --mb 500
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tests.samples.agent import SYSTEM
from tests.samples.toolbox import TOOLS

START_S = 1_772_442_000
_WORDS = re.findall(
    r"\w+",
    """
    account active address agent align amount append argument array batch block border branch buffer build bytes
    cache call cancel chain channel check child client close cluster code column commit config connect content
    context count create cursor date default delete depth device digest drop edge empty encode entry error event
    expire export extend failed field file filter find first flag flush folder format frame graph group guard
    handle hash head height index input insert item join keep key label layer leaf length level limit line link
    list load lock log lookup map mark match merge message meter method missing mode model module move name next
    node notice number object offset open option order output owner page parent parse part patch path pattern
    pending place point policy pool port prefix print process queue random range rate read ready record reduce
    release remove render repeat reply report request reset result retry return root round route row rule sample
    scan schema score seed segment send session shape share shift signal size slot sort source span split stack
    start state station step store stream string suffix sum table tail target task test thread tide time token
    tool total trace tree trim tuple turn type unique unit update user value version view wait watch weight width
    window worker write year zone
    """,
)
_TOOL_NAMES = ("read_file", "grep", "run_command", "edit_file")


class Text:
    """An endless source of lines that look like code and logs."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def line(self) -> str:
        """One line of 40 to 130 characters, with a number in it that makes it unlike the others."""
        rng = self._random
        a, b, c, d = rng.choices(_WORDS, k=4)
        n = rng.getrandbits(34)
        match n % 5:
            case 0:
                return f"    {a}_{b} = self.{c}[{n % 997}].{d}({b}={n:#x}, timeout={n % 83 / 10})"
            case 1:
                return f"def {a}_{b}_{c}({c}: int, {d}: str = '{n:x}') -> {a.title()}:"
            case 2:
                time = f"{n % 24:02d}:{n % 59:02d}:{n % 53:02d}.{n % 1000:03d}"
                return f"2026-03-02T{time} INFO {a}.{b} {c}={n:09x} {d}"
            case 3:
                return f"{a}/{b}_{c}.py:{n % 900}:    raise {d.title()}Error(f'no {a} for {{{b}}} in {c} at {n:#x}')"
            case _:
                return f"# The {a} of each {b} is the {c} of its {d}, unless there are more than {n} of them."

    def block(self, size: int) -> str:
        """Lines of about `size` characters in total, at least one."""
        lines = [self.line()]
        length = len(lines[0])
        while length < size:
            lines.append(self.line())
            length += len(lines[-1]) + 1
        return "\n".join(lines)


class Session:
    """One growing conversation. `step` gives its next line; all but the new part is encoded once."""

    def __init__(self, name: str, seed: int, growth: int) -> None:
        self._text = Text(f"{seed}/{name}")
        self._name = name
        self._growth = growth
        self._turn = 0
        self._messages = bytearray(_dumps({"role": "system", "content": SYSTEM}))
        self._add({"role": "user", "content": self._text.block(400)})
        self._start = len(self._messages)

    def _add(self, message: Mapping[str, object]) -> None:
        self._messages += b"," + _dumps(message)

    def step(self, started_s: float) -> bytes:
        """The next request with its response as one line; the response and a tool result join the history."""
        tool = _TOOL_NAMES[self._turn % len(_TOOL_NAMES)]
        call_id = f"call_{self._name}_{self._turn}"
        arguments = json.dumps({"path": f"src/{self._text.line()[:40].strip()}", "first": self._turn})
        call = {"id": call_id, "type": "function", "function": {"name": tool, "arguments": arguments}}
        reply = {"role": "assistant", "content": self._text.block(self._growth // 8), "tool_calls": [call]}
        response = {
            "id": f"chatcmpl-{self._name}-{self._turn}",
            "object": "chat.completion",
            "created": int(started_s),
            "model": "qwen3-coder-30b",
            "choices": [{"index": 0, "message": reply, "finish_reason": "tool_calls"}],
        }
        line = b"".join(
            (
                b'{"timestamp":"',
                datetime.fromtimestamp(started_s, UTC).isoformat(timespec="milliseconds").encode(),
                b'","method":"POST","url":"http://127.0.0.1:30000/v1/chat/completions","status":200,'
                b'"duration_s":1.25,"request":{"model":"qwen3-coder-30b","messages":[',
                self._messages,
                b'],"tools":',
                _TOOLS,
                b',"temperature":0.2,"stream":false},"response":',
                _dumps(response),
                b"}\n",
            )
        )
        self._add(reply)
        self._turn += 1
        # The result fills up to where the history should be by now, so sizes do not drift.
        room = self._start + self._turn * self._growth - len(self._messages) - _RESULT_BYTES
        self._add({"role": "tool", "tool_call_id": call_id, "content": self._text.block(room)})
        return line


def _dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_TOOLS = _dumps(
    [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
        }
        for t in TOOLS
    ]
)
#: JSON around a tool result and half a line of text, by which blocks overshoot.
_RESULT_BYTES = 110
#: What a line holds beside definitions, history and generated text; and the history a session starts with.
_ENVELOPE_BYTES = 1_000
_START_BYTES = len(SYSTEM) + 600
#: Below this a turn has no room for a result.
_LEAST_GROWTH = 800


def growth(mb: float, sessions: int, turns: int) -> int:
    """Bytes by which a history grows with each turn, so that the file has about `mb` MB (1,000,000 bytes).

    Raises ValueError when the file is too small for so many requests.
    """
    requests = sessions * turns
    fixed = requests * (len(_TOOLS) + _ENVELOPE_BYTES + _START_BYTES)
    repeats = sessions * turns * (turns - 1) / 2 + requests / 8
    size = int((mb * 1e6 - fixed) / repeats)
    if size < _LEAST_GROWTH:
        least = (fixed + repeats * _LEAST_GROWTH) / 1e6
        raise ValueError(f"{sessions} sessions of {turns} turns need at least {least:.0f} MB")
    return size


def lines(mb: float, sessions: int, turns: int, interleaved: bool, seed: int) -> Iterator[bytes]:
    """The lines of the file, in order of their timestamps."""
    size = growth(mb, sessions, turns)
    if not interleaved:
        for number in range(sessions):
            session = Session(f"s{number}", seed, size)
            for turn in range(turns):
                yield session.step(START_S + 10_000.0 * number + 4 * turn)
        return
    talks = [Session(f"s{number}", seed, size) for number in range(sessions)]
    for turn in range(turns):
        for number, talk in enumerate(talks):
            yield talk.step(START_S + 4 * turn + 3.5 * number / sessions)


def write(stream: BinaryIO, mb: float, sessions: int, turns: int, interleaved: bool, seed: int) -> int:
    """Write the file to `stream`. Gives its size in bytes."""
    return sum(stream.write(line) for line in lines(mb, sessions, turns, interleaved, seed))


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--mb", type=float, default=500, help="size of the file, about (default 500)")
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--turns", type=int, default=150, help="requests of each session (default 150)")
    parser.add_argument("--order", choices=["interleaved", "sequential"], default="interleaved")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    try:
        growth(chosen.mb, chosen.sessions, chosen.turns)
    except ValueError as error:
        parser.error(str(error))
    with chosen.path.open("wb") as stream:
        size = write(
            stream, chosen.mb, chosen.sessions, chosen.turns, chosen.order == "interleaved", chosen.seed
        )
    print(f"{chosen.path}: {size / 1e6:.1f} MB, {chosen.sessions * chosen.turns} requests")


if __name__ == "__main__":
    main()
