"""Which segments of two prompts are the same, or versions of one. In: rows of both. Out: `Match`es, in order.

Alignment goes by content; here is what is known beside it: a tool has a name, a call and its result have an id,
and the echo of a reply follows the prompt that it was a reply to.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np

from cachelens.attribute.align import SAME_SEGMENT, Match, common_ends, matches, same_prefix
from cachelens.model.kinds import KIND_CODE
from cachelens.model.trace import Int64, Trace

_TOOLS = KIND_CODE["tools"]
#: Kinds that a reply is made of.
_REPLIED = frozenset(KIND_CODE[name] for name in ("assistant", "thinking", "tool_call", "image", "other"))


def counterparts(trace: Trace, then: Int64, now: Int64, reply_at: int) -> list[Match]:
    """Matches between places of `now` and of `then`, from place `reply_at` on of which is a reply.

    Two versions of a tool definition have the same name, those of a call or its result the same id; one text
    that several calls gave belongs to each of them.
    """
    segments, contents = trace.segments, trace.contents
    content = segments.content
    one, other = content[then].astype(np.int64), content[now].astype(np.int64)
    rows = np.concatenate((then, now))
    tools = rows[segments.kind[rows] == _TOOLS]
    names = dict(zip(content[tools].tolist(), segments.name[tools].tolist(), strict=True))

    def group(number: int) -> tuple[int, int]:
        return int(contents.kind[number]), names.get(number, -1)

    same = same_prefix(one, other)
    known = _by_call(trace, then, now, same)
    gone, came = set(known.values()), set(known)
    left = [at for at in range(len(then)) if at not in gone] if known else range(len(then))
    new = [at for at in range(len(now)) if at not in came] if known else range(len(now))
    rest = matches(one[left].tolist(), other[new].tolist(), contents, group, same)
    found = [match._replace(now=new[match.now], before=left[match.before]) for match in rest]
    for at, place in known.items():
        match = _versions(trace, at, place, int(other[at]), int(one[place]))
        if match is not None:
            found.append(match)
    found.sort()
    if _answered(trace, then, now, reply_at, found):
        return found
    return [match for match in found if match.before < reply_at]


def _by_call(trace: Trace, then: Int64, now: Int64, same: int) -> dict[int, int]:
    """Place of the later prompt behind the first `same` -> place of the earlier one that belongs to the same call.

    Some servers give out the same ids again and again, and results may have parts: where an id does not tell
    one segment, only those with the same text are paired.
    """
    segments = trace.segments
    before, after = (_calls(trace, rows, same) for rows in (then, now))
    found: dict[int, int] = {}
    for key, places in after.items():
        others = before.get(key, [])
        if len(places) == len(others) == 1:
            found[places[0]] = others[0]
            continue
        waiting: defaultdict[int, deque[int]] = defaultdict(deque)
        for place in others:
            waiting[int(segments.content[then[place]])].append(place)
        for place in places:
            if held := waiting.get(int(segments.content[now[place]])):
                found[place] = held.popleft()
    return found


def _calls(trace: Trace, rows: Int64, same: int) -> dict[tuple[int, int], list[int]]:
    """Places of calls and results behind the first `same`, by kind and id."""
    found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    tail = rows[same:]
    columns = trace.segments.kind[tail].tolist(), trace.segments.call_id[tail].tolist()
    for at, (kind, call) in enumerate(zip(*columns, strict=True), start=same):
        if call >= 0:
            found[kind, call].append(at)
    return found


def _versions(trace: Trace, now_at: int, then_at: int, now: int, then: int) -> Match | None:
    """The match of two contents that are known to stand for the same; None when they have too little in common."""
    contents = trace.contents
    if now == then:
        return Match(now_at, then_at, int(contents.tokens[now]), 0)
    one, other = contents.token_ids(then), contents.token_ids(now)
    head, tail = common_ends(one, other)
    framings = int(contents.framing[then]), int(contents.framing[now])
    shorter = min(len(one) - framings[0], len(other) - framings[1])
    if shorter <= 0 or head + tail - min(head, *framings) < SAME_SEGMENT * shorter:
        return None
    return Match(now_at, then_at, head, tail)


def _answered(trace: Trace, then: Int64, now: Int64, reply_at: int, found: Sequence[Match]) -> bool:
    """Whether what matches the reply is its echo: it follows the earlier prompt, or is the same text or call.

    Where a message of somebody else stands between, what only looks like the reply is another one.
    """
    segments, contents = trace.segments, trace.contents
    echoes = [match for match in found if match.before >= reply_at]
    if not echoes:
        return True
    first = echoes[0].now
    last = max((match.now for match in found if match.before < reply_at and match.now < first), default=-1)
    if all(int(segments.kind[row]) in _REPLIED for row in now[last + 1 : first].tolist()):
        return True
    for match in echoes:
        row, other = int(then[match.before]), int(now[match.now])
        if segments.call_id[row] == segments.call_id[other] >= 0:
            return True
        number = int(segments.content[row])
        if match.head == int(contents.tokens[number]) > int(contents.framing[number]):
            return True
    return False
