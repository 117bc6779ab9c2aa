"""Plots inside the page: no style, no id twice, the page's colors, places as they were."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from cachelens.report.html.colors import DARK, known, palette_css, variable
from cachelens.report.html.inline_svg import inline
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.plots.figure import save
from cachelens.report.plots.theme import PAGE, PAGE_COLORS


def draw(figure: Figure) -> None:
    axes = figure.add_subplot()
    color = OUTCOME_LOOKS["divergence"].color
    axes.plot([0, 1], [0, 1], color=color, linestyle="--", marker="o")
    axes.fill_between([0, 1], [0, 1], color=OUTCOME_LOOKS["hit"].color, alpha=0.5)
    axes.text(0.2, 0.5, "a & <b>", color=PAGE.muted, fontweight="bold", ha="right")
    axes.text(0.8, 0.5, "turned", rotation=30)
    axes.imshow(np.zeros((4, 4, 3)), extent=(0, 1, 0, 1), aspect="auto")
    axes.grid(color=PAGE.grid)


def picture(name: str = "p") -> ElementTree.Element:
    svg = save(draw, "svg", (4.0, 3.0), PAGE, name)
    return ElementTree.fromstring(str(inline(svg, name, "Title <1>", "Said & done")))


def test_no_style_is_left_and_text_looks_as_it_did() -> None:
    root = picture()
    assert not [element for element in root.iter() if "style" in element.attrib or element.tag == "style"]
    (text,) = [element for element in root.iter("text") if element.text == "a & <b>"]
    assert text.get("fill") == PAGE_COLORS[PAGE.muted]
    assert text.get("font-weight") in ("bold", "700")
    assert text.get("font-size") == "10"
    assert text.get("text-anchor") == "end"
    (turned,) = [element for element in root.iter("text") if element.text == "turned"]
    assert "rotate(-30" in (turned.get("transform") or "")
    lines = [e for e in root.iter("path") if e.get("stroke") == variable(OUTCOME_LOOKS["divergence"].color)]
    (dashed,) = [line for line in lines if line.get("stroke-dasharray")]
    assert dashed.get("stroke-width") == "1.5"
    grids = [e for e in root.iter("path") if e.get("stroke") == PAGE_COLORS[PAGE.grid]]
    assert len(grids) >= 4
    assert any(e.get("fill") == variable(OUTCOME_LOOKS["hit"].color) for e in root.iter())
    assert any(float(e.get("fill-opacity") or e.get("opacity") or 1) == 0.5 for e in root.iter())
    assert not [value for e in root.iter() for value in e.attrib.values() if value in PAGE_COLORS]


def test_ids_are_prefixed_unique_and_found() -> None:
    for name in ("one", "two"):
        root = picture(name)
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(ids) == len(set(ids))
        assert all(str(found).startswith(f"{name}-") for found in ids)
        text = ElementTree.tostring(root, encoding="unicode")
        wanted = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
        assert wanted
        assert wanted <= set(ids)


def test_it_is_said_in_words_and_scales() -> None:
    root = picture()
    assert root.get("role") == "img"
    assert root.get("width") is None
    assert root.get("viewBox") == "0 0 288 216"
    assert [(e.tag, e.text) for e in list(root)[:2]] == [("title", "Title <1>"), ("desc", "Said & done")]
    assert root.get("aria-labelledby") == "p-title p-desc"
    assert [e for e in root.iter("image") if (e.get("href") or "").startswith("data:image/png;base64,")]


def test_places_are_rounded_and_not_moved() -> None:
    svg = save(draw, "svg", (4.0, 3.0), PAGE, "p")
    number = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
    before = [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("}path")]
    after = list(picture().iter("path"))
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        first, second = number.findall(one.get("d") or ""), number.findall(other.get("d") or "")
        assert len(first) == len(second)
        assert all(abs(float(a) - float(b)) <= 0.005 for a, b in zip(first, second, strict=True))


def test_links_and_handlers_of_a_foreign_picture_are_cut() -> None:
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 1 1">'
        b'<script>alert(1)</script><a xlink:href="https://example.org/"><rect onclick="x()" style="fill:#010203"/></a>'
        b'<image href="http://example.org/x.png"/></svg>'
    )
    text = str(inline(svg, "p", "t", "d"))
    assert "example.org" not in text
    assert "alert" not in text
    assert "onclick" not in text
    assert 'fill="var(--ink)"' in text
    with pytest.raises(ElementTree.ParseError):
        inline(b"<svg", "p", "t", "d")


def test_every_color_of_data_is_a_variable_in_both_themes() -> None:
    css = palette_css()
    for color in known():
        assert f"--c{color[1:]}:{color};" in css
    for color, other in DARK.items():
        assert css.count(f"--c{color[1:]}:{other};") == 2
    for name in OUTCOME_LOOKS:
        assert f".o-{name}{{fill:url(#p-{name})}}" in css
