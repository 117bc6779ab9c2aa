"""Request and response pairs, one JSON object a line. Out: an Exchange for each line with a request body.

The bodies are not decoded here, and what a line repeats of an earlier one is not even scanned.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.bodies import (
    headers_of,
    json_bytes,
    request_body,
    request_bytes,
    response_bytes,
)
from cachelens.ingest.formats.claims import BODY_KEYS, best_claim
from cachelens.ingest.formats.json_lines import records
from cachelens.ingest.formats.json_scan import visible_keys
from cachelens.ingest.formats.times import Time, end_us, start_us
from cachelens.ingest.formats.urls import safe_url
from cachelens.ingest.source import Source

_ENVELOPE = frozenset(
    {"timestamp", "method", "url", "status", "duration_s", "duration_ms", "request_headers"}
)


class _Pair(msgspec.Struct):
    request: msgspec.Raw
    timestamp: Time = None
    method: str | None = None
    url: str | None = None
    status: int | None = None
    duration_s: float | None = None
    duration_ms: float | None = None
    request_headers: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    session_id: str | None = None
    request_id: str | None = None


_DECODER = msgspec.json.Decoder(_Pair)


class Pairs:
    """Pairs JSONL: `{"timestamp", "method", "url", "status", "duration_s", "request", "response"}`."""

    name = "pairs"
    note = ""

    def claim(self, source: Source) -> float:
        """Sure when `request` shows keys of a request body, fairly so when its neighbors are of a pair."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each line whose `request` is the JSON body of a POST."""
        for number, pair, elided in records(source, context, _DECODER):
            try:
                yield _exchange(number, pair, elided, context)
            except RecordError as error:
                context.skip(number, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    request = keys.get("request")
    if request is None:
        # The beginning of a long response may be all that is to be seen of the first record.
        return 0.5 if len(_ENVELOPE & keys.keys()) >= 3 else 0.0
    if BODY_KEYS & visible_keys(request).keys():
        return 0.95
    if {"method", "url", "headers"} & visible_keys(request).keys():
        return 0.0
    return 0.7 if len(_ENVELOPE & keys.keys()) >= 2 else 0.0


def _exchange(number: int, pair: _Pair, elided: object | None, context: ReadContext) -> Exchange:
    body, embedded = request_bytes(pair.request)
    method = pair.method or "POST"
    started = start_us(pair.timestamp)
    duration_ms = pair.duration_s * 1000 if pair.duration_s is not None else pair.duration_ms
    return Exchange(
        record=number,
        request=request_body(method, body, checked=embedded),
        response=response_bytes(pair.response, number, context),
        url=safe_url(pair.url or ""),
        status=pair.status or None,
        started_us=started,
        ended_us=end_us(started, duration_ms),
        headers=headers_of(pair.request_headers),
        session_key=pair.session_id or None,
        request_id=pair.request_id or None,
        usage=json_bytes(pair.usage),
        elided=elided,
    )
