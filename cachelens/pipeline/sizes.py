"""Sizes of caches, as written, for one trace. In: `KvOptions`, texts, a working set. Out: capacities, tiers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from cachelens.errors import UsageError
from cachelens.model.grid import ModelFacts
from cachelens.model.options import KvOptions
from cachelens.simulate.capacity import LARGEST, Capacity, parse_bytes, resolve
from cachelens.simulate.engine import Tier
from cachelens.simulate.models.shapes import find_shape, kv_tokens, left_for_kv


class Sizes:
    """Reads sizes for the model of `kv`. `shape` is None without one. Raises UsageError for an unknown model."""

    def __init__(self, kv: KvOptions) -> None:
        self._kv = kv
        self.shape = None if kv.model is None else find_shape(kv.model)

    @property
    def kv_bytes_per_token(self) -> float | None:
        """Of all ranks together, None without a model."""
        if self.shape is None:
            return None
        return float(self.shape.kv_bytes_per_token(self._kv.kv_dtype, self._kv.tp))

    def capacities(self, texts: Sequence[str], working_set: int, page: int) -> list[Capacity]:
        """The sizes asked for; `memory` is one size in place of them, what the weights leave of it.

        Raises UsageError for what is no size, below one page, or in bytes without a model.
        """
        kv = self._kv
        if kv.memory is None:
            return resolve(texts, working_set, page, self.shape, kv.kv_dtype, kv.tp)
        memory = parse_bytes(kv.memory)
        if memory is None:
            raise UsageError(f"memory {kv.memory!r} is not understood", "for example 640gib")
        if self.shape is None:
            raise UsageError("memory needs a model", "add --model NAME (`cachelens list models`)")
        left = left_for_kv(memory, self.shape, kv.weights_dtype, Fraction(kv.utilization))
        return [Capacity(f"{kv.memory} of memory", kv_tokens(left, self.shape, kv.kv_dtype, kv.tp))]

    def tiers(self, given: Sequence[tuple[str, str]], working_set: int, page: int) -> tuple[Tier, ...]:
        """Slower tiers by name and size; raises UsageError as `capacities` does."""
        kv = self._kv
        found = []
        for name, text in given:
            sizes = resolve([text], working_set, page, self.shape, kv.kv_dtype, kv.tp)
            if len(sizes) > 1:
                raise UsageError(f"tier {name!r} has one size, not {text!r}", "for example host:256gib")
            found.append(Tier(name, LARGEST if sizes[0].tokens is None else sizes[0].tokens))
        return tuple(found)

    def facts(self) -> ModelFacts | None:
        """What reports say about the model."""
        shape, per_token = self.shape, self.kv_bytes_per_token
        if shape is None or per_token is None:
            return None
        return ModelFacts(
            name=shape.name,
            kv_dtype=self._kv.kv_dtype,
            kv_bytes_per_token=per_token,
            source=shape.source,
            approximate=shape.hybrid or not shape.verified,
        )
