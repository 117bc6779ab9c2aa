"""An analysis as tables. In: a `Result`. Out: `ANALYSIS`, what makes each table by its name.

Every table has one kind of row. `request_id` joins those about requests; tokens in `outcomes` and `labels` sum to the
prompt tokens of their request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cachelens.model.findings import Finding, Location, Saving
from cachelens.model.kinds import BUCKETS, LABELS, OUTCOMES
from cachelens.model.result import Result
from cachelens.model.rows import RequestRow
from cachelens.report.tables.shape import Column, Row, Table, columns

_REQUEST = (
    *columns(str, ("request_id", "session_id", "lineage_id", "previous_request_id", "source_file")),
    Column("source_record", int),
    Column("model", str),
    *columns(int, ("prompt_tokens", "reusable_tokens", "reported_cached_tokens")),
)
#: Columns about why a request was not served, and what was expected of its server.
_WHY = (*columns(str, ("expected", "miss_reason", "evicted_by")), Column("idle_s", float))
_REQUEST_BREAK = (
    *columns(str, ("break_kind", "break_path")),
    *columns(int, ("break_token_offset", "break_lost_tokens")),
    *columns(str, ("echo_kind", "echo_path")),
)
_BREAK = (
    *columns(str, ("kind", "previous_request_id")),
    Column("segment", int),
    Column("component", str),
    Column("message", int),
    *columns(str, ("path", "name")),
    *columns(int, ("token_offset", "segment_offset", "char_offset", "lost_tokens")),
)
_FINDING = (
    *columns(str, ("code", "name", "title", "verdict")),
    *columns(int, ("requests", "sessions", "tokens")),
    Column("measure", str),
    Column("changes_input", bool),
    Column("left_out", int),
    *columns(str, ("break_even", "fix", "fingerprint")),
)
_SAVING = (
    *columns(int, ("computed_tokens", "prompt_tokens")),
    *columns(float, ("share", "cost_usd", "cost_share", "flops")),
)
_LOCATION = (
    *columns(str, ("request_id", "previous_request_id", "component", "path")),
    Column("message", int),
    Column("name", str),
    *columns(int, ("char_offset", "token_offset")),
    *columns(str, ("digest", "previous_digest", "before", "now")),
)
_BUCKET = (
    *columns(int, ("carried_tokens", "computed_tokens", "held_tokens")),
    *columns(float, ("cost_usd", "flops", "held_bytes")),
)
_LAYOUT = (
    *columns(str, ("engine", "order")),
    *columns(int, ("prompt_tokens", "hit_tokens", "prefilled_tokens")),
    *columns(float, ("hit_rate", "cost_usd")),
)


def _requests(result: Result) -> Table:
    tokens = (
        *(f"{name}_tokens" for name in OUTCOMES),
        *(f"{name}_tokens" for name in LABELS[1:]),
        *(f"{name}_carried_tokens" for name in BUCKETS[1:]),
    )
    found = (*_REQUEST, *columns(int, tokens), *_WHY, *_REQUEST_BREAK)
    return Table(found, tuple(_request(row) for row in result.requests))


def _request(row: RequestRow) -> Row:
    found, echo = row.break_, row.echo
    return (
        *_fields(row, _REQUEST),
        *(row.outcomes.get(name, 0) for name in OUTCOMES),
        *(row.labels.get(name, 0) for name in LABELS[1:]),
        *(row.buckets.get(name, 0) for name in BUCKETS[1:]),
        *_fields(row, _WHY),
        *((None,) * 4 if found is None else (found.kind, found.path, found.token_offset, found.lost_tokens)),
        *((None, None) if echo is None else (echo.kind, echo.path)),
    )


def _outcomes(result: Result) -> Table:
    return _by_request(
        "outcome", ((row.request_id, OUTCOMES, row.outcomes) for row in result.requests), "tokens"
    )


def _labels(result: Result) -> Table:
    """With the live tokens, so that they sum to the prompt; nothing where labels were not looked for."""
    told = result.requests if result.labels else ()
    return _by_request("label", ((row.request_id, LABELS, _with_live(row)) for row in told), "tokens")


def _with_live(row: RequestRow) -> dict[str, int]:
    return {"live": row.prompt_tokens - sum(row.labels.values()), **row.labels}


def _buckets(result: Result) -> Table:
    found = ((row.request_id, BUCKETS, row.buckets) for row in result.requests)
    return _by_request("bucket", found, "carried_tokens")


def _by_request(what: str, found: Iterator[tuple[str, Sequence[str], dict[str, int]]], tokens: str) -> Table:
    """A row for each name with tokens in a request, in the order of the vocabulary."""
    return Table(
        (*columns(str, ("request_id", what)), Column(tokens, int)),
        tuple(
            (request_id, name, held[name])
            for request_id, names, held in found
            for name in names
            if held.get(name)
        ),
    )


def _waste(result: Result) -> Table:
    found = (Column("bucket", str), *_BUCKET, *columns(int, tuple(f"{name}_tokens" for name in OUTCOMES)))
    rows = (
        (name, *_fields(bucket, _BUCKET), *(bucket.causes.get(outcome, 0) for outcome in OUTCOMES))
        for name, bucket in result.buckets.items()
    )
    return Table(found, tuple(rows))


def _findings(result: Result) -> Table:
    found = (*_FINDING, *_prefixed("saving_", _SAVING), *_prefixed("worst_", _LOCATION))
    return Table(found, tuple(_finding(item) for item in result.findings))


def _finding(item: Finding) -> Row:
    saving: Saving | None = item.saving
    location: Location | None = item.location
    return (*_fields(item, _FINDING), *_fields(saving, _SAVING), *_fields(location, _LOCATION))


def _breaks(result: Result) -> Table:
    """Where a prompt departs from the one before it, and where the copy of a reply departs from the reply."""
    rows = (
        (row.request_id, row.lineage_id, of, *_fields(found, _BREAK))
        for row in result.requests
        for of, found in (("prompt", row.break_), ("reply", row.echo))
        if found is not None
    )
    return Table((*columns(str, ("request_id", "lineage_id", "departs_from")), *_BREAK), tuple(rows))


def _layouts(result: Result) -> Table:
    return Table(_LAYOUT, tuple(_fields(row, _LAYOUT) for row in result.engines))


def _skipped(result: Result) -> Table:
    rows = (
        (
            report.source,
            report.reason,
            report.records,
            report.places[0] if report.places else None,
            report.detail,
        )
        for report in result.trace.skipped
    )
    found = (
        *columns(str, ("source", "reason")),
        *columns(int, ("records", "first_record")),
        Column("detail", str),
    )
    return Table(found, tuple(rows))


def _fields(value: Any, wanted: Sequence[Column]) -> Row:
    """The fields of those names; None throughout where there is no value."""
    return tuple(None if value is None else getattr(value, column.name) for column in wanted)


def _prefixed(prefix: str, wanted: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(Column(prefix + column.name, column.type) for column in wanted)


#: What makes each table of an analysis, by name: those of `cachelens.report.tables.names.TABLES`.
ANALYSIS: Final[dict[str, Callable[[Result], Table]]] = {
    "requests": _requests,
    "outcomes": _outcomes,
    "labels": _labels,
    "buckets": _buckets,
    "waste": _waste,
    "findings": _findings,
    "breaks": _breaks,
    "layouts": _layouts,
    "skipped": _skipped,
}
