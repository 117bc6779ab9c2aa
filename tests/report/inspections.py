"""Inspections made by hand. In: numbers. Out: model objects whose pieces sum to the request's row."""

from __future__ import annotations

from typing import Any

from cachelens.model.inspection import (
    Departure,
    EditRow,
    Inspection,
    Piece,
    Pointer,
    SegmentRow,
    Side,
    Step,
    sums,
)
from cachelens.model.rows import EngineFacts
from tests.report import builders


def piece(lo: int, hi: int, outcome: str = "hit", label: str = "live", **changes: Any) -> Piece:
    return Piece(lo=lo, hi=hi, outcome=outcome, label=label, **changes)


def segment(position: int, *pieces: Piece, **changes: Any) -> SegmentRow:
    values: dict[str, Any] = {
        "position": position,
        "kind": "tool_result",
        "role": "tool",
        "path": f"messages[{position}].content",
        "name": None,
        "start": pieces[0].lo,
        "tokens": pieces[-1].hi - pieces[0].lo,
        "digest": f"{position:016x}",
        "pieces": pieces,
    }
    return SegmentRow(**(values | changes))


def inspection(*segments: SegmentRow, **changes: Any) -> Inspection:
    """One request of these segments; without any a broken one with two edits, one label and a lineage of three."""
    if segments:
        return _around(segments, **changes)
    cause = Pointer(path="messages[3].content", kind="tool_result", name="read_file", position=3)
    stale = {"label": "superseded_read", "label_cause": cause}
    rows = (
        segment(0, piece(0, 100), kind="tools", name="read_file", path="tools[0]"),
        segment(
            1,
            piece(100, 140),
            piece(140, 200, "divergence", bucket="retransmission"),
            kind="system",
            path="system",
        ),
        segment(2, piece(200, 900, "divergence", bucket="tool_output_reparsing", **stale)),
        segment(3, piece(900, 1000, "fresh")),
    )
    side = Side(position=1, kind="system", path="system", name=None, tokens=100, digest="a" * 16)
    edit = EditRow(
        number=1,
        kind="changed",
        compared_with="r2",
        token_offset=140,
        head=40,
        tail=50,
        after_tokens=750,
        before=side,
        now=side,
        code="CL101",
        rule="volatile-prefix",
    )
    found = builders.broken(
        760,
        previous_request_id="r2",
        segment=1,
        path="system",
        token_offset=140,
        segment_offset=40,
        char_offset=9,
    )
    values: dict[str, Any] = {
        "edits": (edit,),
        "divergence_edit": 1,
        "break_": Departure(at=found, before=side, now=side, edit=1, code="CL101", rule="volatile-prefix"),
        "lineage": (
            Step(
                number=2,
                request_id="r2",
                previous_request_id=None,
                gap_s=None,
                prompt_tokens=900,
                outcomes={"fresh": 900},
            ),
            Step(
                number=3,
                request_id="r3",
                previous_request_id="r2",
                gap_s=12.5,
                prompt_tokens=1000,
                outcomes={"hit": 140, "divergence": 760, "fresh": 100},
                break_kind="changed",
            ),
        ),
        "spawned_by": "r1",
        "earlier_steps": 4,
    }
    return _around(rows, **(values | changes))


def _around(segments: tuple[SegmentRow, ...], **changes: Any) -> Inspection:
    values: dict[str, Any] = {
        "cachelens": "0.1.0",
        "trace": builders.facts(requests=3, prompt_tokens=2000),
        "engine": EngineFacts(name="sglang", policy="lru", capacity_tokens=200_000, page_size=1),
        "chosen_by": "asked for",
        "number": 3,
        "started_at": "2026-03-02T09:00:00+00:00",
        "request": builders.row(3, {"hit": 1}),
        "segments": segments,
    }
    made = Inspection(**(values | changes))
    if "request" in changes:
        return made
    outcomes, labels, buckets = sums(made)
    labels.pop("live", None)
    buckets.pop("none", None)
    row = builders.row(3, outcomes, labels=labels, buckets=buckets)
    return Inspection(**(values | changes | {"request": row}))
