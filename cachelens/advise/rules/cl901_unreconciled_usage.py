"""What servers reported and what is computed here do not agree.

What it detects
    For each model, reported prompt tokens against those of the capture, more than 10 % apart. And over all
    requests, reported cached tokens against simulated ones, more than 2 % of the prompts apart, or no cached
    token reported in any request though many would have been served.

Why it costs
    Nothing by itself. It says how far the other figures can be trusted: absolute token counts carry the first
    difference, hit rates and causes the second.

How it is measured
    Prompt tokens: sums over requests that report them, their ratio as calibration factor, with its smallest and
    largest value in single requests. A steady factor is another vocabulary; a varying one means that parts of
    prompts are missing from the capture, or are put into another frame. Requests that the capture holds only in
    part belong to CL902. Cached tokens: the simulated hit in the server's count against the reported one, per
    request; a request within 2 % of its prompt is as expected. Explained are requests whose server says why it
    missed, that are apart by less than the step in which the server counts, whose routing key changed, or that
    read what the capture never sent. 2 % is what vocabularies make of a cached share on captures that hold whole
    prompts; requests of CL404 are not counted here again.

How to fix
    Prompt tokens: `--encoding` with the vocabulary of the model, or read figures as multiples of the factor.
    Cached tokens: choose the engine, page size, capacity or lifetime that the server has (`--engine`,
    `--page-size`, `--capacity`, `--set`). No cached tokens at all: see whether caching is on and
    reported (vLLM: `--enable-prompt-tokens-details`; SGLang: `--enable-cache-report`).

Example
    A model with a vocabulary of its own counts 868,000 prompt tokens where the capture comes to 700,000: a factor
    of 1.24, between 1.20 and 1.28 in single requests.

When to ignore
    When shares and causes are wanted, not absolute counts, and the factor is steady.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules.cl404_scattered_routing import missed_at_server
from cachelens.advise.rules.shortfalls import EXPLANATIONS, Shortfalls, difference, step_of
from cachelens.advise.rules.wording import count

#: Share of the prompt tokens by which both counts may differ.
PROMPTS_APART = 0.10
#: Fewest prompt tokens that are worth calibrating by.
_TELLING = 1024


class UnreconciledUsage:
    """CL901."""

    code = "CL901"
    name = "unreconciled-usage"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding per model about prompts, and one about cached tokens."""
        partial = case.trace.requests["partial"].to_list()
        told = [r for r in range(len(case)) if case.told.prompt[r] > 0 and partial[r] is None]
        by_model: defaultdict[str, list[int]] = defaultdict(list)
        models = case.trace.requests["model"].to_list()
        for request in told:
            by_model[models[request] or ""].append(request)
        for model, requests in sorted(by_model.items()):
            yield from _prompts(case, model, requests)
        if told:
            yield from _cached(case, told)


def _prompts(case: Case, model: str, requests: Sequence[int]) -> Iterable[Candidate]:
    pairs = [(int(case.work.prompt_tokens[r]), int(case.told.prompt[r])) for r in requests]
    ours, theirs = (sum(column) for column in zip(*pairs, strict=True))
    if ours < _TELLING or abs(theirs - ours) <= PROMPTS_APART * theirs:
        return
    ratios = sorted(their / own for own, their in pairs if own)
    direction = "more" if theirs > ours else "fewer"
    yield Candidate(
        title=f"the server counts {abs(theirs / ours - 1):.0%} {direction} prompt tokens for "
        f"{model or 'a model without a name'} than the capture comes to",
        group=("prompts", model),
        place=None,
        requests=requests,
        tokens=abs(theirs - ours),
        measure="prompt tokens apart",
        fix="read token counts as multiples of the factor, or choose the model's vocabulary with --encoding",
        verdict=Verdict.DIAGNOSTIC,
        details={
            "calibration factor": round(theirs / ours, 4),
            "smallest factor of a request": round(ratios[0], 4),
            "largest factor of a request": round(ratios[-1], 4),
            "encoding": case.trace.encoding,
            "reported prompt tokens": theirs,
            "prompt tokens of the capture": ours,
        },
    )


def _cached(case: Case, told: Sequence[int]) -> Iterable[Candidate]:
    prompt = sum(int(case.told.prompt[r]) for r in told)
    expected = sum(int(case.told.expected[r]) for r in told)
    cached = sum(int(case.told.cached[r]) for r in told)
    if case.engine.facts.kind == "bound" and cached <= expected:
        return
    details: dict[str, int | float | str] = {
        "reported share": round(cached / prompt, 4),
        "simulated share": round(expected / prompt, 4),
    }
    if not cached:
        if expected > max(case.told.tolerance * prompt, case.thresholds.min_tokens):
            yield _never(case, [r for r in told if case.told.verdict[r] == "less"], expected, details)
        return
    routed = set(missed_at_server(case))
    left = [r for r in told if r not in routed and case.told.verdict[r] in ("less", "more")]
    shortfalls = Shortfalls(case)
    why: defaultdict[str, int] = defaultdict(int)
    unexplained = []
    for request in left:
        reason = shortfalls.explain(request)
        if reason is None:
            unexplained.append(request)
        else:
            why[EXPLANATIONS[reason]] += 1
    apart = sum(difference(case, r) for r in unexplained)
    if abs(apart) <= max(case.told.tolerance * prompt, case.thresholds.min_tokens):
        return
    direction = "more" if apart > 0 else "less"
    served = sum(int(case.told.cached[r]) for r in unexplained)
    yield Candidate(
        title=f"{len(unexplained):,} of {count(len(told), 'request')} got {served:,} tokens from the cache where "
        f"{served - apart:,} were expected, and nothing explains it",
        group=("cached", direction),
        place=None,
        requests=unexplained,
        tokens=sum(abs(difference(case, r)) for r in unexplained),
        measure="cached tokens apart",
        fix="choose the engine, page size, capacity or lifetime that the server has",
        verdict=Verdict.DIAGNOSTIC,
        details={
            **details,
            "requests as expected": len(told) - len(left) - len(routed & set(told)),
            "requests without a cached token (CL404)": len(routed & set(told)),
            **{f"requests explained: {words}": number for words, number in sorted(why.items())},
            "all reported counts are multiples of": step_of(case),
        },
    )


def _never(
    case: Case, requests: Sequence[int], expected: int, details: dict[str, int | float | str]
) -> Candidate:
    return Candidate(
        title=f"no cached token is reported in any request, where {expected:,} would have been served",
        group=("cached", "never"),
        place=None,
        requests=requests,
        tokens=expected,
        measure="expected from the cache and not reported",
        fix="see whether the server caches, and whether it reports what it served from the cache",
        verdict=Verdict.DIAGNOSTIC,
        details={**details, "engine replayed": case.engine_name},
    )
