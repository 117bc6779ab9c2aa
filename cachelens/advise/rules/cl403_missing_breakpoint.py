"""Cache markers are missing, or stand where they serve nothing.

What it detects
    Under a cache that keeps nothing but what is marked (Anthropic, Bedrock, Qwen's explicit cache, OpenAI's
    breakpoints):
    requests without any marker whose prompt another request repeats;
    markers that stay where they are while the prompt grows behind them;
    markers above the minimum length of the model, or prompts that do not reach it;
    more markers than the 4 that a request may have;
    markers so far apart that the search back from one does not reach what the other wrote (20 blocks, so wide
    parallel tool calls are enough);
    markers on a block that changes with every request, so that what is written is never read;
    no marker at the end of what several lineages share.

Why it costs
    Without a marker in reach the whole prompt is billed as input, ten times the price of a read. A marker whose
    entry is never read costs more than none: writes are billed at 1.25 times the price of input, or twice.

How it is measured
    Tokens lost for want of a marker alone (outcome `unmarked`): the same cache would have served them if every
    block were marked, lifetimes aside. Each request's loss is counted to one of the patterns above. Requests that
    changed what they had sent before are left to the rules about changes. Two markers that move down with the
    conversation, the older one where the newer stood before, are how it should be and never reported. Captures
    that hold no markers, though servers say that they cached, are left to CL902, and traces of token ids or hashes
    say nothing of markers. A marker at the end of every
    prompt, for 5 minutes, is replayed where it is the remedy, and not proposed where it costs more.

How to fix
    Mark the last block of the latest message and leave the marker before it in place (`cache_control:
    {"type": "ephemeral"}`; `cachePoint` for Bedrock), or let the server do it: `cache_control` at the top level
    of the request. Mark the end of the system prompt where sessions share it. Between more than about 15 parallel
    tool results put one of the four markers. LiteLLM: `cache_control_injection_points`; LangChain:
    `AnthropicPromptCachingMiddleware`; Vercel AI SDK: `providerOptions.anthropic.cacheControl`.

Example
    A harness marks its system prompt of 3,000 tokens once; after 30 turns each request computes 60,000 tokens of
    history behind it.

When to ignore
    Side calls of a single request, which nobody repeats; prompts below the minimum.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from cachelens.advise.candidate import Candidate, Place, Verdict
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.advise.rewrite import rewrite
from cachelens.advise.rules.markers import Markers, Point
from cachelens.advise.rules.wording import count, verb
from cachelens.advise.rules.worth import input_cost
from cachelens.model.kinds import KINDS
from cachelens.simulate.workload import workload

#: Lifetime of the marker that is replayed as remedy.
_MARK_S = 300
#: Dialects of traces that hold no bodies, and so no markers.
_NO_BODIES = ("hashes", "tokens")
#: Requests of a lineage whose marker must have been in vain, in number and as a share of those continued.
_IN_VAIN, _IN_VAIN_SHARE = 2, 0.5
#: First requests that missed what others had sent before anything is said: one alone is no habit.
_SYSTEMATIC = 2


class MissingBreakpoint:
    """CL403."""

    code = "CL403"
    name = "missing-breakpoint"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding per pattern, and per model where its minimum matters."""
        if not Markers.apply_to(case):
            return
        markers = Markers(case)
        if markers.everywhere:
            return
        losses = _losses(case, markers)
        yield from _unmarked(case, losses.pop(("none",), []))
        yield from _static(case, losses.pop(("static",), []))
        yield from _lookback(case, markers, losses.pop(("lookback",), []))
        yield from _shared(case, losses.pop(("shared-prefix",), []))
        for group, spoiled in sorted(losses.items()):
            yield _early(case, markers, group, spoiled)
        yield from _short(case, markers)
        yield from _too_many(case, markers)
        yield from _volatile(case, markers)


# -- whose loss is whose


def _losses(case: Case, markers: Markers) -> dict[tuple[str, ...], list[int]]:
    """Requests that lost tokens for want of a marker, by pattern."""
    silent = _caches_in_secret(case, markers)
    namespaces = case.trace.requests["namespace"].to_list()
    partial = case.trace.requests["partial"].to_list()
    dialects = case.trace.requests["dialect"].to_list()
    found: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for request in range(len(case)):
        if not case.lost(request, "unmarked") or partial[request] is not None:
            continue
        if dialects[request] in _NO_BODIES:
            continue
        if not markers.points[request]:
            if namespaces[request] not in silent:
                found["none",].append(request)
            continue
        pattern = _pattern(case, markers, request)
        if pattern is not None:
            found[pattern].append(request)
    return found


def _pattern(case: Case, markers: Markers, request: int) -> tuple[str, ...] | None:
    """The pattern that a request with markers fell for, None when it is none of them."""
    valid = markers.valid(request)
    if not valid:
        return ("too-early", markers.models[request])
    before = int(case.trace.predecessor[request])
    if before < 0:
        return ("shared-prefix",)
    earlier = markers.valid(before)
    if request in case.past.breaks or not earlier:
        return None
    position, depth = markers.places.position, markers.places.depth
    on_path = markers.positions(request)
    written = [point for point in earlier if position[point.place] in on_path]
    alive = int(case.limits["expiry"][request])
    if written and depth[written[-1].place] > alive:
        return ("lookback",) if _out_of_reach(markers, request, valid, written[-1]) else None
    moved = position[valid[-1].place] != position[earlier[-1].place]
    return None if moved else ("static",)


