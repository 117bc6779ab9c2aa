"""CL301 stale-history."""

from __future__ import annotations

import numpy as np

from cachelens.advise.candidate import Verdict
from cachelens.advise.case import TokenPrices
from cachelens.advise.rules.cl301_stale_history import StaleHistory
from tests.advise.rules.outputs import saving, tokens_of
from tests.advise.sessions import Session, candidates, case_of, words

_OLD, _NEW = words("old file", 200), words("new file", 150)
_DUMP = "\n".join(f"state_value_{number} is set" for number in range(7000, 7060))


def fires() -> list[Session]:
    """A file that is read and then overwritten, and an output that nobody refers to for more than ten steps."""
    session = Session("stale").user("rewrite a.py")
    session.use("read_file", {"path": "a.py"}, _OLD)
    session.use("write_file", {"path": "a.py", "content": _NEW}, "wrote a.py")
    session.use("dump_state", {"of": "db"}, _DUMP)
    return [session.steps(12)]


def near_miss() -> list[Session]:
    """A file that is read and left as it is, and outputs that are referred to."""
    session = Session("live").user("explain a.py")
    session.use("read_file", {"path": "a.py"}, _OLD)
    session.use("dump_state", {"of": "db"}, _DUMP)
    session.ask("so it is state_value_7031 in a.py")
    return [session.user("more").steps(12)]


def test_each_kind_counts_from_where_it_is_stale() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL301", *fires())
    # Overwritten when request 2 is sent; the dump is older than ten steps when the eleventh turn after it is sent.
    overwritten = tokens_of(_OLD) * (len(case) - 2)
    dump = tokens_of(_DUMP)
    assert found.details["read or changed again later"] == overwritten
    assert found.details["never referred to"] == dump * (len(case) - 3 - 11)
    assert found.tokens == overwritten + dump * (len(case) - 14)
    assert found.group == ("stale-history",)
    assert found.details["texts"] == 2
    assert list(found.requests) == list(range(2, len(case)))
    assert found.place is not None
    assert case.text(found.place.row) == _OLD


def test_what_is_used_or_as_it_was_is_not_stale() -> None:
    assert candidates("CL301", *near_miss()) == []


def test_served_from_a_cache_without_a_price_clearing_never_pays() -> None:
    (found,) = candidates("CL301", *fires())
    assert found.plan is None
    assert found.verdict is Verdict.LEGITIMATE
    assert "computes nothing" in str(found.break_even)


def test_where_the_prefix_is_computed_anyway_clearing_pays() -> None:
    (session,) = fires()
    session.messages[0]["content"] = "rewrite a.py, please"
    session.ask("started over")
    session.user("more").ask("done")
    case = case_of(session)
    (found,) = candidates("CL301", session)
    assert found.plan is not None
    assert found.verdict is Verdict.AVOIDABLE
    # The request whose prefix changed, and no other.
    changed = len(case) - 2
    assert list(found.plan.clear) == [changed]
    saved = saving(case, found)
    assert saved.computed_tokens > 0
    assert "computed anyway" in str(found.break_even)


def test_break_even_names_the_requests_it_takes() -> None:
    case = case_of(*fires())
    ones = np.ones(len(case))
    case.prices = TokenPrices(0.001 * ones, ones, 1.25 * ones)
    (found,) = StaleHistory().find(case)
    assert found.plan is None
    assert "more requests to earn back" in str(found.break_even)
    case = case_of(*fires())
    case.prices = TokenPrices(0.9 * ones, ones, ones)
    (paying,) = StaleHistory().find(case)
    assert paying.plan is not None
    assert str(paying.break_even).startswith("pays")


def test_copies_are_for_another_rule_and_their_first_is_kept() -> None:
    session = Session("copy").user("explain a.py")
    session.use("read_file", {"path": "a.py"}, _OLD)
    session.use("read_file", {"path": "a.py"}, _OLD)
    session.ask("done")
    assert candidates("CL301", session) == []
