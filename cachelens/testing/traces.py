"""Requests of a unit test as a trace. In: bodies, pairs, or a capture. Out: tables that hold all of them, whole.

Nothing is left out in silence: an assertion about half of what it was given would pass for the wrong reason.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict, cast

import msgspec
import numpy as np
import polars as pl

from cachelens.api.traces import Trace
from cachelens.errors import InputError, UsageError, unknown_name
from cachelens.model.options import IngestOptions
from cachelens.model.trace import Trace as Tables
from cachelens.pipeline.loading import load

#: The body of a request, as an SDK takes it or sends it.
Body = Mapping[str, Any]
#: What assertions take: bodies in order, or (body, response) pairs; a capture; a trace, or its tables.
Requests = Sequence[Body | tuple[Body, Any]] | str | os.PathLike[str] | Trace | Tables

#: How the source of bodies is called, and the requests in it: `requests[3]`.
_NAME = "requests"
#: When the first request starts, where times are given.
_START = datetime(2027, 1, 1, tzinfo=UTC)
#: Records of a capture that are no prompts: lists of models, counts of tokens, embeddings.
_NO_REQUESTS = frozenset({"no-request-body", "not-post", "not-an-llm-request"})
#: What may be missing without harm to any prompt.
_HARMLESS = frozenset({"response-unreadable"})
#: Requests named in a message.
_NAMED = 5


class Reading(TypedDict, total=False):
    """How requests are read.

    For bodies: `url` they are sent to, which tells API and provider better than a body; `gap_s` seconds from the
    start of one to that of the next (without it there are no times, and nothing expires). For all but a `Trace`:
    `encoding` and `render` as in `IngestOptions`.
    """

    url: str
    gap_s: float
    encoding: str
    render: str


def read(requests: Requests, reading: Reading) -> Tables:
    """The tables of `requests`.

    Raises UsageError for options that do not fit, for what is no JSON, and where a part of a prompt is not there
    (it stands on the server, or in a response that was not given); InputError for what cannot be read.
    """
    unknown = sorted(reading.keys() - Reading.__optional_keys__)
    if unknown:
        raise unknown_name("option", unknown[0], Reading.__optional_keys__)
    options = IngestOptions(
        encoding=reading.get("encoding", IngestOptions.encoding), render=reading.get("render")
    )
    if isinstance(requests, (Trace, Tables)):
        _refuse(reading, ("url", "gap_s", "encoding", "render"), "a trace")
        trace = requests.tables if isinstance(requests, Trace) else requests
    elif isinstance(requests, (str, os.PathLike)):
        _refuse(reading, ("url", "gap_s"), "a capture")
        trace = load([os.fspath(requests)], options)
        _readable(trace, _NO_REQUESTS)
    elif isinstance(requests, Sequence):
        trace = _bodies(cast(Sequence[Any], requests), reading, options)
        _readable(trace, frozenset())
    else:
        raise UsageError(
            f"a list of request bodies is needed, not one {type(requests).__name__}",
            "put the body into a list, with those that follow it",
        )
    _whole(trace)
    return trace


def as_one_conversation(trace: Tables) -> Tables:
    """The trace with every request as the continuation of the one before, whatever its prompt says."""
    return _following(trace, [at - 1 for at in range(len(trace))])


def against_the_first(trace: Tables) -> Tables:
    """The trace with every request as a continuation of the first one."""
    return _following(trace, [-1, *[0] * (len(trace) - 1)])


def _following(trace: Tables, predecessor: list[int]) -> Tables:
    ids = trace.requests["request_id"].to_list()
    before = pl.Series([ids[at] if at >= 0 else None for at in predecessor], dtype=pl.String)
    frame = trace.requests.with_columns(
        session_id=pl.lit("s1"), lineage_id=pl.lit("l1"), previous_request_id=before, parent_request_id=before
    )
    return replace(trace, requests=frame, predecessor=np.array(predecessor, dtype=np.int64))


def _refuse(reading: Reading, names: tuple[str, ...], what: str) -> None:
    given = [name for name in names if name in reading]
    if given:
        raise UsageError(f"{', '.join(given)}: not for {what}, which has its own", "leave it out")


def _bodies(requests: Sequence[Body | tuple[Body, Any]], reading: Reading, options: IngestOptions) -> Tables:
    if not requests:
        raise UsageError("there are no requests to look at")
    gap = reading.get("gap_s")
    if gap is not None and not 0 <= gap <= 86_400 * 365:
        raise UsageError(f"gap_s: {gap} is no number of seconds between requests")
    lines = []
    for at, item in enumerate(requests):
        body, response = item if isinstance(item, tuple) else (item, None)
        record = {"request_id": f"{_NAME}[{at}]", "request": body, "response": _text(response)}
        if "url" in reading:
            record["url"] = reading["url"]
        if gap is not None:
            record["timestamp"] = (_START + timedelta(seconds=at * gap)).isoformat()
        lines.append(_line(at, record))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{_NAME}.jsonl"
        path.write_text("".join(lines), encoding="ascii")
        try:
            trace = load([str(path)], replace(options, input_format="pairs"))
        except InputError as error:
            raise InputError(error.message.replace(str(path), _NAME), error.hint) from None
    skipped = tuple(msgspec.structs.replace(report, source=_NAME) for report in trace.skipped)
    frame = trace.requests.with_columns(source_file=pl.lit(_NAME))
    return replace(trace, requests=frame, sources=(_NAME,), skipped=skipped)


def _line(at: int, record: dict[str, Any]) -> str:
    if not isinstance(record["request"], Mapping):
        raise UsageError(f"{_NAME}[{at}] is no request body, but one {type(record['request']).__name__}")
    try:
        return json.dumps(record, default=_plain, allow_nan=False) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{_NAME}[{at}] is no JSON: {error}") from None


def _text(response: Any) -> Any:
    return response.decode("utf-8", "replace") if isinstance(response, bytes) else response


def _plain(value: Any) -> Any:
    """What stands for an object inside a body: SDKs send the fields that are set in a model of theirs."""
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json", exclude_unset=True, exclude=getattr(value, "__api_exclude__", None))
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be sent")


def _readable(trace: Tables, harmless: frozenset[str]) -> None:
    """Raise InputError unless all records were read."""
    for report in trace.skipped:
        if report.reason in harmless:
            continue
        where = (
            f"{_NAME}[{report.places[0] - 1}]"
            if report.source == _NAME
            else f"{report.source}: record {report.places[0]}"
        )
        detail = f", {report.detail}" if report.detail else ""
        raise InputError(
            f"{where} could not be read: {report.reason}{detail}",
            "to leave such records out, load the capture with cachelens.load and pass the trace",
        )


def _whole(trace: Tables) -> None:
    """Raise UsageError unless every prompt is there as a whole, and as text or token ids."""
    frame = trace.requests
    if "hashes" in frame["dialect"].to_list():
        raise UsageError("block hashes do not say what a prompt holds, so nothing can be asserted of it")
    ids, partial = frame["request_id"].to_list(), frame["partial"].to_list()
    some = [(name, why) for name, why in zip(ids, partial, strict=True) if why and why not in _HARMLESS]
    if some:
        named = ", ".join(f"{name} ({why})" for name, why in some[:_NAMED])
        raise UsageError(
            f"{len(some)} of {len(trace)} prompts are known only in part: {named}",
            "where a request continues a stored response, pass (body, response) pairs",
        )
