"""Sessions of the pi coding agent (`~/.pi/agent/sessions/**.jsonl`). Out: an Exchange for each API call.

Entries form a tree by `id` and `parentId`; files of the first version have neither and are one line of
messages. Every assistant message is the answer to a call that sent the messages above it. `pi_spelling`
writes them the way the API of that call has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.claims import best_claim
from cachelens.ingest.formats.json_scan import visible_keys
from cachelens.ingest.formats.message_tree import KEPT_BYTES, Entries, MessageTree, Turn
from cachelens.ingest.formats.pi_messages import Message, Target, user_text
from cachelens.ingest.formats.pi_spelling import Answered, request_head, response, spelling, turns
from cachelens.ingest.formats.times import Time, end_us, start_us
from cachelens.ingest.formats.transcript_lines import transcript_lines
from cachelens.ingest.source import Source

_PARTIAL = "system-and-tools-missing"
_HISTORY_MISSING = "history-missing"
_ROLES = frozenset({b'"user"', b'"assistant"', b'"toolResult"', b'"bashExecution"'})
#: pi's names of providers that are called otherwise here.
_PROVIDERS = {
    "amazon-bedrock": "bedrock",
    "google-vertex": "vertex",
    "google-gemini-cli": "google",
    "openai-codex": "openai",
    "kimi-coding": "moonshot",
}
_SUMMARY = (
    "The conversation history before this point was compacted into the following summary:\n\n<summary>\n",
    "\n</summary>",
)
_BRANCH = (
    "The following is a summary of a branch that this conversation came back from:\n\n<summary>\n",
    "</summary>",
)


class _Line(msgspec.Struct):
    type: str
    id: str | None = None
    parent: str | None = msgspec.field(default=None, name="parentId")
    timestamp: Time = None
    version: int | None = None
    message: Message | None = None
    summary: str | None = None
    kept_id: str | None = msgspec.field(default=None, name="firstKeptEntryId")
    kept_index: int | None = msgspec.field(default=None, name="firstKeptEntryIndex")
    content: msgspec.Raw = msgspec.Raw()


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(slots=True)
class _Entry:
    """One line of the tree. `kept`: the first entry that a compaction keeps, -1 for none."""

    record: int
    parent: int
    time: Time
    message: Message | None = None
    compacted: bool = False
    kept: int = -1
    marks: tuple[str, ...] = ()


class PiSession:
    """A session of pi: one entry a line, the first of them about the session."""

    name = "pi-session"
    note = (
        "pi sessions hold neither system prompt nor tool definitions: prompts are counted without them, "
        "reported tokens include them."
    )

    def claim(self, source: Source) -> float:
        """Sure when a line begins a session or holds one of its messages."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each answered call, in file order. Memory holds the messages of the whole file."""
        session = _Session(source, context)
        target: Target | None = None
        for entry in session.tree:
            message = entry.message
            if message is None or message.role != "assistant":
                continue
            if not message.answered():
                context.skip(entry.record, "no-answer", "a call that failed or was aborted before any answer")
                continue
            if message.target != target:
                target = message.target
                messages = MessageTree(session.entries(target))
            try:
                yield _exchange(session, entry, message, messages)
            except RecordError as error:
                context.skip(entry.record, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    if keys.get("type") == b'"session"' and {"id", "timestamp", "cwd"} <= keys.keys():
        return 0.97
    if keys.get("type") == b'"message"' and "timestamp" in keys:
        return 0.9 if visible_keys(keys.get("message", b"")).get("role") in _ROLES else 0.0
    return 0.0


class _Session:
    """All entries of a file: `tree`, in file order."""

    def __init__(self, source: Source, context: ReadContext) -> None:
        self.id = ""
        self.tree: list[_Entry] = []
        self._numbers: dict[str, int] = {}
        self._at_index: dict[int, int] = {}  # version 1 points to entries by their place in the file
        self._answered = Answered()
        self._read(source, context)

    def _read(self, source: Source, context: ReadContext) -> None:
        kept = version = 0
        for index, (number, line, lost) in enumerate(transcript_lines(source, context, _DECODER)):
            if line.type == "session":
                self.id = self.id or line.id or ""
                version = version or line.version or 1
                continue
            message = _message(line)
            kept += message.size() if message is not None else 0
            if kept > KEPT_BYTES:
                detail = f"more than {KEPT_BYTES >> 20} MiB of messages in one session; what follows is lost"
                context.skip(number, "record-too-large", detail)
                break
            if message is not None and message.role == "toolResult":
                self._answered.results.add(message.call_id)
            entry = _Entry(number, -1, line.timestamp, message)
            self._link(entry, line, lost)
            self._at_index[index] = len(self.tree)
            if line.id is not None:
                self._numbers[line.id] = len(self.tree)
            self.tree.append(entry)
        # Without the line that says so, ids tell: version 1 has none.
        self._answered.replays_aborted = version < 3 if version else not self._numbers

    def _link(self, entry: _Entry, line: _Line, lost: bool) -> None:
        """Set what an entry follows, and what it keeps if it is a compaction."""
        if line.id is None:
            entry.parent = len(self.tree) - 1
            entry.marks = (_HISTORY_MISSING,) if lost else ()
        elif line.parent is not None:
            entry.parent = self._numbers.get(line.parent, -1)
            entry.marks = (_HISTORY_MISSING,) if entry.parent < 0 else ()
        if line.type == "compaction":
            entry.compacted, entry.marks = True, ()
            if line.kept_id is not None:
                entry.kept = self._numbers.get(line.kept_id, -1)
            elif line.kept_index is not None:
                entry.kept = self._at_index.get(line.kept_index, -1)
            if entry.kept < 0 and (line.kept_id or line.kept_index):
                entry.marks = (_HISTORY_MISSING,)

    def entries(self, target: Target) -> Entries:
        """The tree, its messages spelt for `target`. A compaction is a root: nothing above it is sent."""

        def parent(entry: int) -> int:
            return -1 if self.tree[entry].compacted else self.tree[entry].parent

        def spelt(entry: int) -> Iterator[Turn]:
            found = self.tree[entry]
            if found.message is not None:
                yield from turns(found.message, target, self._answered)
            for kept in self._kept(entry) if found.compacted else ():
                message = self.tree[kept].message
                if message is not None and not self.tree[kept].compacted:
                    yield from turns(message, target, self._answered)

        return Entries(parent, spelt, lambda entry: self.tree[entry].marks)

    def sent(self, call: _Entry, started: int | None) -> int:
        """The last entry of the prompt of a call: the nearest above its answer that was there when it began.

        What was written while the model answered stands between the two, when the user typed on.
        """
        entry = call.parent
        while started is not None and entry >= 0 and not self.tree[entry].compacted:
            there = self._there(self.tree[entry])
            if there is None or there <= started:
                break
            entry = self.tree[entry].parent
        return entry

    def _there(self, entry: _Entry) -> int | None:
        """When a message was complete: an answer with its line, others when they were made. None: not said."""
        message = entry.message
        made = message.timestamp if message is not None and message.role != "assistant" else None
        try:
            return start_us(made if made is not None else entry.time)
        except RecordError:
            return None

    def _kept(self, compaction: int) -> list[int]:
        """The entries from the first one that a compaction keeps to the one before it; none where it keeps none."""
        first, entry = self.tree[compaction].kept, self.tree[compaction].parent
        found: list[int] = []
        while entry >= 0 and first >= 0 and len(found) <= len(self.tree):
            found.append(entry)
            if entry == first:
                return found[::-1]
            entry = self.tree[entry].parent
        return []


def _message(line: _Line) -> Message | None:
    """What an entry adds to a prompt; None for nothing."""
    if line.type == "message":
        return line.message
    if line.type == "compaction":
        return user_text(_SUMMARY[0] + (line.summary or "") + _SUMMARY[1])
    if line.type == "branch_summary" and line.summary:
        return user_text(_BRANCH[0] + line.summary + _BRANCH[1])
    if line.type == "custom_message":
        return Message(role="custom", content=line.content)
    return None


def _exchange(session: _Session, entry: _Entry, message: Message, tree: MessageTree) -> Exchange:
    # pi stamps a message when the call begins, and its line when the answer is there.
    started = start_us(message.timestamp if message.timestamp is not None else entry.time)
    ended = start_us(entry.time)
    prompt = tree.prompt(session.sent(entry, started))
    duration_ms = (ended - started) / 1000 if started is not None and ended is not None else None
    return Exchange(
        record=entry.record,
        request=prompt.body(request_head(message.target)),
        response=response(message),
        url=spelling(message.target).url,
        started_us=started,
        ended_us=end_us(started, duration_ms),
        headers={"user-agent": "pi"},  # the prompt that would say so is not in the file
        session_key=session.id or None,
        provider=_PROVIDERS.get(message.provider, message.provider)[:64] or None,
        partial=",".join(dict.fromkeys((_PARTIAL, *prompt.marks, *entry.marks))),
    )
