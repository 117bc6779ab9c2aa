"""Options of the stages, frozen. In: what the command line or a caller chose. Out: one object per stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class IngestOptions:
    """How captures are read.

    `input_format`: name of a format, None to recognise it by content. `encoding`: token encoding.
    `render`: `tools-first` or `system-first`, None for the default of each dialect.
    `strict`: a record that cannot be read is an error instead of being counted and skipped.
    """

    input_format: str | None = None
    encoding: str = "o200k_base"
    render: str | None = None
    strict: bool = False


@dataclass(frozen=True)
class AnalyzeOptions:
    """The cache model to replay. `capacity_tokens` None: unlimited. `page_size` in tokens, at least 1."""

    capacity_tokens: int | None = None
    page_size: int = 1


@dataclass(frozen=True)
class CurveOptions:
    """The curve to compute: `points` capacities at which perfect eviction is evaluated as well.

    `marked_capacity_tokens`: a capacity to mark, and to evaluate exactly. `capacities`: asked for one by
    one, an int in tokens, a float as a share of the working set (rounded down, at least one page); each is
    evaluated exactly and named in `Curve.capacities`. With `points` 0 nothing else is.

    `blocks`: count in blocks of a hash trace instead of tokens (plain block LRU).
    """

    page_size: int = 1
    points: int = 33
    blocks: bool = False
    marked_capacity_tokens: int | None = None
    capacities: tuple[int | float, ...] = ()
