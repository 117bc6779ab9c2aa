"""Requests worth a close look. In: a case and its findings. Out: `RequestView`s, bounded in number and length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cachelens.advise.case import Case
from cachelens.model.findings import Finding
from cachelens.model.inspection import SegmentRow
from cachelens.model.pictures import RequestView
from cachelens.pipeline.closeup import Closeup
from cachelens.pipeline.selection import most_wasteful

#: Requests looked at, of which so many for their breaks.
_MOST, _BREAKS = 24, 12
#: Segments of one request; of longer ones those in the middle of what is alike are left out.
_SEGMENTS = 160
#: Edits of one request.
_EDITS = 40


def views(case: Case, findings: Sequence[Finding], show_text: bool) -> tuple[RequestView, ...]:
    """Where findings are worst, the worst breaks, the request that wastes most, and the first one."""
    why: defaultdict[int, list[str]] = defaultdict(list)
    numbers = {name: at for at, name in enumerate(case.trace.requests["request_id"].to_list())}
    for finding in findings:
        if finding.location is not None:
            why[numbers[finding.location.request_id]].append("finding")
    breaks = case.past.breaks
    for at in sorted(breaks, key=lambda at: (-breaks[at].lost_tokens, at))[:_BREAKS]:
        why[at].append("break")
    if len(case):
        why[most_wasteful(case)[0]].append("waste")
        why[0].append("first")
    chosen = sorted(list(why)[:_MOST])
    return tuple(_view(case, at, tuple(dict.fromkeys(why[at])), show_text) for at in chosen)


def _view(case: Case, request: int, why: tuple[str, ...], show_text: bool) -> RequestView:
    seen = Closeup(case, request, show_text)
    return RequestView(
        request_id=case.trace.requests["request_id"][request],
        why=why,
        segments=shortened(seen.segments()),
        edits=seen.edit_rows[:_EDITS],
        divergence_edit=seen.divergence_edit,
        break_=seen.broken,
        echo=seen.echo,
    )


def shortened(rows: Sequence[SegmentRow], most: int = _SEGMENTS) -> tuple[SegmentRow, ...]:
    """At most `most` rows (6 at least): both ends, and those around each change of what became of them."""
    if len(rows) <= most:
        return tuple(rows)
    changes = [at for at in range(1, len(rows)) if fate(rows[at - 1]) != fate(rows[at])]
    near: dict[int, None] = dict.fromkeys([0, 1, 2, len(rows) - 3, len(rows) - 2, len(rows) - 1])
    for distance in range(len(rows)):
        for at in changes:
            for place in (at - 1 - distance, at + distance):
                if 0 <= place < len(rows) and len(near) < most:
                    near[place] = None
        if len(near) >= most or not changes:
            break
    return tuple(rows[at] for at in sorted(near))


def fate(row: SegmentRow) -> tuple[tuple[str, str, str | None], ...]:
    """What became of a segment, piece by piece."""
    return tuple((piece.outcome, piece.label, piece.bucket) for piece in row.pieces)
