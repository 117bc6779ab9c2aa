"""SGLang's prefix cache, request by request as its scheduler drives it.

In: a workload, capacity, page size, policy. Out: tokens served. Equal to recorded runs of sglang 0.5.23 on
every request (tests/simulate/engines). One radix tree; what a request needs is evicted before it is
allocated, whole leaves at a time; a prompt is published when its prefill ends, and generated text when
the request ends, without its last token, whose KV was never computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from cachelens.prefix.paths import Ranges
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.losses import Losses
from cachelens.simulate.options import chosen, engine_options, unbounded
from cachelens.simulate.policies import POLICIES
from cachelens.simulate.policies.base import Policy, PolicyOptions
from cachelens.simulate.radix import Node, RadixTree
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """`tree`: `unified` (the default since 0.5.23) or `classic`; they differ in the age of split nodes.

    `protocol`: `engine`, or `simple`: match, evict, insert once, as studies replay it. `chunk`: tokens of a
    prefill chunk, 0 for prefill in one piece. The others are parameters of the policies slru and tlru.
    """

    tree: Literal["unified", "classic"] = "unified"
    protocol: Literal["engine", "simple"] = "engine"
    chunk: int = 0
    protected_threshold: int = 2
    tlru_threshold: int = 0
    tlru_next_prompt: int = 0


@dataclass(slots=True)
class _Running:
    """A request between start and finish: its path, the node it locks, its pages outside the tree."""

    ranges: Ranges
    node: Node
    own: int
    counted: int


class Sglang:
    """SGLang's RadixCache and UnifiedRadixCache for models with full attention."""

    Options = Options
    facts: ClassVar[Facts] = Facts(
        name="sglang",
        title="SGLang radix cache",
        kind="server",
        page_size=1,
        policies=("lru", "lfu", "fifo", "mru", "filo", "priority", "slru", "tlru"),
        keeps_output=True,
        any_policy=True,
        order="system-first",
        sources=(
            Source(
                "sglang 0.5.23, mem_cache and managers",
                "Python package sglang 0.5.23",
                "2026-11-24",
            ),
            Source("recorded runs of sglang 0.5.23", "tests/simulate/engines/recorded", "2026-11-24"),
        ),
        unknown=(
            "The default page size is resolved when a server starts; 1 is assumed.",
            "Batching by the waiting queue, retraction, sliding windows and Mamba layers are not modeled.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(self.Options, setup, self.facts)
        page, policy_name = chosen(setup, self.facts)
        self._work = workload
        self._concurrent = setup.concurrent
        self._page = page
        self._pages = None if setup.capacity_tokens is None else setup.capacity_tokens // page
        self._simple = options.protocol == "simple"
        self._chunk = options.chunk
        parameters = PolicyOptions(
            options.protected_threshold, options.tlru_threshold, options.tlru_next_prompt
        )
        self._policy: Policy = POLICIES.load(policy_name)(parameters)
        self._losses = Losses(len(workload)) if setup.explain else None
        self.tree = RadixTree(
            page, self._policy, options.tree == "classic", self._losses, self._pages is not None
        )
        self._paths = workload.paths(page)
        self._prompt: list[int] = workload.prompt_tokens.tolist()
        self._kept: list[int] = workload.kept_tokens.tolist()
        self._nodes: list[int] = workload.kept.tolist()
        self._output: list[int] = workload.output_tokens.tolist()
        self._priority: list[int] = workload.priority.tolist()
        self._running: dict[int, _Running] = {}

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without a bound of capacity."""
        return unbounded(setup)

    def replay(self) -> Replay:
        """Tokens served to each request."""
        replay = serve(self._work, self, self._concurrent)
        return replay if self._losses is None else replace(replay, evictor=self._losses.evictors())

    @property
    def evicted_tokens(self) -> int:
        """Tokens evicted so far."""
        return self.tree.evicted_pages * self._page

    def fits(self, request: int) -> bool:
        """Whether the request, with the page that is asked for beyond need, fits an empty cache."""
        if self._pages is None:
            return True
        return self._need(request) <= self._pages

    def _need(self, request: int) -> int:
        """Pages a request takes at most, those it is served included."""
        return -(-self._kept[request] // self._page) + (1 if self._page > 1 and not self._simple else 0)

    def lookup(self, request: int) -> int:
        """Tokens that would be served now. As in SGLang itself this refreshes and may split what it finds."""
        node = self._match(request, self._ranges(request))
        return node.end * self._page

    def start(self, request: int) -> int | None:
        """Match, lock, prefill in chunks and publish the prompt."""
        if not self._has_room(request):
            return None
        tree, page = self.tree, self._page
        ranges = self._ranges(request)
        prompt, kept = self._prompt[request], self._kept[request]
        if self._losses is not None:
            self._losses.serving = request
        node = self._present(request, self._match(request, ranges))
        if self._losses is not None and node.end < (prompt - 1) // page:
            self._losses.miss(ranges, node.end)
        tree.lock(node)
        run = self._running[request] = _Running(ranges, node, own=0, counted=0)
        hit = node.end * page
        if self._simple:
            self._make_room(-(-kept // page) - node.end)
            return hit
        done = hit
        while done < prompt:
            end = min(done + self._chunk, prompt) if self._chunk else prompt
            self._make_room(end - done if page == 1 else -(-(end - done + page) // page))
            run.own = -(-end // page) - run.node.end
            done = end
            if done < prompt or self._output[request] > 1:
                self._publish(run, done // page, self._priority[request])
                run.own = -(-done // page) - run.node.end
        return hit

    def finish(self, request: int) -> None:
        """Room for what was generated, which is then published; unlock."""
        if self._losses is not None:
            self._losses.serving = request
        run = self._running[request]
        page, prompt, kept = self._page, self._prompt[request], self._kept[request]
        priority = self._priority[request]
        if not self._simple:
            self._decode(run, prompt, kept)
            if prompt // page and kept // page > prompt // page:
                # The prompt ranks above the output, which is dropped first under `priority`.
                self._publish(run, prompt // page, priority + 1)
        self._publish(run, kept // page, priority)
        self.tree.unlock(run.node)
        # Until now its pages outside the tree had to be counted.
        del self._running[request]

    def _ranges(self, request: int) -> Ranges:
        return self._paths.ranges(self._nodes[request], self._kept[request] // self._page)

    def _match(self, request: int, ranges: Ranges) -> Node:
        """What is cached of a prompt without its last token, which is computed in any case."""
        return self.tree.match(ranges, (self._prompt[request] - 1) // self._page)

    def _present(self, request: int, found: Node) -> Node:
        """The part of what was found that is, or now is brought, on the device."""
        return found

    def _publish(self, run: _Running, pages: int, priority: int) -> None:
        node = self.tree.insert(run.ranges, pages, priority, run.counted, run.node)
        run.counted = max(run.counted, pages)
        self.tree.lock(node)
        self.tree.unlock(run.node)
        run.node = node

    def _decode(self, run: _Running, prompt: int, kept: int) -> None:
        """Room for the generated tokens, asked for one at a time; a whole page at every step if pages are larger."""
        page = self._page
        steps = kept - prompt
        if page == 1:
            self._make_room(steps)
            run.own += steps
            return
        have = -(-prompt // page)
        last = -(-kept // page)
        if steps > 0:
            self._make_room(1)
        while have < last:
            have += 1
            run.own += 1
            if have * page - page + 1 < kept:
                self._make_room(1)

    def _make_room(self, pages: int) -> bool:
        """Evict until `pages` pages are free; False if that many cannot be."""
        if self._pages is None:
            return True
        own = sum(other.own for other in self._running.values())
        free = self._pages - self.tree.pages - own
        if pages > free:
            self.tree.evict(pages - free)
            return pages <= self._pages - self.tree.pages - own
        return True

    def _has_room(self, request: int) -> bool:
        """Whether the request fits beside those that are running, each with all it will generate."""
        if self._pages is None or not self._running:
            return True
        promised = self._need(request) + sum(self._need(other) for other in self._running)
        if promised <= self._pages:
            return True
        shared = self.tree.pages_in_use([run.node for run in self._running.values()])
        full = sum(self._need(other) - run.node.end for other, run in self._running.items())
        node = self._match(request, self._ranges(request))
        together = self.tree.pages_in_use([node, *(run.node for run in self._running.values())])
        return max(shared, together) + full + self._need(request) - node.end <= self._pages
