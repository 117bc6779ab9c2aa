"""Mooncake Store behind vLLM: every block of a prompt is an object of its own.

In: a workload, vLLM's capacity and block size, and as a tier the store's memory. Out: tokens served, and which
of them were loaded from the store. Prompts are stored when they have been computed; a prompt looks up its
objects from the first on, and loads what goes beyond the blocks that vLLM has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cachelens.errors import UsageError
from cachelens.simulate.chunk_store import VllmWithStore
from cachelens.simulate.engine import Facts, Setup, Source
from cachelens.simulate.engines import vllm
from cachelens.simulate.options import chosen, engine_options
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options(vllm.Options):
    """`chunk_size`: tokens of an object, a multiple of the block size; 0 for one block, as vLLM stores them."""

    chunk_size: int = 0


class MooncakeStore(VllmWithStore):
    """One Mooncake Store used by one vLLM by way of MooncakeStoreConnector."""

    Options = Options
    facts: ClassVar[Facts] = replace(
        vllm.Vllm.facts,
        name="mooncake-store",
        title="Mooncake Store behind vLLM",
        tiers=1,
        sources=(
            Source(
                "vllm at 003df296, distributed/kv_transfer/kv_connector/v1/mooncake/store",
                "https://github.com/vllm-project/vllm/tree/003df2961dd8830c317a61f9745ccd557da9fa06",
                "2026-11-24",
            ),
            Source(
                "Mooncake Store, design",
                "https://github.com/kvcache-ai/Mooncake/blob/main/docs/source/design/mooncake-store.md",
                "2026-11-24",
            ),
            *vllm.Vllm.facts.sources,
        ),
        unknown=(
            "Read from the connector's source and the store's design; not compared with the real code.",
            "The store evicts in batches before it is full, by default 5 % of its objects at 95 %, and nothing "
            "whose lease of 5 s runs; newer versions have other defaults. Here it evicts one object at a time when "
            "full, the one used longest ago: give less than its size for what it can hold at least.",
            "Of the objects that one request used last the deepest go first; the real order is not fixed.",
            "A prompt larger than the store keeps its beginning.",
            "Loading takes no time and never fails; a request that waits looks up when it starts.",
            "Soft pins, replicas, SSD, and a store that several servers share are not modeled.",
            "Preemption is not modeled: a request waits until it fits with all it will generate.",
            "Sliding windows and Mamba layers are not modeled.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(Options, setup, self.facts)
        page = chosen(setup, self.facts).page_size
        if options.chunk_size % page:
            raise UsageError(
                f"objects of {options.chunk_size:,} tokens are no multiple of a block of {page:,}",
                "give another chunk_size, or none",
            )
        super().__init__(workload, setup, options.chunk_size or page)

    def _servable(self, request: int, run: int) -> int:
        """Whole objects, but never the last token of the prompt."""
        return min(run, max(self._prompt[request] - 1, 0) // self._chunk) * self._chunk

    def _found(self, chunks: list[int], run: int) -> None:
        """Every object of the prompt is asked for and thereby used, also beyond the first that is missing."""
        self.store.use(chunk for chunk in reversed(chunks) if chunk in self.store)

    def _keep(self, chunks: list[int], run: int) -> None:
        """What is missing is put; the whole prompt counts as used then."""
        missing = [chunk for chunk in chunks if chunk not in self.store]
        self.store.put(missing, spare=frozenset(chunks))
        self._found(chunks, run)
