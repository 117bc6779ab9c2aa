"""What a rule found, before its remedy is replayed. In: built by rules. Out: `Candidate`s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cachelens.advise.plan import Plan


class Verdict(StrEnum):
    """What kind of finding it is.

    `AVOIDABLE`: waste that the harness, server or settings could do without. `LEGITIMATE`: it costs, and there
    is a reason for it (a first request, a new turn of the user). `DIAGNOSTIC`: about the trace, the cache or the
    capture; nothing is wasted by it, or nobody can say.
    """

    AVOIDABLE = "avoidable"
    LEGITIMATE = "legitimate"
    DIAGNOSTIC = "diagnostic"


@dataclass(frozen=True)
class Place:
    """Where a finding is seen first: in `request`, at segment row `row` (-1: nowhere in the prompt).

    `char`: characters of the segment's text before it, None where there is no text or no such place. `token`:
    tokens of the prompt before it, None likewise. `before_row`: the row of the earlier version, -1 if none.
    """

    request: int
    row: int = -1
    char: int | None = None
    token: int | None = None
    before_row: int = -1


@dataclass(frozen=True)
class Excerpt:
    """Both sides of a change, as text: shown on request only. None: that side does not exist."""

    before: str | None
    now: str | None


@dataclass(frozen=True)
class Candidate:
    """One cause of waste, however many requests it spoiled.

    `title`: one line in plain words, without text of prompts (names of tools, paths and numbers may stand in
    it). `group`: what tells it from other findings of the same rule, stable across runs of the same harness:
    without request numbers, ids, offsets and times. `requests`: those it spoiled, ascending. `tokens`: how many
    prompt tokens it is about, and `measure` says which (`computed again`, `carried`, …). `plan`: the remedy, None
    where there is none to replay. `changes_input`: following it changes what the model sees, so the replayed
    saving is an upper bound, and `break_even` says in a sentence when it pays. `fix`: what to do, one sentence.
    `details`: further figures by name, in order of interest.
    """

    title: str
    group: tuple[str, ...]
    place: Place | None
    requests: Sequence[int]
    tokens: int
    measure: str
    fix: str
    verdict: Verdict = Verdict.AVOIDABLE
    plan: Plan | None = None
    changes_input: bool = False
    break_even: str | None = None
    details: Mapping[str, int | float | str] = field(default_factory=dict)
    excerpt: Excerpt | None = None
