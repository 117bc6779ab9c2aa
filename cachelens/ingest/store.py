"""Table folders: a trace as parquet files, and back. In: a `Trace`, a folder. Out: the same, unchanged.

A folder holds `cachelens.json` (schema version, encoding, what was skipped), `requests.parquet`,
`segments.parquet` and `contents.parquet`, with the columns of `cachelens.model.tables`. Reading it
gives every analysis the same bytes as reading the captures, without parsing or tokenising again. Token
ids are the prompts' text in another form: treat a folder like the capture it was made from.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

import cachelens
from cachelens.errors import InputError, UsageError
from cachelens.ingest.finish import row_depths
from cachelens.model import trace as model
from cachelens.model.kinds import KIND_CODE, KINDS, ROLE_CODE, ROLES
from cachelens.model.skips import SkipReport
from cachelens.model.tables import CONTENTS, REQUESTS, SEGMENTS

#: The file that makes a folder a table folder.
MANIFEST = "cachelens.json"
#: What reading damaged tables raises.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    msgspec.DecodeError,
    pl.exceptions.PolarsError,
)
_ROWS_PER_GROUP = 1 << 18
_ROW_KEY = ["content_id", "kind", "role", "name", "call_id", "breakpoint_ttl_s", "source_path"]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the tables do not say. `schema_version` is that of the columns."""

    schema_version: int
    cachelens: str
    encoding: str
    render: str
    sources: tuple[str, ...]
    skipped: tuple[SkipReport, ...]
    notes: tuple[str, ...]


def write(trace: model.Trace, directory: Path, force: bool = False) -> None:
    """Write `trace` as a table folder. Raises UsageError when `directory` exists and `force` is not given.

    With `force` only an empty folder or an earlier table folder is replaced. A failed write leaves nothing.
    """
    if directory.exists():
        if not force:
            raise UsageError(f"{directory} exists", "--force replaces an earlier table folder")
        if not directory.is_dir() or (any(directory.iterdir()) and not (directory / MANIFEST).exists()):
            raise UsageError(f"{directory} is no table folder", "give the name of a new folder")
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        trace.requests.write_parquet(scratch / "requests.parquet")
        content_frame(trace.contents).write_parquet(scratch / "contents.parquet")
        _write_segments(trace, scratch / "segments.parquet")
        manifest = Manifest(
            schema_version=model.SCHEMA_VERSION,
            cachelens=cachelens.__version__,
            encoding=trace.encoding,
            render=trace.render,
            sources=trace.sources,
            skipped=trace.skipped,
            notes=trace.notes,
        )
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
        (scratch / MANIFEST).write_bytes(text)
        scratch.chmod(0o755)
        if directory.exists():
            shutil.rmtree(directory)
        scratch.rename(directory)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def read(directory: Path) -> model.Trace:
    """The trace in a table folder. Raises InputError when it is none, or of another schema version."""
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)
        if manifest.schema_version != model.SCHEMA_VERSION:
            raise InputError(
                f"{directory}: tables of schema version {manifest.schema_version}, "
                f"this cachelens reads {model.SCHEMA_VERSION}",
                "run `cachelens ingest` again on the captures",
            )
        requests = pl.read_parquet(directory / "requests.parquet")
        contents = _contents_of(pl.read_parquet(directory / "contents.parquet"))
        segments, last_segment, last_output = _read_segments(directory / "segments.parquet", requests)
        _check(requests, segments, contents, last_segment)
        row_of = {name: row for row, name in enumerate(requests["request_id"].to_list())}
        before = [
            row_of[name] if name is not None else -1 for name in requests["previous_request_id"].to_list()
        ]
        if any(row >= at for at, row in enumerate(before)):
            raise ValueError("a request continues a later one")
    except _DAMAGE as error:
        raise InputError(f"{directory}: not a complete table folder ({type(error).__name__})") from error
    return model.Trace(
        requests=requests,
        segments=segments,
        contents=contents,
        last_segment=last_segment,
        last_output=last_output,
        predecessor=np.array(before, dtype=np.int64),
        skipped=manifest.skipped,
        encoding=manifest.encoding,
        render=manifest.render,
        sources=manifest.sources,
        notes=manifest.notes,
    )


