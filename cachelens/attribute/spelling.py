"""Whether two texts say the same in other bytes. In: two texts. Out: what differs in their spelling, or None."""

from __future__ import annotations

import unicodedata

import msgspec

#: Longer texts are not parsed: spelling differs in small things.
_LONGEST = 1 << 20


def respelling(then: str, now: str) -> str | None:
    """What kind of respelling leads from `then` to `now`; None when it is not the same text.

    `white space`, `Unicode form`, `key order`, `JSON spelling` (numbers, escapes, spaces) or `JSON in a string`.
    """
    if then == now or max(len(then), len(now)) > _LONGEST:
        return None
    if unicodedata.normalize("NFC", then) == unicodedata.normalize("NFC", now):
        return "Unicode form"
    if "".join(then.split()) == "".join(now.split()):
        return "white space"
    name, arguments = _parted(then)
    other_name, other_arguments = _parted(now)
    if name != other_name:
        return None
    one, other = _json(arguments), _json(other_arguments)
    if one is _NOT_JSON or other is _NOT_JSON:
        return None
    if isinstance(one, str) != isinstance(other, str):
        one, other = (_json(value) if isinstance(value, str) else value for value in (one, other))
        return "JSON in a string" if one is not _NOT_JSON and _sorted(one) == _sorted(other) else None
    if _sorted(one) != _sorted(other):
        return None
    plain = msgspec.json.encode
    return "JSON spelling" if plain(one) == plain(other) else "key order"


_NOT_JSON = object()


def _parted(text: str) -> tuple[str, str]:
    """Name and arguments of a tool call; any other text is all arguments."""
    name, line, arguments = text.partition("\n")
    return (name, arguments) if line and arguments[:1] in ("{", '"', "[") else ("", text)


def _sorted(value: object) -> bytes | None:
    """JSON with keys in order, in which `0`, `0.0` and `false` are not the same; None for what is no JSON."""
    return None if value is _NOT_JSON else msgspec.json.encode(value, order="deterministic")


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return _NOT_JSON
