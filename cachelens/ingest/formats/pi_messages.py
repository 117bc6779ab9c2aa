"""Messages as pi stores them, in one spelling for all providers. In: JSON. Out: structs, and what they are for."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.formats.times import Time


class Target(NamedTuple):
    """Who a prompt is for: pi's names of the API, the provider and the model."""

    api: str
    provider: str
    model: str


class Usage(msgspec.Struct):
    """Tokens of a call: `input` is what neither came from nor went to the cache."""

    input: int = 0
    output: int = 0
    read: int = msgspec.field(default=0, name="cacheRead")
    written: int = msgspec.field(default=0, name="cacheWrite")


class Block(msgspec.Struct):
    """A content block. `type` is `text`, `thinking`, `toolCall` or `image`."""

    type: str
    text: str = ""
    thinking: str = ""
    signature: str | None = msgspec.field(default=None, name="thinkingSignature")
    redacted: bool | None = None
    id: str = ""
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw()
    data: str = ""
    mime: str = msgspec.field(default="", name="mimeType")


class Message(msgspec.Struct):
    """A message; `content` is a text or a list of blocks, undecoded. What other roles have is empty."""

    role: str = ""
    content: msgspec.Raw = msgspec.Raw()
    timestamp: Time = None
    api: str = ""
    provider: str = ""
    model: str = ""
    usage: Usage | None = None
    stop: str | None = msgspec.field(default=None, name="stopReason")
    call_id: str = msgspec.field(default="", name="toolCallId")
    command: str = ""
    output: str = ""
    exit_code: int | None = msgspec.field(default=None, name="exitCode")
    cancelled: bool | None = None
    truncated: bool | None = None
    full_output: str | None = msgspec.field(default=None, name="fullOutputPath")
    excluded: bool | None = msgspec.field(default=None, name="excludeFromContext")

    @property
    def target(self) -> Target:
        """Who answered, for an assistant message."""
        return Target(self.api, self.provider, self.model)

    @property
    def failed(self) -> bool:
        """Whether the answer was cut off by an error or by the user."""
        return self.stop in ("aborted", "error")

    def size(self) -> int:
        """About its bytes in memory."""
        return len(memoryview(self.content)) + len(self.output)

    def answered(self) -> bool:
        """Whether a model began to answer: there is content, or usage was reported."""
        reported = self.usage is not None and self.usage != Usage()
        return reported or bytes(self.content) not in (b"", b"null", b"[]", b'""')

    def blocks(self) -> list[Block]:
        """The content. Raises RecordError for what is neither a text nor a list of blocks."""
        raw = bytes(self.content)
        if raw in (b"", b"null"):
            return []
        try:
            return [Block("text", _TEXT.decode(raw))] if raw[:1] == b'"' else _BLOCKS.decode(raw)
        except msgspec.DecodeError as error:
            raise RecordError("bad-shape", f"the content of a message: {error}") from None

    def command_text(self) -> str:
        """What the model is told of a command that the user ran."""
        told = f"Ran `{self.command}`\n" + (f"```\n{self.output}\n```" if self.output else "(no output)")
        if self.cancelled:
            told += "\n\n(command cancelled)"
        elif self.exit_code:
            told += f"\n\nCommand exited with code {self.exit_code}"
        if self.truncated and self.full_output:
            told += f"\n\n[Output truncated. Full output: {self.full_output}]"
        return told


_TEXT = msgspec.json.Decoder(str)
_BLOCKS = msgspec.json.Decoder(list[Block])


def user_text(text: str) -> Message:
    """A user message of this text."""
    return Message(role="user", content=msgspec.Raw(msgspec.json.encode(text)))
