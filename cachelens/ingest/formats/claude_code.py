"""Claude Code transcripts (`~/.claude/projects/**.jsonl`). Out: an Exchange for each API call, in file order.

Lines are a tree; what a call was sent are the messages on the path above it. `claude_code_tree` reads
the tree, this module turns its answers back into calls.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cachelens.ingest.exchange import Exchange
from cachelens.ingest.formats.base import ReadContext, RecordError
from cachelens.ingest.formats.claims import best_claim
from cachelens.ingest.formats.claude_code_tree import Answer, Transcript
from cachelens.ingest.formats.message_tree import MessageTree
from cachelens.ingest.formats.times import end_us, start_us
from cachelens.ingest.source import Source

#: `Exchange.partial` of every call: a transcript holds messages only.
_PARTIAL = "system-and-tools-missing"
_ENTRY_TYPES = frozenset({b'"user"', b'"assistant"', b'"system"', b'"attachment"', b'"progress"'})
_BOOKKEEPING = (
    frozenset({"summary", "leafUuid"}),
    frozenset({"messageId", "snapshot"}),
    frozenset({"mode", "sessionId"}),
    frozenset({"permissionMode", "sessionId"}),
    frozenset({"operation", "sessionId"}),
    frozenset({"customTitle", "sessionId"}),
)


class ClaudeCode:
    """A Claude Code transcript: one JSON object a line, linked by `uuid` and `parentUuid`."""

    name = "claude-code"
    note = (
        "Claude Code transcripts hold neither the system prompt nor tool definitions, attachments or reminders: "
        "prompts are counted without them, reported tokens include them."
    )

    def claim(self, source: Source) -> float:
        """Sure when a line is an entry of the tree, fairly so for the lines of bookkeeping around them."""
        return best_claim(source, _score)

    def read(self, source: Source, context: ReadContext) -> Iterator[Exchange]:
        """An Exchange for each API call, with the messages it was sent and its answer put together.

        Memory holds the messages of the whole file.
        """
        transcript = Transcript(source, context)
        tree = MessageTree(transcript.entries())
        for answer in transcript.answers:
            if answer.failed:
                context.skip(answer.record, "no-answer", "an API error that was written down as an answer")
            if answer.failed or answer.local:
                continue
            if transcript.enter(answer):
                tree.forget()
            try:
                yield _exchange(answer, transcript, tree)
            except RecordError as error:
                context.skip(answer.record, error.reason, error.detail)


def _score(keys: dict[str, bytes]) -> float:
    if {"parentUuid", "isSidechain"} <= keys.keys():
        return 0.97
    if keys.get("type") in _ENTRY_TYPES and {"uuid", "sessionId"} <= keys.keys():
        return 0.97
    return 0.6 if "type" in keys and any(names <= keys.keys() for names in _BOOKKEEPING) else 0.0


def _exchange(answer: Answer, transcript: Transcript, tree: MessageTree) -> Exchange:
    started, ended = start_us(answer.started), start_us(answer.ended)
    sent = start_us(transcript.sent(answer))
    # A call is sent when the message before it is there; the first line of its answer is written later.
    if sent is not None and (started is None or sent <= started):
        started = sent
    prompt = tree.prompt(transcript.before(answer))
    duration_ms = (ended - started) / 1000 if started is not None and ended is not None else None
    return Exchange(
        record=answer.record,
        request=prompt.body(b'{"model":' + msgspec.json.encode(answer.model) + b',"messages":'),
        response=answer.response(),
        url="/v1/messages",
        started_us=started,
        ended_us=end_us(started, duration_ms),
        # Only Claude Code writes such files, and the prompt that would say so is not in them.
        headers={"user-agent": f"claude-cli/{answer.version}"[:256]},
        session_key=answer.session or None,
        request_id=answer.request_id or None,
        partial=",".join(dict.fromkeys((_PARTIAL, *prompt.marks, *transcript.marks(answer)))),
    )
