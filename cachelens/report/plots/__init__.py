"""Plots. Each is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

PLOTS = Registry(
    "plot",
    {"curve": Entry("cachelens.report.plots.curve:draw", "hit rate over cache size: LRU, perfect eviction")},
    group="cachelens.plots",
)
