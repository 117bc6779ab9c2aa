"""Bare request bodies, one a line, or OpenAI batch lines. Out: an Exchange for each.

A line may carry `timestamp`, `session_id`, `request_id`, `response` and `usage` beside the fields of its
body. A batch line is `{"custom_id", "method", "url", "body"}`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.bodies import json_bytes, request_body, request_bytes, response_bytes
from cachelens.ingest.formats.claims import BODY_KEYS, PROMPT_KEYS, best_claim
from cachelens.ingest.formats.json_lines import records
from cachelens.ingest.formats.json_scan import visible_keys
from cachelens.ingest.formats.times import Time, start_us
from cachelens.ingest.formats.urls import safe_url
from cachelens.ingest.source import Source

#: Keys of logs that hold messages too, but are of other formats: LiteLLM, observations, transcripts.
_FOREIGN = frozenset(
    {
        "call_type",
        "litellm_call_id",
        "model_parameters",
        "startTime",
        "start_time",
        "observations",
        "traceId",
        "trace_id",
        "resourceSpans",
        "resourceLogs",
        "uuid",
        "parentUuid",
        "sessionId",
        "gen_ai",
        "log",
    }
)


class _Line(msgspec.Struct):
    timestamp: Time = None
    session_id: str | None = None
    request_id: str | None = None
    response: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    contents: msgspec.Raw = msgspec.Raw()
    request: msgspec.Raw = msgspec.Raw()
    custom_id: str | None = None
    method: str | None = None
    url: str | None = None
    body: msgspec.Raw = msgspec.Raw()


_LINE = msgspec.json.Decoder(msgspec.Raw)
_FIELDS = msgspec.json.Decoder(_Line)


class Requests:
    """JSONL of request bodies, with or without a batch envelope."""

    name = "requests"
    note = ""

    def claim(self, source: Source) -> float:
        """Fairly sure when the keys of a request body stand at the top of a line."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each line that is, or holds as `body`, a request with a prompt."""
        for number, raw, elided in records(source, context, _LINE):
            try:
                yield _exchange(number, bytes(raw), elided, context)
            except RecordError as error:
                context.skip(number, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    if _FOREIGN & keys.keys():
        return 0.0
    if "custom_id" in keys:
        return 0.9 if "body" in keys or {"method", "url"} <= keys.keys() else 0.0
    if PROMPT_KEYS & keys.keys():
        return 0.8
    if "request" in keys and PROMPT_KEYS & visible_keys(keys["request"]).keys():
        return 0.4  # Gemini Code Assist wraps its body
    return 0.3 if len(BODY_KEYS & keys.keys()) >= 2 or {"tools", "system"} & keys.keys() else 0.0


def _exchange(number: int, raw: bytes, elided: object | None, context: ReadContext) -> Exchange:
    try:
        line = _FIELDS.decode(raw)
    except msgspec.ValidationError as error:
        raise RecordError("bad-shape", str(error)) from None
    embedded, url = True, ""
    if line.custom_id is not None:
        body, embedded = request_bytes(line.body)
        if not body and bytes(line.response):
            raise RecordError("batch-output", "a line of batch results holds no prompt: give the batch input")
        url = safe_url(line.url or "")
    elif any(bytes(field) for field in (line.messages, line.input, line.contents, line.request)):
        body = raw
    else:
        raise RecordError("no-request-body", "no messages, input or contents")
    return Exchange(
        record=number,
        request=request_body(line.method or "POST", body, checked=embedded),
        response=response_bytes(line.response, number, context),
        url=url,
        started_us=start_us(line.timestamp),
        session_key=line.session_id or None,
        request_id=line.request_id or line.custom_id or None,
        usage=json_bytes(line.usage),
        elided=elided,
    )
