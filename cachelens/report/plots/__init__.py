"""Plots. Each is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

PLOTS = Registry(
    "plot",
    {
        "waterfall": Entry(
            "cachelens.report.plots.waterfall:Waterfall",
            "every request of a session as a bar: where each token of its prompt went",
        ),
        "curve": Entry(
            "cachelens.report.plots.curve:HitRate",
            "hit rate over cache size: LRU, perfect eviction, today's cache, all remedies",
        ),
        "icicle": Entry(
            "cachelens.report.plots.icicle:Icicle",
            "the tree of prompts: what they share, and where they part",
        ),
        "treemap": Entry("cachelens.report.plots.treemap:Treemap", "what fills the prompts, by area"),
        "bridge": Entry(
            "cachelens.report.plots.bridge:Bridge", "what each remedy saves, one after the other, by replay"
        ),
        "reported": Entry(
            "cachelens.report.plots.reported:Reported", "predicted against reported cached tokens"
        ),
        "growth": Entry(
            "cachelens.report.plots.growth:Growth",
            "how the prompts of a session grow, by label, and what of them was computed",
        ),
    },
    group="cachelens.plots",
)
