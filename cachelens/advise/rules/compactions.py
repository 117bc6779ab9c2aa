"""Where a history was replaced by a summary. In: a case. Out: `Compacted`s with their cost and payback.

Two shapes: inside a lineage (edits of kind `summarized`), and a new lineage of the same session that begins with
the same tools and system prompt and a summary, after which nobody continues the old one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil

from cachelens.advise.case import Case
from cachelens.advise.rules.token_costs import TokenCost, token_cost

#: How harnesses introduce a summary (Claude Code, pi and its kin, Codex, Gemini CLI and Qwen Code, opencode).
_INTRODUCTIONS = re.compile(
    r"this session is being continued from a previous"
    r"|conversation history before this point was (?:compacted|summari[sz]ed)"
    r"|another language model started to solve this problem and produced a summary"
    r"|<(?:conversation_|context_|session_)?summary>|<state_snapshot>|<compaction"
    r"|\[compaction\]|\[compacted",
    re.IGNORECASE,
)
#: Characters at the start of a message in which an introduction stands.
_INTRODUCED = 600
#: Fewest tokens of a summary; what is shorter is a notice that something was left out.
SUMMARY_TOKENS = 64
#: Messages at the start of a new history that may hold the summary.
_EARLY = 4
#: Earlier requests of the session that may have written it, or have been the last with the history.
_RECENT = 64
#: Share of a reply that must stand in a message for the message to be made of it.
_HELD_SHARE = 0.6
#: Lines shorter than this say nothing about where a text comes from.
_TELLING_CHARACTERS = 12


@dataclass(frozen=True)
class Compacted:
    """One replacement: request `before` was the last with the history, `request` the first without it.

    `row`: the summary in its prompt. `writer`: the request that generated it, -1 if it was not captured.
    `tokens_before`: what prompts had come to, `tokens_after`: what stands in its place, without what is new at
    the end; `computed` of it were not served. `writer_computed` prompt tokens and `written` output tokens were
    spent on the summary. `later`: requests that went on with it. `cost`: prices, None if unknown.
    """

    request: int
    before: int
    row: int
    writer: int
    tokens_before: int
    tokens_after: int
    computed: int
    writer_prompt: int
    writer_computed: int
    written: int
    later: int
    cost: TokenCost | None

    @property
    def saved(self) -> int:
        """Tokens that every later request carries less."""
        return self.tokens_before - self.tokens_after

    @property
    def spent(self) -> Decimal:
        """What it cost up to and with `request`: millionths of a dollar, or tokens computed, generated or carried.

        Without prices every token counts the same, be it computed, generated or no longer carried.
        """
        if self.cost is None:
            return Decimal(self.computed + self.writer_computed + self.written - self.saved)
        served = self.tokens_after - self.computed - self.tokens_before
        served += self.writer_prompt - self.writer_computed
        computed = self.computed + self.writer_computed
        return computed * self.cost.computed + served * self.cost.served + self.written * self.cost.generated

    @property
    def gain(self) -> Decimal:
        """What each later request saves, in the same unit."""
        return self.saved * (Decimal(1) if self.cost is None else self.cost.served)

    @property
    def payback(self) -> int | None:
        """After how many later requests it had paid for itself; None: never, reads cost nothing."""
        if self.spent <= 0:
            return 0
        return ceil(self.spent / self.gain) if self.gain > 0 else None

    @property
    def repaid(self) -> bool:
        """Whether the requests that followed paid for it."""
        return self.payback is not None and self.payback <= self.later


def compactions(case: Case) -> list[Compacted]:
    """All of them, in order of request."""
    found = [*_inside(case), *_across(case)]
    starts = sorted(one.request for one in found)
    return sorted((_until_next(case, one, starts) for one in found), key=lambda one: one.request)


def is_summary(case: Case, request: int) -> bool:
    """Whether what replaced several segments of the history before `request` says what they said.

    A short notice that messages were left out says nothing, whatever stands around it.
    """
    rows = _summary_rows(case, request)
    texts = [case.text(row) or "" for row in rows]
    tokens = sum(case.tokens(row) for row in rows)
    return tokens >= SUMMARY_TOKENS or any(introduced(text) for text in texts)


def introduced(text: str) -> bool:
    """Whether a text begins as summaries do."""
    return _INTRODUCTIONS.search(text[:_INTRODUCED]) is not None


def head_length(case: Case, path: Sequence[int]) -> int:
    """How many segments of a prompt are tools and the leading system prompt."""
    at = next((at for at, row in enumerate(path) if not case.is_kind(row, "tools", "system")), None)
    return len(path) if at is None else at


def _summary_rows(case: Case, request: int) -> list[int]:
    edits = case.past.edits_of.get(request, ())
    return [edit.now_row for edit in edits if edit.kind == "summarized" and edit.now_row >= 0]


def _inside(case: Case) -> Iterator[Compacted]:
    """Those within a lineage."""
    for request in case.past.edits_of:
        rows = _summary_rows(case, request)
        if not rows or not is_summary(case, request):
            continue
        pair = case.past.pairs[request]
        last = max((match.now for match in pair.found), default=-1)
        after = int(pair.offsets[last + 1])
        then = pair.then if pair.echoed else pair.then[: pair.reply_at]
        before = sum(case.tokens(row) for row in then)
        writer = _writer(case, rows, range(max(pair.before, request - _RECENT), request))
        yield _compaction(case, request, pair.before, rows[0], writer, before, after)


def _across(case: Case) -> Iterator[Compacted]:
    """Those that begin a lineage."""
    ends = {lineage: requests[-1] for lineage, requests in case.requests_of_lineage.items()}
    heads: dict[int, tuple[int, ...]] = {}

    def head(request: int) -> tuple[int, ...]:
        if request not in heads:
            path = case.path(request).tolist()
            content = case.trace.segments.content
            heads[request] = tuple(int(content[row]) for row in path[: head_length(case, path)])
        return heads[request]

    for request in sorted(requests[0] for requests in case.requests_of_lineage.values()):
        session = case.requests_of_session[case.sessions[request]]
        at = bisect_left(session, request)
        earlier = session[max(0, at - _RECENT) : at]
        if not earlier:
            continue
        path = case.path(request).tolist()
        early = [row for row in path[head_length(case, path) :] if not _of_tool(case, row)][:_EARLY]
        writer = _writer(case, early, earlier)
        said = next((row for row in early if introduced(case.text(row) or "")), -1)
        row = _made_of(case, early, writer) if writer >= 0 else said
        if row < 0:
            continue
        tips = [
            one
            for one in earlier
            if one != writer and ends[case.lineages[one]] in (one, writer) and head(one) == head(request)
        ]
        if not tips:
            continue
        before, after = int(case.work.prompt_tokens[tips[-1]]), int(case.work.prompt_tokens[request])
        if after < before if writer >= 0 else 2 * after <= before:
            yield _compaction(case, request, tips[-1], row, writer, before, after)


def _compaction(
    case: Case, request: int, before: int, row: int, writer: int, tokens_before: int, tokens_after: int
) -> Compacted:
    prompt, hit = case.work.prompt_tokens, case.replay.hit
    lineage = case.requests_of_lineage[case.lineages[request]]
    return Compacted(
        request=request,
        before=before,
        row=row,
        writer=writer,
        tokens_before=tokens_before,
        tokens_after=tokens_after,
        computed=max(0, tokens_after - int(hit[request])),
        writer_prompt=int(prompt[writer]) if writer >= 0 else 0,
        writer_computed=int(prompt[writer] - hit[writer]) if writer >= 0 else 0,
        written=int(case.work.output_tokens[writer]) if writer >= 0 else 0,
        later=sum(one > request for one in lineage),
        cost=token_cost(case, request),
    )


def _until_next(case: Case, one: Compacted, starts: Sequence[int]) -> Compacted:
    """`one` with those requests alone that came before its lineage was compacted again."""
    lineage = case.lineages[one.request]
    end = next((at for at in starts if at > one.request and case.lineages[at] == lineage), len(case))
    later = sum(one.request < at < end for at in case.requests_of_lineage[lineage])
    return replace(one, later=later)


def _of_tool(case: Case, row: int) -> bool:
    return case.is_kind(row, "tools", "tool_call", "tool_result", "image", "thinking")


def _writer(case: Case, rows: Sequence[int], requests: Sequence[int]) -> int:
    """The latest of `requests` whose reply stands in one of `rows`, -1 when there is none."""
    return next((one for one in reversed(requests) if _made_of(case, rows, one) >= 0), -1)


def _made_of(case: Case, rows: Sequence[int], writer: int) -> int:
    """The first of `rows` that holds what `writer` generated, -1 when none does."""
    reply = [row for row in case.reply(writer) if case.is_kind(row, "assistant")]
    if sum(case.tokens(row) for row in reply) < SUMMARY_TOKENS:
        return -1
    lines = [
        line for row in reply for line in map(str.strip, (case.text(row) or "").splitlines())
        if len(line) >= _TELLING_CHARACTERS
    ]  # fmt: skip
    whole = sum(map(len, lines))
    for row in rows:
        text = case.text(row) or ""
        if whole and sum(len(line) for line in lines if line in text) >= _HELD_SHARE * whole:
            return row
    return -1