def _out_of_reach(markers: Markers, request: int, valid: Sequence[Point], written: Point) -> bool:
    """Whether no marker of a request is near enough below what its predecessor wrote."""
    reach = markers.reach(request)
    below = _below(markers, valid, written)
    return reach is not None and (below is None or markers.blocks_apart(written.place, below.place) >= reach)


def _below(markers: Markers, points: Sequence[Point], written: Point) -> Point | None:
    """The marker next below an entry, or at it."""
    depth = markers.places.depth
    return next((point for point in points if depth[point.place] >= depth[written.place]), None)


def _caches_in_secret(case: Case, markers: Markers) -> set[str]:
    """Namespaces whose servers cached something for requests without markers: those are not in the capture."""
    frame = case.trace.requests
    used = np.zeros(len(case), dtype=np.int64)
    for kind in ("read", "write_5m", "write_1h"):
        used += frame[f"reported_cache_{kind}_tokens"].fill_null(0).to_numpy()
    namespaces = frame["namespace"].to_list()
    return {namespaces[r] for r in np.flatnonzero(used).tolist() if not markers.points[r]}


# -- what is said about each pattern


def _unmarked(case: Case, spoiled: Sequence[int]) -> Iterable[Candidate]:
    if _lost(case, spoiled) < case.thresholds.min_tokens:
        return
    # OpenAI marks ends of prompts itself, but for requests that asked for their own markers alone.
    plan = None if case.engine_name == "openai" else Plan(mark_s=_MARK_S)
    details = {} if plan is None else _worth(case, plan)
    if details is None:
        return
    total = _lost(case, spoiled)
    yield Candidate(
        title=f"{count(len(spoiled), 'request')} without a cache marker: {total:,} tokens computed again",
        group=("none",),
        place=None,
        requests=spoiled,
        tokens=total,
        measure="computed again",
        fix="mark the end of the prompt in every request",
        plan=plan,
        details=details,
    )


def _static(case: Case, spoiled: Sequence[int]) -> Iterable[Candidate]:
    if _lost(case, spoiled) < case.thresholds.min_tokens:
        return
    plan = Plan(mark_s=_MARK_S)
    details = _worth(case, plan)
    if details is None:
        return
    total = _lost(case, spoiled)
    yield Candidate(
        title=f"the cache marker stays in place while prompts grow: {total:,} tokens behind it computed again",
        group=("static",),
        place=None,
        requests=spoiled,
        tokens=total,
        measure="computed again",
        fix="mark the last block of the latest message as well, in every request",
        plan=plan,
        details=details,
    )


def _worth(case: Case, plan: Plan) -> dict[str, int | float | str] | None:
    """What a marker at the end of each prompt comes to; None when it is known to cost more than it saves."""
    work = workload(rewrite(case.trace, case.past, plan))
    replay = case.engine(work, case.setup).replay()
    now, then = input_cost(case.work, case.replay), input_cost(work, replay)
    written = sum(0 if one is None else int(one.sum()) for one in (replay.written_5m, replay.written_1h))
    details: dict[str, int | float | str] = {
        "tokens read with markers": int(replay.hit.sum()),
        "tokens written with markers": written,
    }
    if now is None or then is None:
        return details
    if then >= now:
        return None
    return {**details, "USD of input now": float(now), "USD of input with markers": float(then)}


def _lookback(case: Case, markers: Markers, spoiled: Sequence[int]) -> Iterable[Candidate]:
    if not spoiled:
        return
    widest, where = 0, spoiled[0]
    for request in spoiled:
        position = markers.places.position
        on_path = markers.positions(request)
        written = [
            point
            for point in markers.valid(int(case.trace.predecessor[request]))
            if position[point.place] in on_path
        ][-1]
        mine = _below(markers, markers.valid(request), written)
        last = markers.places.last[request] if mine is None else mine.place
        if (apart := markers.blocks_apart(written.place, last)) > widest:
            widest, where = apart, request
    total = _lost(case, spoiled)
    reach = markers.reach(where) or 0
    yield Candidate(
        title=f"up to {widest:,} blocks lie between cache markers, and {reach:,} are searched: "
        f"{total:,} tokens computed again",
        group=("lookback",),
        place=Place(where),
        requests=spoiled,
        tokens=total,
        measure="computed again",
        fix=f"leave the marker of the request before in place, or set one at least every {reach - 1:,} blocks",
        details={"most blocks between markers": widest, "blocks searched": reach},
    )


def _shared(case: Case, spoiled: Sequence[int]) -> Iterable[Candidate]:
    if len(spoiled) < _SYSTEMATIC:
        return
    total = _lost(case, spoiled)
    yield Candidate(
        title=f"{total:,} tokens that other threads or sessions had sent have no cache marker at their end",
        group=("shared-prefix",),
        place=None,
        requests=spoiled,
        tokens=total,
        measure="computed again",
        fix="mark the end of what they share: the tools, or the system prompt",
    )


