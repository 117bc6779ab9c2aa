"""The reuse-run table: which request last used each prompt token, and how far down the LRU stack it lay.

In: a forest and, per request, the path it looks up and the path it touches. Out: `ReuseRuns`, one or
two rows per request, from which hits at every capacity and TTL are arithmetic (`queries`) and the
optimal policy is one heap pass (`minimum`).

The model: requests run one after another. A request matches the longest resident prefix of its lookup
path, then touches its touch path; within one request deeper tokens count as older. So the last use never
becomes more recent with depth, what is least recent is always a leaf, and the cache of size C is the
top C tokens of one stack, whatever C is. A path longer than C leaves its first C tokens behind.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from cachelens.model.trace import Int64
from cachelens.prefix.forest import Forest


@dataclass(frozen=True, eq=False)
class ReuseRuns:
    """Runs of tokens that were used before, one row each, by request and then by depth.

    Before request `request[k]`, the tokens at depths `lo[k]` (exclusive) to `hi[k]` (inclusive) of its
    lookup path had last been used by request `last_request[k]`; token `lo[k] + x` had stack distance
    `above[k] + x`: it is resident at capacities of that many tokens and more. `live[k]` tokens in all
    were last used by that request at that moment (this run and any deeper ones off the path).
    The rows of a request follow one another without a gap from depth 0; tokens below its last row were
    never seen. Depths are in tokens, multiples of `page`. `covering` says that every request touched all
    it looked up, which makes the rows the next uses as well (see `minimum`).
    """

    request: Int64
    lo: Int64
    hi: Int64
    last_request: Int64
    above: Int64
    live: Int64
    page: int
    covering: bool

    def __len__(self) -> int:
        return len(self.request)

    @property
    def tokens(self) -> Int64:
        """Length of each run in tokens."""
        return self.hi - self.lo


def reuse_runs(forest: Forest, lookup: Int64, touch: Int64 | None = None, page: int = 1) -> ReuseRuns:
    """The reuse-run table of requests that look up, in this order, the paths ending at nodes `lookup`.

    `touch` holds the nodes that end what each request leaves behind: by default its lookup path, and
    longer when generated text is kept. `page` is the unit of caching in tokens; what does not fill a page
    is neither found nor kept, and paths that part inside a page do not share that page.
    Amortised O(log nodes) per request while touch paths cover lookup paths.
    Raises ValueError for a page below 1 or arrays of different lengths, IndexError for unknown nodes.
    """
    if page < 1:
        raise ValueError(f"page must be at least 1 token, not {page}")
    if touch is not None and len(touch) != len(lookup):
        raise ValueError("lookup and touch must have one node per request each")
    for nodes in (lookup, lookup if touch is None else touch):
        if len(nodes) and not 0 <= int(nodes.min()) <= int(nodes.max()) < len(forest):
            raise IndexError("lookup and touch must hold nodes of the forest")
    # A page belongs to the node whose edge holds its last token, so flooring depths is all paging needs.
    ends: list[int] = (forest.end // page * page).tolist()
    heads: list[int] = forest.heads.tolist()
    parent: list[int] = forest.parent.tolist()
    looked: list[int] = lookup.tolist()
    touched: list[int] = looked if touch is None else touch.tolist()

    # Per heavy path, by its head: (end depth, last request), the shallowest and most recent run on top.
    stacks: list[list[tuple[int, int]] | None] = [None] * len(heads)
    ages = _Ages(len(looked))
    rows = [array("q") for _ in range(6)]
    path: list[tuple[int, int]] = []  # (head, depth down to which its heavy path is followed), deep end first
    for request, node in enumerate(looked):
        while node >= 0:
            head = heads[node]
            path.append((head, ends[node]))
            node = parent[head]
        again = path.copy() if touched[request] == looked[request] else []

        depth = start = 0
        owner = -1
        while path:
            head, bottom = path.pop()
            stack = stacks[head]
            level = len(stack) if stack else 0
            while stack and level and depth < bottom:
                level -= 1
                end, user = stack[level]
                if user != owner:
                    if owner >= 0:
                        ages.record(rows, request, start, depth, owner)
                    owner, start = user, depth
                depth = end if end < bottom else bottom
        if owner >= 0:
            ages.record(rows, request, start, depth, owner)

        path = again
        if not path:
            node = touched[request]
            while node >= 0:
                head = heads[node]
                path.append((head, ends[node]))
                node = parent[head]
        depth = 0
        while path:
            head, bottom = path.pop()
            if bottom == depth:
                continue
            stack = stacks[head]
            if stack is None:
                stack = stacks[head] = []
            while stack and depth < bottom:
                end, user = stack[-1]
                if end <= bottom:
                    stack.pop()
                else:
                    end = bottom
                ages.remove(user, end - depth)
                depth = end
            stack.append((bottom, request))
            depth = bottom
        ages.append(depth)

    columns = [np.frombuffer(row, dtype=np.int64) if row else np.zeros(0, np.int64) for row in rows]
    request_, lo, hi, last_request, above, live = columns
    return ReuseRuns(
        request=request_,
        lo=lo,
        hi=hi,
        last_request=last_request,
        above=above,
        live=live,
        page=page,
        covering=_covers(forest, looked, touched),
    )


class _Ages:
    """How many tokens each request was the last to use, with the sum over all later requests in O(log n).

    What requests touched when they ran is a running total that only grows at the end; only what they
    lost since needs a Fenwick tree.
    """

    def __init__(self, requests: int) -> None:
        self.live: list[int] = []
        self.touched: list[int] = []  # tokens touched up to and including each request
        self.total = 0  # tokens in the whole stack
        self.lost = [0] * (requests + 1)

    def append(self, tokens: int) -> None:
        """The next request touched `tokens`."""
        self.live.append(tokens)
        self.touched.append((self.touched[-1] if self.touched else 0) + tokens)
        self.total += tokens

    def remove(self, request: int, tokens: int) -> None:
        """`tokens` last used by `request` are used again."""
        self.live[request] -= tokens
        self.total -= tokens
        lost = self.lost
        size = len(lost)
        index = request + 1
        while index < size:
            lost[index] += tokens
            index += index & -index

    def record(self, rows: list[array[int]], request: int, lo: int, hi: int, last: int) -> None:
        """Write the row that `request` finds (lo, hi] last used by `last`."""
        older = self.touched[last]
        lost = self.lost
        index = last + 1
        while index:
            older -= lost[index]
            index &= index - 1
        rows[0].append(request)
        rows[1].append(lo)
        rows[2].append(hi)
        rows[3].append(last)
        rows[4].append(self.total - older)
        rows[5].append(self.live[last])


def _covers(forest: Forest, looked: list[int], touched: list[int]) -> bool:
    """Whether every touch path contains its lookup path."""
    return looked is touched or all(
        a == b or forest.common_depth(a, b) == forest.end[a] for a, b in zip(looked, touched, strict=True)
    )
