"""Options of the gate. In: the command line. Out: `GateOptions`, and whether a baseline is read or written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cachelens.errors import InputError, UsageError

if TYPE_CHECKING:
    from cachelens.gate.judge import GateOptions
    from cachelens.model.verdict import Baseline

#: Where a baseline is written unless `--baseline` says otherwise.
BASELINE_FILE = "cachelens-baseline.json"
#: Larger files are no baseline.
_LARGEST = 64 << 20


def _budget(metric: str, direction: str, example: str, what: str) -> typer.models.OptionInfo:
    info: typer.models.OptionInfo = typer.Option(
        f"--{direction}-{metric}", metavar=example, help=what, show_default="no budget"
    )
    return info


MinHitRate = Annotated[
    str | None, _budget("hit-rate", "min", "SHARE", "Least share of prompt tokens served: 80%.")
]
MaxWaste = Annotated[
    str | None, _budget("waste", "max", "SHARE", "Largest share of computed tokens that is waste: 15%.")
]
MaxComputed = Annotated[str | None, _budget("computed-tokens", "max", "TOKENS", "Most tokens computed: 2M.")]
MaxAmplification = Annotated[
    str | None, _budget("amplification", "max", "FACTOR", "Most computed tokens for each fresh one: 1.5.")
]
MaxCost = Annotated[str | None, _budget("cost", "max", "USD", "Most that prompts may cost: 3usd.")]
Budgets = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        metavar="FIGURE<=AMOUNT",
        help="A budget on any figure: 'breaks<=0', 'prompt-tokens<=5M'; of hit-rate, waste, computed-tokens, "
        "prompt-tokens, amplification, breaks, cost; repeatable.",
        show_default="none",
    ),
]
PerSession = Annotated[
    bool,
    typer.Option("--per-session", help="Each session has to meet the budgets, not all of them together."),
]
MaxRegression = Annotated[
    list[str] | None,
    typer.Option(
        "--max-regression",
        metavar="AMOUNT",
        help="How much worse than the baseline: 2pp of the hit rate, or computed-tokens=5%; repeatable.",
        show_default="none",
    ),
]
RuleLevels = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="RULE=LEVEL",
        help="Level of a rule's findings: off, note, warn or error, with limits: CL301=warn:max-tokens=50k; "
        "repeatable.",
        show_default="by the baseline",
    ),
]
BaselineName = Annotated[
    str | None,
    typer.Option("--baseline", metavar="FILE", help="Accept what stands in this file.", show_default="none"),
]
UpdateBaseline = Annotated[
    bool,
    typer.Option(
        "--update-baseline", help=f"Write the baseline ({BASELINE_FILE} unless --baseline names one)."
    ),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Leave with 0 even when the gate fails.")]
MetricName = Annotated[
    str | None,
    typer.Option(
        "--metric", metavar="FIGURE", help="Print this figure alone, as a bare number.", show_default="none"
    ),
]


def gate_options(
    budgets: Sequence[tuple[str, str | None]],
    others: Sequence[str] | None,
    per_session: bool,
    regressions: Sequence[str] | None,
    rules: Sequence[str] | None,
) -> GateOptions:
    """What is asked of the runs. `budgets` by name such as `min-hit-rate`. Raises UsageError for what is none."""
    from cachelens.gate.budgets import named_budget, parse_budget, parse_regression
    from cachelens.gate.judge import GateOptions
    from cachelens.gate.levels import parse_rule

    return GateOptions(
        budgets=(
            *(named_budget(name, text, per_session) for name, text in budgets if text is not None),
            *(parse_budget(text, per_session) for text in others or ()),
        ),
        regressions=tuple(parse_regression(text) for text in regressions or ()),
        levels=dict(parse_rule(text) for text in rules or ()),
    )


def read_baseline(name: str | None) -> Baseline | None:
    """The baseline of that name, None without one. Raises InputError where it is not there, or none."""
    if name is None:
        return None
    from cachelens.gate.baseline import decode

    path = Path(name)
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{name}: is too large for a baseline")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{name}: {error.strerror or 'cannot be read'}", "--update-baseline writes it"
        ) from error
    return decode(data, name)


def baseline_place(name: str | None, update: bool, metric: str | None) -> str | None:
    """Where the baseline is written, None when it is not. Raises UsageError for contradictions."""
    if metric is not None and update:
        raise UsageError("--metric prints a number and writes nothing", "leave --update-baseline out")
    return (name or BASELINE_FILE) if update else None
