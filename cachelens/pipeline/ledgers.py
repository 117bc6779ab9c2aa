"""Both planes as rows. In: a case. Out: a frame, bytes of files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import groupby

import polars as pl

from cachelens.advise.case import Case
from cachelens.attribute.ledger import LedgerRow
from cachelens.model.kinds import BUCKETS, KINDS, LABELS, OUTCOMES

#: Columns of a ledger: tokens `[depth_lo, depth_hi)` of a request's prompt. `cause`: what made the outcome so:
#: the path of the edit (divergence), the evicting request (capacity), idle seconds (expiry). `label_cause`: the
#: path of the segment that makes the label so.
LEDGER: dict[str, pl.DataType] = {
    "request_id": pl.String(),
    "depth_lo": pl.Int64(),
    "depth_hi": pl.Int64(),
    "outcome": pl.String(),
    "cause": pl.String(),
    "label": pl.String(),
    "label_cause": pl.String(),
    "bucket": pl.String(),
    "kind": pl.String(),
}
_FRAME_ROWS = 1 << 16


def ledger_rows(case: Case) -> Iterator[tuple[object, ...]]:
    """Rows of LEDGER, by request and depth; neighbors that are equal in all but depth are one row."""
    ids = case.trace.requests["request_id"].to_list()
    segments = case.trace.segments
    for request, name in enumerate(ids):
        causes = _causes(case, request, ids)
        for key, rows in groupby(case.ledger.rows(request), key=lambda row: _key(case, row)):
            same = list(rows)
            outcome, label, label_cause, bucket, kind = key
            yield (
                name,
                same[0].lo,
                same[-1].hi,
                OUTCOMES[outcome],
                causes.get(OUTCOMES[outcome]),
                LABELS[label],
                segments.location(label_cause) if label_cause >= 0 else None,
                BUCKETS[bucket],
                KINDS[kind],
            )


def _key(case: Case, row: LedgerRow) -> tuple[int, int, int, int, int]:
    return row.outcome, row.label, row.label_cause, row.bucket, int(case.trace.segments.kind[row.row])


def _causes(case: Case, request: int, ids: list[str]) -> dict[str, str]:
    """What made each outcome of a request so, as far as it has a cause of its own."""
    found: dict[str, str] = {}
    edits = [edit for edit in case.past.edits_of.get(request, ()) if edit.after_tokens > 0]
    if edits:
        found["divergence"] = f"{edits[0].kind} {case.trace.segments.location(edits[0].row)}"
    evictor = int(case.evictor[request])
    if evictor >= 0:
        found["capacity"] = ids[evictor]
    if case.idle_us is not None and int(case.idle_us[request]) >= 0:
        found["expiry"] = f"{int(case.idle_us[request]) / 1e6:.1f} s"
    return found


def ledger_frame(case: Case) -> pl.DataFrame:
    """The ledger, with the columns of LEDGER."""
    frames: list[pl.DataFrame] = []
    rows: list[tuple[object, ...]] = []
    for row in ledger_rows(case):
        rows.append(row)
        if len(rows) == _FRAME_ROWS:
            frames.append(pl.DataFrame(rows, schema=LEDGER, orient="row"))
            rows = []
    frames.append(pl.DataFrame(rows, schema=LEDGER, orient="row"))
    return pl.concat(frames, rechunk=False)


def ledger_file(case: Case, suffix: str) -> bytes:
    """The ledger as `.parquet`, `.csv` or `.jsonl`."""
    frame = ledger_frame(case)
    stream = io.BytesIO()
    if suffix == ".parquet":
        frame.write_parquet(stream, compression="zstd", statistics=False)
    elif suffix == ".csv":
        frame.write_csv(stream)
    else:
        frame.write_ndjson(stream)
    return stream.getvalue()