def _check(
    requests: pl.DataFrame, segments: model.Segments, contents: model.Contents, last_segment: model.Int64
) -> None:
    """Raise ValueError unless the tables fit together."""
    if requests["request_id"].n_unique() != len(requests):
        raise ValueError("request ids are not distinct")
    for column in ("request_id", "session_id", "lineage_id", "namespace", "dialect"):
        if requests[column].null_count():
            raise ValueError(f"the column {column} has gaps")
    if len(segments) and int(segments.content.max()) >= len(contents):
        raise ValueError("segments name contents that are not there")
    if dict(requests.schema) != REQUESTS:
        raise ValueError("the columns of the requests are others")
    depth = row_depths(segments.parent, contents.tokens[segments.content])
    if depth[last_segment].tolist() != requests["prompt_tokens"].to_list():
        raise ValueError("the segments do not add up to the prompts")


def segment_frames(trace: model.Trace, rows_per_frame: int = _ROWS_PER_GROUP) -> Iterator[pl.DataFrame]:
    """The flat segment table in pieces of about `rows_per_frame` rows, request by request."""
    ids = trace.requests["request_id"].to_list()
    owner: list[int] = []
    rows: list[int] = []
    position: list[int] = []
    generated: list[bool] = []
    for request, (last, output) in enumerate(
        zip(trace.last_segment.tolist(), trace.last_output.tolist(), strict=True)
    ):
        prompt = trace.segments.path(last).tolist()
        path = trace.segments.path(output).tolist() if output != last else prompt
        rows += path
        owner += [request] * len(path)
        position += range(len(path))
        generated += [False] * len(prompt) + [True] * (len(path) - len(prompt))
        if len(rows) >= rows_per_frame:
            yield _flat(trace, ids, owner, rows, position, generated)
            owner, rows, position, generated = [], [], [], []
    yield _flat(trace, ids, owner, rows, position, generated)


def _flat(
    trace: model.Trace,
    ids: list[str],
    owner: list[int],
    rows: list[int],
    position: list[int],
    generated: list[bool],
) -> pl.DataFrame:
    segments, at = trace.segments, np.array(rows, dtype=np.int64)
    strings = [*segments.strings, None]
    content = segments.content[at]
    columns = {
        "request_id": [ids[request] for request in owner],
        "position": position,
        "generated": generated,
        "kind": [KINDS[code] for code in segments.kind[at].tolist()],
        "role": [ROLES[code] for code in segments.role[at].tolist()],
        "content_id": content,
        "tokens": trace.contents.tokens[content],
        "name": [strings[number] for number in segments.name[at].tolist()],
        "call_id": [strings[number] for number in segments.call_id[at].tolist()],
        "breakpoint_ttl_s": segments.breakpoint_s[at],
        "source_path": [segments.location(row) for row in rows],
    }
    return pl.DataFrame(columns, schema=SEGMENTS)


