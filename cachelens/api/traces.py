"""Traces. In: names of captures. Out: a `Trace`, the tables that everything else reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cachelens.api.document import table_html
from cachelens.ingest import store
from cachelens.model.options import IngestOptions
from cachelens.model.skips import SkipReport
from cachelens.model.trace import Trace as Tables
from cachelens.pipeline import load as read_captures
from cachelens.report.units import count, plural

if TYPE_CHECKING:
    import polars as pl


class Trace:
    """One or more captures as tables. Made by `load`; `tables` is what the stages below work on."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @property
    def requests(self) -> pl.DataFrame:
        """One row per request, in order of start (`cachelens.model.tables.REQUESTS`)."""
        return self.tables.requests

    @property
    def skipped(self) -> tuple[SkipReport, ...]:
        """Records that could not be read, by reason."""
        return self.tables.skipped

    @property
    def encoding(self) -> str:
        """What counted the tokens; `exact` where the capture held token ids, `hashes` where it held block hashes."""
        return self.tables.encoding

    def segments(self) -> pl.DataFrame:
        """One row per segment of each prompt, in order, then of its reply (`cachelens.model.tables.SEGMENTS`).

        Prompts are sent again and again: this grows with the square of a session, and is made anew with each call.
        """
        import polars as pl

        return pl.concat(store.segment_frames(self.tables))

    def contents(self) -> pl.DataFrame:
        """One row per unique payload (`cachelens.model.tables.CONTENTS`). Token ids are the text in another form."""
        return store.content_frame(self.tables.contents)

    def save(self, folder: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write it as a table folder, which `load` reads in no time. Raises UsageError for one that exists already,
        unless `overwrite`, and for a folder that holds something else."""
        store.write(self.tables, Path(folder), overwrite)

    def __len__(self) -> int:
        return len(self.tables)

    def __repr__(self) -> str:
        return f"<Trace: {', '.join(f'{name} {value}' for name, value in self._facts())}>"

    def _repr_html_(self) -> str:
        return table_html("Trace", ("", ""), self._facts())

    def _facts(self) -> Sequence[tuple[str, str]]:
        frame = self.tables.requests
        tokens = int(frame["prompt_tokens"].sum())
        skipped = sum(report.records for report in self.skipped)
        found = [
            ("requests", f"{len(self):,}"),
            ("sessions", f"{frame['session_id'].n_unique():,}"),
            ("lineages", f"{frame['lineage_id'].n_unique():,}"),
            ("prompt tokens", count(tokens)),
            ("encoding", self.encoding),
        ]
        return [*found, ("skipped", plural(skipped, "record"))] if skipped else found


def load(
    *sources: str | os.PathLike[str],
    input_format: str | None = None,
    encoding: str = IngestOptions.encoding,
    render: str | Sequence[str] | None = None,
    strict: bool = False,
) -> Trace:
    """Read captures (files, folders, globs, compressed or not), or one table folder.

    `input_format`: a name of `cachelens list formats`; None: recognized by content. `encoding`: what counts the tokens.
    `render`: how prompts are put together, None: as the API that was called does. `strict`: fail when a record cannot
    be read, instead of counting it in `Trace.skipped`. Raises InputError for what cannot be read at all, UsageError for
    options that do not fit.
    """
    order = render if render is None or isinstance(render, str) else ",".join(render)
    options = IngestOptions(input_format, encoding, order, strict)
    return Trace(read_captures([os.fspath(source) for source in sources], options))


def tables_of(source: str | os.PathLike[str] | Trace) -> Tables:
    """The tables of a trace, read now if it was not loaded yet."""
    return source.tables if isinstance(source, Trace) else load(source).tables
