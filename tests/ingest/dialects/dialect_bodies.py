"""Builders: small bodies and streams in each wire API, and the parts that are compared."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from cachelens.ingest.dialects.base import Body, Part


def dump(value: object) -> bytes:
    """JSON as most clients write it."""
    return json.dumps(value, ensure_ascii=False).encode()


def body(**fields: Any) -> Body:
    """A request body with these fields."""
    return msgspec.json.decode(dump(fields), type=Body)


def plain(parts: list[Part]) -> list[tuple[object, ...]]:
    """What parts mean, without where they stand and what marks them."""
    return [
        (part.kind, part.role, part.text, part.starts, part.name, part.call_id, part.opaque) for part in parts
    ]


def sse(*events: object, names: bool = False) -> bytes:
    """An event stream of these JSON values; a string is sent as it is."""
    out = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if names and isinstance(event, dict) else ""
        out.append(f"{name}data: {data}\n\n")
    return "".join(out).encode()
