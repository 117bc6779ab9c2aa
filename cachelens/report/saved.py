"""Results that were saved. In: the name of an input. Out: the Result in it, or None when it is something else.

Verbs that can work from a saved result ask here first, and read captures when there is none. A result is
recognized by its content, whatever its name, and nothing of it is believed before it was checked.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from cachelens.errors import InputError, UsageError
from cachelens.report.untrusted import clean

if TYPE_CHECKING:
    from cachelens.model.result import Result

#: Larger files are not read as results.
LARGEST = 1 << 30
#: Tokens of a request or a trace are fewer than this: larger numbers are damage, and no plot could place them.
_MOST_TOKENS = 1 << 53
_HEAD = 4096
_MAKE = "make one with `cachelens analyze TRACE -o result.json`"
_AGAIN = "save it again with `cachelens analyze TRACE -o result.json --force`"
#: How a document of cachelens begins: the schema is its first field, as it is written.
_DOCUMENT = re.compile(rb'\s*\{\s*"schema"\s*:\s*"cachelens\.([a-z]+)/')
_FIRST_KEY = re.compile(rb'\s*\{\s*"([a-z]+)"\s*:')


def saved_result(path: str | Path, pictures: bool = True) -> Result | None:
    """The Result saved in file `path`; None when it holds something else, or is no plain file (`-`, a folder).

    `pictures` False: one without pictures will do. Raises UsageError, with the next step as its hint, for a
    result that cannot be used: of another version, too large, damaged, contradicting itself, or without pictures;
    and for other documents of cachelens. Raises InputError for a file that cannot be opened.
    """
    name, file = str(path), Path(path)
    data = None if name == "-" else _contents(name, file)
    if data is None:
        return None
    result = _decoded(name, data)
    if result is not None and pictures and result.pictures is None:
        raise UsageError(f"{name}: holds no data for pictures", _AGAIN)
    return result


def _contents(name: str, file: Path) -> bytes | None:
    """All of `file` if it may be a document of cachelens, without a byte-order mark."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return None
    except (OSError, ValueError):
        return None  # a glob, or a file that is not there: readers of captures tell them apart
    try:
        with open(file, "rb") as stream:
            head = stream.read(_HEAD).removeprefix(b"\xef\xbb\xbf")
            if not _may_be_document(head):
                return None
            rest = stream.read(LARGEST)
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or 'cannot be read'}") from error
    if len(head) + len(rest) > LARGEST:
        if _DOCUMENT.match(head) is None:
            return None
        raise UsageError(
            f"{name}: is larger than 1 GiB, too large for a saved result", "analyze fewer captures"
        )
    return head + rest


def _may_be_document(head: bytes) -> bool:
    from cachelens.model.result import Result

    key = _FIRST_KEY.match(head)
    # tools that sort keys may have put another field first
    return key is not None and key[1].decode() in Result.__struct_fields__


def _decoded(name: str, data: bytes) -> Result | None:
    import msgspec

    from cachelens.model.result import RESULT_SCHEMA, check, decode

    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        schema = msgspec.json.decode(fields["schema"], type=str) if "schema" in fields else ""
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        head = _DOCUMENT.match(data)
        if head is None:
            return None
        raise UsageError(f"{name}: is damaged: no complete JSON object", _remedy(head[1])) from error
    kind, slash, version = schema.partition("/")
    if not slash or not kind.startswith("cachelens."):
        return None
    if kind != RESULT_SCHEMA.partition("/")[0]:
        raise UsageError(f"{name}: holds a {clean(kind[10:], 20)}, not the result of an analysis", _MAKE)
    if schema != RESULT_SCHEMA:
        mine = RESULT_SCHEMA.partition("/")[2]
        raise UsageError(
            f"{name}: is a result in layout {clean(version, 20)}; this version of cachelens reads layout {mine}",
            _AGAIN,
        )
    try:
        result = decode(data)
        _plausible(result)
        check(result)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{name}: is damaged: {clean(str(error), 200)}", _AGAIN) from error
    except KeyError as error:
        raise UsageError(f"{name}: is damaged: an outcome or a bucket of no known name", _AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: is damaged: {clean(str(error), 200)}", _AGAIN) from error
    return result


def _remedy(kind: bytes) -> str:
    return _AGAIN if kind == b"result" else _MAKE


def _plausible(result: Result) -> None:
    """Raise ValueError for what no analysis writes and what would lead those astray who draw it."""
    numbers = [result.totals.prompt_tokens, result.totals.hit_tokens]
    for row in result.requests:
        numbers += (row.prompt_tokens, row.output_tokens, row.wasted_tokens)
        numbers += (*row.outcomes.values(), *row.labels.values(), *row.buckets.values())
        numbers += (row.reported_cached_tokens or 0, row.expected_cached_tokens or 0)
    if pictures := result.pictures:
        curve = pictures.curve
        for at, stretch in enumerate(pictures.tree):
            if not -1 <= stretch.parent < at:
                raise ValueError(f"stretch {at} of the tree of prompts hangs on none before it")
            numbers += (stretch.tokens, stretch.sent_tokens, stretch.hit_tokens, stretch.repeated_tokens)
        for group in pictures.groups:
            numbers += (group.tokens, group.sent_tokens, group.hit_tokens, group.repeated_tokens)
        numbers += (step.computed_tokens for step in pictures.bridge)
        numbers += (curve.prompt_tokens, curve.ideal_hit_tokens, curve.remedied_prompt_tokens)
        sizes = [point.capacity_tokens for point in curve.points]
        numbers += (*sizes, *(point.lru_hit_tokens for point in curve.points))
        if sizes != sorted(sizes):
            raise ValueError("sizes of the curve are not in order")
    if any(not 0 <= number < _MOST_TOKENS for number in numbers):
        raise ValueError("a number of tokens is below zero or beyond all traces")
