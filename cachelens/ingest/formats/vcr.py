"""VCR cassettes, as VCR.py and pytest-recording write them. Out: an Exchange for each interaction with an API call.

`interactions[].{request: {method, uri, headers, body}, response: {status, headers, body: {string}}}`; some
recorders store a JSON body parsed, as `parsed_body`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cachelens.ingest.exchange import Exchange, kept_headers
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.bodies import mend_surrogates, request_body
from cachelens.ingest.formats.content_encoding import EncodingError, decoded
from cachelens.ingest.formats.urls import safe_url
from cachelens.ingest.formats.yaml_items import YamlItems
from cachelens.ingest.source import STREAM_ERRORS, Feed, Source

_TOP = re.compile(rb"^interactions:[ \t]*\r?$", re.MULTILINE)
_ITEM = re.compile(rb"^ *-[ ]+(?:request|response|recorded_at):", re.MULTILINE)


class Vcr:
    """A VCR cassette: a YAML document with a list of `interactions`."""

    name = "vcr"
    note = (
        "VCR cassettes hold no times; where bodies are stored parsed (`parsed_body`), their keys may stand in "
        "another order than the one that was sent."
    )

    def claim(self, source: Source) -> float:
        """Sure when a line is `interactions:` and list items with requests follow."""
        head = source.head().removeprefix(b"\xef\xbb\xbf")
        top = _TOP.search(head)
        if top is None:
            return 0.0
        return 0.95 if _ITEM.search(head, top.end()) else 0.3

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each interaction that holds the JSON body of a POST."""
        number = 0
        try:
            with source.open() as stream:
                for number, item in enumerate(YamlItems(Feed(stream), "interactions"), 1):
                    try:
                        yield _exchange(item, number, context)
                    except RecordError as error:
                        context.skip(number, error.reason, error.detail)
        except RecordError as error:
            context.skip(number + 1, error.reason, error.detail)
        except STREAM_ERRORS as error:
            context.skip_rest(number + 1, error)


def _exchange(item: Any, number: int, context: ReadContext) -> Exchange:
    if isinstance(item, RecordError):
        raise item
    request = item.get("request") if isinstance(item, dict) else None
    if not isinstance(request, dict):
        raise RecordError("bad-shape", "no `request` in the interaction")
    url = request.get("uri")
    exchange = Exchange(
        record=number,
        request=request_body(_text(request.get("method")) or "POST", _body(request, "the request body")),
        url=safe_url(_text(url)),
        headers=kept_headers(_headers(request)),
    )
    response = item.get("response")
    if isinstance(response, dict):
        status = response.get("status")
        code = status.get("code") if isinstance(status, dict) else status
        exchange.status = code if type(code) is int else None
        try:
            exchange.response = mend_surrogates(_body(response, "the response"))
        except RecordError as error:
            context.skip_response(number, error.detail)
    return exchange


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _headers(message: dict[Any, Any]) -> dict[str, str]:
    """Headers by their names in lower case; of repeated ones the first."""
    stored = message.get("headers")
    found: dict[str, str] = {}
    for name, value in stored.items() if isinstance(stored, dict) else ():
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(name, str) and isinstance(value, str):
            found.setdefault(name.lower(), value)
    return found


def _body(message: dict[Any, Any], what: str) -> bytes:
    """The body of a request or response, decompressed; empty for none."""
    if message.get("parsed_body") is not None:
        return _json(message["parsed_body"], what)
    body = message.get("body")
    if isinstance(body, dict):
        body = body.get("string", body.get("base64_string"))
    if body is None:
        return b""
    if isinstance(body, str):
        # A text went through a decoder already, whatever the headers say of it.
        return body.encode("utf-8", "surrogatepass")
    if not isinstance(body, bytes):
        raise RecordError("bad-shape", f"{what} is neither text nor binary data")
    try:
        return decoded(body, _headers(message).get("content-encoding", ""))
    except EncodingError as error:
        raise RecordError("bad-encoding", f"{what}: {error}") from None


def _json(value: Any, what: str) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, UnicodeEncodeError):
        raise RecordError("bad-shape", f"{what} is no JSON") from None
    except RecursionError:
        raise RecordError("too-deep", f"{what} is nested too deeply") from None
