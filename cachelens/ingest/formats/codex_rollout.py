"""Codex rollouts (`~/.codex/sessions/**/rollout-*.jsonl`). Out: an Exchange for each API call, in file order.

A rollout lists items as they enter the history, `{"timestamp", "type", "payload"}` a line. A call sent the
history as it was before its first output item; `token_count` reports what it cost. `codex_turns` finds the
calls, this module makes requests and responses of the Responses API of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.claims import best_claim
from cachelens.ingest.formats.codex_turns import CodexCall, Session, calls
from cachelens.ingest.formats.times import end_us, start_us
from cachelens.ingest.source import Source

_TYPES = frozenset({b'"session_meta"', b'"turn_context"', b'"response_item"', b'"event_msg"', b'"compacted"'})


class CodexRollout:
    """A Codex rollout: one item or event a line."""

    name = "codex-rollout"
    note = "Codex rollouts hold no tool definitions: prompts are counted without them, reported tokens include them."

    def claim(self, source: Source) -> float:
        """Sure when a line has a type that rollouts have, and its payload."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each API call that brought items or was reported. Memory holds the current history."""
        session = Session()
        for call in calls(source, context, session):
            try:
                yield _exchange(call, session)
            except RecordError as error:
                context.skip(call.record, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    return 0.97 if keys.get("type") in _TYPES and {"timestamp", "payload"} <= keys.keys() else 0.0


def _exchange(call: CodexCall, session: Session) -> Exchange:
    started, ended = start_us(call.sent), start_us(call.ended)
    duration_ms = (ended - started) / 1000 if started is not None and ended is not None else None
    head = b"{"
    if call.model:
        head += b'"model":' + msgspec.json.encode(call.model) + b","
    if session.instructions:
        head += b'"instructions":' + msgspec.json.encode(session.instructions) + b","
    marks = ["tools-missing" if session.instructions else "system-and-tools-missing", *call.marks]
    headers = {"originator": session.originator} if session.originator else {}
    if session.parent:
        headers["x-parent-session-id"] = session.parent
    return Exchange(
        record=call.record,
        request=b'%b"input":[%b]}' % (head, b",".join(call.history)),
        response=_response(call),
        url="/v1/responses",
        started_us=started,
        ended_us=end_us(started, duration_ms),
        headers=headers,
        session_key=session.id or None,
        provider=session.provider or None,
        partial=",".join(marks),
    )


def _response(call: CodexCall) -> bytes:
    usage = b""
    if call.usage is not None:
        report = {
            "input_tokens": call.usage.input,
            "input_tokens_details": {"cached_tokens": call.usage.cached},
            "output_tokens": call.usage.output,
        }
        usage = b',"usage":' + msgspec.json.encode(report)
    return (
        b'{"object":"response","status":"completed","output":[' + b",".join(call.output) + b"]" + usage + b"}"
    )
