"""Which request is looked at. In: a case, and what was asked for. Out: its number and a sentence that says why."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from cachelens.errors import UsageError
from cachelens.model.findings import Finding

#: Longer ids are not compared when a suggestion is looked for, nor are ids beyond so many.
_COMPARED_LENGTH = 100
_COMPARED_IDS = 20_000
#: Requests or findings that a message names.
_NAMED = 5
#: Characters of a name that a message quotes.
_QUOTED = 60


def by_name(ids: Sequence[str], asked: str) -> int:
    """The request meant by `asked`: an id, a number in order of start (from 1), or how one id alone begins.

    Raises UsageError, with a suggestion, where it names no request or several.
    """
    exact = next((at for at, name in enumerate(ids) if name == asked), None)
    if exact is not None:
        return exact
    if asked.isascii() and asked.isdigit() and len(asked) < 19 and 1 <= int(asked) <= len(ids):
        return int(asked) - 1
    begins = [at for at, name in enumerate(ids) if asked and name.startswith(asked)]
    if len(begins) == 1:
        return begins[0]
    shown = repr(asked[:_QUOTED] + ("…" if len(asked) > _QUOTED else ""))
    if begins:
        some = ", ".join(ids[at][:_QUOTED] for at in begins[:_NAMED])
        more = ", …" if len(begins) > _NAMED else ""
        raise UsageError(f"request {shown} is the beginning of {len(begins):,} ids", f"{some}{more}")
    known = [name for name in ids[:_COMPARED_IDS] if len(name) <= _COMPARED_LENGTH]
    near = difflib.get_close_matches(asked[:_COMPARED_LENGTH], known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"an id such as {ids[0][:_QUOTED]!r}"
    raise UsageError(f"unknown request {shown}", f"{hint} or a number from 1 to {len(ids):,}")


def most_wasteful(case: Case) -> tuple[int, str]:
    """The request with most tokens computed that are waste; without any the one that carries most, or computes most.

    Of equals the earliest.
    """
    computed = case.ledger.computed[:, 1:].sum(axis=1).tolist()
    carried = case.ledger.carried[:, 1:].sum(axis=1).tolist()
    misses = (case.work.prompt_tokens - case.replay.hit).tolist()
    worst = max(range(len(case)), key=lambda at: (computed[at], carried[at], misses[at], -at))
    if computed[worst]:
        return worst, "the request with most waste that had to be computed"
    if carried[worst]:
        return worst, "the request that carries most waste; none of it had to be computed"
    return worst, "no request wastes anything; this one computes most"


def rule_code(asked: str) -> str | None:
    """The code that `asked` means, be it a code or the name of a rule, in any case; None for neither."""
    if asked.upper() in RULES:
        return asked.upper()
    return next((code for code in RULES if RULES.load(code).name == asked.lower()), None)


def by_finding(findings: Sequence[Finding], ids: Sequence[str], asked: str) -> tuple[int, str]:
    """The request where a finding is worst. `asked`: the code or name of a rule, of which the first finding counts,
    or the fingerprint of a finding.

    Raises UsageError where there is no such finding, or it is about no request.
    """
    code = rule_code(asked)
    found = next((item for item in findings if item.code == code or item.fingerprint == asked), None)
    if found is None:
        if code is None and not _is_fingerprint(asked):
            raise _unknown_finding(asked[:_QUOTED])
        there = ", ".join(dict.fromkeys(item.code for item in findings)) or "nothing"
        raise UsageError(f"{asked} finds nothing in this trace", f"found here: {there}")
    request_id = found.location.request_id if found.location is not None else None
    if request_id is None:
        request_id = next(iter(found.request_ids), None)
    if request_id is None:
        raise UsageError(f"{asked} is about the trace as a whole, not about a request")
    return ids.index(request_id), f"where {found.code} {found.name} is worst"


def _unknown_finding(asked: str) -> UsageError:
    known = [*RULES, *(RULES.load(code).name for code in RULES)]
    near = difflib.get_close_matches(asked, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`cachelens list rules` shows the rules"
    return UsageError(f"unknown rule or finding {asked!r}", hint)


def _is_fingerprint(text: str) -> bool:
    return len(text) == 16 and all(character in "0123456789abcdef" for character in text)
