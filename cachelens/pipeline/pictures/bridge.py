"""From what is computed today to what must be. In: remedies. Out: `BridgeStep`s, each replayed with all before it."""

from __future__ import annotations

from collections.abc import Sequence

from cachelens.advise.plan import join
from cachelens.model.pictures import BridgeStep
from cachelens.pipeline.findings import fingerprint
from cachelens.pipeline.remedies import Found
from cachelens.pipeline.savings import Bench

#: Steps; more remedies are added in the last of them.
_MOST = 12


def bridge(bench: Bench, chosen: Sequence[Found], most: int = _MOST) -> tuple[BridgeStep, ...]:
    """The remedies of `chosen`, those that save most by themselves first, added one by one."""
    steps: list[BridgeStep] = []
    for at in range(min(len(chosen), most)):
        last = at == most - 1
        done = len(chosen) if last else at + 1
        added = chosen[at:done]
        bill = bench.bill(join(one.plan for one in chosen[:done]))
        alone = len(added) == 1
        steps.append(
            BridgeStep(
                code=added[0].code if alone else "",
                name=added[0].name if alone else "all others",
                title=added[0].candidate.title if alone else f"{len(added):,} smaller remedies",
                fingerprints=tuple(fingerprint(one.code, one.candidate.group) for one in added),
                changes_input=any(one.candidate.changes_input for one in added),
                computed_tokens=bill.computed,
                prompt_tokens=bill.prompt,
                cost_usd=bill.cost_usd,
            )
        )
    return tuple(steps)
