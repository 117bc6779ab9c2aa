"""The calls in a Codex rollout. In: its lines. Out: for each API call the history it sent, its items and usage.

An answer is complete when Codex writes `token_count`: behind its items today, before them in versions of
2025, which then wrote each tool's output directly behind its call. It is written again for other reasons,
so only a changed total is a call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from cachelens.ingest.exchange import kept_headers
from cachelens.ingest.formats.base import ReadContext
from cachelens.ingest.formats.message_tree import KEPT_BYTES
from cachelens.ingest.formats.times import Time
from cachelens.ingest.formats.transcript_lines import transcript_lines
from cachelens.ingest.source import Source

#: Marks of a call: its answer is not in the file; an item of its history may have stood in a line that cannot
#: be read; its history was compacted or rolled back, and the file does not say to what.
OUTPUT_MISSING = "output-missing"
HISTORY_MISSING = "history-missing"
HISTORY_REWRITTEN = "history-rewritten"
#: Items that are records of Codex's own and are never sent.
_NOT_SENT = frozenset({"ghost_snapshot", "other"})


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one call, or of all so far. `cached` lie inside `input`."""

    input: int = msgspec.field(default=0, name="input_tokens")
    cached: int = msgspec.field(default=0, name="cached_input_tokens")
    output: int = msgspec.field(default=0, name="output_tokens")


class _Info(msgspec.Struct):
    total: Usage | None = msgspec.field(default=None, name="total_token_usage")
    last: Usage | None = msgspec.field(default=None, name="last_token_usage")


class _Text(msgspec.Struct):
    text: str | None = None


class _Payload(msgspec.Struct):
    """The fields of all payloads that are looked at; `type` and `role` say which payload it is."""

    type: str | None = None
    role: str | None = None
    id: str | None = None
    originator: str | None = None
    model_provider: str | None = None
    base_instructions: _Text | str | None = None
    source: msgspec.Raw = msgspec.Raw()
    model: str | None = None
    info: _Info | None = None
    message: str | None = None
    replacement_history: list[msgspec.Raw] | None = None
    num_turns: int | None = None


class _Line(msgspec.Struct):
    type: str
    payload: msgspec.Raw
    timestamp: Time = None


class _Kind(msgspec.Struct):
    type: str = ""


class _Spawn(msgspec.Struct):
    parent_thread_id: str | None = None


class _SubAgent(msgspec.Struct):
    thread_spawn: _Spawn | None = None


class _Source(msgspec.Struct):
    subagent: _SubAgent | None = None


_DECODER = msgspec.json.Decoder(_Line)
_PAYLOAD = msgspec.json.Decoder(_Payload)
_KIND = msgspec.json.Decoder(_Kind)
_SOURCE = msgspec.json.Decoder(_Source)


@dataclass(slots=True)
class Session:
    """What all calls of a rollout share, as its first `session_meta` says. Empty: not said."""

    id: str = ""
    originator: str = ""
    provider: str = ""
    instructions: str = ""
    parent: str = ""


@dataclass(slots=True)
class CodexCall:
    """One API call. `record` is the line of its first item, or of its report; items are raw JSON.

    `output` are the items of the answer, `added` those and the outputs of tools that were written in between.
    """

    record: int
    history: list[bytes]
    model: str
    sent: Time
    marks: list[str] = field(default_factory=list)
    output: list[bytes] = field(default_factory=list)
    added: list[bytes] = field(default_factory=list)
    usage: Usage | None = None
    reported_first: bool = False
    ended: Time = None


def calls(source: Source, context: ReadContext, session: Session) -> Iterator[CodexCall]:
    """The calls of a rollout in order; fills `session` before the first one."""
    reading = _Reading(session)
    kept = 0
    for number, line, lost in transcript_lines(source, context, _DECODER):
        if lost:
            reading.lose()
        try:
            payload = _PAYLOAD.decode(line.payload)
        except msgspec.DecodeError as error:
            context.skip(number, "bad-shape", str(error))
            reading.lose()
            continue
        if line.type == "response_item":
            kept += len(memoryview(line.payload))
            if kept > KEPT_BYTES:
                detail = f"more than {KEPT_BYTES >> 20} MiB of items in one rollout; what follows is lost"
                context.skip(number, "record-too-large", detail)
                break
        yield from reading.line(number, line, payload)
    yield from reading.close()


