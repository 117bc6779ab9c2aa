"""One request token by token. In: a trace, the cache to replay, which request. Out: an `Inspection`, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import cachelens
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, claims_of
from cachelens.advise.rules import RULES
from cachelens.attribute.ledger import LedgerRow
from cachelens.errors import UsageError
from cachelens.model.edits import Edit
from cachelens.model.inspection import (
    Departure,
    EditRow,
    Inspection,
    Piece,
    Pointer,
    SegmentRow,
    Side,
    Step,
    check,
)
from cachelens.model.kinds import BUCKETS, KINDS, LABELS, OUTCOMES, ROLES
from cachelens.model.options import AnalyzeOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.rows import Break
from cachelens.model.trace import Trace
from cachelens.pipeline.analysis import engine_facts, request_rows
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.facts import facts
from cachelens.pipeline.findings import digest, findings
from cachelens.pipeline.savings import Bench
from cachelens.pipeline.selection import by_finding, by_name, most_wasteful
from cachelens.pipeline.sizes import Sizes

#: Requests of the lineage that are shown, the inspected one included.
STEPS = 11


def inspect(
    trace: Trace,
    options: AnalyzeOptions,
    request: str | None = None,
    finding: str | None = None,
    progress: Progress = silent,
) -> Inspection:
    """Look at one request of `trace` under one cache model.

    `request`: an id, how one begins, or a number in order of start from 1. `finding`: code or name of a rule, or
    the fingerprint of a finding: the request where it is worst. Neither: the request that wastes most. Raises
    UsageError for a request or finding that is not there, and as `analyze` does.
    """
    if request is not None and finding is not None:
        raise UsageError("a request and a finding were asked for", "leave one of them out")
    ids = trace.requests["request_id"].to_list()
    if request is not None:
        by_name(ids, request)  # before the replay: a wrong name should not take long
    case, _ = build_case(trace, options, progress)
    if request is not None:
        chosen, why = by_name(ids, request), "asked for"
    elif finding is not None:
        found, _ = findings(case, Bench(case, Sizes(options.kv).shape), progress=progress)
        chosen, why = by_finding(found, ids, finding)
    else:
        chosen, why = most_wasteful(case)
    progress("looking at one request", 0, None)
    made = _View(case, chosen, options.show_text).inspection(why)
    check(made)
    return made


@dataclass(eq=False)
class _View:
    """One request of a case."""

    case: Case
    request: int
    show_text: bool

    def inspection(self, why: str) -> Inspection:
        case, request = self.case, self.request
        trace, past = case.trace, case.past
        row = request_rows(case)[request]
        started = trace.requests["started_at"][request]
        prompt = int(case.told.prompt[request])
        costly = next((edit for edit in self.edits if edit.after_tokens > 0 and not edit.sibling), None)
        lineage, earlier = self._lineage()
        broken = past.breaks.get(request)
        unfaithful = past.echoes.get(request)
        return Inspection(
            cachelens=cachelens.__version__,
            trace=facts(trace, case.work),
            engine=engine_facts(trace, case.engine_name, case.setup, case.replay),
            chosen_by=why,
            number=request + 1,
            started_at=None if started is None else started.isoformat(),
            request=row,
            segments=self._segments(),
            edits=tuple(self._edit(edit) for edit in self.edits),
            divergence_edit=self._number(costly) if row.outcomes.get("divergence") else None,
            break_=None if broken is None else self._broken(broken),
            echo=None if unfaithful is None else self._unfaithful(unfaithful),
            lineage=lineage,
            earlier_steps=earlier,
            spawned_by=self._spawner(),
            reported_prompt_tokens=prompt if prompt >= 0 else None,
            shows_text=self.show_text,
        )

    # -- segments

    @cached_property
    def path(self) -> list[int]:
        """Segment rows of the prompt."""
        return [int(row) for row in self.case.path(self.request)]

    @cached_property
    def places(self) -> dict[int, int]:
        """Position in the prompt by segment row."""
        return {row: at for at, row in enumerate(self.path)}

    def _segments(self) -> tuple[SegmentRow, ...]:
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

    # -- the lineage

    def _lineage(self) -> tuple[tuple[Step, ...], int]:
        """The last requests of the lineage up to this one, and how many stand before them."""
        case = self.case
        whole = [at for at in case.requests_of_lineage[case.lineages[self.request]] if at <= self.request]
        shown = whole[-STEPS:]
        earlier = len(whole) - len(shown)
        befores = [whole[earlier - 1] if earlier else None, *shown[:-1]]
        return tuple(self._step(at, before) for at, before in zip(shown, befores, strict=True)), earlier

    def _step(self, at: int, before: int | None) -> Step:
        case, frame = self.case, self.case.trace.requests
        start = case.started_us[at]
        earlier = case.started_us[before] if before is not None else None
        broken, unfaithful = case.past.breaks.get(at), case.past.echoes.get(at)
        tokens = case.outcome_tokens[at].tolist()
        return Step(
            number=at + 1,
            request_id=frame["request_id"][at],
            previous_request_id=frame["previous_request_id"][at],
            gap_s=None if start is None or earlier is None else (start - earlier) / 1e6,
            prompt_tokens=int(case.work.prompt_tokens[at]),
            outcomes={name: number for name, number in zip(OUTCOMES, tokens, strict=True) if number},
            break_kind=None if broken is None else broken.kind,
            echo_kind=None if unfaithful is None else unfaithful.kind,
        )

    def _spawner(self) -> str | None:
        """The request that began the lineage, where it is known."""
        case = self.case
        first = case.requests_of_lineage[case.lineages[self.request]][0]
        frame = case.trace.requests
        if frame["previous_request_id"][first] is not None:
            return None
        spawner: str | None = frame["parent_request_id"][first]
        return spawner
