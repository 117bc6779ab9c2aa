"""Requests reach another server, or another model, than the one that holds their prefix.

What it detects
    Requests of which the simulation expects a cached prefix within its lifetime while the server reports nothing,
    at servers that report cached tokens otherwise. Two findings: those whose routing key (`prompt_cache_key`,
    `x-grok-conv-id`) differs from that of the request they continue, and those without such a sign. Further,
    conversations that change the model, the cache salt or the adapter in mid-session, which no cache survives,
    and in replays of several replicas what routing lost.

Why it costs
    Caches are kept per server. A load balancer that spreads a conversation over N servers makes each of them
    compute the whole history for itself; providers route by the prefix and by the key, and spill over to further
    machines above some rate (about 15 requests a minute per prefix at OpenAI).

How it is measured
    Expected tokens are those of the replay in the server's own count; less than 2 % of the prompt counts as
    nothing. Reported are expected less reported tokens. Requests whose
    server says why it missed are left out, and those that expect less than the least it ever served: they are
    below its minimum. The replay assumes one cache, so there is no remedy to replay; a server's own evictions and
    restarts, and lifetimes that are not published, look the same, which is why the finding without a sign is a
    diagnosis and no verdict, and is made only when it is more than 1 % of all that was expected.

How to fix
    One key per conversation and the same in all of its requests; session affinity or prefix-aware routing at the
    gateway (SGLang router `cache_aware`, vLLM production stack `session` or `prefixaware`, LiteLLM
    `prompt_caching` deployments check). One model per conversation; another one for sub-agents, not for turns.

Example
    A harness makes a new `prompt_cache_key` for every request: of 40 requests of 30,000 tokens, 31 report nothing.

When to ignore
    Where the server is known to have been restarted, or to be short of memory. A single change of model that the
    user asked for is reported as legitimate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules.shortfalls import Shortfalls, difference, key_changed
from cachelens.advise.rules.wording import count

#: A server that reports less than this share of the prompt as cached reports nothing.
NOTHING = 0.02
#: Share of all expected tokens that must be missing without a sign before anything is said.
_TELLING = 0.01


class ScatteredRouting:
    """CL404."""

    code = "CL404"
    name = "scattered-routing"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding per sign: a changed key, none, another model or scope, other replicas."""
        keys = case.trace.requests["routing_key"].to_list()
        missed = missed_at_server(case)
        churned = [request for request in missed if key_changed(case, keys, request)]
        rest = [request for request in missed if not key_changed(case, keys, request)]
        if churned:
            yield _churned(case, keys, churned)
        expected = int(case.told.expected[case.told.expected > 0].sum())
        if -sum(difference(case, request) for request in rest) > _TELLING * expected:
            yield _unexplained(case, rest)
        yield from _moved(case)
        yield from _routed(case)


def missed_at_server(case: Case) -> list[int]:
    """Requests that were served nothing where a cached prefix was expected, at servers that report cached tokens."""
    shortfalls = Shortfalls(case)
    namespaces = case.trace.requests["namespace"].to_list()
    cached, prompt = case.told.cached.tolist(), case.told.prompt.tolist()
    reporting = {namespace for namespace, count in zip(namespaces, cached, strict=True) if count > 0}
    return [
        request
        for request, verdict in enumerate(case.told.verdict)
        if verdict == "less"
        and namespaces[request] in reporting
        and cached[request] < NOTHING * prompt[request]
        and -difference(case, request) >= case.thresholds.min_tokens
        and shortfalls.explain(request) in (None, "routing-key-changed")
    ]


def _churned(case: Case, keys: Sequence[str | None], spoiled: list[int]) -> Candidate:
    changed = [r for r in range(len(case)) if case.told.verdict[r] and key_changed(case, keys, r)]
    total = -sum(difference(case, request) for request in spoiled)
    return Candidate(
        title=f"the routing key changes within conversations; {len(spoiled):,} of "
        f"{count(len(changed), 'such request')} got next to nothing from the cache: {total:,} tokens expected",
        group=("key-changed",),
        place=None,
        requests=spoiled,
        tokens=total,
        measure="expected from the cache and not reported",
        fix="send the same prompt_cache_key with all requests of a conversation",
        details={
            "requests with a changed key": len(changed),
            "different keys": len({key for key in keys if key is not None}),
            "of requests with the same key served nothing": sum(
                not key_changed(case, keys, request) for request in missed_at_server(case)
            ),
        },
    )


def _unexplained(case: Case, spoiled: list[int]) -> Candidate:
    total = -sum(difference(case, request) for request in spoiled)
    started = case.started_us
    pauses = sorted(
        (now - then) / 1e6
        for request in spoiled
        if (before := int(case.trace.predecessor[request])) >= 0
        and (now := started[request]) is not None
        and (then := started[before]) is not None
    )
    details: dict[str, int | float | str] = {}
    if pauses:
        details["median pause before them in seconds"] = round(pauses[len(pauses) // 2], 1)
        details["longest pause before them in seconds"] = round(pauses[-1], 1)
    partial = case.trace.requests["partial"].gather(spoiled).is_not_null().any()
    lacking = ", or a change in the part of the prompt that the capture lacks" if partial else ""
    return Candidate(
        title=f"{count(len(spoiled), 'request')} got next to nothing from the cache though it had been sent before: "
        f"{total:,} tokens expected",
        group=("unexplained",),
        place=None,
        requests=spoiled,
        tokens=total,
        measure="expected from the cache and not reported",
        fix=f"look for another replica, an early eviction, a restart of the server{lacking}",
        verdict=Verdict.DIAGNOSTIC,
        details=details,
    )


def _moved(case: Case) -> Iterable[Candidate]:
    """Conversations that go on under another model, salt or adapter."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for request, broken in sorted(case.past.breaks.items()):
        if broken.kind in ("model-changed", "scope-changed"):
            found[broken.kind].append(request)
    namespaces = case.trace.requests["namespace"].to_list()
    for kind, spoiled in sorted(found.items()):
        returned = sum(_seen_before(case, namespaces, request) for request in spoiled)
        what = "model" if kind == "model-changed" else "cache salt or adapter"
        total = sum(case.lost(request, "divergence") for request in spoiled)
        yield Candidate(
            title=f"conversations change the {what} {count(len(spoiled), 'time')}: {total:,} tokens computed again",
            group=(kind,),
            place=None,
            requests=spoiled,
            tokens=total,
            measure="computed again",
            fix=f"keep one {what} for a conversation; what one has cached does not serve another",
            verdict=Verdict.AVOIDABLE if returned else Verdict.LEGITIMATE,
            details={"changes back to an earlier one": returned},
        )


def _seen_before(case: Case, namespaces: Sequence[str], request: int) -> bool:
    """Whether the lineage had been where it goes now before."""
    before = int(case.trace.predecessor[request])
    while before >= 0:
        if namespaces[before] == namespaces[request]:
            return True
        before = int(case.trace.predecessor[before])
    return False


def _routed(case: Case) -> Iterable[Candidate]:
    """What a fleet's router lost, where one is replayed."""
    spoiled = [request for request in range(len(case)) if case.lost(request, "routing")]
    if not spoiled:
        return
    total = sum(case.lost(request, "routing") for request in spoiled)
    yield Candidate(
        title=f"{total:,} tokens were in the cache of another replica",
        group=("replicas",),
        place=None,
        requests=spoiled,
        tokens=total,
        measure="computed again",
        fix="route by session or by prefix",
    )
