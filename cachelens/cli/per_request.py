"""What each request got, one line each. In: a `Simulation`. Out: JSON Lines or Parquet."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachelens.cli.console import Console, write_stdout
from cachelens.cli.outputs import check_folder, write_file
from cachelens.errors import UsageError

if TYPE_CHECKING:
    from cachelens.pipeline.grid import Simulation


@dataclass(frozen=True)
class PerRequest:
    """One place, `-` for stdout, and whether it is Parquet."""

    place: str
    parquet: bool

    @property
    def on_stdout(self) -> bool:
        """Whether stdout belongs to it."""
        return self.place == "-"

    @classmethod
    def plan(cls, place: str | None, force: bool, inputs: Sequence[str]) -> PerRequest | None:
        """Check the place before the work starts. Raises UsageError when it cannot be written."""
        if place is None:
            return None
        if place != "-":
            path = Path(place)
            if path.is_dir() or not place:
                raise UsageError(f"{place or '--per-request'}: is a folder, not a file")
            if any(os.path.realpath(name) == os.path.realpath(place) for name in inputs if name != "-"):
                raise UsageError(f"{place}: is an input of this very run")
            if path.exists() and not force:
                raise UsageError(f"{place}: exists already", "--force overwrites it")
            check_folder(path.parent)
        return cls(place, place.lower().endswith(".parquet"))

    def write(self, found: Simulation, console: Console) -> None:
        """Write it. Raises UsageError when that fails; nothing half-written is left."""
        data = _parquet(found) if self.parquet else _lines(found)
        if self.on_stdout:
            write_stdout(data)
            return
        write_file(Path(self.place), data)
        console.tell(f"Wrote {self.place}")


def rows(found: Simulation) -> Iterator[dict[str, Any]]:
    """One row per cache and request: which cache, what the request sent and what it was served."""
    from cachelens.pipeline.costs import request_costs

    ids = found.work.trace.requests["request_id"].to_list()
    prompts = found.work.prompt_tokens.tolist()
    reported = found.work.trace.requests["reported_cache_read_tokens"].to_list()
    told = any(cached is not None for cached in reported)
    several = len(found.grid.cells) > 1
    for cell, replay in zip(found.grid.cells, found.replays, strict=True):
        cache: dict[str, Any] = (
            {"engine": cell.engine, "policy": cell.policy, "capacity_tokens": cell.capacity_tokens}
            if several
            else {}
        )
        columns: dict[str, list[Any]] = {
            "request_id": ids,
            "prompt_tokens": prompts,
            "hit_tokens": replay.hit.tolist(),
        }
        columns |= {f"{name}_hit_tokens": hits.tolist() for name, hits in replay.tiers.items()}
        for name in ("written_5m", "written_1h"):
            written = getattr(replay, name)
            if written is not None:
                columns[f"{name}_tokens"] = written.tolist()
        if cell.cost_usd is not None:
            written = [columns.get(f"{name}_tokens", [0] * len(ids)) for name in ("written_5m", "written_1h")]
            spent = zip(prompts, columns["hit_tokens"], *written, strict=True)
            columns["uncached_tokens"] = [prompt - hit - five - hour for prompt, hit, five, hour in spent]
            columns["cost_usd"] = request_costs(found.work, cell.engine, replay)
        if told:
            columns["reported_cached_tokens"] = reported
            columns["above_reported_tokens"] = [
                None if cached is None else hit - cached
                for hit, cached in zip(columns["hit_tokens"], reported, strict=True)
            ]
        if replay.rejected is not None and replay.rejected.any():
            columns["rejected"] = replay.rejected.tolist()
        for values in zip(*columns.values(), strict=True):
            yield cache | dict(zip(columns, values, strict=True))


def _lines(found: Simulation) -> bytes:
    return b"".join(
        json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for row in rows(found)
    )


def _parquet(found: Simulation) -> bytes:
    import polars as pl

    stream = io.BytesIO()
    frame = pl.DataFrame(list(rows(found)), infer_schema_length=None)
    frame.write_parquet(stream, compression="zstd", statistics=False)
    return stream.getvalue()