def _early(case: Case, markers: Markers, group: tuple[str, ...], spoiled: Sequence[int]) -> Candidate:
    total = _lost(case, spoiled)
    minimum = markers.minimum[spoiled[0]]
    return Candidate(
        title=f"cache markers stand above the {minimum:,} tokens from which {group[1]} caches: "
        f"{total:,} tokens computed again",
        group=group,
        place=None,
        requests=spoiled,
        tokens=total,
        measure="computed again",
        fix=f"mark a block behind the first {minimum:,} tokens, such as the end of the prompt",
        plan=Plan(mark_s=_MARK_S),
        details={"minimum of the model": minimum},
    )


def _short(case: Case, markers: Markers) -> Iterable[Candidate]:
    """Prompts with markers that the model is not going to cache, whatever is marked."""
    if case.engine_name == "openai":
        return  # it marks the end of every prompt itself
    found: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    prompts = case.work.prompt_tokens.tolist()
    for request in range(len(case)):
        minimum = markers.minimum[request]
        if markers.points[request] and prompts[request] < minimum:
            found[markers.models[request], minimum].append(request)
    for (model, minimum), spoiled in sorted(found.items()):
        total = sum(int(case.reusable[request]) for request in spoiled)
        if total < case.thresholds.min_tokens:
            continue
        yield Candidate(
            title=f"{count(len(spoiled), 'prompt')} with cache markers {verb(len(spoiled), 'is', 'are')} below the "
            f"{minimum:,} tokens from which "
            f"{model} caches",
            group=("short", model),
            place=None,
            requests=spoiled,
            tokens=total,
            measure="sent again below the minimum",
            fix="nothing needs to be done; the markers have no effect",
            verdict=Verdict.DIAGNOSTIC,
            details={
                "minimum of the model": minimum,
                "longest of these prompts": max(prompts[r] for r in spoiled),
            },
        )


def _too_many(case: Case, markers: Markers) -> Iterable[Candidate]:
    spoiled = (
        [request for request in range(len(case)) if len(markers.points[request]) > markers.most]
        if case.engine_name != "openai"
        else []
    )
    if not spoiled:
        return
    most = max(len(markers.points[request]) for request in spoiled)
    status = case.trace.requests["status"].to_list()
    yield Candidate(
        title=f"{count(len(spoiled), 'request')} with up to {most:,} cache markers; the API takes {markers.most:,}",
        group=("too-many",),
        place=Place(spoiled[0]),
        requests=spoiled,
        tokens=int(case.work.prompt_tokens[spoiled].sum()),
        measure="prompt tokens of these requests",
        fix=f"remove older markers so that {markers.most:,} are left",
        verdict=Verdict.DIAGNOSTIC,
        details={
            "most markers": most,
            "answered with an error": sum((status[request] or 0) >= 400 for request in spoiled),
        },
    )


def _volatile(case: Case, markers: Markers) -> Iterable[Candidate]:
    """Markers on a block that the next request has otherwise."""
    vain: defaultdict[str, list[int]] = defaultdict(list)
    continued: Counter[str] = Counter()
    tokens: dict[int, int] = {}
    kinds: dict[int, str] = {}
    for request, before in enumerate(case.trace.predecessor.tolist()):
        if before < 0:
            continue
        lineage = case.lineages[before]
        continued[lineage] += 1
        written = _in_vain(case, markers, before, request)
        if written and before not in tokens:
            tokens[before] = written
            kinds[before] = KINDS[case.trace.segments.kind[case.trace.last_segment[before]]]
            vain[lineage].append(before)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for lineage, requests in vain.items():
        if len(requests) >= max(_IN_VAIN, _IN_VAIN_SHARE * continued[lineage]):
            for request in requests:
                found[kinds[request]].append(request)
    for kind, requests in sorted(found.items()):
        spoiled = sorted(requests)
        total = sum(tokens[request] for request in spoiled)
        yield Candidate(
            title=f"the last cache marker stands on a {kind} block that changes with every request: "
            f"{total:,} tokens written and never read",
            group=("volatile-tail", kind),
            place=Place(spoiled[0]),
            requests=spoiled,
            tokens=total,
            measure="written to the cache and never read",
            fix="put the marker on the block before the one that changes",
        )


def _in_vain(case: Case, markers: Markers, request: int, following: int) -> int:
    """Tokens that a request wrote at its last marker and nobody read, because that very block was changed."""
    valid = markers.valid(request)
    if not valid:
        return 0
    position, depth = markers.places.position, markers.places.depth
    at = valid[-1].place
    start = markers.before_block(at)
    if markers.visits[position[at]] > 1 or start < 0:
        return 0
    if position[start] not in markers.positions(following):
        return 0  # something before it was changed
    known = max([int(case.replay.hit[request]), *(depth[point.place] for point in valid[:-1])])
    return max(0, depth[at] - known)


def _lost(case: Case, requests: Sequence[int]) -> int:
    return sum(case.lost(request, "unmarked") for request in requests)
