"""The first screen of an analysis. In: a `Result`. Out: at most 60 lines, whatever the number of requests.

How much was computed and how much had to be, what the cache could have given, where the tokens went; waste; what would
mend it; and how sure all of that is: the encoding, reports against the simulation, what could not be read.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from cachelens.model.result import Result
from cachelens.model.rows import Break
from cachelens.report.terminal.bar import bar
from cachelens.report.terminal.columns import table
from cachelens.report.terminal.heading import cache_model, headline, remarks, sentences
from cachelens.report.terminal.screen import Line, Page, Span, pack
from cachelens.report.terminal.waste import FINDINGS, FINDINGS_VERBOSE, opportunities, waste
from cachelens.report.units import count, exact, factor, money, percent, plural, points, share
from cachelens.report.untrusted import clean

#: Breaks shown, and shown with `--verbose`.
BREAKS = 3
BREAKS_VERBOSE = 25
_MOST = 60
_LABEL = 20
_FIGURE = 8
_HEADER = ("request", "lost", "at token", "edit", "part", "where")


def analysis(result: Result, page: Page, breaks: int = BREAKS) -> list[Line]:
    """The screen: what was read, where the tokens went, waste and remedies, the worst `breaks`, what was left out.

    Titles go over two lines where there is room for them.
    """
    lines = _screen(result, page, breaks, lines_of_title=2)
    if len(lines) > _MOST and breaks <= BREAKS:
        return _screen(result, page, breaks, lines_of_title=1)
    return lines


def _screen(result: Result, page: Page, breaks: int, lines_of_title: int) -> list[Line]:
    blank: Line = []
    lines = headline(result.cachelens, result.trace, cache_model(result.engine), page)
    lines += [blank, *_totals(result, page), *bar(result.totals.outcomes, page)]
    verbose = breaks > BREAKS
    lines += [*_rejected(result, page), *_reported(result, page), blank, *waste(result, page)]
    lines += opportunities(result, page, FINDINGS_VERBOSE if verbose else FINDINGS, lines_of_title)
    lines += [blank, *_breaks(result, page, breaks), *_lineages(result, page)]
    lines += _layouts(result, page)
    closing = [*remarks(result.trace, page), *_engine_remarks(result, page, verbose)]
    return [*lines, blank, *closing] if closing else lines


def _row(label: str, figure: str, *details: str, page: Page) -> list[Line]:
    """A labelled figure, then what qualifies it, on as many lines as the page needs."""
    head = [Span(f"  {label:<{_LABEL - 2}}"), Span(f"{figure:>{_FIGURE}}", "bold")]
    packed = pack(([Span(detail)] for detail in details), page.width - _LABEL - _FIGURE - 3)
    lead = " " * (_LABEL + _FIGURE)
    lines: list[Line] = [[*head, Span("   "), *packed[0]] if packed else head]
    lines += [[Span(lead + "   "), *rest] for rest in packed[1:]]
    return lines


def _totals(result: Result, page: Page) -> list[Line]:
    totals, tiers = result.totals, result.engine.tier_hit_tokens
    prompt, fresh, computed = totals.prompt_tokens, totals.fresh_tokens, totals.prefilled_tokens
    again = [f"sent again {count(prompt - fresh)}"]
    if computed > fresh:
        again.append(f"of which computed again {count(computed - fresh)}")
    best = [f"{percent(totals.ideal_hit_rate)} hit with an infinite cache"]
    if result.engine.capacity_tokens is not None:
        best.append(f"{percent(totals.optimal_hit_rate)} with this size and perfect eviction")
    if diverged := totals.outcomes.get("divergence", 0):
        best.append(f"{share(totals.reusable_tokens + diverged, prompt)} if no prompt broke its prefix")
    return [
        *_row("prompt tokens", count(prompt), *again, page=page),
        *_row(
            "computed",
            count(computed),
            share(computed, prompt),
            f"fresh {count(fresh)}",
            f"prefill amplification {factor(computed, fresh)}" if fresh else "nothing fresh",
            page=page,
        ),
        *_row(
            "hit",
            count(totals.hit_tokens),
            share(totals.hit_tokens, prompt),
            f"mean of requests {percent(totals.mean_hit_ratio)}",
            *(f"{share(hits, prompt)} from {_clean(name, page)}" for name, hits in tiers.items()),
            page=page,
        ),
        *_row("best possible", count(totals.reusable_tokens), *best, page=page),
    ]


def _clean(name: str, page: Page) -> str:
    return clean(name, 20, ascii_only=page.ascii_only)


def _rejected(result: Result, page: Page) -> list[Line]:
    """Requests that the cache can never take: what they lost counts as evicted, though nothing evicted it."""
    number = result.engine.rejected_requests
    if not number:
        return []
    return _row(
        "larger than cache",
        count(number),
        f"of {plural(len(result.requests), 'request')}; their misses count as evicted",
        page=page,
    )


def _reported(result: Result, page: Page) -> list[Line]:
    """What the server said, against the simulation of the very requests it said it about."""
    told = [row for row in result.requests if row.reported_cached_tokens is not None]
    cached, prompt = result.totals.reported_cached_tokens, result.totals.reported_prompt_tokens
    if not told or cached is None or not prompt:
        return _row("reported by server", "-", "no cached tokens: hits are simulated alone", page=page)
    simulated_prompt = sum(row.prompt_tokens for row in told)
    details = [f"{count(cached)} of {count(prompt)} tokens by its own count"]
    if simulated_prompt:
        simulated = Fraction(sum(row.outcomes.get("hit", 0) for row in told), simulated_prompt)
        gap = points(Fraction(cached, prompt) - simulated)
        details.append(f"{gap} from the simulation")
    if len(told) < len(result.requests):
        details.append(f"on {exact(len(told))} of {plural(len(result.requests), 'request')}")
    if result.confusion is not None and result.confusion.unexplained:
        details.append(f"unexplained in {plural(result.confusion.unexplained, 'request')}")
    return _row("reported by server", share(cached, prompt), *details, page=page)


def _breaks(result: Result, page: Page, limit: int) -> list[Line]:
    continued = sum(row.previous_request_id is not None for row in result.requests)
    found = {row.request_id: row.break_ for row in result.requests if row.break_ is not None}
    title = Span(" BREAKS", "bold")
    if result.trace.encoding == "hashes":
        return [[title, Span("   not applicable: block hashes do not say what changed")]]
    if not found and not continued:
        return [[title, Span("   no request continues another")]]
    if not found:
        return [[title, Span("   append-only: every prompt extends the one before it in its lineage")]]
    chunks: list[Line] = [
        [title, Span(f"   {exact(len(found))} of {exact(continued)} prompts do not extend the one before")],
        [Span(f"{count(sum(item.lost_tokens for item in found.values()))} tokens lost by it")],
    ]
    told = any(finding.verdict != "diagnostic" for finding in result.findings)
    # Findings tell the same by cause.
    worst = (
        [] if told and limit <= BREAKS else [name for name in result.worst_breaks if name in found][:limit]
    )
    lines: list[Line] = list(pack(chunks, page.width, indent=3))
    if not worst:
        return lines
    rows = [_cells(name, found[name], page) for name in worst]
    return lines + list(table(_HEADER, rows, page, right=frozenset({0, 1, 2}), flexible=5))


def _cells(request_id: str, item: Break, page: Page) -> tuple[str, ...]:
    where = item.path
    if item.char_offset is not None:
        where += f", char {exact(item.char_offset)}"
    if item.name:
        where += f" ({clean(item.name, 40, ascii_only=page.ascii_only)})"
    return (
        clean(request_id, 24, ascii_only=page.ascii_only),
        count(item.lost_tokens),
        exact(item.token_offset),
        clean(item.kind, 14, ascii_only=page.ascii_only),
        clean(item.component, 14, ascii_only=page.ascii_only),
        clean(where, 120, ascii_only=page.ascii_only),
    )


def _lineages(result: Result, page: Page) -> list[Line]:
    """How many lineages grow without a break, and which one loses most."""
    lost: Counter[str] = Counter()
    breaks: Counter[str] = Counter()
    for row in result.requests:
        if row.break_ is not None:
            breaks[row.lineage_id] += 1
            lost[row.lineage_id] += row.break_.lost_tokens
    sizes = Counter(row.lineage_id for row in result.requests)
    if not breaks or len(sizes) == 1:
        return []
    worst = max(breaks, key=lambda name: (lost[name], breaks[name]))
    chunks: list[Line] = [
        [
            Span(" LINEAGES", "bold"),
            Span(f" {exact(len(sizes) - len(breaks))} of {exact(len(sizes))} without a break"),
        ],
        [
            Span(
                f"{clean(worst, 24, ascii_only=page.ascii_only)} loses most: {count(lost[worst])} tokens "
                f"in {plural(breaks[worst], 'break')} over {plural(sizes[worst], 'request')}"
            )
        ],
    ]
    return list(pack(chunks, page.width, indent=3))


def _layouts(result: Result, page: Page) -> list[Line]:
    """The same trace under other caches: one change can cost all in one and nothing in another."""
    if not result.engines:
        return []
    priced = any(row.cost_usd is not None for row in result.engines)
    header = ("unlimited", "prompts", "hit", "computed", *(("input USD",) if priced else ()))
    rows = [
        (
            row.engine,
            row.order,
            share(row.hit_tokens, row.prompt_tokens),
            count(row.prefilled_tokens),
            *(("-" if row.cost_usd is None else money(row.cost_usd),) if priced else ()),
        )
        for row in result.engines
    ]
    title: Line = [Span(" THE SAME TRACE ELSEWHERE", "bold")]
    return [[], title, *table(header, rows, page, right=frozenset({2, 3, 4}))]


def _engine_remarks(result: Result, page: Page, verbose: bool) -> list[Line]:
    engine = result.engine
    said = list(engine.notes)
    if engine.waited_requests:
        said.append(f"{plural(engine.waited_requests, 'request')} had to wait for others")
    if engine.unknown and not verbose:
        number = plural(len(engine.unknown), "rule")
        said.append(f"{number} not published or not modeled: -v, or docs/engines/{engine.name}.md")
    unknown = sentences(f"{engine.name}, not known", engine.unknown, page) if verbose else []
    return [*sentences(engine.name, said, page), *unknown]
