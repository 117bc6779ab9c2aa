"""The models of the documentation written down naively, a token (or page) at a time. Slow on purpose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from .workloads import Request, Token

#: A page: its namespace and everything from the start of the prompt to its last token.
Page = tuple[str, tuple[Token, ...]]


def pages(namespace: str, tokens: tuple[Token, ...], page: int) -> list[Page]:
    return [(namespace, tokens[:end]) for end in range(page, len(tokens) + 1, page)]


def looked(request: Request, page: int) -> list[Page]:
    return pages(request.namespace, request.looked, page)


def touched(request: Request, page: int, generated: bool) -> list[Page]:
    return pages(request.namespace, request.touched if generated else request.looked, page)


def leading(wanted: Sequence[Page], resident: Iterable[Page]) -> int:
    held = set(resident)
    count = 0
    for item in wanted:
        if item not in held:
            break
        count += 1
    return count


def stack_lru(
    requests: Sequence[Request], capacity: int | None, page: int, generated: bool, root_first: bool = False
) -> list[int]:
    """Hit tokens of each request. The list is the LRU stack, most recent first.

    Root first: blocks are touched from the root down, one after the other, as a plain block LRU does.
    """
    stack: list[Page] = []
    hits = []
    for request in requests:
        room = len(stack) if capacity is None else capacity // page
        hits.append(page * leading(looked(request, page), stack[:room]))
        path = touched(request, page, generated)
        for item in path if root_first else path[::-1]:
            if item in stack:
                stack.remove(item)
            stack.insert(0, item)
    return hits


def lifetimes(
    requests: Sequence[Request],
    time: Sequence[float],
    release: Sequence[float],
    ttl: float,
    capacity: int | None,
    page: int,
    generated: bool,
) -> list[int]:
    """Hit tokens of each request where a token also needs to have been touched `ttl` ago at most."""
    stack: list[Page] = []
    since: dict[Page, float] = {}
    hits = []
    for i, request in enumerate(requests):
        room = stack if capacity is None else stack[: capacity // page]
        hits.append(page * leading(looked(request, page), [p for p in room if time[i] - since[p] <= ttl]))
        for item in touched(request, page, generated)[::-1]:
            if item in stack:
                stack.remove(item)
            stack.insert(0, item)
            since[item] = release[i]
    return hits


def exhaustive(requests: Sequence[Request], capacity: int, page: int, generated: bool) -> int:
    """The most hit tokens of any policy: after each request it may keep any pages it has, up to capacity."""
    best: dict[frozenset[Page], int] = {frozenset(): 0}
    for request in requests:
        following: dict[frozenset[Page], int] = {}
        for held, score in best.items():
            score += leading(looked(request, page), held)
            offered = sorted(held | set(touched(request, page, generated)), key=repr)
            room = min(capacity // page, len(offered))
            for chosen in combinations(offered, room):  # more is never worse
                kept = frozenset(chosen)
                following[kept] = max(following.get(kept, 0), score)
        best = following
    return page * max(best.values())


def evict_leaves(
    requests: Sequence[Request], capacity: int, page: int, generated: bool, policy: str
) -> list[int]:
    """Hit tokens of each request when the least valued leaf page goes first until the rest fits."""
    uses: dict[Page, int] = {}
    used: dict[Page, int] = {}
    made: dict[Page, int] = {}
    held: set[Page] = set()
    hits = []
    for i, request in enumerate(requests):
        hits.append(page * leading(looked(request, page), held))
        for item in touched(request, page, generated):
            if item not in held:
                made[item], uses[item] = i, 0
            held.add(item)
            uses[item] += 1
            used[item] = i
        value = {"fifo": made, "lfu": uses, "mru": {p: -t for p, t in used.items()}}[policy]
        while len(held) > capacity // page:
            leaves = {
                p
                for p in held
                if not any(
                    q[0] == p[0] and len(q[1]) == len(p[1]) + page and q[1][: len(p[1])] == p[1] for q in held
                )
            }
            held.remove(min(leaves, key=lambda p: (value[p], used[p], -len(p[1]), repr(p))))
    return hits
