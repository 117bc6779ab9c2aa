"""Request and response bodies on their way out of a container. In: JSON as stored. Out: bytes for a dialect.

JavaScript cuts strings by UTF-16 units, so halves of surrogate pairs appear as `\\ud83d` escapes. No
UTF-8 exists for them; like a browser that sends such text, they become U+FFFD here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from cachelens.ingest.exchange import kept_headers
from cachelens.ingest.formats.base import ReadContext, RecordError

_ESCAPE = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_OBJECT = re.compile(rb"[ \t\r\n]*+\{")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_NULLS = (b"", b"null", b'""')
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "CONNECT", "DELETE", "TRACE"})
_BOM = b"\xef\xbb\xbf"
_RAW = msgspec.json.Decoder(msgspec.Raw)
_TEXT = msgspec.json.Decoder(str)


def mend_surrogates(data: bytes) -> bytes:
    r"""JSON text with each `\ud8xx` that is half of a pair made `\ufffd`; `data` itself if there is none."""
    if not _SURROGATE.search(data):
        return data
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[2] else match[0], data)


def text_bytes(raw: bytes) -> bytes:
    """UTF-8 of a JSON string. Raises msgspec.DecodeError or UnicodeDecodeError when it is none."""
    try:
        return _TEXT.decode(raw).encode()
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return _TEXT.decode(mend_surrogates(raw)).encode()


def json_bytes(raw: msgspec.Raw) -> bytes:
    """A stored value as it is; empty for null and for one that is missing."""
    data = bytes(raw)
    return b"" if data in _NULLS else data


def request_bytes(raw: msgspec.Raw) -> tuple[bytes, bool]:
    """A stored request body, empty for null, and whether it was embedded as JSON and so is known to be valid.

    The other way is a string that holds its text.
    """
    data = bytes(raw)
    if data in _NULLS:
        return b"", True
    if data[:1] != b'"':
        return data, True
    try:
        return text_bytes(data), False
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RecordError("not-json", "the request body is a broken string") from None


def response_bytes(raw: msgspec.Raw, record: int, context: ReadContext) -> bytes:
    """A stored response, JSON or the text of a string; empty for null, and (counted) for a broken one."""
    data = bytes(raw)
    if data in _NULLS:
        return b""
    if data[:1] != b'"':
        return data
    try:
        return mend_surrogates(text_bytes(data))
    except (msgspec.DecodeError, UnicodeDecodeError):
        context.skip_response(record, "the response is a broken string")
        return b""


def request_body(method: str, body: bytes, checked: bool = False) -> bytes:
    """`body` when it is the JSON object of a POST, otherwise RecordError with the reason to skip it.

    `checked`: it is known to be valid JSON.
    """
    if method.upper() in _BODILESS:
        raise RecordError("no-request-body", "no POST request")
    if not body or body.isspace():
        raise RecordError("no-request-body", "the request has no body, or it was not captured")
    if method.upper() not in ("POST", ""):
        raise RecordError("not-post", "a request of another method than POST")
    body = body.removeprefix(_BOM)
    if not _OBJECT.match(body):
        raise RecordError("not-json", "the request body is no JSON object")
    return body if checked else valid_json(body)


def valid_json(body: bytes) -> bytes:
    """`body`, with lone surrogates mended, when it is valid JSON in UTF-8; raises RecordError otherwise."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise RecordError("bad-utf8", "the request body is no valid UTF-8") from None
    try:
        try:
            _RAW.decode(body)
        except msgspec.DecodeError:
            body = mend_surrogates(body)
            _RAW.decode(body)
    except msgspec.DecodeError:
        raise RecordError("not-json", "the request body is no valid JSON") from None
    except RecursionError:
        raise RecordError("too-deep", "the request body is nested too deeply") from None
    return body


def headers_of(raw: msgspec.Raw) -> dict[str, str]:
    """The kept headers among those stored as an object, as pairs or as `{"name", "value"}` objects."""
    data = bytes(raw)
    if data in _NULLS:
        return {}
    try:
        stored = msgspec.json.decode(mend_surrogates(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return kept_headers(_pairs(stored))


def _pairs(stored: object) -> Iterable[tuple[str, str]]:
    items: Iterable[object]
    if isinstance(stored, dict):
        items = stored.items()
    elif isinstance(stored, list):
        items = [(item.get("name"), item.get("value")) if isinstance(item, dict) else item for item in stored]
    else:
        return
    for item in items:
        if isinstance(item, (list, tuple)) and len(item) == 2:
            name, value = item
            if isinstance(value, list) and value:
                value = value[0]
            if isinstance(name, str) and isinstance(value, str):
                yield name, value
