"""Rules about edits: which edit is whose. In: a `Case`. Out: one claim per edit, candidates per cause.

Every edit belongs to the first rule, in order of the registry, that claims it; the last ones claim whatever
is left. A finding is made of all edits that one rule claimed under one key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cachelens.advise.candidate import Candidate, Excerpt, Place, Verdict
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.attribute.breaks import characters_shared
from cachelens.model.edits import Edit
from cachelens.model.kinds import KINDS

#: Characters of unchanged text shown on either side of a change.
_CONTEXT = 40
#: Longest excerpt, in characters.
_EXCERPT = 400


@dataclass(eq=False)
class View:
    """One edit with its texts, as rules look at it. Texts are empty where there are none."""

    case: Case
    edit: Edit

    @cached_property
    def before(self) -> str:
        """Text of the segment as it had been sent, or generated."""
        return self.case.text(self.edit.before_row) or ""

    @cached_property
    def now(self) -> str:
        """Text of the segment as it is sent now."""
        return self.case.text(self.edit.now_row) or ""

    @cached_property
    def kind(self) -> str:
        """Kind of segment: one of KINDS."""
        return KINDS[self.case.trace.segments.kind[self.edit.row]]

    @cached_property
    def ends(self) -> tuple[int, int]:
        """Characters that both texts share at their start, and of the rest those at their end."""
        a, b = self.before, self.now
        size = min(len(a), len(b))
        head = next((at for at in range(size) if a[at] != b[at]), size)
        most = size - head
        tail = next((at for at in range(most) if a[-1 - at] != b[-1 - at]), most)
        return head, tail

    @cached_property
    def spans(self) -> tuple[str, str]:
        """The differing part of both texts, widened to whole words (letters, digits and `:-./_+`)."""
        head, tail = self.ends
        while head and _of_word(self.before[head - 1]):
            head -= 1
        while tail and _of_word(self.before[len(self.before) - tail]):
            tail -= 1
        return self.before[head : len(self.before) - tail], self.now[head : len(self.now) - tail]

    @cached_property
    def around(self) -> str:
        """The unchanged line up to the change: what stands before the differing words in their line."""
        head, _ = self.ends
        while head and _of_word(self.before[head - 1]):
            head -= 1
        return self.before[self.before.rfind("\n", 0, head) + 1 : head]

    def excerpt(self) -> Excerpt:
        """Both sides around the change, cut to a length that can be read."""
        head, tail = self.ends
        start = max(0, head - _CONTEXT)

        def cut(text: str) -> str:
            end = min(len(text), len(text) - tail + _CONTEXT, start + _EXCERPT)
            return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")

        edit = self.edit
        return Excerpt(
            cut(self.before) if edit.before_row >= 0 else None, cut(self.now) if edit.now_row >= 0 else None
        )


def _of_word(character: str) -> bool:
    return character.isalnum() or character in ":-./_+"


@dataclass(frozen=True)
class Claim:
    """What a rule says of an edit.

    `key`: edits with equal keys are one finding; stable across runs, as `Candidate.group`. `silent`: what the
    edit put in need not be sent at all. `note`: what else the rule wants to know of it when it writes the finding.
    """

    key: tuple[str, ...]
    silent: bool = False
    note: object = None


class EditRule(ABC):
    """A rule about edits: it says which are its own, and words findings about them.

    `precedence`: rules are asked in ascending order; the one that looks for the most particular thing comes
    first. `looks_at`: which edits it is asked about: those made to the prompt of the `predecessor`, those between
    first requests of lineages (`sibling`), or both.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    precedence: ClassVar[int]
    looks_at: ClassVar[tuple[str, ...]] = ("predecessor",)

    @abstractmethod
    def claim(self, view: View) -> Claim | None:
        """What the rule says of an edit; None when it is not its own."""

    @abstractmethod
    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """The finding about edits of one key, in order of request; None when there is nothing to say."""

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate per key."""
        groups: defaultdict[tuple[str, ...], list[tuple[int, Claim]]] = defaultdict(list)
        for number, (code, claim) in sorted(case.claims.items()):
            if code == self.code:
                groups[claim.key].append((number, claim))
        for own in groups.values():
            edits = [case.past.edits[number] for number, _ in own]
            candidate = self.candidate(case, edits, [claim for _, claim in own])
            if candidate is not None:
                yield candidate


def claims(case: Case) -> dict[int, tuple[str, Claim]]:
    """Edit number -> code and claim of the first rule that claims it, for all edits of a case."""
    return claims_of(case, (*case.past.edits_of.values(), *case.past.sibling_edits.values()))


def claims_of(case: Case, groups: Iterable[Sequence[Edit]]) -> dict[int, tuple[str, Claim]]:
    """The same for some requests: each group holds all edits between two prompts.

    An edit that only gives a segment the frame of a message, or takes it, belongs to what made the edit before.
    Between prompts of two namespaces no edit is anybody's: nothing would be shared without it either.
    """
    from cachelens.advise.rules import RULES

    rules = sorted(
        (rule for code in RULES if isinstance(rule := RULES.load(code)(), EditRule)),
        key=lambda rule: rule.precedence,
    )
    namespaces = case.trace.requests["namespace"].to_list()
    found: dict[int, tuple[str, Claim]] = {}
    for edits in groups:
        latest: tuple[str, Claim] | None = None
        for edit in edits:
            if namespaces[edit.request] != namespaces[edit.before]:
                continue
            if edit.kind == "framed":
                if latest is not None:
                    found[edit.number] = latest
                continue
            view = View(case, edit)
            against = "sibling" if edit.sibling else "predecessor"
            for rule in rules:
                claim = rule.claim(view) if against in rule.looks_at else None
                if claim is not None:
                    found[edit.number] = latest = (rule.code, claim)
                    break
    return found


def plan_of(edits: Sequence[Edit], claims: Sequence[Claim]) -> Plan:
    """The remedy of edits: they are not made."""
    silent = frozenset(edit.number for edit, claim in zip(edits, claims, strict=True) if claim.silent)
    return Plan(undo=frozenset(edit.number for edit in edits), silent=silent)


def place_of(case: Case, edit: Edit) -> Place:
    """Where an edit is."""
    content = case.trace.segments.content
    char = None
    if edit.before_row >= 0 and edit.now_row >= 0 and edit.kind != "moved":
        char = characters_shared(
            case.trace, int(content[edit.before_row]), int(content[edit.now_row]), case.texts
        )
    return Place(edit.request, edit.row, char, edit.depth, edit.before_row)


def broken_first(case: Case, edits: Sequence[Edit]) -> int:
    """Tokens computed again in requests whose prompt was broken first by one of these edits."""
    mine = {edit.number for edit in edits}
    lost = 0
    for request in sorted({edit.request for edit in edits}):
        edits_of = case.past.edits_of.get(request, ())
        first = next((edit for edit in edits_of if edit.after_tokens > 0), None)
        if first is not None and first.number in mine:
            lost += case.lost(request, "divergence")
    return lost


def finding(
    case: Case,
    edits: Sequence[Edit],
    claims: Sequence[Claim],
    title: str,
    fix: str,
    details: dict[str, int | float | str] | None = None,
    changes_input: bool = False,
    verdict: Verdict = Verdict.AVOIDABLE,
    break_even: str | None = None,
) -> Candidate | None:
    """The usual candidate about edits of one key; None when nothing sent before stood behind any of them."""
    costly = [edit for edit in edits if edit.after_tokens > 0]
    if not costly:
        return None
    worst = max(costly, key=lambda edit: (edit.after_tokens, -edit.number))
    requests = sorted({edit.request for edit in costly})
    turns = sum(case.new_user_turn(request) for request in requests)
    return Candidate(
        title=title,
        group=claims[0].key,
        place=place_of(case, worst),
        requests=requests,
        tokens=broken_first(case, costly),
        measure="computed again",
        fix=fix,
        verdict=verdict,
        plan=plan_of(edits, claims),
        changes_input=changes_input,
        break_even=break_even,
        details={**(details or {}), "at a new user turn": turns},
        excerpt=View(case, worst).excerpt(),
    )
