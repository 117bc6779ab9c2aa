"""All plots, as parts of the page. In: a `Result`. Out: pictures, how to read them, and why others are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from cachelens.model.result import Result
from cachelens.report.curves import selection
from cachelens.report.html import words
from cachelens.report.html.inline_svg import inline
from cachelens.report.palette import KIND_LOOKS
from cachelens.report.plots import PLOTS
from cachelens.report.plots.base import Plot, PlotOptions
from cachelens.report.plots.figure import save
from cachelens.report.plots.theme import PAGE
from cachelens.report.units import count, exact, money, share

#: Rows of a table of numbers.
_ROWS = 12
#: The section in which a plot stands; others stand among the pictures.
_SECTIONS: Final = {"bridge": "opportunities", "curve": "layouts"}
_GUIDES: Final = {
    "waterfall": (
        "Each row is a request in order of start, as long as its prompt, and read from its first token at the left. "
        "A healthy lineage is served from cache up to the tokens that are new. Color behind the point where a prompt "
        "departs from the one before it is what was computed again, and its color says why."
    ),
    "curve": (
        "The size of the cache grows to the right, what it serves grows upwards. Where the line is steep a larger "
        "cache pays; where it is flat no larger one does, and only other prompts or another policy help. The "
        "distance to perfect eviction is what a better policy could gain at that size."
    ),
    "icicle": (
        "All prompts laid over one another: what they begin with in common stands at the top and is drawn once, and "
        "where prompts depart from each other boxes stand side by side. A box is as wide as the tokens that were sent "
        "of it and of all below it. Its color says how much of that was served from cache: a wide box that is pale "
        "was sent often and computed each time."
    ),
    "treemap": (
        "The whole area is all prompt tokens that were sent. Each field is what one kind of text, one tool or one "
        "file takes of it, however often it was sent, and its color says how much was served from cache. A large "
        "field is no waste by itself; a large pale one was computed over and over."
    ),
    "bridge": (
        "It begins with what is computed today. Each step is one more remedy followed besides those before it, "
        "replayed with all of them, and so the steps may be added up. In another order they would be of other "
        "sizes, since remedies overlap; where they end would be the same."
    ),
    "reported": (
        "Each point is a request: what the simulation predicts to be served from cache against what the server said "
        "it served, in the server's own count of tokens. On the diagonal both agree. Points below it missed in the "
        "server what the simulation had cached, by expiry, by routing or by rules that are not published; points "
        "above it were served more than this cache could hold."
    ),
    "growth": (
        "Each column is a request of one session, as high as its prompt, and its colors say whether the tokens were "
        "worth sending. The line is how much of it was computed. Steps that only rise are an append-only history; a "
        "fall is a compaction or a window that slides. Color that widens to the right is carried along in vain."
    ),
}
#: How to get what a Result without pictures lacks.
WITHOUT: Final = (
    "This result was saved without what most pictures are drawn from. Analyze the trace again with "
    "`cachelens analyze TRACE -o report.html` to have them."
)


@dataclass(frozen=True)
class Numbers:
    """The numbers of a picture as a table; the first `texts` columns are text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    more: str = ""


@dataclass(frozen=True)
class Picture:
    """One plot. `guide`: how to read it; `words`: what it shows here."""

    name: str
    title: str
    svg: Markup
    words: str
    guide: str
    numbers: Numbers | None


@dataclass(frozen=True)
class Pictures:
    """Plots by section, those that could not be drawn as (title, why), and what to do without any."""

    sections: dict[str, tuple[Picture, ...]]
    missing: tuple[tuple[str, str], ...]
    without: str


def pictures(result: Result) -> Pictures:
    """Every plot of the registry that this result can be drawn as."""
    sections: dict[str, list[Picture]] = {"pictures": [], "opportunities": [], "layouts": []}
    missing: list[tuple[str, str]] = []
    for name in PLOTS:
        plot: Plot = PLOTS.load(name)()
        why = plot.missing(result)
        if why is None:
            sections[_SECTIONS.get(name, "pictures")].append(picture(plot, name, result))
        else:
            missing.append((plot.title, words.sentence(why)))
    return Pictures(
        sections={section: tuple(found) for section, found in sections.items()},
        missing=tuple(missing),
        without=WITHOUT if result.pictures is None else "",
    )


def picture(plot: Plot, name: str, result: Result, prefix: str = "") -> Picture:
    """One plot of a result that it can draw; `prefix` keeps ids of several results on a page apart."""
    anchor = f"plot-{prefix}{name}"
    said = words.sentence(plot.describe(result))
    svg = save(
        lambda figure: plot.draw(figure, result, PlotOptions(theme=PAGE)),
        "svg",
        plot.size(result),
        PAGE,
        anchor,
    )
    return Picture(
        name=anchor,
        title=plot.title,
        svg=inline(svg, anchor, plot.title, said),
        words=said,
        guide=_GUIDES.get(name, ""),
        numbers=_numbers(name, result),
    )


def _numbers(name: str, result: Result) -> Numbers | None:
    """The main numbers of a picture; None where the page has them elsewhere, or they are too many for a table."""
    if result.pictures is None:
        return None
    if name == "curve":
        return _curve(result)
    if name == "bridge":
        return Numbers(("remedy", "computed then", "sent then", "USD"), tuple(_bridge(result)))
    if name == "treemap":
        return _groups(result)
    return None


def _curve(result: Result) -> Numbers | None:
    if result.pictures is None or not (curve := result.pictures.curve).prompt_tokens:
        return None
    rows = tuple(
        (
            exact(point.capacity_tokens),
            share(point.lru_hit_tokens, curve.prompt_tokens),
            "-" if point.optimal_hit_tokens is None else share(point.optimal_hit_tokens, curve.prompt_tokens),
        )
        for point in selection(curve, _ROWS)
    )
    return Numbers((f"capacity in {curve.unit}", "hit, LRU", "hit, perfect eviction"), rows, 0)


def _bridge(result: Result) -> Iterator[tuple[str, ...]]:
    if result.pictures is None:
        return
    totals = result.totals
    today = "-" if totals.cost_usd is None else money(totals.cost_usd)
    yield ("today", exact(totals.prefilled_tokens), exact(totals.prompt_tokens), today)
    for step in result.pictures.bridge:
        bound = ", changes the model's input" if step.changes_input else ""
        yield (
            f"{words.name(step.code)} {words.sentence(step.title)}{bound}",
            exact(step.computed_tokens),
            exact(step.prompt_tokens),
            "-" if step.cost_usd is None else money(step.cost_usd),
        )


def _groups(result: Result) -> Numbers | None:
    if result.pictures is None:
        return None
    groups = result.pictures.groups
    rows = tuple(
        (
            KIND_LOOKS[group.kind].label.replace("_", " ")
            if group.kind in KIND_LOOKS
            else words.name(group.kind),
            words.name(group.name) if group.name else "",
            words.file(group.item)
            if group.item
            else (f"{group.folded:,} smaller ones" if group.folded else ""),
            exact(group.sent_tokens),
            share(group.sent_tokens, result.totals.prompt_tokens),
            share(group.hit_tokens, group.sent_tokens),
        )
        for group in groups[:_ROWS]
    )
    rest = groups[_ROWS:]
    more = (
        f"{len(rest):,} more groups: {count(sum(group.sent_tokens for group in rest))} tokens sent."
        if rest
        else ""
    )
    return Numbers(("kind", "tool", "about", "sent", "of all", "hit"), rows, 3, more)
