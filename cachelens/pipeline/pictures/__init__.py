"""What pictures are drawn from. In: a case and what was found in it. Out: `cachelens.model.pictures.Pictures`."""

from __future__ import annotations

from cachelens.advise.case import Case
from cachelens.model.options import AnalyzeOptions
from cachelens.model.pictures import Pictures
from cachelens.model.progress import Progress, silent
from cachelens.pipeline.findings import Advice
from cachelens.pipeline.pictures.bridge import bridge
from cachelens.pipeline.pictures.groups import groups
from cachelens.pipeline.pictures.lines import lines
from cachelens.pipeline.pictures.placed import placed
from cachelens.pipeline.pictures.tree import stretches
from cachelens.pipeline.pictures.views import views
from cachelens.pipeline.savings import Bench

__all__ = ["pictures"]


def pictures(
    case: Case, bench: Bench, advice: Advice, options: AnalyzeOptions, progress: Progress = silent
) -> Pictures:
    """Everything that pictures need of a case, aggregated and bounded."""
    progress("preparing pictures", 0, None)
    where = placed(case)
    return Pictures(
        curve=lines(case, advice.chosen, options, progress),
        tree=stretches(case, where),
        groups=groups(case, where),
        bridge=bridge(bench, advice.chosen),
        views=views(case, advice.findings, options.show_text),
    )
