"""Cached prefixes lapse before they are used again.

What it detects
    Tokens whose cache entry had reached the end of its lifetime when they were sent again (outcome `expiry`), in
    two findings: those that the longest lifetime the provider sells would have kept, and those of pauses longer
    than that. And, as a finding of its own, markers that ask for another lifetime than the request before.

Why it costs
    A lifetime runs from the start of the last request that used the entry: 5 minutes unless an hour is asked for
    (Anthropic, Bedrock), 5 to 10 minutes in memory before GPT-5.6. Each pause longer than that pays for the whole
    prompt again, and for writing it. An entry for an hour is written at twice the price of input, one for five
    minutes at 1.25 times, so an hour pays only when pauses between them are frequent enough: both are replayed.

How it is measured
    Tokens lost to expiry alone: without expiry the same cache would have served them. The longer lifetime is
    replayed on the whole trace, its dearer writes included, and only where it costs less is it called avoidable;
    without a known price tokens alone decide, which the finding says. Pauses are those between the last use of the
    entry and the request. Where servers reported cached tokens, the longest pause after which they still served
    the prefix, and the shortest longer one after which they did not, bound the lifetime from both sides. A
    changed lifetime is counted and not priced: providers do not say what becomes of the entry that is already there.

How to fix
    `"cache_control": {"type": "ephemeral", "ttl": "1h"}` for what is reused across pauses (Anthropic), `"ttl":
    "1h"` in `cachePoint` (Bedrock, where the model has it), `prompt_cache_retention: "24h"` (OpenAI before
    GPT-5.6). Keep the lifetime of a marker the same in all requests of a session. A request that only keeps the
    entry alive is worth its read price while the pause is short.

Example
    A coding agent waits 12 minutes for a test run in each of its turns and marks its prompts for 5 minutes: every
    turn writes its 80,000 tokens again.

When to ignore
    When the user went away: nothing is kept overnight. Such pauses are reported as legitimate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.advise.rules.markers import Markers
from cachelens.advise.rules.wording import count
from cachelens.advise.rules.worth import input_cost
from cachelens.simulate.api.explicit import HOUR_S, MarkOptions, TtlOptions
from cachelens.simulate.api.rules import Lookup
from cachelens.simulate.engine import Replay
from cachelens.simulate.options import engine_options

#: Seconds that OpenAI keeps prefixes on request (before GPT-5.6).
_DAY_S = 86_400
#: Tokens that must be expected from the cache for a pause to say whether it was still there.
_TELLING = 1024


@dataclass(frozen=True)
class _Longer:
    """A longer lifetime: `options` replay it, `plan` is the remedy; `words` such as `an hour`.

    `able`: requests whose model has it.
    """

    words: str
    fix: str
    options: dict[str, str]
    plan: Plan
    able: frozenset[int]


class ExpiredCache:
    """CL402."""

    code = "CL402"
    name = "expired-cache"

    def find(self, case: Case) -> Iterable[Candidate]:
        """What a longer lifetime would keep, what none would, and lifetimes that change."""
        lost = {request: tokens for request in range(len(case)) if (tokens := case.lost(request, "expiry"))}
        if lost:
            longer = _longer(case)
            kept: dict[int, int] = {}
            if longer is not None:
                replay = _replayed(case, longer)
                more = (replay.hit - case.replay.hit).tolist()
                kept = {r: min(lost[r], more[r]) for r in lost if more[r] > 0 and r in longer.able}
                if kept:
                    yield _within(case, kept, longer, replay)
            gone = {r: tokens - kept.get(r, 0) for r, tokens in lost.items() if tokens > kept.get(r, 0)}
            if gone:
                yield _beyond(case, gone, None if longer is None else longer.words)
        if Markers.apply_to(case) and case.engine_name != "openai":
            yield from _flips(case)


def _longer(case: Case) -> _Longer | None:
    """The longest lifetime that callers can ask for, where they have not done so; None where there is none."""
    options: object = engine_options(case.engine.Options, case.setup, case.engine.facts)
    if not isinstance(options, MarkOptions) or case.engine_name not in ("anthropic", "bedrock", "openai"):
        return None
    models = case.trace.requests["model"].to_list()
    lookup = Lookup(case.engine_name, [options.model or model for model in models])
    requests = range(len(case))
    if isinstance(options, TtlOptions):
        if options.ttl == "1h":
            return None
        able = frozenset(r for r in requests if str(HOUR_S) in lookup.text("lifetimes_s", r).split())
        fix = 'ask for an hour: "ttl": "1h" at the cache markers'
        plan = Plan(ttl_s=HOUR_S, options={name: "captured" for name in case.setup.options if name == "ttl"})
        if options.marks == "everywhere":  # these markers stand in no request
            plan = Plan(options={"ttl": "1h"})
        return _Longer("an hour", fix, {"ttl": "1h"}, plan, able)
    able = frozenset(r for r in requests if lookup.text("generation", r) == "automatic")
    day = {"idle_s": str(_DAY_S)}
    fix = 'ask for a day: prompt_cache_retention "24h", where the model has it'
    return _Longer("a day", fix, day, Plan(options=day), able)


def _replayed(case: Case, longer: _Longer) -> Replay:
    kept = {
        name: value
        for name, value in case.setup.options.items()
        if name.replace("-", "_") not in longer.options
    }
    setup = replace(case.setup, options={**kept, **longer.options}, explain=False)
    return case.engine(case.work, setup).replay()


def _within(case: Case, kept: dict[int, int], longer: _Longer, replay: Replay) -> Candidate:
    """What the longer lifetime would keep, at what price."""
    now, then = input_cost(case.work, case.replay), input_cost(case.work, replay)
    dearer = now is not None and then is not None and then >= now
    details = _pauses(case, kept)
    if now is not None and then is not None:
        details |= {"USD of input now": float(now), f"USD of input with {longer.words}": float(then)}
    total = sum(kept.values())
    return Candidate(
        title=f"{total:,} tokens expired before they were sent again; entries of {longer.words} would have held"
        + (", and cost more than they save" if dearer else ""),
        group=("within",),
        place=None,
        requests=sorted(kept),
        tokens=total,
        measure="computed again",
        fix="leave it as it is: longer entries cost more here" if dearer else longer.fix,
        verdict=Verdict.LEGITIMATE if dearer else Verdict.AVOIDABLE,
        plan=None if dearer else longer.plan,
        details=details,
    )


def _beyond(case: Case, gone: dict[int, int], words: str | None) -> Candidate:
    """What no lifetime would keep."""
    total = sum(gone.values())
    limit = f"longer than {words}" if words else "longer than what was cached lives"
    return Candidate(
        title=f"{total:,} tokens were sent again after pauses {limit}",
        group=("beyond",),
        place=None,
        requests=sorted(gone),
        tokens=total,
        measure="computed again",
        fix="nothing keeps a prefix that long; a shorter history costs less to compute again",
        verdict=Verdict.LEGITIMATE,
        details=_pauses(case, gone),
    )


def _pauses(case: Case, requests: Iterable[int]) -> dict[str, int | float | str]:
    """Pauses in seconds, and what servers reported about the lifetime."""
    details: dict[str, int | float | str] = {}
    if case.idle_us is not None:
        idle = sorted(int(case.idle_us[r]) for r in requests if case.idle_us[r] >= 0)
        if idle:
            details |= {
                "shortest pause in seconds": round(idle[0] / 1e6, 1),
                "median pause in seconds": round(idle[len(idle) // 2] / 1e6, 1),
                "longest pause in seconds": round(idle[-1] / 1e6, 1),
            }
    return details | _seen(case)


def _seen(case: Case) -> dict[str, int | float | str]:
    """The lifetime that reported counts show: pauses after which prefixes were served, and were not."""
    lasting = case.limits.get("expiry")
    if lasting is None:
        return {}
    served: list[float] = []
    missed: list[float] = []
    started = case.started_us
    for request, before in enumerate(case.trace.predecessor.tolist()):
        cached, prompt = int(case.told.cached[request]), int(case.told.prompt[request])
        now, then = started[request], started[before] if before >= 0 else None
        if cached < 0 or not prompt or now is None or then is None or lasting[request] < _TELLING:
            continue
        expected = int(lasting[request]) / max(1, int(case.work.prompt_tokens[request]))
        if cached / prompt >= expected / 2:
            served.append((now - then) / 1e6)
        elif cached / prompt < expected / 10:
            missed.append((now - then) / 1e6)
    found: dict[str, int | float | str] = {}
    if served:
        found["longest pause still served, in seconds"] = round(max(served), 1)
        if longer := [pause for pause in missed if pause > max(served)]:
            found["shortest longer pause, not served, in seconds"] = round(min(longer), 1)
    return found


def _flips(case: Case) -> Iterable[Candidate]:
    """Lifetimes that change within a lineage."""
    markers = Markers(case)
    flipped = [request for request in range(len(case)) if markers.flips(request)]
    if not flipped:
        return
    depth = markers.places.depth
    tokens = sum(depth[markers.points[request][-1].place] for request in flipped)
    lineages = len({case.lineages[request] for request in flipped})
    details: dict[str, int | float | str] = {"lineages": lineages}
    written = [
        case.trace.requests[f"reported_cache_write_{kind}_tokens"].gather(flipped) for kind in ("5m", "1h")
    ]
    if any(column.is_not_null().any() for column in written):
        details["tokens written there, as reported"] = sum(int(column.sum() or 0) for column in written)
    yield Candidate(
        title=f"the lifetime of cache markers changes {count(len(flipped), 'time')} within "
        + count(lineages, "conversation"),
        group=("lifetime-changes",),
        place=None,
        requests=flipped,
        tokens=tokens,
        measure="marked with another lifetime than before",
        fix="ask for the same lifetime in all requests of a session",
        verdict=Verdict.DIAGNOSTIC,
        details=details,
    )
