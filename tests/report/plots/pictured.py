"""Results with pictures, and what a plot draws of them. In: numbers. Out: a Result, a figure, its texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import msgspec
from matplotlib.figure import Figure

from cachelens.model.curve import Curve
from cachelens.model.pictures import BridgeStep, Pictures, Stretch
from cachelens.model.result import Result, check
from cachelens.report.plots.base import Plot, PlotOptions
from cachelens.report.plots.figure import save
from tests.report import builders
from tests.report.pictured import one_group

#: A name that would be a formula, needs glyphs that no font of plots has, and hides what follows.
HOSTILE = "$x^{2$ $\\frac{1}$ 漢字 🙂 \x1b[2J\u202e" + "long " * 80


def pictured(result: Result, curve: Curve | None = None, bridge: Sequence[BridgeStep] = ()) -> Result:
    """`result` with pictures: its tree and groups are of one part each."""
    sent, hit = result.totals.prompt_tokens, result.totals.hit_tokens
    amounts = {"segments": 1, "tokens": 1, "sent_tokens": sent, "hit_tokens": hit, "repeated_tokens": 0}
    found = msgspec.structs.replace(
        result,
        pictures=Pictures(
            curve=curve or builders.curve(200_000),
            tree=(Stretch(parent=-1, kind="system", name=None, depth=0, requests=1, **amounts),),
            groups=(one_group("system", sent, hit, repeated=0),),
            bridge=tuple(bridge),
            views=(),
        ),
    )
    check(found)
    return found


def step(computed: int, **changes: Any) -> BridgeStep:
    values: dict[str, Any] = {
        "code": "CL101",
        "name": "volatile-prefix",
        "title": "a time in the system prompt changes",
        "fingerprints": ("0",),
        "changes_input": False,
        "computed_tokens": computed,
        "prompt_tokens": computed,
    }
    return BridgeStep(**(values | changes))


def drawn(plot: Plot, result: Result, options: PlotOptions | None = None, kind: str = "svg") -> Figure:
    """The figure that was saved, laid out."""
    figures: list[Figure] = []

    def draw(figure: Figure) -> None:
        plot.draw(figure, result, options or PlotOptions())
        figure.draw_without_rendering()
        figures.append(figure)

    assert save(draw, kind, plot.size(result))
    return figures[0]


def texts(plot: Plot, result: Result, options: PlotOptions | None = None) -> list[str]:
    """What the SVG says, in order."""
    root = ElementTree.fromstring(
        save(lambda figure: plot.draw(figure, result, options or PlotOptions()), "svg", plot.size(result))
    )
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts that stand on one another, by more than a hair."""
    axes = figure.axes[0]
    shown = [text for text in [*axes.texts, *(t for t in (axes.title, axes._left_title))] if text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent().padded(-1.0)) for text in shown]
    return [
        (one, other)
        for at, (one, box) in enumerate(boxes)
        for other, its in boxes[at + 1 :]
        if box.overlaps(its)
    ]
