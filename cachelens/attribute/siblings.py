"""First requests of lineages that could have shared more. In: a trace. Out: edits against an earlier one.

Sessions and sub-agents of one harness send nearly the same tools and system prompt. Where something of their
own stands before what they share, the prefix cache serves nothing behind it, although no prompt was edited.
"""

from __future__ import annotations

from collections import defaultdict

from cachelens.attribute.edits import Pair, edits_of
from cachelens.attribute.history import History, compare
from cachelens.attribute.texts import Texts
from cachelens.model.trace import Int64, Trace

#: Fewest tokens behind the first difference that both hold.
MIN_SHARED_TOKENS = 256
#: First requests that one is compared with: those that held most of its contents, the latest of them; where
#: none held any, the latest of all (a system prompt that begins with a date is another content every day).
_COMPARED = 4
#: Latest first requests remembered for one content.
_REMEMBERED = 16
#: Shorter contents say nothing about whether two prompts are alike.
_TELLING_TOKENS = 64


def add_siblings(found: History, trace: Trace, texts: Texts, reusable: Int64) -> None:
    """Compare each first request of a lineage with the earlier one that it could share most with.

    Edits are added to `found.edits` and `found.sibling_edits`, for requests of which at least
    MIN_SHARED_TOKENS stand behind what an infinite cache serves.
    """
    frame = trace.requests
    namespaces, dialects = frame["namespace"].to_list(), frame["dialect"].to_list()
    contents, tokens = trace.segments.content, trace.contents.tokens
    holders: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    latest: defaultdict[str, list[int]] = defaultdict(list)
    for request in (trace.predecessor < 0).nonzero()[0].tolist():
        if dialects[request] == "hashes":
            continue
        path = trace.segments.path(int(trace.last_segment[request]))
        own = list(dict.fromkeys(contents[path].tolist()))
        telling = [content for content in own if tokens[content] >= _TELLING_TOKENS]
        held: defaultdict[int, int] = defaultdict(int)
        for content in telling:
            for other in holders[namespaces[request], content]:
                held[other] += int(tokens[content])
        best: Pair | None = None
        most = 0
        alike = sorted(held, key=lambda one: (-held[one], -one))[:_COMPARED]
        for other in alike or reversed(latest[namespaces[request]]):
            pair = compare(trace, request, other, sibling=True)
            behind = _held_behind(pair, int(reusable[request]))
            if behind > most:
                best, most = pair, behind
        if best is not None and most >= MIN_SHARED_TOKENS:
            edits = edits_of(trace, texts, best, len(found.edits))
            found.edits += edits
            found.sibling_edits[request] = edits
        latest[namespaces[request]] = [*latest[namespaces[request]][1 - _COMPARED :], request]
        for content in telling:
            holders[namespaces[request], content] = [
                *holders[namespaces[request], content][1 - _REMEMBERED :],
                request,
            ]


def _held_behind(pair: Pair, depth: int) -> int:
    """Tokens of the later prompt behind `depth` that the earlier one had held too."""
    total = 0
    for match in pair.found:
        start, end = pair.offsets[match.now], pair.offsets[match.now + 1]
        total += max(0, start + match.head - max(start, depth)) + max(0, end - max(end - match.tail, depth))
    return total