class _Reading:
    """One pass over a rollout: the history so far, and the call that is being put together."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._named = False
        self._history: list[bytes] = []
        self._marks: list[str] = []
        self._turns: list[int] = []  # where in the history each turn of the user begins
        self._last_user = -1
        self._model = ""
        self._sent: Time = None
        self._total: Usage | None = None
        self._open: CodexCall | None = None

    def line(self, number: int, line: _Line, payload: _Payload) -> Iterator[CodexCall]:
        """Take in one line; the calls that end with it."""
        if line.type == "session_meta" and not self._named:
            self._named = True
            self._meta(payload)
        elif line.type == "turn_context":
            yield from self.close()
            self._model = payload.model or self._model
        elif line.type == "response_item":
            yield from self._item(number, line, payload)
        elif line.type == "compacted":
            yield from self.close()
            self._compact(payload)
            self._sent = line.timestamp
        elif line.type == "event_msg" and payload.type == "token_count":
            yield from self._report(number, line, payload.info)
        elif line.type == "event_msg" and payload.type == "user_message":
            latest = self._turns[-1] if self._turns else -1
            self._turns.append(self._last_user if self._last_user > latest else len(self._history))
        elif line.type == "event_msg" and payload.type == "thread_rolled_back":
            yield from self.close()
            self._roll_back(payload.num_turns or 0)

    def lose(self) -> None:
        """Note that an item may be missing from here on."""
        self._mark(HISTORY_MISSING)

    def close(self) -> Iterator[CodexCall]:
        """The open call, if there is one, with its items put into the history."""
        call, self._open = self._open, None
        if call is None:
            return
        self._history += call.added
        if not call.output:
            call.marks.append(OUTPUT_MISSING)
        yield call

    def _meta(self, payload: _Payload) -> None:
        session, base = self._session, payload.base_instructions
        session.id = payload.id or ""
        session.originator = kept_headers({"originator": payload.originator or ""})["originator"]
        session.provider = (payload.model_provider or "")[:64]
        session.instructions = (base.text if isinstance(base, _Text) else base) or ""
        try:
            spawned = _SOURCE.decode(payload.source).subagent
        except msgspec.DecodeError:
            return  # `cli`, `exec` and other names: no sub-agent
        if spawned is not None and spawned.thread_spawn is not None:
            session.parent = spawned.thread_spawn.parent_thread_id or ""

    def _item(self, number: int, line: _Line, payload: _Payload) -> Iterator[CodexCall]:
        kind = payload.type or ""
        raw = bytes(line.payload)
        if kind in _NOT_SENT:
            return
        said = kind == "message" and payload.role == "assistant"
        if said or kind == "reasoning" or kind.endswith("_call"):
            call = self._open = self._open or self._begin(number, line)
            call.output.append(raw)
            call.added.append(raw)
            if not call.reported_first:
                call.ended = line.timestamp
            return
        if self._open is not None and self._open.reported_first and kind.endswith("_output"):
            self._open.added.append(raw)  # more items of the same answer may follow
            self._sent = line.timestamp
            return
        yield from self.close()
        if kind == "message" and payload.role == "user":
            self._last_user = len(self._history)
        self._history.append(raw)
        self._sent = line.timestamp

    def _begin(self, number: int, line: _Line) -> CodexCall:
        sent = self._sent if self._sent is not None else line.timestamp
        return CodexCall(number, list(self._history), self._model, sent, list(self._marks))

    def _report(self, number: int, line: _Line, info: _Info | None) -> Iterator[CodexCall]:
        if info is None:
            return
        usage = info.last
        if info.total is not None:
            if info.total == self._total:
                return
            if usage is None and self._total is not None:
                usage = Usage(
                    info.total.input - self._total.input,
                    info.total.cached - self._total.cached,
                    info.total.output - self._total.output,
                )
            elif usage is None:
                usage = info.total
            self._total = info.total
        if usage is None or usage.input <= 0:
            return  # an estimate of Codex's own, or a mark that the context window is full
        if self._open is not None and self._open.usage is not None:
            yield from self.close()
        if self._open is None:
            self._open = self._begin(number, line)
            self._open.reported_first = True
        self._open.usage = usage
        self._open.ended = line.timestamp
        if not self._open.reported_first:
            yield from self.close()

    def _compact(self, payload: _Payload) -> None:
        """What the history is replaced by; without a list, the summary alone is known."""
        if payload.replacement_history is not None:
            items = [bytes(item) for item in payload.replacement_history]
            self._history = [item for item in items if item[:1] == b"{" and _kind(item) not in _NOT_SENT]
            self._marks = []
        else:
            text = msgspec.json.encode(payload.message or "")
            content = b'[{"type":"input_text","text":' + text + b"}]"
            self._history = [b'{"type":"message","role":"user","content":' + content + b"}"]
            self._marks = [HISTORY_REWRITTEN]
        self._turns, self._last_user = [], -1

    def _roll_back(self, turns: int) -> None:
        if turns > 0 and self._turns:
            at = self._turns[-min(turns, len(self._turns))]
            del self._history[at:]
            del self._turns[-min(turns, len(self._turns)) :]
            self._last_user = -1
        self._mark(HISTORY_REWRITTEN)

    def _mark(self, mark: str) -> None:
        if mark not in self._marks:
            self._marks.append(mark)


def _kind(item: bytes) -> str:
    try:
        return _KIND.decode(item).type
    except msgspec.ValidationError:
        return ""
