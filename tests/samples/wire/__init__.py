"""Spellings of a turn on the wire. Each module: `body`, `rendered`, `reply_json`, `reply_sse`, URL and model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def compact(value: Any) -> str:
    """JSON without spaces, as clients send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def events(items: Iterable[Json], named: bool = False, end: str = "\n\n") -> str:
    """Server-sent events, one per item; `named` repeats its type in an `event:` line."""
    return "".join(
        f"event: {item['type']}\ndata: {compact(item)}{end}" if named else f"data: {compact(item)}{end}"
        for item in items
    )


def said(value: Any) -> str:
    """The text in a piece of a body, as a server would render it: strings as they are, calls as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(said, value))
    shown = (value[k] for k in ("name", "thinking", "text", "content", "arguments", "output") if k in value)
    inner = [compact(value[k]) for k in ("input", "args") if k in value]
    inner += [said(value[k]) for k in ("functionCall", "functionResponse", "response") if k in value]
    return f"<{value.get('type', '')}>" + "".join([*map(said, shown), *inner])


def chunks(text: str, size: int = 160) -> list[str]:
    """`text` in pieces of up to `size` characters, at least one."""
    return [text[i : i + size] for i in range(0, len(text), size)] or [""]
