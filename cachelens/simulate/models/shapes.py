"""Shapes of open models. In: a name. Out: a `Shape`, from `shapes.tsv`, each row with its source and date.

Not listed, because no formula here describes them: models that choose which tokens to attend to (DeepSeek V3.2
and V4, GLM-5) and those whose layers differ in the size of their heads (Gemma 4, MiMo V2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from cachelens.errors import UsageError, unknown_name
from cachelens.registry import Entry

#: Bits of one number of the KV cache. Scales that some servers keep beside fp8 and fp4 are not counted.
KV_DTYPES: Final[Mapping[str, int]] = MappingProxyType(
    {"bf16": 16, "fp16": 16, "fp8": 8, "int8": 8, "fp4": 4}
)
#: Bits of one weight, with the scales of block formats.
WEIGHT_DTYPES: Final[Mapping[str, Fraction]] = MappingProxyType(
    {
        "bf16": Fraction(16),
        "fp16": Fraction(16),
        "fp8": Fraction(8),
        "int8": Fraction(8),
        "mxfp4": Fraction(17, 4),
        "nvfp4": Fraction(9, 2),
        "int4": Fraction(4),
        "fp4": Fraction(4),
    }
)


@dataclass(frozen=True)
class Shape:
    """A transformer as its cache sees it.

    Of `layers`, `full_layers` attend to everything and `window_layers` to the last `window` tokens; the rest,
    in a `hybrid` model, keep a state of constant size, which a cache can reuse at checkpoints only: figures of
    hybrid models are approximate. `kv_lora_rank` above 0: latent attention, whose cache holds that many
    numbers and `rope_dim` more a layer. `active_params`: those that one token passes through.
    `weights`: the type that the checkpoint is published in, `published_bytes` its size when types are mixed.
    `verified`: the published configuration, or a copy of it, was read on `date` at `source`.
    """

    name: str
    aliases: tuple[str, ...]
    layers: int
    full_layers: int
    window_layers: int
    window: int
    kv_heads: int
    query_heads: int
    head_dim: int
    kv_lora_rank: int
    rope_dim: int
    nope_dim: int
    v_dim: int
    total_params: int
    active_params: int
    weights: str
    published_bytes: int | None
    hybrid: bool
    verified: bool
    date: str
    source: str
    remark: str

    def kv_bytes_per_token(self, dtype: str = "bf16", tp: int = 1, *, windows: bool = True) -> int:
        """Bytes that one token takes in the caches of all `tp` ranks together.

        KV heads are split over the ranks, and repeated where there are more ranks than heads; a latent cache
        is held by every rank. Layers with a sliding window count as if all their tokens were stored, so that
        a capacity is never overstated; with `windows` False they count nothing, as for a server that frees
        what the window has passed.

        Raises UsageError for an unknown type, and for heads that `tp` ranks cannot share evenly.
        """
        if dtype not in KV_DTYPES:
            raise unknown_name("type of KV cache", dtype, KV_DTYPES)
        self._check_ranks(tp)
        layers = self.full_layers + (self.window_layers if windows else 0)
        if self.kv_lora_rank:
            numbers = layers * (self.kv_lora_rank + self.rope_dim) * tp
        else:
            numbers = 2 * layers * max(self.kv_heads, tp) * self.head_dim
        return numbers * KV_DTYPES[dtype] // 8

    def weight_bytes(self, dtype: str | None = None) -> int:
        """Bytes of all weights together, in `dtype` or, with None, as the checkpoint is published.

        Every weight counts in the one type, except in checkpoints whose size is known. Raises UsageError for
        an unknown type, and for None where the size of the published checkpoint is not known.
        """
        if dtype is None and self.published_bytes is not None:
            return self.published_bytes
        dtype = dtype or self.weights
        if dtype == "unknown":
            raise UsageError(
                f"the size of the published weights of {self.name} is not known",
                "name the type of its weights",
            )
        if dtype not in WEIGHT_DTYPES:
            raise unknown_name("type of weights", dtype, WEIGHT_DTYPES)
        return int(self.total_params * WEIGHT_DTYPES[dtype] / 8)

    @property
    def attention_flops(self) -> int:
        """FLOPs that each earlier token adds to the cost of one in prefill: `a` of docs/algorithms.md."""
        return self._head_flops * self.full_layers

    @property
    def window_flops(self) -> int:
        """FLOPs that each of the last `window` tokens adds, in layers with a sliding window."""
        return self._head_flops * self.window_layers

    @property
    def _head_flops(self) -> int:
        """Of one layer and one earlier token: a multiplication and an addition per number of K and of V."""
        if self.kv_lora_rank:
            return 2 * self.query_heads * (self.nope_dim + self.rope_dim + self.v_dim)
        return 4 * self.query_heads * self.head_dim

    def _check_ranks(self, tp: int) -> None:
        heads = [self.query_heads] if self.kv_lora_rank else [self.query_heads, self.kv_heads]
        for kind, count in zip(("query", "KV"), heads, strict=False):
            shared = count % tp == 0 if tp >= 1 else False
            if not shared and not (kind == "KV" and tp >= 1 and tp % count == 0):
                raise UsageError(
                    f"{tp} ranks cannot share the {count} {kind} heads of {self.name} evenly",
                    "give a --tp that divides them",
                )


@cache
def shapes() -> tuple[Shape, ...]:
    """All rows of shapes.tsv, in order."""
    text = files("cachelens.simulate.models").joinpath("shapes.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    header, *rows = (line.split("\t") for line in lines)
    return tuple(_shape(dict(zip(header, row, strict=True))) for row in rows)


def _shape(row: dict[str, str]) -> Shape:
    return Shape(
        name=row["name"],
        aliases=tuple(alias for alias in row["aliases"].split(",") if alias),
        layers=int(row["layers"]),
        full_layers=int(row["full_layers"]),
        window_layers=int(row["window_layers"]),
        window=int(row["window"]),
        kv_heads=int(row["kv_heads"]),
        query_heads=int(row["query_heads"]),
        head_dim=int(row["head_dim"]),
        kv_lora_rank=int(row["kv_lora_rank"]),
        rope_dim=int(row["rope_dim"]),
        nope_dim=int(row["nope_dim"]),
        v_dim=int(row["v_dim"]),
        total_params=int(row["total_params"]),
        active_params=int(row["active_params"]),
        weights=row["weights"],
        published_bytes=int(row["published_bytes"]) if row["published_bytes"] else None,
        hybrid=row["hybrid"] == "yes",
        verified=row["verified"] == "yes",
        date=row["date"],
        source=row["source"],
        remark=row["remark"],
    )


def find_shape(name: str) -> Shape:
    """The shape of a model by its name or an alias, in any case. Raises UsageError with a suggestion."""
    wanted = name.strip().lower()
    for shape in shapes():
        if wanted in (shape.name, *(alias.lower() for alias in shape.aliases)):
            return shape
    plain = [name for shape in shapes() for name in (shape.name, *shape.aliases) if "/" not in name]
    raise unknown_name("model", name, plain)


def kv_tokens(memory_bytes: int, shape: Shape, dtype: str = "bf16", tp: int = 1) -> int:
    """Whole tokens whose KV fits into `memory_bytes` over all `tp` ranks."""
    return memory_bytes // shape.kv_bytes_per_token(dtype, tp)


def left_for_kv(
    memory_bytes: int,
    shape: Shape,
    weights_dtype: str | None = None,
    utilization: Fraction = Fraction(9, 10),
    activation_bytes: int = 0,
) -> int:
    """Bytes that weights leave for KV of `memory_bytes` over all ranks; `ServerMemory` says what the rest means.

    Raises UsageError, with figures, when the weights do not fit.
    """
    usable = int(memory_bytes * utilization) - activation_bytes
    weights = shape.weight_bytes(weights_dtype)
    if weights >= usable:
        raise UsageError(
            f"the weights of {shape.name} ({weights_dtype or shape.weights}) take {_gib(weights)}, but only "
            f"{_gib(max(usable, 0))} of {_gib(memory_bytes)} of memory are for weights and KV",
            "give the memory of all ranks together, or a smaller type of weights",
        )
    return usable - weights


def _gib(amount: int) -> str:
    return f"{amount / 2**30:,.1f} GiB"


class ShapeList:
    """The models as a registry that can be listed: names, each with its size and KV bytes a token."""

    kind = "model"

    @property
    def entries(self) -> dict[str, Entry]:
        """Names in order of the table, with a line about each."""
        return {shape.name: Entry(shape.source, _summary(shape)) for shape in shapes()}

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def require(self, name: str) -> Entry:
        """The entry of a model. Raises UsageError with a suggestion."""
        return self.entries[find_shape(name).name]


def _summary(shape: Shape) -> str:
    size = _billions(shape.total_params)
    if shape.active_params != shape.total_params:
        size += f", {_billions(shape.active_params)} active"
    kv = f"{shape.kv_bytes_per_token():,} B of KV a token in bf16"
    if shape.window_layers:
        kv += f" ({shape.kv_bytes_per_token(windows=False):,} B without windowed layers)"
    doubts = ["approximate"] * shape.hybrid + ["config not seen"] * (not shape.verified)
    return f"{size}; {kv}; {shape.date}" + "".join(f"; {doubt}" for doubt in doubts)


def _billions(params: int) -> str:
    return f"{params / 1e9:.3g} B" if params < 999_500_000_000 else f"{params / 1e9:,.0f} B"


MODELS = ShapeList()
