"""Every planted cause costs what it costs, token by token: nothing is blamed on divergence that is none."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.case import Case
from cachelens.model.kinds import OUTCOME_CODE
from tests.advise.sessions import case_of
from tests.truth.plant import CAUSES
from tests.truth.story import Account, Story, accounts, story

#: Causes that write the system prompt in ways that do not go together.
_HEADS = ("clock", "nonce", "directory")


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


def possible(names: tuple[str, ...]) -> bool:
    return sum(name in _HEADS for name in names) < 2


@pytest.mark.parametrize("names", [pair for pair in combinations(CAUSES, 2) if possible(pair)])
def test_two_causes(names: tuple[str, ...]) -> None:
    planted = stories(names, names[1:])
    assert found(case_of(*planted)) == accounts(planted)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(CAUSES)), unique=True),
    st.lists(st.sampled_from(sorted(CAUSES)), unique=True),
)
def test_any_causes(names: list[str], others: list[str]) -> None:
    first = [
        name for at, name in enumerate(names) if possible((*(n for n in names[:at] if n in _HEADS), name))
    ]
    second = [
        name for at, name in enumerate(others) if possible((*(n for n in others[:at] if n in _HEADS), name))
    ]
    planted = stories(tuple(first), tuple(second))
    assert found(case_of(*planted)) == accounts(planted)
