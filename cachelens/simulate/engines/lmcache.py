"""LMCache behind vLLM: chunks of 256 tokens in host memory.

In: a workload, vLLM's capacity and block size, and as a tier LMCache's memory. Out: tokens served, and which
of them were loaded from LMCache. Prompts are stored chunk by chunk when they have been computed; a prompt
looks up its chunks from the first on, and loads what goes beyond the blocks that vLLM has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from cachelens.simulate.chunk_store import VllmWithStore
from cachelens.simulate.engine import Facts, Setup, Source
from cachelens.simulate.engines import vllm
from cachelens.simulate.options import engine_options
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options(vllm.Options):
    """`chunk_size`, `cache_policy`, `save_decode_cache`: as in LMCache's configuration, with its defaults."""

    chunk_size: int = 256
    cache_policy: Literal["LRU", "LFU", "FIFO", "MRU"] = "LRU"
    save_decode_cache: bool = False


class Lmcache(VllmWithStore):
    """LMCache's CPU backend by way of LMCacheConnectorV1, save_unfull_chunk off."""

    Options = Options
    facts: ClassVar[Facts] = replace(
        vllm.Vllm.facts,
        name="lmcache",
        title="LMCache behind vLLM",
        tiers=1,
        sources=(
            Source(
                "lmcache 0.5.6, v1/cache_engine.py, v1/storage_backend, integration/vllm/vllm_v1_adapter.py",
                "Python package lmcache 0.5.6",
                "2026-11-24",
            ),
            *vllm.Vllm.facts.sources,
        ),
        unknown=(
            "LMCache is read from its source; only vLLM was compared with recorded runs.",
            "Its default size is 5 GB, which is no number of tokens: the size of the tier must be given.",
            "Loading takes no time and never fails; a request that waits looks up when it starts.",
            "Disk and remote backends, blending and sharing between instances are not modeled.",
            "Preemption is not modeled: a request waits until it fits with all it will generate.",
            "Sliding windows and Mamba layers are not modeled.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(Options, setup, self.facts)
        super().__init__(workload, setup, options.chunk_size, options.cache_policy.lower())
        self._save_decode = options.save_decode_cache

    def finish(self, request: int) -> None:
        """As in vLLM; with save_decode_cache each chunk that generated text filled has been stored."""
        if self._save_decode:
            filled = self._chunks(request, self._kept[request])
            for chunk in filled[self._prompt[request] // self._chunk :]:
                self.store.put([chunk])
        super().finish(request)

    def _servable(self, request: int, run: int) -> int:
        """Whole chunks; when they are the whole prompt its last token is computed again."""
        tokens = run * self._chunk
        return tokens - 1 if tokens and tokens == self._prompt[request] else tokens

    def _found(self, chunks: list[int], run: int) -> None:
        """Back to front, so that the head of a prompt outlives its tail."""
        self.store.use(reversed(chunks[:run]))

    def _keep(self, chunks: list[int], run: int) -> None:
        """Everything after the run, whether or not a later chunk is held already."""
        self.store.put(chunks[run:])
