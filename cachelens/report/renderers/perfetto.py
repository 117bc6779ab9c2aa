"""A timeline of requests. In: an analysis. Out: a trace that ui.perfetto.dev and chrome://tracing open.

One process a session, one thread a lineage, one slice a request, with a slice in it that ends with the first token;
a mark where a prompt departs from the one before it; counters of tokens from cache and tokens computed so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.result import Result
    from cachelens.model.rows import RequestRow
    from cachelens.report.renderers.base import Document

#: Length of a request in a trace without any times, in microseconds.
_UNTIMED = 1_000_000
_NAME = 60
_PATH = 120

Event = dict[str, Any]


class Perfetto:
    """Trace Event Format, as JSON. Times are microseconds since the first request started."""

    name = "perfetto"
    suffixes: tuple[str, ...] = (".perfetto.json", ".trace.json")
    documents: frozenset[DocumentKind] = frozenset({"result"})
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """UTF-8 JSON; `options` change nothing. Raises TypeError for anything but an analysis.

        Where no request has a time all are drawn one second long, in their order; where some have none, these stand
        as marks without length behind the request before them. `otherData.clock` says which it is.
        """
        import msgspec

        from cachelens.model.result import Result
        from cachelens.report.terminal.heading import cache_model

        if not isinstance(document, Result):
            raise TypeError(f"{self.name} shows analyses only")
        spans = _spans(document.requests)
        unknown = sum(row.started_s is None for row in document.requests)
        file = {
            "displayTimeUnit": "ms",
            "otherData": {
                "made by": f"cachelens {document.cachelens}",
                "cache": cache_model(document.engine),
                "clock": _clock(unknown, len(spans)),
                "requests": len(spans),
                "requests without times": unknown,
            },
            "traceEvents": [*_events(document, spans)],
        }
        return msgspec.json.encode(file) + b"\n"


def _clock(unknown: int, requests: int) -> str:
    if unknown < requests or not requests:
        return "microseconds since the first request started"
    return "not in the capture: requests are drawn one second long, in their order"


def _spans(rows: Sequence[RequestRow]) -> list[tuple[int, int]]:
    """Start and end of each request in microseconds."""
    if all(row.started_s is None for row in rows):
        return [(at * _UNTIMED, (at + 1) * _UNTIMED) for at in range(len(rows))]
    spans: list[tuple[int, int]] = []
    for row in rows:
        if row.started_s is None:
            last = spans[-1][0] if spans else 0
            spans.append((last, last))
            continue
        start = _micro(row.started_s)
        end = next((time for time in (row.ended_s, row.first_token_s) if time is not None), row.started_s)
        spans.append((start, max(start, _micro(end))))
    return spans


def _micro(seconds: float) -> int:
    return round(seconds * 1_000_000)


class _Lanes:
    """Threads of each lineage: slices of one thread must not overlap, requests of a lineage may."""

    def __init__(self) -> None:
        self._free_from: dict[tuple[str, str], dict[int, int]] = {}
        self._last = 0

    def place(self, row: RequestRow, start: int, end: int) -> tuple[int, bool, int]:
        """The thread for a request, whether it is a new one, and which of its lineage (from 1)."""
        lanes = self._free_from.setdefault((row.session_id, row.lineage_id), {})
        for number, (lane, free) in enumerate(lanes.items(), 1):
            if free <= start:
                lanes[lane] = end
                return lane, False, number
        self._last += 1
        lanes[self._last] = end
        return self._last, True, len(lanes)


def _events(result: Result, spans: Sequence[tuple[int, int]]) -> Iterator[Event]:
    sessions = list(dict.fromkeys(row.session_id for row in result.requests))
    whole = len(sessions) > 1
    process = {session: number + whole for number, session in enumerate(sessions, 1)}
    if whole:
        yield _called("process_name", "all sessions", 1)
    for session, pid in process.items():
        yield _called("process_name", f"session {_clean(session, _NAME)}", pid)
    lanes = _Lanes()
    order = sorted(range(len(spans)), key=lambda at: (spans[at][0], at))
    sums: dict[int, tuple[int, int]] = {}
    for at in order:
        row, (start, end) = result.requests[at], spans[at]
        pid = process[row.session_id]
        tid, new, number = lanes.place(row, start, end)
        if new:
            label = f"lineage {_clean(row.lineage_id, _NAME)}" + (f" ({number})" if number > 1 else "")
            yield _called("thread_name", label, pid, tid)
        yield from _request(row, start, end, pid, tid)
        hit = row.outcomes.get("hit", 0)
        for counted in (pid, 1) if whole else (pid,):
            before = sums.get(counted, (0, 0))
            sums[counted] = (before[0] + hit, before[1] + row.prompt_tokens - hit)
            yield {
                "ph": "C",
                "name": "tokens so far",
                "ts": start,
                "pid": counted,
                "args": {"from cache": sums[counted][0], "computed": sums[counted][1]},
            }


def _called(what: str, name: str, pid: int, tid: int = 0) -> Event:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _request(row: RequestRow, start: int, end: int, pid: int, tid: int) -> Iterator[Event]:
    from cachelens.report.units import share

    place = {"ts": start, "pid": pid, "tid": tid}
    hit = row.outcomes.get("hit", 0)
    name = f"{_clean(row.request_id, _NAME)}, {share(hit, row.prompt_tokens)} from cache"
    yield {"ph": "X", "name": name, "cat": "request", "dur": end - start, **place, "args": _arguments(row)}
    if row.started_s is not None and row.first_token_s is not None:
        first = _micro(row.first_token_s)
        if start < first <= end:
            yield {
                "ph": "X",
                "name": "until the first token",
                "cat": "request",
                "dur": first - start,
                **place,
            }
    for what, found in (("prompt", row.break_), ("reply", row.echo)):
        if found is None:
            continue
        arguments = {
            "departs from": what,
            "component": _clean(found.component, _NAME),
            "path": _clean(found.path, _PATH),
            "token_offset": found.token_offset,
            "lost_tokens": found.lost_tokens,
        }
        yield {
            "ph": "i",
            "s": "t",
            "name": f"{what} {_clean(found.kind, _NAME)}",
            "cat": "break",
            **place,
            "args": arguments,
        }


def _arguments(row: RequestRow) -> dict[str, str | int | float]:
    """What is shown of a request when it is selected: only what is known."""
    hit = row.outcomes.get("hit", 0)
    found: dict[str, str | int | float | None] = {
        "request_id": _clean(row.request_id, _NAME),
        "model": None if row.model is None else _clean(row.model, _NAME),
        "prompt_tokens": row.prompt_tokens,
        "hit_tokens": hit,
        "computed_tokens": row.prompt_tokens - hit,
        **{f"{name}_tokens": tokens for name, tokens in row.outcomes.items() if name != "hit"},
        "wasted_tokens": row.wasted_tokens,
        "output_tokens": row.output_tokens,
        "reported_cached_tokens": row.reported_cached_tokens,
        "expected": row.expected,
        "start": None if row.started_s is not None else "not in the capture",
        "end": None if row.ended_s is not None else "not in the capture",
        "source": f"{_clean(row.source_file, _PATH, keep_end=True)}, record {row.source_record:,}",
    }
    return {name: value for name, value in found.items() if value is not None}


def _clean(text: str, limit: int, keep_end: bool = False) -> str:
    from cachelens.report.untrusted import clean

    return clean(text, limit, keep_end)
