"""The memory of a server. In: `ServerMemory` and a `Shape`. Out: how many tokens of KV it holds, and back.

All memory is that of all ranks together. GiB (2**30 bytes) and GB (10**9 bytes) are different units.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cachelens.errors import UsageError
from cachelens.simulate.models.shapes import Shape, kv_tokens, left_for_kv


@dataclass(frozen=True)
class ServerMemory:
    """The memory of a server, of all ranks together, and what of it is not for KV.

    `utilization`: the share of `total_bytes` that weights and KV take together; what it leaves is for
    activations and everything else, as SGLang's `mem_fraction_static` and vLLM's `gpu_memory_utilization` do
    it. `activation_bytes` come off that share as well (vLLM counts its peak there). `weights_dtype` None: as
    the checkpoint is published.
    """

    total_bytes: int
    utilization: Fraction = Fraction(9, 10)
    weights_dtype: str | None = None
    activation_bytes: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.utilization <= 1:
            raise UsageError(f"a utilization of {float(self.utilization):g} is not a share of the memory")

    def kv_bytes(self, shape: Shape) -> int:
        """Bytes left for KV. Raises UsageError, with figures, when the weights of `shape` do not fit."""
        return left_for_kv(
            self.total_bytes, shape, self.weights_dtype, self.utilization, self.activation_bytes
        )


def capacity_tokens(memory: ServerMemory, shape: Shape, dtype: str = "bf16", tp: int = 1) -> int:
    """Whole tokens of KV that a server with this memory holds. Raises UsageError as `ServerMemory.kv_bytes`."""
    return kv_tokens(memory.kv_bytes(shape), shape, dtype, tp)


def bytes_for_tokens(tokens: int, shape: Shape, dtype: str = "bf16", tp: int = 1) -> int:
    """Bytes that the KV of `tokens` takes over all `tp` ranks."""
    return tokens * shape.kv_bytes_per_token(dtype, tp)
