"""Reading JSON one level at a time. In: raw JSON of a value. Out: its fields, elements or text, or `BadBody`.

Values below stay raw, so that a tool's arguments keep the spelling of their numbers and the order of
their keys; `compact_json` gives them their canonical text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from cachelens.ingest.dialects.base import BadBody

#: Raw JSON. `msgspec.Raw` is a buffer, though no `bytes`.
Buffer = bytes | msgspec.Raw
#: The fields of a JSON object, each undecoded. Of a repeated key the last one stays.
Fields = dict[str, bytes]
#: A value that is absent.
NOTHING = b""

_T = TypeVar("_T")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_RAW = msgspec.json.Decoder(msgspec.Raw)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_STRING_OR_SPACE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[ \t\n\r]++', re.DOTALL)
_KINDS = {b"{": "object", b"[": "list", b'"': "string", b"n": ""}
_QUOTE = json.JSONEncoder(ensure_ascii=False).encode


def decode(decoder: msgspec.json.Decoder[_T], raw: Buffer) -> _T:
    """`raw` as `decoder` reads it. Raises BadBody: `too-deep`, `unexpected-shape` or `bad-json`.

    Half a surrogate pair, as JavaScript leaves behind when it cuts a text, is read as U+FFFD.
    """
    try:
        return decoder.decode(raw)
    except RecursionError as error:
        raise BadBody("too-deep") from error
    except msgspec.ValidationError as error:
        raise BadBody("unexpected-shape", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        mended = mend_surrogates(raw)
        if mended == bytes(raw):
            raise BadBody("bad-json") from error
    return decode(decoder, mended)


def mend_surrogates(raw: Buffer) -> bytes:
    """JSON with every escaped half of a surrogate pair replaced by an escaped U+FFFD."""
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], bytes(raw))


def fields(raw: Buffer) -> Fields:
    """The fields of a JSON object."""
    return {key: bytes(value) for key, value in decode(_FIELDS, raw).items()}


def items(raw: Buffer) -> list[bytes]:
    """The elements of a JSON list."""
    return [bytes(value) for value in decode(_ITEMS, raw)]


def object_of(given: Fields) -> bytes:
    """The JSON object that has these fields."""
    return b"{" + b",".join(quote(key).encode() + b":" + value for key, value in given.items()) + b"}"


def list_of(values: Iterable[bytes]) -> bytes:
    """The JSON list of these values."""
    return b"[" + b",".join(values) + b"]"


def string_of(value: str) -> bytes:
    """The JSON string of a text."""
    return quote(value).encode()


def head(raw: Buffer, size: int) -> bytes:
    """The first `size` bytes."""
    return memoryview(raw)[:size].tobytes()


def kind_of(raw: Buffer | None) -> str:
    """`object`, `list`, `string`, `other` (a number or a bool), or empty for null and for nothing."""
    if not raw:
        return ""
    first = raw[:1] if isinstance(raw, bytes) else head(raw, 1)
    return _KINDS.get(first, "other")


def text(raw: Buffer | None) -> str:
    """A JSON string; empty for null and for nothing."""
    return decode(_TEXT, raw) if raw is not None and kind_of(raw) else ""


def text_or_none(raw: Buffer | None) -> str | None:
    """A JSON string, or None where there is none or it is empty: for names and ids."""
    return (text(raw) or None) if kind_of(raw) == "string" else None


def is_true(raw: bytes | None) -> bool:
    """Whether the value is the literal `true`."""
    return raw == b"true"


def compact_json(raw: bytes, drop: frozenset[str] = frozenset(), depth: int = 1) -> str:
    """`raw` without insignificant whitespace, escapes written in their shortest form, all else as it was.

    Numbers keep their spelling and keys their order. The keys in `drop` are left out of objects nested
    less than `depth` deep (1: only of the outermost). Raises BadBody for what is not one JSON value.
    """
    if drop and depth > 0 and any(f'"{key}"'.encode() in raw for key in drop):
        outer = kind_of(raw)
        if outer == "object":
            kept = ((key, value) for key, value in fields(raw).items() if key not in drop)
            return (
                "{"
                + ",".join(f"{quote(key)}:{compact_json(value, drop, depth - 1)}" for key, value in kept)
                + "}"
            )
        if outer == "list":
            return "[" + ",".join(compact_json(value, drop, depth) for value in items(raw)) + "]"
    whole = bytes(decode(_RAW, raw))
    try:
        return _STRING_OR_SPACE.sub(_squeezed, whole.decode())
    except UnicodeDecodeError as error:
        raise BadBody("bad-json") from error


def quote(value: str) -> str:
    """A JSON string with nothing escaped but what must be; half a surrogate pair becomes U+FFFD."""
    return _QUOTE(value.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _squeezed(found: re.Match[str]) -> str:
    token = found[0]
    if token[0] != '"':
        return ""
    return quote(json.loads(token)) if "\\" in token else token
