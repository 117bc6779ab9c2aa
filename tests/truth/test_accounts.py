"""Every planted cause costs what it costs, token by token: nothing is blamed on divergence that is none."""

from __future__ import annotations

import pytest

from cachelens.advise.case import Case
from cachelens.model.kinds import OUTCOME_CODE
from tests.advise.sessions import case_of
from tests.truth.plant import CAUSES
from tests.truth.story import Account, Story, accounts, story


def stories(names: tuple[str, ...], others: tuple[str, ...] = ()) -> list[Story]:
    """Two sessions that run at the same time, each with its causes."""
    return [
        story("one", [CAUSES[name]() for name in names]),
        story("two", [CAUSES[name]() for name in others], start=1_800_000_003.0),
    ]


def found(case: Case) -> list[Account]:
    columns = [case.outcome_tokens[:, OUTCOME_CODE[name]] for name in ("hit", "divergence", "fresh")]
    return [Account(*map(int, row)) for row in zip(case.work.prompt_tokens, *columns, strict=True)]


@pytest.mark.parametrize("name", ["", *CAUSES])
def test_one_cause(name: str) -> None:
    planted = stories((name,) if name else (), ())
    want = accounts(planted)
    case = case_of(*planted)
    assert found(case) == want
    lost = [at for at, account in enumerate(want) if account.again]
    assert sorted(case.past.breaks.keys() | case.past.echoes.keys()) == lost
    assert bool(lost) == bool(name)
    assert {edit.request for edit in case.past.edits if edit.after_tokens and not edit.sibling} == set(lost)
    assert case.ledger.carried.sum(axis=1).tolist() == [account.prompt for account in want]
