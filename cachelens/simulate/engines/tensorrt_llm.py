"""TensorRT-LLM's KV cache manager: blocks that match in part, priorities, a second level in host memory.

In: a workload, capacity, block size, and as a tier the host memory. Out: tokens served, and which of them
came from the host. Free blocks keep their tokens until they are taken, the first released of the lowest
priority first; what is taken moves to the host if there is room, and can be brought back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cachelens.errors import UsageError
from cachelens.simulate.block_tree import DEFAULT_PRIORITY, Block, BlockTree, Keys
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.losses import Losses
from cachelens.simulate.options import chosen, engine_options, unbounded
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload

_DOCS = "https://nvidia.github.io/TensorRT-LLM/1.3.0rc27"
_LOWEST, _HIGHEST = 0, 100


@dataclass(frozen=True)
class Options:
    """`partial_reuse`, `copy_on_partial_reuse`, `secondary_offload_min_priority`: as in KvCacheConfig.

    `priority`, `decode_priority`: retention priorities 0 to 100 of the blocks of prompts and of those that
    generated text begins. `request_priority`: a request that has a priority in the trace, from 1 to 100, has
    it for its prompt.
    """

    partial_reuse: bool = True
    copy_on_partial_reuse: bool = True
    secondary_offload_min_priority: int = 30
    priority: int = DEFAULT_PRIORITY
    decode_priority: int = DEFAULT_PRIORITY
    request_priority: bool = False


@dataclass(slots=True)
class _Running:
    """A request between start and finish: its blocks by depth, how many of them were whole in the tree."""

    blocks: list[Block]
    known: int


class TensorrtLlm:
    """The block manager with full attention and a beam of one."""

    Options = Options
    facts: ClassVar[Facts] = Facts(
        name="tensorrt-llm",
        title="TensorRT-LLM KV cache manager",
        kind="server",
        page_size=32,
        page_sizes=(2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
        policies=("priority-lru",),
        keeps_output=True,
        tiers=1,
        order="system-first",
        sources=(
            Source("KV cache system, 1.3.0rc27", f"{_DOCS}/features/kvcache.html", "2026-11-24"),
            Source("KvCacheConfig, 1.3.0rc27", f"{_DOCS}/llm-api/reference/KvCacheConfig.html", "2026-11-24"),
            Source(
                "cpp/tensorrt_llm/batch_manager/evictionPolicy.cpp@05a91919, and kvCacheManager.cpp of that time",
                "https://github.com/NVIDIA/TensorRT-LLM/blob/05a919198033f5c5d70680da46bb4fe431b7c27e/cpp/tensorrt_llm/batch_manager/evictionPolicy.cpp",
                "2026-11-24",
            ),
        ),
        unknown=(
            "Not compared with the real code: read from its documentation and source.",
            "The block manager in C++ is modeled; use_kv_cache_manager_v2 is `auto`, and what the newer manager "
            "does differently was not read.",
            "Of several blocks that match equally far in part the oldest is taken; the real choice is not fixed.",
            "Retention for a limited time, sliding windows, beams and disk are not modeled.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(Options, setup, self.facts)
        page, _ = chosen(setup, self.facts)
        for name in ("priority", "decode_priority", "secondary_offload_min_priority"):
            _check(name, getattr(options, name))
        self._work = workload
        self._concurrent = setup.concurrent
        self._page = page
        self._blocks = None if setup.capacity_tokens is None else setup.capacity_tokens // page
        self._tier = setup.tiers[0].name if setup.tiers else None
        self._losses = Losses(len(workload)) if setup.explain else None
        self.tree = BlockTree(
            self._blocks,
            setup.tiers[0].capacity_tokens // page if setup.tiers else 0,
            partial=options.partial_reuse,
            copy=options.copy_on_partial_reuse,
            offload_priority=options.secondary_offload_min_priority,
            losses=self._losses,
        )
        self._paths = workload.paths(1)
        self._nodes: list[int] = workload.kept.tolist()
        self._prompt: list[int] = workload.prompt_tokens.tolist()
        self._kept: list[int] = workload.kept_tokens.tolist()
        # A block that is matched keeps its priority unless a request asks for another one.
        self._asked: list[int | None] = [None if options.priority == DEFAULT_PRIORITY else options.priority]
        self._asked *= len(workload)
        self._decode = options.decode_priority
        if options.request_priority:
            for request, priority in enumerate(workload.priority.tolist()):
                if priority:
                    _check(f"the priority of request {request}", priority)
                    self._asked[request] = priority
        self._running: dict[int, _Running] = {}
        self._from_host = np.zeros(len(workload), dtype=np.int64)

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Without bounds of capacity."""
        return unbounded(setup)

    def replay(self) -> Replay:
        """Tokens served to each request, and how many of them were on the host."""
        replay = serve(self._work, self, self._concurrent)
        if self._losses is not None:
            replay = replace(replay, evictor=self._losses.evictors())
        return replay if self._tier is None else replace(replay, tiers={self._tier: self._from_host})

    @property
    def evicted_tokens(self) -> int:
        """Tokens dropped from device and host so far."""
        return self.tree.evicted_tokens

    def fits(self, request: int) -> bool:
        """Whether the blocks of the device can hold the request with all it generates."""
        return self._blocks is None or self._need(request) <= self._blocks

    def lookup(self, request: int) -> int:
        """Tokens that would be served now, wherever they are."""
        keys = self._keys(request, self._prompt[request] - 1)
        hit = 0
        for number in range(len(keys)):
            match = self.tree.match(keys.key(number), self._page)
            if match is None:
                break
            hit += match.tokens
            if match.partial:
                break
        return hit

    def start(self, request: int) -> int | None:
        """Reuse what the tree holds of the prompt without its last token, allocate the rest, store full blocks."""
        keys = self._keys(request, self._prompt[request] - 1)
        if not self._has_room(request, keys):
            return None
        tree, page, asked = self.tree, self._page, self._asked[request]
        if self._losses is not None:
            self._losses.serving = request
        run = self._running[request] = _Running([], 0)
        full = (self._prompt[request] - 1) // page
        hit = 0
        searching = True
        for number in range(-(-self._prompt[request] // page)):
            told = number < len(keys)  # the last token may have a block to itself
            if searching and number < full:
                # The usual case at little cost: a whole block that is in the tree.
                whole = tree.held(keys.last(number))
                if whole is not None:
                    hit += page
                    if whole.host:
                        self._from_host[request] += page
                    run.blocks.append(tree.claim(whole, asked))
                    run.known += 1
                    continue
            match = None
            if searching and told:
                key = keys.key(number)
                match = tree.match(key, page)
                tree.miss(key, 0 if match is None else match.tokens)
            if match is None:
                searching = False
                block = tree.allocate(DEFAULT_PRIORITY if asked is None else asked, filled=told)
                block.refs = 1
            else:
                hit += match.tokens
                if match.block.host:
                    self._from_host[request] += match.tokens
                block = tree.reuse(match, asked)
                searching = False
            run.blocks.append(block)
        tree.store(self._keys(request, full * page), run.blocks, run.known)
        return hit

    def finish(self, request: int) -> None:
        """Blocks for what was generated; all that was computed is stored, a last block in part as well."""
        run = self._running.pop(request)
        if self._losses is not None:
            self._losses.serving = request
        while len(run.blocks) < self._need(request):
            block = self.tree.allocate(self._decode, filled=None)
            block.refs = 1
            run.blocks.append(block)
        self.tree.store(self._keys(request, self._kept[request]), run.blocks, run.known)
        self.tree.release(run.blocks)

    def _keys(self, request: int, tokens: int) -> Keys:
        tokens = max(tokens, 0)
        return Keys(self._paths.ranges(self._nodes[request], tokens), tokens, self._page)

    def _need(self, request: int) -> int:
        """Blocks a request takes at most, shared ones included."""
        return -(-self._kept[request] // self._page)

    def _has_room(self, request: int, keys: Keys) -> bool:
        """Whether the request fits beside those that are running, each with all it will generate."""
        if self._blocks is None or not self._running:
            return True
        promised = sum(self._need(other) - len(run.blocks) for other, run in self._running.items())
        lacking = self._need(request) + promised - self.tree.free
        for number in range(len(keys)):
            if lacking <= 0:
                return True
            block = self.tree.held(keys.last(number))
            if block is None or keys.key(number).end % self._page:
                return False
            lacking -= block.refs > 0  # shared with a request that runs
        return lacking <= 0


def _check(what: str, priority: int) -> None:
    if not _LOWEST <= priority <= _HIGHEST:
        raise UsageError(
            f"tensorrt-llm: {what} is {priority}",
            f"priorities are {_LOWEST} to {_HIGHEST}, {DEFAULT_PRIORITY} by default",
        )
