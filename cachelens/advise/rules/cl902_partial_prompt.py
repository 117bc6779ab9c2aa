"""The capture lacks a part of the prompts.

What it detects
    Requests that the format or the API left incomplete (column `partial`: system prompt and tools missing in
    transcripts, conversations and files kept by the server, an earlier response that was not captured); lineages
    that call tools though no tool is defined and no system prompt is there; and prompts without cache markers at
    a provider that needs them, of which its server says that it cached.

Why it costs
    Nothing by itself. Prompt tokens, hit rates and costs are too low by what is missing: the system prompt and
    the tools of a coding agent are 10,000 to 20,000 tokens in front of every request, nearly always cached.

How it is measured
    Requests are counted by the reason that ingest gave, once each. Where the server reported its own count, what
    is missing is that count less ours.

How to fix
    Capture at the wire instead of reading transcripts: a proxy, or a HAR of the API calls. For missing cache
    markers: `--set marks=everywhere` replays as if every block were marked.

Example
    A transcript of a coding agent holds 48,000 tokens in 10 requests; the provider billed 418,000.

When to ignore
    When only what happens inside the conversation is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.case import Case
from cachelens.advise.rules.markers import Markers
from cachelens.advise.rules.wording import count

#: What is missing, by the word that ingest gives it.
_WORDS = {
    "system-and-tools-missing": "system prompt and tools",
    "tools-missing": "the tools",
    "previous-response-missing": "an earlier response",
    "conversation-on-server": "a conversation kept by the server",
    "cached-content-on-server": "content kept by the server",
    "items-on-server": "items kept by the server",
    "response-unreadable": "a response that can be read",
    "history-missing": "earlier messages",
    "history-rewritten": "the history as it was rewritten",
    "output-missing": "tool outputs",
}
#: The finding about lineages that call tools and define none.
_BARE = ("tools-never-sent",)
_FIGURES = "prompt tokens, hit rate, cost, duplicates and unused tools"


class PartialPrompt:
    """CL902."""

    code = "CL902"
    name = "partial-prompt"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One finding per kind of what is missing."""
        partial = case.trace.requests["partial"].to_list()
        found: defaultdict[str, list[int]] = defaultdict(list)
        for request, reasons in enumerate(partial):
            for reason in sorted(set((reasons or "").split(",")) - {""}):
                found[reason].append(request)
        for reason, requests in sorted(found.items()):
            yield _candidate(
                case, (reason,), _WORDS.get(reason, reason.replace("-", " ")), requests, _FIGURES
            )
        bare = [
            request
            for lineage in case.requests_of_lineage.values()
            if _calls_without_tools(case, lineage)
            for request in lineage
            if partial[request] is None
        ]
        if bare:
            yield _candidate(case, _BARE, _WORDS["system-and-tools-missing"], sorted(bare), _FIGURES)
        unmarked = _markers_missing(case)
        if unmarked:
            yield _candidate(case, ("markers-missing",), "cache markers", unmarked, "hits, expiry and cost")


def _candidate(
    case: Case, group: tuple[str, ...], what: str, requests: Sequence[int], figures: str
) -> Candidate:
    told = [r for r in requests if case.told.prompt[r] > 0]
    ours = int(case.work.prompt_tokens[list(requests)].sum())
    details: dict[str, int | float | str] = {"figures that depend on it": figures}
    if told:
        theirs = sum(int(case.told.prompt[r]) for r in told)
        known = int(case.work.prompt_tokens[told].sum())
        details |= {
            "prompt tokens reported": theirs,
            "prompt tokens of the capture in these requests": known,
        }
    return Candidate(
        title=f"the capture lacks {what} in {len(requests):,} of {count(len(case), 'request')}"
        if group != _BARE
        else f"tools are called in {count(len(requests), 'request')} without any tool or system prompt: the capture "
        "seems to lack them",
        group=group,
        place=None,
        requests=requests,
        tokens=ours,
        measure="prompt tokens of requests known in part",
        fix="replay with --set marks=everywhere"
        if group == ("markers-missing",)
        else "capture the API calls themselves, by a proxy or as HAR",
        verdict=Verdict.DIAGNOSTIC,
        details=details,
    )


def _calls_without_tools(case: Case, lineage: Sequence[int]) -> bool:
    """Whether replies call tools while no request of the lineage defines one or has a system prompt."""
    if not any(case.is_kind(row, "tool_call") for request in lineage for row in case.reply(request)):
        return False
    first, last = case.path(lineage[0]).tolist(), case.path(lineage[-1]).tolist()
    return not any(case.is_kind(row, "tools", "system") for row in (*first, *last))


def _markers_missing(case: Case) -> list[int]:
    """Requests without markers of which a server that needs them says it cached something."""
    if not Markers.apply_to(case) or case.engine_name not in ("anthropic", "bedrock"):
        return []
    markers = Markers(case)
    if markers.everywhere:
        return []
    frame = case.trace.requests
    used = np.zeros(len(case), dtype=np.int64)
    for kind in ("read", "write_5m", "write_1h"):
        used += frame[f"reported_cache_{kind}_tokens"].fill_null(0).to_numpy()
    return [request for request in np.flatnonzero(used).tolist() if not markers.points[request]]
