"""The accounting bar shows every outcome and nothing out of proportion."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachelens.model.kinds import OUTCOMES
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.terminal.bar import cells

_TOKENS = st.dictionaries(st.sampled_from(OUTCOMES), st.integers(0, 10**12))


@given(_TOKENS, st.integers(len(OUTCOMES), 200))
def test_cells(tokens: dict[str, int], room: int) -> None:
    given_cells = cells(tokens, room)
    present = {name for name, count in tokens.items() if count}
    assert set(given_cells) == present
    if not present:
        return
    assert sum(given_cells.values()) == room
    assert min(given_cells.values()) >= 1
    whole = sum(tokens.values())
    for name, size in given_cells.items():
        assert abs(size - 1 - (room - len(present)) * tokens[name] / whole) < 1


@given(_TOKENS)
def test_more_tokens_never_get_fewer_cells(tokens: dict[str, int]) -> None:
    given_cells = cells(tokens, 96)
    for a in given_cells:
        for b in given_cells:
            assert tokens[a] < tokens[b] or given_cells[a] >= given_cells[b] or tokens[a] == tokens[b]


def test_every_look_is_told_apart() -> None:
    for field in ("label", "color", "glyph", "ascii_glyph"):
        assert len({getattr(look, field) for look in OUTCOME_LOOKS.values()}) == len(OUTCOME_LOOKS)
