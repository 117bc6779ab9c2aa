"""The tree of a Claude Code transcript. In: its lines. Out: entries for a `MessageTree`, and the answers in it.

Claude Code writes a line for each block of an answer. The lines of one answer are one entry here, together
with the tool results that hang on any of them: of parallel tool calls only one branch leads on in the file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

from cachelens.ingest.formats.base import ReadContext
from cachelens.ingest.formats.message_tree import KEPT_BYTES, Entries, Turn
from cachelens.ingest.formats.times import Time
from cachelens.ingest.formats.transcript_lines import transcript_lines
from cachelens.ingest.source import Source

#: Marks of a prompt whose history is known only in part: a message of it is not in the file.
HISTORY_MISSING = "history-missing"
#: Messages of it were changed before it was sent (old tool results cleared), the file has them unchanged.
HISTORY_REWRITTEN = "history-rewritten"
_SYNTHETIC = "<synthetic>"


class _Segment(msgspec.Struct):
    head: str = msgspec.field(default="", name="headUuid")
    anchor: str = msgspec.field(default="", name="anchorUuid")
    tail: str = msgspec.field(default="", name="tailUuid")


class _Preserved(msgspec.Struct):
    anchor: str = msgspec.field(default="", name="anchorUuid")
    uuids: list[str] = []


class _Compaction(msgspec.Struct):
    segment: _Segment | None = msgspec.field(default=None, name="preservedSegment")
    preserved: _Preserved | None = msgspec.field(default=None, name="preservedMessages")


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    content: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    type: str
    subtype: str | None = None
    uuid: str | None = None
    parent: str | None = msgspec.field(default=None, name="parentUuid")
    message: _Message | None = None
    timestamp: Time = None
    session: str | None = msgspec.field(default=None, name="sessionId")
    request_id: str | None = msgspec.field(default=None, name="requestId")
    version: str | None = None
    is_sidechain: bool | None = msgspec.field(default=None, name="isSidechain")
    is_api_error: bool | None = msgspec.field(default=None, name="isApiErrorMessage")
    only_shown: bool | None = msgspec.field(default=None, name="isVisibleInTranscriptOnly")
    compaction: _Compaction | None = msgspec.field(default=None, name="compactMetadata")


_DECODER = msgspec.json.Decoder(_Line)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True)
class Answer:
    """What one API call brought, put together from its lines; `record` is the first of them.

    `entry` and `above` are numbers of entries: its own, and that of the line before it in the file (-1: none).
    `failed`: an error that Claude Code wrote down as an answer; `local`: a text that no model wrote.
    """

    record: int
    entry: int
    above: int
    model: str
    request_id: str
    session: str
    version: str
    started: Time
    ended: Time
    failed: bool
    local: bool
    blocks: dict[bytes, None] = field(default_factory=dict)
    usage: bytes = b""

    def response(self) -> bytes:
        """The response body."""
        usage = b',"usage":' + self.usage if self.usage else b""
        content = b",".join(self.blocks)
        return b'{"type":"message","role":"assistant","content":[' + content + b"]" + usage + b"}"


@dataclass(slots=True)
class _Entry:
    """A message or another node; `results`: tool results that hang on this answer, which brings them along."""

    position: int
    parent: int
    sidechain: bool
    time: Time
    content: bytes = b""
    answer: Answer | None = None
    results: list[int] = field(default_factory=list)
    brought: bool = False
    marks: tuple[str, ...] = ()


class Transcript:
    """All entries of a file. `answers` are in file order.

    Messages that a compaction keeps stand before it in the file, but behind its summary in later prompts:
    they have other parents from then on. `enter` says for which answer the tree is asked.
    """

    def __init__(self, source: Source, context: ReadContext) -> None:
        self.answers: list[Answer] = []
        self._entries: list[_Entry] = []
        self._numbers: dict[str, int] = {}
        self._by_id: dict[tuple[str, str], Answer] = {}
        self._compactions: list[tuple[int, _Compaction]] = []  # entry of the boundary
        self._moved: list[tuple[int, dict[int, int]]] = []  # from this position on, these parents
        self._parents: dict[int, int] = {}
        self._read(source, context)
        self._compact()

    def entries(self) -> Entries:
        """The tree for `MessageTree`."""
        return Entries(self._parent, self._turns, lambda entry: self._entries[entry].marks)

    def enter(self, answer: Answer) -> bool:
        """Take the parents as they were when this answer came; whether they differ from those taken before."""
        position = self._entries[answer.entry].position
        at = bisect_left(self._moved, position, key=lambda moved: moved[0])
        parents = self._moved[at - 1][1] if at else {}
        changed = parents is not self._parents
        self._parents = parents
        return changed

    def before(self, answer: Answer) -> int:
        """The last entry of the prompt that an answer answers; -1 for an empty one."""
        return self._parent(answer.entry)

    def marks(self, answer: Answer) -> tuple[str, ...]:
        """What is unknown about the prompt that an answer answers, beside the marks of what it contains."""
        return self._entries[answer.entry].marks

    def sent(self, answer: Answer) -> Time:
        """When the line before an answer was written."""
        return self._entries[answer.above].time if answer.above >= 0 else None

    def _read(self, source: Source, context: ReadContext) -> None:
        kept = 0
        for number, line, _ in transcript_lines(source, context, _DECODER):
            if not line.uuid or line.uuid in self._numbers:
                continue  # bookkeeping, or a line that was written twice
            if line.message is not None:
                kept += len(memoryview(line.message.content))
            if kept > KEPT_BYTES:
                detail = (
                    f"more than {KEPT_BYTES >> 20} MiB of messages in one transcript; what follows is lost"
                )
                context.skip(number, "record-too-large", detail)
                break
            self._numbers[line.uuid] = self._add(number, line, line.uuid)

    def _add(self, number: int, line: _Line, uuid: str) -> int:
        """The entry that a line belongs to."""
        above = self._numbers.get(line.parent, -1) if line.parent else -1
        marks = (HISTORY_MISSING,) if line.parent and above < 0 else ()
        sidechain = bool(line.is_sidechain)
        # A sub-agent starts without the messages of the thread that called it.
        parent = above if above >= 0 and self._entries[above].sidechain == sidechain else -1
        entry = _Entry(number, parent, sidechain, line.timestamp, marks=marks)
        if line.type == "assistant" and line.message is not None:
            return self._answer(entry, above, line, line.message, uuid)
        if line.type == "user" and line.message is not None and not line.only_shown:
            entry.content = b",".join(_blocks(line.message.content))
            if parent >= 0 and self._entries[parent].answer and b'"tool_result"' in entry.content:
                self._entries[parent].results.append(len(self._entries))
                entry.brought = True
        elif line.type == "system" and line.subtype == "compact_boundary":
            if line.compaction is not None:
                self._compactions.append((len(self._entries), line.compaction))
        elif line.type == "system" and (line.subtype or "").endswith("_boundary"):
            entry.marks += (HISTORY_REWRITTEN,)
        self._entries.append(entry)
        return len(self._entries) - 1

    def _answer(self, entry: _Entry, above: int, line: _Line, message: _Message, uuid: str) -> int:
        """The entry of the answer that a line is a part of, which is `entry` for its first line."""
        key = (message.id or uuid, line.request_id or "")
        answer = self._by_id.get(key)
        if answer is None:
            answer = self._by_id[key] = entry.answer = Answer(
                record=entry.position,
                entry=len(self._entries),
                above=above,
                model=message.model or "",
                request_id=line.request_id or message.id or "",
                session=line.session or "",
                version=line.version or "",
                started=line.timestamp,
                ended=line.timestamp,
                failed=bool(line.is_api_error),
                local=message.model == _SYNTHETIC,
            )
            self._entries.append(entry)
            self.answers.append(answer)
        answer.blocks |= dict.fromkeys(_blocks(message.content))
        if bytes(message.usage) not in (b"", b"null"):
            answer.usage = bytes(message.usage)
        if line.timestamp is not None:
            answer.ended = self._entries[answer.entry].time = line.timestamp
        return answer.entry

    def _compact(self) -> None:
        """Give the messages that compactions keep, and those after them, the parents they have in later prompts."""
        # Summary -> position from which on, and the last message kept behind it.
        followed: dict[int, tuple[int, int]] = {}
        for boundary, compaction in self._compactions:
            entry = self._entries[boundary]
            kept = self._kept(compaction)
            if kept is None:
                entry.marks += (HISTORY_MISSING,)
            elif kept:
                # Of a segment only the ends are given; between them parents are as they were.
                ends = kept[:2] if compaction.preserved is None else kept
                moved = {child: parent for parent, child in pairwise(ends) if child != parent}
                self._moved.append((entry.position, moved))
                followed[kept[0]] = entry.position, kept[-1]
        for entry in self._entries:
            if entry.parent in followed and entry.position > followed[entry.parent][0]:
                entry.parent = followed[entry.parent][1]

    def _kept(self, compaction: _Compaction) -> list[int] | None:
        """The summary and the messages kept behind it, in order; None when some of them are not in the file."""
        if compaction.preserved is not None:
            uuids = [compaction.preserved.anchor, *compaction.preserved.uuids]
        elif compaction.segment is not None:
            uuids = [compaction.segment.anchor, compaction.segment.head, compaction.segment.tail]
        else:
            return []
        numbers = [self._numbers.get(uuid, -1) for uuid in uuids]
        whole = -1 not in numbers and (
            compaction.preserved is not None or self._leads(numbers[2], numbers[1])
        )
        return numbers if whole else None

    def _leads(self, last: int, first: int) -> bool:
        """Whether the path that ends with one entry contains another."""
        seen: set[int] = set()
        while last >= 0 and last != first and last not in seen:
            seen.add(last)
            last = self._entries[last].parent
        return last == first

    def _parent(self, entry: int) -> int:
        return self._parents.get(entry, self._entries[entry].parent)

    def _turns(self, entry: int) -> Iterator[Turn]:
        found = self._entries[entry]
        if found.answer is None:
            if not found.brought:
                yield Turn("user", found.content)
        elif not found.answer.failed:
            yield Turn("assistant", b",".join(found.answer.blocks))
            for result in found.results:
                yield Turn("user", self._entries[result].content)


def _blocks(content: msgspec.Raw) -> list[bytes]:
    """The blocks of a message; a text is one block."""
    raw = bytes(content)
    if raw[:1] == b'"':
        return [b'{"type":"text","text":' + raw + b"}"]
    return [bytes(block) for block in _ELEMENTS.decode(raw)] if raw[:1] == b"[" else []
