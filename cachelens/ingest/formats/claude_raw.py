"""Folders that Claude Code fills with raw API bodies. In: such a folder. Out: an Exchange for each request.

`OTEL_LOG_RAW_API_BODIES=file:DIR` writes `<uuid>.request.json` and `<request id>.response.json`, without
times and without saying which belong together. Times are those at which the files were written. A
response is given to a request only on evidence; see `raw_pairing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.bodies import mend_surrogates, request_body
from cachelens.ingest.formats.raw_pairing import Digests, RequestFacts, ResponseFacts, pair
from cachelens.ingest.formats.times import end_us
from cachelens.ingest.source import MAX_RECORD_BYTES, Source

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REQUEST = ".request.json"
_RESPONSE = ".response.json"


class _File(NamedTuple):
    """A body file. `stem` is its name without the suffix; files sort by time of writing."""

    written_ns: int
    stem: str
    path: Path


class ClaudeRaw:
    """Folder of Claude Code raw bodies: `<uuid>.request.json` and `<request id>.response.json`."""

    name = "claude-raw"
    note = (
        "Claude Code's raw bodies hold no times: starts and ends are those at which the files were "
        "written, so copy such a folder with its times kept."
    )

    def claim(self, source: Source) -> float:
        """Certain for a folder in which a request file is named by a UUID."""
        return 1.0 if source.path is not None and is_raw_folder(source.path) else 0.0

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each request file, in the order in which they were written."""
        assert source.path is not None
        files = _files(source.path, _REQUEST)
        digests = Digests()
        read: list[tuple[int, _File, RequestFacts]] = []
        for number, file in enumerate(files, 1):
            try:
                read.append((number, file, _request_facts(digests, file)))
            except RecordError as error:
                context.skip(number, error.reason, error.detail)
        responses = _files(source.path, _RESPONSE)
        answers = _response_facts(digests, responses, context)
        pairs = pair([facts for _, _, facts in read], answers)
        for index, (number, file, _) in enumerate(read):
            answer = responses[pairs[index]] if index in pairs else None
            try:
                yield _exchange(number, file, answer)
            except RecordError as error:
                context.skip(number, error.reason, error.detail)
        unpaired = sorted(set(range(len(responses))) - set(pairs.values()))
        for place in unpaired:
            detail = "no request is known to have got this response"
            context.skip(place + 1, "response-unpaired", detail)


def is_raw_folder(path: Path) -> bool:
    """Whether `path` is a folder that holds a request file of Claude Code, told by its name alone."""
    return path.is_dir() and any(
        child.name.endswith(_REQUEST) and _UUID.fullmatch(child.name.removesuffix(_REQUEST))
        for child in path.iterdir()
    )


def _files(folder: Path, suffix: str) -> list[_File]:
    return sorted(
        _File(child.stat().st_mtime_ns, child.name.removesuffix(suffix), child)
        for child in folder.iterdir()
        if child.name.endswith(suffix) and child.is_file()
    )


def _content(file: _File) -> bytes:
    try:
        with file.path.open("rb") as stream:
            data = stream.read(MAX_RECORD_BYTES + 1)
    except OSError as error:
        raise RecordError("unreadable-file", error.strerror or "") from None
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError("record-too-large", f"a body of more than {MAX_RECORD_BYTES >> 20} MiB")
    return data


def _request_facts(digests: Digests, file: _File) -> RequestFacts:
    body = request_body("POST", _content(file))
    try:
        return digests.request(body, file.written_ns)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError("bad-shape", str(error) if isinstance(error, msgspec.DecodeError) else "") from None
    except RecursionError:
        raise RecordError("too-deep", "nested too deeply") from None


def _response_facts(digests: Digests, files: list[_File], context: ReadContext) -> list[ResponseFacts]:
    found = []
    for place, file in enumerate(files, 1):
        body = b""
        try:
            body = mend_surrogates(_content(file))
        except RecordError as error:
            context.skip(place, "response-unreadable", error.detail)
        found.append(digests.response(body, file.stem, file.written_ns))
    return found


def _exchange(number: int, file: _File, answer: _File | None) -> Exchange:
    started = file.written_ns // 1_000_000 * 1000
    exchange = Exchange(
        record=number,
        request=request_body("POST", _content(file)),
        started_us=started,
        request_id=file.stem,
    )
    if answer is not None:
        exchange.response = mend_surrogates(_content(answer))
        exchange.ended_us = end_us(started, (answer.written_ns - file.written_ns) / 1e6)
        if not _UUID.fullmatch(answer.stem):
            exchange.request_id = answer.stem
    return exchange
