"""`cachelens check`. In: runs, budgets, rules, a baseline. Out: a verdict, and exit code 1 when it is a bad one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cachelens.cli import advice, gate_options, options
from cachelens.cli.bundles import Cache, Limits, Printing, Reading, Voice
from cachelens.cli.console import write_stdout
from cachelens.cli.outputs import check_folder, write_file
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.errors import GateFailed
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.report.saved import saved_result
from cachelens.report.units import plural

if TYPE_CHECKING:
    from cachelens.model.result import Result


def check(
    traces: options.Traces,
    *,
    baseline: gate_options.BaselineName = None,
    update_baseline: gate_options.UpdateBaseline = False,
    min_hit_rate: gate_options.MinHitRate = None,
    max_waste: gate_options.MaxWaste = None,
    max_computed_tokens: gate_options.MaxComputed = None,
    max_amplification: gate_options.MaxAmplification = None,
    max_cost: gate_options.MaxCost = None,
    max_regression: gate_options.MaxRegression = None,
    budget: gate_options.Budgets = None,
    per_session: gate_options.PerSession = False,
    rule: gate_options.RuleLevels = None,
    exit_zero: gate_options.ExitZero = False,
    metric: gate_options.MetricName = None,
    cache: Cache,
    limits: Limits,
    show_text: advice.ShowText = False,
    printing: Printing,
    reading: Reading,
    voice: Voice,
) -> None:
    """Gate captured traffic: budgets on its figures, levels of rules, and a baseline of what is accepted.

    Leaves with 1 when a check fails. With a baseline, an avoidable finding that is new or has grown fails the gate;
    what would change the model's input is a warning. Without one, only what budgets and --rule ask for is judged.

    Each TRACE is one run: a capture (file, folder, glob), a table folder, or a result saved as JSON. Of several runs
    of the same thing the medians are judged: harnesses seldom do the same twice.
    """
    console = voice.console
    asked = gate_options.gate_options(
        [
            ("min-hit-rate", min_hit_rate),
            ("max-waste", max_waste),
            ("max-computed-tokens", max_computed_tokens),
            ("max-amplification", max_amplification),
            ("max-cost", max_cost),
        ],
        budget,
        per_session,
        max_regression,
        rule,
    )
    place = gate_options.baseline_place(baseline, update_baseline, metric)
    if place is not None:
        check_folder(Path(place).parent)
    replayed = replace(limits.of(cache.options("check")), show_text=show_text)
    how_read = reading.options
    outputs = printing.plan("verdict", traces, voice.quiet)
    accepted = gate_options.read_baseline(baseline) if place is None else None
    with Bar(visible=not voice.quiet and stderr_is_terminal()) as progress:
        runs = [_run(trace, how_read, replayed, progress) for trace in traces]
    if metric is not None:
        write_stdout(_bare(metric, runs))
        return
    if place is not None:
        from cachelens.gate.baseline import baseline_of, encode, require_same

        require_same(runs, None)
        made = baseline_of(runs)
        write_file(Path(place), encode(made))
        console.tell(f"Wrote {place}: {plural(len(made.findings), 'finding')} accepted")
        return
    from cachelens.gate.judge import judge

    verdict = judge(runs, asked, accepted)
    if not outputs.shows_people:
        for run in runs:
            console.warn_skipped(run.trace.skipped)
    outputs.write(verdict, console)
    failed = sum(one.status == "failed" for one in verdict.checks)
    if failed and not exit_zero:
        raise GateFailed(
            f"the gate failed: {failed:,} of {plural(len(verdict.checks), 'check')}", verdict.next_command
        )


def _run(trace: str, reading: IngestOptions, cache: AnalyzeOptions, progress: Bar) -> Result:
    saved = saved_result(trace, pictures=False)
    if saved is not None:
        return saved
    from cachelens.pipeline import analyze, load

    return analyze(load([trace], reading, progress), cache, progress)


def _bare(name: str, runs: list[Result]) -> bytes:
    """The median of a figure as a plain number: a share from 0 to 1."""
    from cachelens.gate.metrics import median_of, metric_named

    metric = metric_named(name)
    value = median_of([metric.value(run) for run in runs])
    if value is None:
        return b"nan\n"
    return f"{int(value)}\n".encode() if value.denominator == 1 else f"{float(value)!r}\n".encode()
