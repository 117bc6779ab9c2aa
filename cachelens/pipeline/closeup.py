"""A close look at one request of a case: its segments, edits and departures. In: a case. Out: rows of inspections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, claims_of
from cachelens.advise.rules import RULES
from cachelens.attribute.ledger import LedgerRow
from cachelens.model.edits import Edit
from cachelens.model.inspection import Departure, EditRow, Piece, Pointer, SegmentRow, Side
from cachelens.model.kinds import BUCKETS, KINDS, LABELS, OUTCOMES, ROLES
from cachelens.model.rows import Break
from cachelens.pipeline.findings import digest


@dataclass(eq=False)
class Closeup:
    """One request of a case; `show_text`: with texts of its segments."""

    case: Case
    request: int
    show_text: bool

    @property
    def edit_rows(self) -> tuple[EditRow, ...]:
        """Edits against the predecessor, then those against the first request of another lineage."""
        return tuple(self._edit(edit) for edit in self.edits)

    @property
    def divergence_edit(self) -> int | None:
        """The number of the edit for which tokens were computed again, None where there is none."""
        if not self.case.lost(self.request, "divergence"):
            return None
        costly = next((edit for edit in self.edits if edit.after_tokens > 0 and not edit.sibling), None)
        return self._number(costly)

    @property
    def broken(self) -> Departure | None:
        """Where the prompt departs from its predecessor's."""
        found = self.case.past.breaks.get(self.request)
        return None if found is None else self._broken(found)

    @property
    def echo(self) -> Departure | None:
        """Where the copy of the predecessor's reply departs from what was generated."""
        found = self.case.past.echoes.get(self.request)
        return None if found is None else self._unfaithful(found)

    # -- segments

    @cached_property
    def path(self) -> list[int]:
        """Segment rows of the prompt."""
        return [int(row) for row in self.case.path(self.request)]

    @cached_property
    def places(self) -> dict[int, int]:
        """Position in the prompt by segment row."""
        return {row: at for at, row in enumerate(self.path)}

    def segments(self) -> tuple[SegmentRow, ...]:
        """All segments of the prompt, with what became of their tokens."""
        case = self.case
        segments = case.trace.segments
        pieces: dict[int, list[Piece]] = {}
        for account in case.ledger.rows(self.request):
            pieces.setdefault(account.row, []).append(self._piece(account))
        found, start = [], 0
        for position, row in enumerate(self.path):
            found.append(
                SegmentRow(
                    position=position,
                    kind=KINDS[segments.kind[row]],
                    role=ROLES[segments.role[row]],
                    path=segments.location(row),
                    name=case.name(row),
                    start=start,
                    tokens=case.tokens(row),
                    digest=digest(case, row),
                    pieces=tuple(pieces.get(row, ())),
                    text=case.text(row) if self.show_text else None,
                )
            )
            start += case.tokens(row)
        return tuple(found)

    def _piece(self, row: LedgerRow) -> Piece:
        return Piece(
            lo=row.lo,
            hi=row.hi,
            outcome=OUTCOMES[row.outcome],
            label=LABELS[row.label],
            bucket=BUCKETS[row.bucket] if row.bucket else None,
            label_cause=self._pointer(row.label_cause) if row.label_cause >= 0 else None,
        )

    def _pointer(self, row: int) -> Pointer:
        segments = self.case.trace.segments
        return Pointer(
            path=segments.location(row),
            kind=KINDS[segments.kind[row]],
            name=self.case.name(row),
            position=self.places.get(row),
        )

    def _side(self, row: int, position: int, with_text: bool = False) -> Side:
        case = self.case
        return Side(
            position=position,
            kind=KINDS[case.trace.segments.kind[row]],
            path=case.trace.segments.location(row),
            name=case.name(row),
            tokens=case.tokens(row),
            digest=digest(case, row),
            text=case.text(row) if with_text and self.show_text else None,
        )

    # -- edits

    @cached_property
    def edits(self) -> list[Edit]:
        """Edits against the predecessor, then those against the first request of another lineage."""
        past = self.case.past
        return [*past.edits_of.get(self.request, ()), *past.sibling_edits.get(self.request, ())]

    @cached_property
    def claims(self) -> dict[int, tuple[str, Claim]]:
        """Which rule claims each of these edits: those of the other requests need no looking at."""
        past = self.case.past
        groups = (past.edits_of.get(self.request, ()), past.sibling_edits.get(self.request, ()))
        return claims_of(self.case, groups)

    def _number(self, edit: Edit | None) -> int | None:
        """The number of an edit among those of this request, from 1."""
        return None if edit is None else 1 + [one.number for one in self.edits].index(edit.number)

    def _claimed(self, edit: Edit | None) -> tuple[str | None, str | None]:
        """Code and name of the rule that an edit belongs to."""
        claim = None if edit is None else self.claims.get(edit.number)
        return (None, None) if claim is None else (claim[0], RULES.load(claim[0]).name)

    def _edit(self, edit: Edit) -> EditRow:
        code, rule = self._claimed(edit)
        return EditRow(
            number=self._number(edit) or 0,
            kind=edit.kind,
            compared_with=self.case.trace.requests["request_id"][edit.before],
            token_offset=edit.depth,
            head=edit.head,
            tail=edit.tail,
            after_tokens=edit.after_tokens,
            in_reply=edit.in_reply,
            sibling=edit.sibling,
            before=self._side(edit.before_row, edit.before_at) if edit.before_row >= 0 else None,
            now=self._side(edit.now_row, edit.now_at) if edit.now_row >= 0 else None,
            code=code,
            rule=rule,
        )

    def _broken(self, found: Break) -> Departure:
        """The break, with the segments that hold the first differing token of both prompts."""
        if found.kind in ("model-changed", "scope-changed"):
            return Departure(at=found)
        before = self.case.path(int(self.case.trace.predecessor[self.request])).tolist()
        own = [edit for edit in self.edits if not edit.in_reply and not edit.sibling]
        edit = next((edit for edit in own if edit.kind != "framed"), next(iter(own), None))
        code, rule = self._claimed(edit)
        return Departure(
            at=found,
            before=self._holding(before, found.token_offset),
            now=self._holding(self.path, found.token_offset),
            edit=self._number(edit),
            code=code,
            rule=rule,
        )

    def _holding(self, rows: Sequence[int], token: int) -> Side | None:
        """The segment that holds the token at depth `token`; None where the prompt ends before."""
        ends = np.cumsum([self.case.tokens(row) for row in rows])
        at = int(np.searchsorted(ends, token, side="right"))
        return self._side(rows[at], at, with_text=True) if at < len(rows) else None

    def _unfaithful(self, found: Break) -> Departure:
        """The copy of a reply that is not as it was generated, with both sides of the first edit."""
        edit = next(edit for edit in self.edits if edit.in_reply)
        code, rule = self._claimed(edit)
        return Departure(
            at=found,
            before=self._side(edit.before_row, edit.before_at, True) if edit.before_row >= 0 else None,
            now=self._side(edit.now_row, edit.now_at, True) if edit.now_row >= 0 else None,
            edit=self._number(edit),
            code=code,
            rule=rule,
        )