def _write_segments(trace: model.Trace, path: Path) -> None:
    import pyarrow.parquet as pq  # slow to import, and only table folders need it

    writer: pq.ParquetWriter | None = None
    try:
        for frame in segment_frames(trace):
            table = frame.to_arrow()
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _read_segments(path: Path, requests: pl.DataFrame) -> tuple[model.Segments, model.Int64, model.Int64]:
    """Rebuild the trie: the same segment after the same row is the same row."""
    import pyarrow.parquet as pq

    row_of = {name: row for row, name in enumerate(requests["request_id"].to_list())}
    last_segment = np.full(len(row_of), -1, dtype=np.int64)
    last_output = np.full(len(row_of), -1, dtype=np.int64)
    keys: dict[tuple[object, ...], int] = {}
    following: dict[tuple[int, int], int] = {}
    parents: list[int] = []
    row_keys: list[int] = []
    row, owner = -1, ""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        frame = pl.from_arrow(file.read_row_group(group))
        if not isinstance(frame, pl.DataFrame):
            raise InputError(f"{path}: not a segment table")
        distinct = frame.select(_ROW_KEY).unique(maintain_order=True).with_row_index("key")
        numbers = [keys.setdefault(key[1:], len(keys)) for key in distinct.iter_rows()]
        local = frame.join(distinct, on=_ROW_KEY, how="left", nulls_equal=True, maintain_order="left")
        for name, generated, key in local.select("request_id", "generated", "key").iter_rows():
            if name != owner:
                row, owner = -1, name
            step = (row, numbers[key])
            found = following.get(step)
            if found is None:
                found = following[step] = len(parents)
                parents.append(row)
                row_keys.append(step[1])
            row = found
            if not generated:
                last_segment[row_of[name]] = row
            last_output[row_of[name]] = row
    return _segments_of(list(keys), parents, row_keys), last_segment, last_output


def _segments_of(keys: list[tuple[object, ...]], parents: list[int], row_keys: list[int]) -> model.Segments:
    strings: dict[str, int] = {}

    def number(text: object) -> int:
        return -1 if text is None else strings.setdefault(str(text), len(strings))

    columns = [
        (content, KIND_CODE[str(kind)], ROLE_CODE[str(role)], number(name), number(call), ttl, number(path))
        for content, kind, role, name, call, ttl, path in keys
    ]
    table = np.array(columns, dtype=np.int64).reshape(-1, 7)[np.array(row_keys, dtype=np.int64)]
    return model.Segments(
        parent=np.array(parents, dtype=np.int32),
        content=table[:, 0].astype(np.int32),
        kind=table[:, 1].astype(np.uint8),
        role=table[:, 2].astype(np.uint8),
        name=table[:, 3].astype(np.int32),
        call_id=table[:, 4].astype(np.int32),
        breakpoint_s=table[:, 5].astype(np.int32),
        message=np.full(len(parents), -1, dtype=np.int32),
        field=table[:, 6].astype(np.int32),
        strings=tuple(strings),
    )


def content_frame(contents: model.Contents) -> pl.DataFrame:
    """The table of contents, a row each."""
    ids = pl.Series(contents.ids)
    lists = [ids[int(a) : int(b)] for a, b in zip(contents.offsets[:-1], contents.offsets[1:], strict=True)]
    return pl.DataFrame(
        {
            "content_id": np.arange(len(contents), dtype=np.int32),
            "kind": [KINDS[code] for code in contents.kind.tolist()],
            "bytes": contents.bytes,
            "tokens": contents.tokens,
            "framing_tokens": contents.framing,
            "token_ids": pl.Series(lists, dtype=pl.List(pl.UInt32)),
        },
        schema=CONTENTS,
    )


def _contents_of(frame: pl.DataFrame) -> model.Contents:
    if frame.null_count().sum_horizontal().item():
        raise ValueError("the contents have gaps")
    if frame["content_id"].to_list() != list(range(len(frame))):
        raise ValueError("the contents are not numbered in order")
    lengths = frame["token_ids"].list.len().to_numpy().astype(np.int64)
    offsets = np.zeros(len(frame) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    filled = frame.filter(pl.col("token_ids").list.len() > 0)
    return model.Contents(
        kind=np.array([KIND_CODE[name] for name in frame["kind"].to_list()], dtype=np.uint8),
        bytes=frame["bytes"].to_numpy(),
        tokens=frame["tokens"].to_numpy(),
        framing=frame["framing_tokens"].to_numpy(),
        offsets=offsets,
        ids=filled["token_ids"].explode().to_numpy().astype(np.uint32),
    )
