"""Sessions, their lineages, their requests. In: a `Result`. Out: rows to open one after the other.

Up to `STATIC_REQUESTS` requests stand in the page. Beyond, the page holds them as compact data, and its script makes
rows of the session that is opened, so many at a time: the page stays small however long the trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cachelens.model.kinds import OUTCOMES
from cachelens.model.result import Result
from cachelens.model.rows import Break, RequestRow
from cachelens.report.html import words
from cachelens.report.html.bars import Part, accounting, stretches, strip
from cachelens.report.html.places import Link, Places
from cachelens.report.palette import OUTCOME_LOOKS
from cachelens.report.units import count, duration, exact, plural, share

#: Sessions that stand in the page; the script shows more of them, the rest is summed for everyone.
_SESSIONS = 100
#: Requests that the script can show.
_EMBEDDED = 20_000
#: Steps of the bar of one request, at the length of the longest prompt of its session.
_STEPS = 72
#: Breaks in the table of the worst.
_WORST = 12
_LOST = tuple(name for name in OUTCOMES if name not in ("hit", "fresh"))


@dataclass(frozen=True)
class RequestLine:
    """One request. `number` counts requests of the trace. `look`: where it is looked at closely."""

    number: int
    request_id: str
    look: str
    started: str
    prompt: str
    hit: str
    again: str
    reported: str
    broke: str
    bar: tuple[Part, ...]


@dataclass(frozen=True)
class LineageLines:
    """One growing prompt of a session and its requests in order of start."""

    name: str
    scope: str
    requests: tuple[RequestLine, ...]


@dataclass(frozen=True)
class SessionLines:
    """One session. `lineages` is empty where the script makes its rows, from the data at `index`."""

    index: int
    name: str
    scope: str
    prompt: str
    hit: str
    again: str
    bar: tuple[Part, ...]
    lineages: tuple[LineageLines, ...]


@dataclass(frozen=True)
class Worst:
    """A break: where a prompt departs from the one before it, and what that cost."""

    request: Link
    previous: Link
    lost: str
    token: str
    what: str


@dataclass(frozen=True)
class Sessions:
    """The section. `rest`: sessions that do not stand in the page, in words. `data`: what the script makes rows
    from, None where all requests stand in the page. `told`: some server reported cached tokens. `breaks`: in words."""

    sessions: tuple[SessionLines, ...]
    rest: str
    data: dict[str, object] | None
    told: bool
    breaks: str
    worst: tuple[Worst, ...]


Numbered = tuple[int, RequestRow]


def sessions(result: Result, places: Places) -> Sessions:
    """Sessions with most tokens computed again first; requests in order of start within their lineage."""
    grouped: dict[str, list[Numbered]] = {}
    for numbered in enumerate(result.requests, 1):
        grouped.setdefault(numbered[1].session_id, []).append(numbered)
    ordered = sorted(grouped.values(), key=lambda rows: (-sum(_again(row) for _, row in rows), rows[0][0]))
    told = any(row.reported_cached_tokens is not None for row in result.requests)
    most = len(ordered) if places.static else _SESSIONS
    shown, rest = ordered[:most], ordered[most:]
    return Sessions(
        sessions=tuple(_session(index, rows, places) for index, rows in enumerate(shown)),
        rest=_rest(rest),
        data=None if places.static else _data(ordered, places),
        told=told,
        breaks=_breaks(result),
        worst=tuple(_worst(result, places)),
    )


def _again(row: RequestRow) -> int:
    return sum(row.outcomes.get(name, 0) for name in _LOST)


def _hit(row: RequestRow) -> int:
    return row.outcomes.get("hit", 0)


def _session(index: int, rows: Sequence[Numbered], places: Places) -> SessionLines:
    requests = [row for _, row in rows]
    prompt = sum(row.prompt_tokens for row in requests)
    sums = {name: sum(row.outcomes.get(name, 0) for row in requests) for name in OUTCOMES}
    return SessionLines(
        index=index,
        name=words.name(requests[0].session_id),
        scope=_scope(requests),
        prompt=count(prompt),
        hit=share(sums["hit"], prompt),
        again=count(sum(sums[name] for name in _LOST)),
        bar=accounting(sums, OUTCOME_LOOKS),
        lineages=tuple(_lineages(rows, places)) if places.static else (),
    )


def _scope(requests: Sequence[RequestRow]) -> str:
    lineages = len({row.lineage_id for row in requests})
    return f"{plural(len(requests), 'request')} in {plural(lineages, 'lineage')}"


def _by_lineage(rows: Sequence[Numbered]) -> dict[str, list[Numbered]]:
    grouped: dict[str, list[Numbered]] = {}
    for numbered in rows:
        grouped.setdefault(numbered[1].lineage_id, []).append(numbered)
    return grouped


def _longest(rows: Sequence[Numbered]) -> int:
    return max((row.prompt_tokens for _, row in rows), default=0)


def _lineages(rows: Sequence[Numbered], places: Places) -> Iterable[LineageLines]:
    longest = _longest(rows)
    for name, own in _by_lineage(rows).items():
        requests = [row for _, row in own]
        broken = sum(row.break_ is not None for row in requests)
        scope = f"{plural(len(requests), 'request')}, " + (plural(broken, "break") if broken else "no break")
        yield LineageLines(
            words.name(name), scope, tuple(_line(number, row, longest, places) for number, row in own)
        )


def _line(number: int, row: RequestRow, longest: int, places: Places) -> RequestLine:
    look = places.views.get(row.request_id)
    return RequestLine(
        number=number,
        request_id=words.name(row.request_id),
        look="" if look is None else f"#view-{look}",
        started="" if row.started_s is None else duration(row.started_s),
        prompt=exact(row.prompt_tokens),
        hit=share(_hit(row), row.prompt_tokens),
        again=exact(_again(row)),
        reported="" if row.reported_cached_tokens is None else exact(row.reported_cached_tokens),
        broke=broke(row),
        bar=strip(_runs(row), _length(row, longest), _STEPS),
    )


def _length(row: RequestRow, longest: int) -> int:
    """Steps of the bar of a request: as long as its prompt, and so that every outcome shows."""
    least = len({name for name, _ in _named(row)})
    return max(least, _STEPS * row.prompt_tokens // longest) if row.prompt_tokens and longest else 0


def _named(row: RequestRow) -> list[tuple[str, int]]:
    runs = row.runs or tuple((name, row.outcomes.get(name, 0)) for name in OUTCOME_LOOKS)
    return [(name, tokens) for name, tokens in runs if tokens > 0 and name in OUTCOME_LOOKS]


def _runs(row: RequestRow) -> list[tuple[int, str]]:
    """Outcomes by place in the prompt where that is known, else each in one piece."""
    return [(tokens, name) for name, tokens in _named(row)]


def broke(row: RequestRow) -> str:
    """What broke the prefix of a request, in one line; empty where nothing did."""
    said = []
    if row.break_ is not None:
        said.append(departure(row.break_))
    elif row.echo is not None:
        said.append(_echo(row.echo))
    if row.evicted_by is not None:
        said.append(f"evicted by {words.name(row.evicted_by)}")
    if row.idle_s is not None:
        said.append(f"expired, not used for {duration(row.idle_s)}")
    return "; ".join(said)


def _echo(found: Break) -> str:
    """An echo in few words: in some harnesses every request has one."""
    message = found.path.partition(".")[0]
    name = f" ({words.name(found.name)})" if found.name else ""
    return f"echo {words.name(found.kind)}: {words.name(found.component)}{name}, {words.path(message)}"


def departure(found: Break) -> str:
    """Kind, part of the prompt, place and character of a break."""
    where = f"{words.name(found.kind)} {words.name(found.component)}, {words.path(found.path)}"
    if found.name:
        where += f" ({words.name(found.name)})"
    if found.char_offset is not None:
        where += f", character {exact(found.char_offset)}"
    return where


def _rest(rest: Sequence[Sequence[Numbered]]) -> str:
    if not rest:
        return ""
    requests = [row for rows in rest for _, row in rows]
    prompt = sum(row.prompt_tokens for row in requests)
    return (
        f"{plural(len(rest), 'more session')} with {plural(len(requests), 'request')}: {count(prompt)} prompt tokens, "
        f"{share(sum(map(_hit, requests)), prompt)} hit, {count(sum(map(_again, requests)))} computed again."
    )


def _breaks(result: Result) -> str:
    continued = sum(row.previous_request_id is not None for row in result.requests)
    lost = [row.break_.lost_tokens for row in result.requests if row.break_ is not None]
    if result.trace.encoding == "hashes":
        return "Block hashes do not say what changed."
    if not lost:
        return (
            "Append-only: every prompt extends the one before it in its lineage."
            if continued
            else "No request continues another."
        )
    return (
        f"{exact(len(lost))} of {exact(continued)} prompts do not extend the one before them in their lineage; "
        f"{exact(sum(lost))} tokens were lost by it."
    )


def _worst(result: Result, places: Places) -> Iterable[Worst]:
    rows = {row.request_id: row for row in result.requests}
    for request_id in result.worst_breaks[:_WORST]:
        found = rows[request_id].break_ if request_id in rows else None
        if found is not None:
            yield Worst(
                places.request(request_id),
                places.request(found.previous_request_id),
                exact(found.lost_tokens),
                exact(found.token_offset),
                departure(found),
            )


# -- data of the script


def _data(ordered: Sequence[Sequence[Numbered]], places: Places) -> dict[str, object]:
    """Sessions as [name, scope, prompt, hit, again, lineages, left out], a lineage as [name, requests].

    A request is [number, id, close look, start, prompt, hit, again, reported, what broke, bar]; the bar is a
    string of outcome letters with the steps they take. Figures are numbers, for the script to write out. Of more
    than `_EMBEDDED` requests the later ones are left out, and so are sessions that do not stand in the page and
    would be empty: `beyond` is their number.
    """
    letters = {name: chr(ord("a") + at) for at, name in enumerate(OUTCOMES)}
    found: list[object] = []
    room = _EMBEDDED
    for rows in ordered:
        if not room and len(found) >= _SESSIONS:
            break
        longest = _longest(rows)
        requests = [row for _, row in rows]
        lineages = [
            [words.name(name), [_record(number, row, longest, letters, places) for number, row in own]]
            for name, own in _by_lineage(rows[:room]).items()
        ]
        found.append(
            [
                words.name(requests[0].session_id),
                _scope(requests),
                sum(row.prompt_tokens for row in requests),
                sum(map(_hit, requests)),
                sum(map(_again, requests)),
                lineages,
                max(len(rows) - room, 0),
            ]
        )
        room = max(room - len(rows), 0)
    return {
        "steps": _STEPS,
        "outcomes": {letter: name for name, letter in letters.items()},
        "sessions": found,
        "beyond": len(ordered) - len(found),
    }


def _record(
    number: int, row: RequestRow, longest: int, letters: dict[str, str], places: Places
) -> list[object]:
    bar = stretches(_runs(row), _length(row, longest))
    return [
        number,
        words.name(row.request_id),
        places.views.get(row.request_id, 0),
        "" if row.started_s is None else duration(row.started_s),
        row.prompt_tokens,
        _hit(row),
        _again(row),
        -1 if row.reported_cached_tokens is None else row.reported_cached_tokens,
        broke(row),
        "".join(f"{letters[name]}{steps}" for name, steps in bar),
    ]
