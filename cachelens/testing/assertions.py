"""Assertions about prompts. In: request bodies, a capture or a trace. Out: nothing, or AssertionError with the break.

They take the way of every command, from reading to the screen of `cachelens inspect`. What cannot be judged (no
requests, a body that cannot be read, a prompt known in part) raises `CachelensError` instead of passing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal, Unpack

from cachelens.advise.case import Case
from cachelens.advise.rules import RULES
from cachelens.errors import UsageError, unknown_name
from cachelens.gate.metrics import METRICS, parse_value
from cachelens.gate.metrics import shown as figure
from cachelens.model.kinds import KIND_CODE
from cachelens.model.options import AnalyzeOptions, KvOptions
from cachelens.model.result import Result
from cachelens.model.trace import Trace
from cachelens.pipeline.analysis import analyze
from cachelens.pipeline.cases import build_case
from cachelens.pipeline.inspection import inspect
from cachelens.pipeline.selection import rule_code
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.terminal.heading import cache_model
from cachelens.report.units import plural
from cachelens.testing.failures import broken, finding_lines, named, screen, shown
from cachelens.testing.traces import (
    Reading,
    Requests,
    against_the_first,
    as_one_conversation,
    read,
)

#: The cache that prompts are compared by: without limits, token by token.
_IDEAL = AnalyzeOptions(engine="ideal", show_text=True)
_TOOLS, _SYSTEM = KIND_CODE["tools"], KIND_CODE["system"]
_RATE = METRICS["hit-rate"]


class Cache(Reading, total=False):
    """The cache that is replayed, as `AnalyzeOptions` has it, and how requests are read.

    `model`: whose KV it holds, for sizes in bytes. `engine_options`, `thresholds`: by name.
    """

    policy: str
    page_size: int
    model: str
    engine_options: Mapping[str, str]
    thresholds: Mapping[str, str]


def assert_append_only(
    requests: Requests,
    *,
    lineages: int | None = 1,
    faithful_replies: bool = False,
    **reading: Unpack[Reading],
) -> None:
    """Every prompt begins with the whole prompt before it.

    `lineages` 1: the requests are one conversation, each the continuation of the one before. Another number: so
    many conversations must be told apart by their prompts, and each is judged for itself; None: however many.
    `faithful_replies`: what comes back of a reply must be as it was generated too, which takes (body, response)
    pairs or a capture.
    """
    __tracebackhide__ = True
    given = read(requests, reading)
    trace = _in_lineages(given, lineages)
    past = build_case(trace, _IDEAL)[0].past
    ids = trace.requests["request_id"].to_list()
    breaks = sorted(past.breaks)
    echoes = sorted(past.echoes) if faithful_replies else []
    if not breaks and not echoes:
        return
    said = []
    if breaks:
        counted = _count(len(breaks), len(ids), "prompt", "does not extend", "do not extend")
        said.append(f"{counted} the one before")
    if echoes:
        counted = _count(len(echoes), len(ids), "prompt", "holds", "hold")
        said.append(f"{counted} another reply than was generated")
    wrong = sorted({*breaks, *echoes})
    said[-1] += f": {named([ids[at] for at in wrong])}"
    raise AssertionError(_message([*said, *_hint(given, lineages)], broken(trace, wrong[0], _IDEAL)))


def assert_prefix_stable(
    requests: Requests, upto: Literal["head", "tools", "system"] | int = "head", **reading: Unpack[Reading]
) -> None:
    """All requests, of all conversations, begin with the same tokens.

    `upto`: `head`, all tools and system prompts before the first message; `tools` or `system`, up to the last of
    these there, whichever of them stands first; a number: so many tokens. Requests to different models or cache
    scopes share nothing.
    """
    __tracebackhide__ = True
    trace = against_the_first(read(requests, reading))
    case, _ = build_case(trace, _IDEAL)
    ids = trace.requests["request_id"].to_list()
    heads = [_head_tokens(case, at, upto) for at in range(len(trace))]
    first = heads[0]
    if not any(heads):
        what = "tools or system prompt" if upto == "head" else f"{upto}"
        raise UsageError(f"there is no {what} in any request, so nothing can be stable")
    if isinstance(upto, int) and int(case.work.prompt_tokens[0]) < upto:
        raise UsageError(
            f"the prompt of {ids[0]} has {int(case.work.prompt_tokens[0]):,} tokens, which is less than {upto:,}"
        )
    ends = case.work.prompt.tolist()
    wrong = [
        at
        for at in range(1, len(trace))
        if heads[at] != first or case.work.forest.common_depth(ends[0], ends[at]) < first
    ]
    if not wrong:
        return
    at = wrong[0]
    shared = min(case.work.forest.common_depth(ends[0], ends[at]), first)
    what = {"head": "tools and system prompt", "tools": "tools", "system": "system prompt"}.get(
        str(upto), f"first {upto} tokens"
    )
    said = [
        f"{_count(len(wrong), len(ids), 'request', 'does not begin', 'do not begin')} with exactly the {what} of "
        f"{ids[0]}: {named([ids[one] for one in wrong])}",
        f"{ids[at]} shares {shared:,} of these {first:,} tokens"
        + (f", and has {heads[at]:,} there" if heads[at] != first else ""),
    ]
    raise AssertionError(_message(said, broken(trace, at, _IDEAL)))


def assert_hit_rate(
    requests: Requests,
    *,
    at_least: float | str | Fraction | Decimal,
    of: Literal["prompt", "repeated"] = "prompt",
    engine: str | None = None,
    capacity: str | int = "inf",
    **cache: Unpack[Cache],
) -> None:
    """A replayed cache serves at least this share of the prompt tokens.

    `at_least`: from 0 to 1, or a text such as `90%`; it is compared exactly, as it is written. `of` `repeated`:
    the share of those tokens alone that had been sent before, so that the first request of a conversation does
    not count. `engine` None: the cache of whoever the requests went to. `capacity` as in `AnalyzeOptions`.
    """
    __tracebackhide__ = True
    wanted = _share(at_least)
    if of not in ("prompt", "repeated"):
        raise UsageError(f"of: {of!r} is neither 'prompt' nor 'repeated'")
    options = _options(engine, capacity, cache)
    trace = read(requests, _reading(cache))
    result = analyze(trace, options)
    totals = result.totals
    whole = totals.prompt_tokens - (totals.fresh_tokens if of == "repeated" else 0)
    if not whole:
        raise UsageError("no token was sent twice" if totals.prompt_tokens else "all prompts are empty")
    rate = Fraction(totals.hit_tokens, whole)
    if rate >= wanted:
        return
    tokens = "prompt tokens" if of == "prompt" else "tokens that had been sent before"
    said = [
        f"hit rate {figure(_RATE, rate, wanted)}, not {figure(_RATE, wanted, rate)}: {totals.hit_tokens:,} of "
        f"{whole:,} {tokens} served by {cache_model(result.engine)}",
        f"not served: {_missed(result)}",
    ]
    if of == "prompt":
        best = Fraction(totals.reusable_tokens, whole)
        said.append(f"no cache could serve more than {figure(_RATE, best, wanted)} of this")
    worst = max(
        range(len(result.requests)),
        key=lambda at: (_repeated_misses(result, at), -at),
    )
    said += result.engine.notes
    lines = finding_lines([finding for finding in result.findings if finding.verdict == "avoidable"])
    if _repeated_misses(result, worst):
        found = inspect(trace, options, request=result.requests[worst].request_id)
        lines += [*([""] if lines else []), *screen(found)]
    raise AssertionError(_message(said, lines))


def assert_no_findings(
    requests: Requests,
    codes: Collection[str] | None = None,
    *,
    lineages: int | None = 1,
    engine: str | None = None,
    capacity: str | int = "inf",
    **cache: Unpack[Cache],
) -> None:
    """None of these rules finds anything.

    `codes`: codes or names of rules; None: all whose finding is that something could be avoided. `lineages` as in
    `assert_append_only`, `engine` and `capacity` as in `assert_hit_rate`. Findings about a handful of tokens are
    left out as `cachelens analyze` does; `thresholds` such as `{"min_tokens": "1"}` say otherwise.
    """
    __tracebackhide__ = True
    wanted = None if codes is None else {_code(name) for name in _several(codes)}
    options = _options(engine, capacity, cache)
    given = read(requests, _reading(cache))
    trace = _in_lineages(given, lineages)
    result = analyze(trace, options)
    found = [
        finding
        for finding in result.findings
        if (finding.verdict == "avoidable" if wanted is None else finding.code in wanted)
    ]
    if not found:
        return
    lines = finding_lines(found)
    first = next((one.location.request_id for one in found if one.location is not None), None)
    if first is not None:
        lines += ["", *screen(inspect(trace, options, request=first))]
    names = ", ".join(dict.fromkeys(f"{finding.code} {finding.name}" for finding in found))
    raise AssertionError(_message([f"found: {names}", *_hint(given, lineages)], lines))


# -- lineages


def _in_lineages(trace: Trace, lineages: int | None) -> Trace:
    """The trace in as many lineages as are expected; AssertionError when its prompts are of another number."""
    __tracebackhide__ = True
    if lineages is None:
        return trace
    if lineages < 1:
        raise UsageError(f"lineages: {lineages} is no number of conversations")
    if lineages == 1:
        return as_one_conversation(trace)
    starts = _starts(trace)
    if len(starts) != lineages:
        raise AssertionError(
            _message([f"{len(starts):,} conversations, not {lineages:,}; they begin at {named(starts)}"], [])
        )
    return trace


def _starts(trace: Trace) -> list[str]:
    """The requests that begin a lineage, as the prompts tell it."""
    return list(trace.requests.unique("lineage_id", keep="first", maintain_order=True)["request_id"])


def _hint(given: Trace, lineages: int | None) -> list[str]:
    """What else it may be, where prompts do not look like one conversation."""
    starts = _starts(given) if lineages == 1 else []
    if len(starts) < 2:
        return []
    return [
        f"the prompts look like {len(starts):,} conversations, begun at {named(starts)}: if they are meant to be, "
        f"say lineages={len(starts)}"
    ]


# -- prefixes


def _head_tokens(case: Case, request: int, upto: str | int) -> int:
    """Tokens from the start of a prompt to the end of what has to be stable in it."""
    if isinstance(upto, int):
        if upto < 1:
            raise UsageError(f"upto: {upto} is no number of tokens")
        return upto
    wanted = {"head": (_TOOLS, _SYSTEM), "tools": (_TOOLS,), "system": (_SYSTEM,)}.get(upto)
    if wanted is None:
        raise UsageError(f"upto: {upto!r} is neither 'head', 'tools', 'system' nor a number of tokens")
    tokens = end = 0
    for row in case.path(request).tolist():
        kind = int(case.trace.segments.kind[row])
        if kind not in (_TOOLS, _SYSTEM):
            break
        tokens += case.tokens(row)
        end = tokens if kind in wanted else end
    return end


# -- options and figures


def _reading(cache: Cache) -> Reading:
    """The part of the options that says how requests are read."""
    given: Reading = {}
    if "url" in cache:
        given["url"] = cache["url"]
    if "gap_s" in cache:
        given["gap_s"] = cache["gap_s"]
    if "encoding" in cache:
        given["encoding"] = cache["encoding"]
    if "render" in cache:
        given["render"] = cache["render"]
    return given


def _options(engine: str | None, capacity: str | int, cache: Cache) -> AnalyzeOptions:
    unknown = sorted(cache.keys() - Cache.__optional_keys__)
    if unknown:
        raise unknown_name("option", unknown[0], ("engine", "capacity", *Cache.__optional_keys__))
    return AnalyzeOptions(
        engine=engine,
        capacity=str(capacity),
        policy=cache.get("policy"),
        page_size=cache.get("page_size"),
        kv=KvOptions(cache.get("model")),
        engine_options=cache.get("engine_options", {}),
        thresholds=cache.get("thresholds", {}),
        show_text=True,
    )


def _share(value: float | str | Fraction | Decimal) -> Fraction:
    """A share as it is written: 0.9 is nine tenths, not the nearest binary number."""
    if isinstance(value, str):
        return parse_value(_RATE, value)
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise UsageError(f"at_least: {value} is no share", "a number from 0 to 1, or a text such as '90%'")
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def _several(codes: Collection[str]) -> Collection[str]:
    if isinstance(codes, str):
        return [codes]
    if not codes:
        raise UsageError("codes: there are no rules to ask", "leave codes out to ask all of them")
    return codes


def _code(name: str) -> str:
    code = rule_code(name) or name
    RULES.require(code)
    return code


def _missed(result: Result) -> str:
    tokens = result.totals.outcomes
    return ", ".join(
        f"{look.label} {tokens[name]:,}"
        for name, look in OUTCOME_LOOKS.items()
        if name != "hit" and tokens.get(name)
    )


def _repeated_misses(result: Result, at: int) -> int:
    """Tokens of one request that had been sent before and were not served."""
    row = result.requests[at]
    return row.prompt_tokens - row.outcomes.get("hit", 0) - row.outcomes.get("fresh", 0)


def _count(wrong: int, whole: int, what: str, one: str, many: str) -> str:
    """`1 of 4 prompts does not extend`."""
    return f"{wrong:,} of {plural(whole, what)} {one if wrong == 1 else many}"


def _message(said: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join([*shown(said), *([""] if lines else []), *lines])
