"""Points of a curve as a table. In: a `Curve`. Out: CSV with a header, one row per capacity."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.result import Curve, Result

#: Columns, in tokens and in shares of the prompt tokens; `optimal` is empty where it was not computed.
COLUMNS = ("capacity_tokens", "lru_hit_tokens", "optimal_hit_tokens", "lru_hit_rate", "optimal_hit_rate")


class Csv:
    """Every point of the curve, or those at the capacities asked for; rates with all their digits."""

    name = "csv"
    suffixes = (".csv",)
    documents: frozenset[DocumentKind] = frozenset({"curve"})
    binary = False

    def render(self, document: Result | Curve, options: RenderOptions) -> bytes:
        """UTF-8 CSV with line feeds; `options` change nothing. Raises TypeError for another document."""
        from cachelens.model.result import Curve

        if not isinstance(document, Curve):
            raise TypeError("csv shows curves only")
        prompt = document.prompt_tokens
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        asked = set(document.capacities)
        for point in document.points:
            if asked and point.capacity_tokens not in asked:
                continue
            lru, optimal = point.lru_hit_tokens, point.optimal_hit_tokens
            rates = [None if hits is None or not prompt else hits / prompt for hits in (lru, optimal)]
            writer.writerow((point.capacity_tokens, lru, optimal, *rates))
        return text.getvalue().encode()
