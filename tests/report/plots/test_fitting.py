from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from cachelens.report.plots.figure import save
from cachelens.report.plots.fitting import first_fitting, fitted, legible, width, wrapped
from cachelens.report.plots.sheet import Sheet
from cachelens.report.plots.theme import LIGHT
from cachelens.report.plots.ticks import ticks


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(st.characters(), max_size=40), max_size=15))
def test_any_text_is_drawn_without_a_warning(texts: list[str]) -> None:
    def draw(figure: Figure) -> None:
        sheet = Sheet(figure, LIGHT)
        for at, text in enumerate(texts):
            sheet.text(5, 12 * at + 12, legible(text), bold=at % 2 == 1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert save(draw, "png", (2, 3)) == save(draw, "png", (2, 3))


def test_every_kind_of_file_takes_every_text() -> None:
    def draw(figure: Figure) -> None:
        sheet = Sheet(figure, LIGHT)
        for at, text in enumerate(
            (
                "$x^{2$ and $y$",
                "漢字",
                "קובץ",
                "العربية",
                "😀",
                "a\u0301\u0301\u0301\u0301",
                "\ud800",
                "&<>\"'",
            )
        ):
            sheet.text(5, 12 * at + 12, legible(text))

    for kind in ("png", "svg", "pdf"):
        assert save(draw, kind, (2, 3)) == save(draw, kind, (2, 3))


def test_what_has_no_glyph_is_replaced_and_nothing_else() -> None:
    assert legible("read 漢字") == "read \ufffd\ufffd"
    assert legible("$a_{1}$ \\frac ✓ é") == "$a_{1}$ \\frac ✓ é"
    assert legible("a\x1b[31mb\x00c\u202ed") == "ab cd"
    assert legible("\x00\n\u200b") == ""
    assert len(legible("x" * 10_000)) == 60


def test_right_to_left_names_leave_what_follows_in_place() -> None:
    assert legible("קובץ") == "\u200eקובץ\u200e"
    assert legible("file") == "file"
    cut = fitted(legible("קובץ" * 10), 60, 8)
    assert cut.startswith("\u200e")
    assert cut.endswith("\u200e")
    assert "…" in cut


@settings(deadline=None)
@given(
    st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=60),
    st.floats(0, 200),
    st.booleans(),
)
def test_what_is_fitted_fits_and_is_as_long_as_can_be(text: str, room: float, keep_end: bool) -> None:
    found = fitted(text, room, 8, keep_end=keep_end)
    assert width(found, 8) <= room
    if found == text:
        return
    assert width(text, 8) > room
    if found:
        kept = found.strip("…") if text.count("…") == 0 else found
        assert (text.endswith if keep_end else text.startswith)(kept)
        longer = f"…{text[len(text) - len(kept) - 1 :]}" if keep_end else f"{text[: len(kept) + 1]}…"
        assert width(longer, 8) > room


def test_the_first_that_fits() -> None:
    assert first_fitting(["a very long text", "short", "s"], width("short", 7), 7) == "short"
    assert first_fitting(["a very long text"], 5, 7) == ""


def test_lines_fit_and_lose_no_word() -> None:
    text = "one request below the other, in order of start within its lineage"
    lines = wrapped(text, 100, 7)
    assert " ".join(lines) == text
    assert len(lines) > 2
    assert all(width(line, 7) <= 100 for line in lines)


def test_pixels_take_no_more_than_was_measured() -> None:
    names = [
        "CL101 · 24.1 k again, 31.7 k in 2 such",
        "request 1,234: system, char 452",
        "iiiillll",
        "WWWWMMMM",
    ]

    def draw(figure: Figure) -> None:
        sheet = Sheet(figure, LIGHT)
        for at, name in enumerate(names):
            for size in (7.0, 8.0, 11.0):
                sheet.text(5, 20 * at + 20, name, size)
                extent = figure.axes[0].texts[-1].get_window_extent()
                assert extent.width * 72 / figure.dpi <= width(name, size)

    save(draw, "png", (4, 2))


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (0, [0]),
        (3, [0, 1, 2, 3]),
        (100, [0, 20, 40, 60, 80, 100]),
        (130_000, [0, 20_000, 40_000, 60_000, 80_000, 100_000, 120_000]),
    ],
)
def test_ticks_are_round(end: int, found: list[int]) -> None:
    assert ticks(end) == found


@given(st.integers(0, 10**13), st.integers(2, 12))
def test_ticks_are_few_and_reach_far(end: int, most: int) -> None:
    found = ticks(end, most)
    assert found[0] == 0
    assert len(found) <= most
    assert found[-1] <= end
    if end >= 1:
        step = end if len(found) == 1 else found[1]
        assert end - found[-1] < step or len(found) == 1
