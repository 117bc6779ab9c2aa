"""Turns exchanges into calls on interned tables, one at a time.

In: `Exchange`s and `TokenRequest`s of any format. Out: `Call`s, whose prompts and replies are rows of one
segment trie. A block of a body that was seen before is neither decoded nor tokenised again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from xxhash import xxh3_128_digest

from cachelens.ingest.block_paths import BlockPaths, whole_blocks
from cachelens.ingest.dialects import DIALECTS
from cachelens.ingest.dialects.base import BadBody, Body, Dialect, Part, Reply, Usage
from cachelens.ingest.exchange import Exchange, TokenRequest
from cachelens.ingest.harness import harness_of, provider_of
from cachelens.ingest.intern import Contents, PartFacts, SegmentTrie, TokenizerLike
from cachelens.ingest.session_keys import session_keys
from cachelens.ingest.shorten import Elided, Shortener
from cachelens.model.kinds import KIND_CODE, KINDS, ROLE_CODE

_SYSTEM = KIND_CODE["system"]
#: `Call.partial` of a request that continues a response not read so far.
PREVIOUS_MISSING = "previous-response-missing"
#: Replies kept so that a later request can continue one by `previous_response_id`.
_KEPT_REPLIES = 4096
#: Claims of a dialect from which on no other is asked, and from which on it needs no more evidence.
_CERTAIN, _LIKELY = 1.0, 0.5
#: What decoding raises on a body that is not what it should be.
DECODE_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


@dataclass(slots=True)
class Call:
    """One request on the interned tables.

    `last_row`: end of its prompt; `output_row`: end of prompt plus reply; `prefix_row`: end of what a prompt
    that continues this one must begin with (None: `last_row`). `dialect` is the wire API, or `tokens` or
    `hashes` for a request known only as token ids or block hashes.
    """

    source: int
    record: int
    last_row: int
    output_row: int
    namespace: str
    dialect: str
    prefix_row: int | None = None
    started_us: int | None = None
    first_token_us: int | None = None
    ended_us: int | None = None
    request_id: str | None = None
    session_key: str | None = None
    parent_key: str | None = None
    harness: str | None = None
    provider: str | None = None
    model: str | None = None
    status: int | None = None
    stream: bool | None = None
    auto_breakpoint_s: int = 0
    usage: Usage | None = None
    output_tokens: int | None = None
    partial: str | None = None
    replied: bool = False


@dataclass(slots=True)
class _Prompt:
    """An assembled prompt, as remembered for the records after it."""

    dialect: str
    items: list[int]
    head: tuple[object, ...]
    leading: int
    rows: list[int]  # row after items[leading + i]


@dataclass(slots=True)
class _Item:
    """One decoded element of a message list: its parts, whether it is a system message, and its text if so."""

    parts: tuple[int, ...]
    system: bool
    text: str


@dataclass
class Reader:
    """Interns one exchange after another. `render` overrides the prompt order of the dialects."""

    tokenizer: TokenizerLike
    image_tokens: Callable[[str, str, str, int], int]
    render: str | None = None
    contents: Contents = field(init=False)
    trie: SegmentTrie = field(init=False)

    def __post_init__(self) -> None:
        self.contents = Contents(self.tokenizer)
        self.trie = SegmentTrie()
        self._paths = BlockPaths(self.contents, self.trie)
        self._dialects: dict[str, Dialect] = {
            name: DIALECTS.load(name)(image_tokens=self.image_tokens) for name in DIALECTS
        }
        self._latest = next(iter(self._dialects.values()))
        self._providers: dict[tuple[str, str], str] = {}
        self._harnesses: dict[tuple[str, ...], str | None] = {}
        self._body = msgspec.json.Decoder(Body)
        self._list = msgspec.json.Decoder(list[msgspec.Raw])
        self._items: list[_Item] = []
        self._item_numbers: dict[tuple[str, bytes], int] = {}
        self._references: set[int] = set()  # items that stand for something only the server holds
        self._heads: dict[tuple[str, str, bytes], tuple[tuple[tuple[int, int], ...], str]] = {}
        self._replies: OrderedDict[str, tuple[list[int], int]] = OrderedDict()

    def exchange(self, exchange: Exchange, source: int, shortener: Shortener) -> Call:
        """Intern an API call. Raises BadBody with the reason when its request cannot be read."""
        request, elided = exchange.request, exchange.elided
        if elided is None:
            request, elided = shortener.shorten(request)
        try:
            return self._exchange(exchange, request, elided, source, shortener)
        except _MisplacedCut:
            whole = elided.restore(request)
            exchange.response = elided.restore(exchange.response)
            return self._exchange(exchange, whole, Elided(whole, -1, 0), source, None)

    def _exchange(
        self, exchange: Exchange, request: bytes, elided: Elided, source: int, shortener: Shortener | None
    ) -> Call:
        try:
            body = self._body.decode(request)
        except DECODE_ERRORS as error:
            raise BadBody(_reason(error)) from error
        known = (
            elided.known.payload.dialect if elided.kept and elided.known and elided.known.payload else None
        )
        dialect, body = self._recognize(exchange.url, body, known)
        call = Call(
            source=source,
            record=exchange.record,
            last_row=-1,
            output_row=-1,
            namespace="",
            dialect=dialect.name,
            started_us=exchange.started_us,
            first_token_us=exchange.first_token_us,
            ended_us=exchange.ended_us,
            request_id=exchange.request_id,
            status=exchange.status,
            model=_text(body.model) or dialect.model_in_url(exchange.url),
            stream=_flag(body.stream),
            auto_breakpoint_s=dialect.automatic_breakpoint_s(body),
            partial=exchange.partial,
        )
        prompt, system_text = self._prompt(dialect, body, elided, shortener, call)
        call.last_row = call.output_row = prompt.rows[-1] if prompt.rows else self._head_row(prompt.head)
        call.harness = self._harness(system_text, exchange.headers)
        call.session_key, call.parent_key = session_keys(body, exchange.headers, exchange.session_key)
        self._reply(dialect, exchange, prompt, call)
        # Only now: some requests leave it to the response to name the model.
        call.provider = exchange.provider or self._provider(exchange.url, call.model or "")
        call.namespace = f"{call.provider}/{call.model or ''}"
        return call

    def token_request(self, request: TokenRequest, source: int) -> Call:
        """Intern a request that is already tokenised or hashed."""
        hashed = any(not block.ids for block in request.prompt)
        follow = self._paths.follow
        if hashed:
            whole = whole_blocks(request.prompt)
            prefix = follow(-1, request.prompt[:whole], request.namespace)
            last = follow(prefix, request.prompt[whole:], request.namespace)
        else:
            prefix = last = follow(-1, request.prompt, request.namespace)
        return Call(
            source=source,
            record=request.record,
            last_row=last,
            output_row=follow(last, request.output, request.namespace),
            prefix_row=prefix,
            namespace=request.namespace,
            dialect="hashes" if hashed else "tokens",
            started_us=request.started_us,
            ended_us=request.ended_us,
            request_id=request.request_id,
            session_key=request.session_key,
            model=request.model,
            output_tokens=request.output_tokens,
            replied=bool(request.output),
        )

    def _recognize(self, url: str, body: Body, known: str | None) -> tuple[Dialect, Body]:
        """The dialect that claims the body, and the body it reads (some are wrapped).

        `known` is the dialect of the messages that were left out of the body: without them the rest may say
        too little to tell.
        """
        best, best_score, best_body = None, 0.0, body
        for dialect in (self._latest, *self._dialects.values()):
            inner = dialect.unwrap(body) or body
            score = dialect.claim(url, inner)
            if score > best_score:
                best, best_score, best_body = dialect, score, inner
                if score >= _CERTAIN:
                    self._latest = dialect
                    break
        if known is not None and best_score < _LIKELY:
            best = self._dialects[known]
            best_body = best.unwrap(body) or body
        if best is None:
            raise BadBody("not-an-llm-request")
        return best, best_body

    def _harness(self, system_text: str, headers: dict[str, str]) -> str | None:
        key = (system_text, *headers.values())
        if key not in self._harnesses:
            self._harnesses[key] = harness_of(system_text, headers)
        return self._harnesses[key]

    def _provider(self, url: str, model: str) -> str:
        provider = self._providers.get((url, model))
        if provider is None:
            provider = self._providers[url, model] = provider_of(url, model)
        return provider

    def _prompt(
        self,
        dialect: Dialect,
        body: Body,
        elided: Elided,
        shortener: Shortener | None,
        call: Call,
    ) -> tuple[_Prompt, str]:
        """Assemble a prompt from what is known and what is new; the text of its system prompt beside it."""
        raw_list = bytes(getattr(body, dialect.list_field))
        known: _Prompt | None = None
        if shortener is not None and elided.start < 0 and raw_list[:1] == b"[":
            elided = shortener.learn(elided.record, raw_list) or elided
        try:
            raws = [bytes(raw) for raw in self._list.decode(raw_list)] if raw_list[:1] == b"[" else [raw_list]
        except DECODE_ERRORS as error:
            raise BadBody(_reason(error)) from error
        raws = [raw for raw in raws if raw]
        if elided.kept and elided.known is not None:
            known = elided.known.payload
            if known is None or known.dialect != dialect.name:
                raise _MisplacedCut
        items = known.items[: elided.kept] if known else []
        own = len(items)
        items = items + [self._item(dialect, raw) for raw in raws]
        previous = _text(body.previous_response_id)
        if previous:
            earlier = self._replies.get(previous)
            if earlier is None:
                call.partial = PREVIOUS_MISSING
            else:
                items = [*earlier[0], earlier[1], *items]
                known, own = None, 0
        elif _given(body.conversation):
            call.partial = "conversation-on-server"
        elif _given(body.cachedContent):
            call.partial = "cached-content-on-server"
        elif self._references and not self._references.isdisjoint(items):
            call.partial = "items-on-server"
        leading = 0
        while leading < len(items) and self._items[items[leading]].system:
            leading += 1
        head, system_text = self._head(dialect, body, tuple(items[:leading]))
        prompt = _Prompt(dialect.name, items, head, leading, [])
        row = self._head_row(head)
        if known is not None and known.head == head and known.leading == leading and own > leading:
            prompt.rows = known.rows[: own - leading]
            row = prompt.rows[-1]
            start = own
        else:
            start = leading
        follow, all_items, rows = self.trie.follow, self._items, prompt.rows
        for index in range(start, len(items)):
            row = follow(row, all_items[items[index]].parts, index)
            rows.append(row)
        # A prompt that begins with an earlier response is no list that stands in a record: nothing to share.
        payload = None if previous else prompt
        remembered = shortener is None or elided.start < 0 or shortener.remember(elided, raws, payload)
        if elided.kept and not remembered:
            raise _MisplacedCut
        if not system_text:
            system_text = next((self._items[i].text for i in items[:leading]), "")
        return prompt, system_text

    def _head(self, dialect: Dialect, body: Body, leading: tuple[int, ...]) -> tuple[tuple[object, ...], str]:
        """What precedes the messages, in prompt order: groups of (parts, index in their list)."""
        tools = self._group(dialect, "tools", bytes(body.tools) or bytes(body.functions), body)
        raw = b"\0".join(
            bytes(part)
            for part in (body.system, body.instructions, body.systemInstruction, body.system_instruction)
        )
        system = self._group(dialect, "system", raw, body)
        messages = tuple(
            (part, index) for index, item in enumerate(leading) for part in self._items[item].parts
        )
        order = self.render or dialect.render
        if order == "tools-first":
            return (tools[0], system[0], messages), system[1]
        return (system[0], messages, tools[0]), system[1]

    def _head_row(self, head: tuple[object, ...]) -> int:
        row = -1
        for group in head:
            for part, index in group:  # type: ignore[attr-defined]
                row = self.trie.follow(row, (part,), index)
        return row

    def _group(
        self, dialect: Dialect, what: str, raw: bytes, body: Body
    ) -> tuple[tuple[tuple[int, int], ...], str]:
        """Tools or top-level system prompt as (part, index) pairs, and their text; remembered by raw bytes."""
        key = (dialect.name, what, xxh3_128_digest(raw))
        found = self._heads.get(key)
        if found is None:
            if not raw.strip(b"\0") or raw == b"null":
                parts: list[Part] = []
            else:
                parts = _decoded(lambda: dialect.tools(raw) if what == "tools" else dialect.system(body))
            pairs = tuple((self._part(part), index) for index, part in enumerate(parts))
            text = next((part.text for part in parts), "") if what == "system" else ""
            found = self._heads[key] = (pairs, text[:4096])
        return found

    def _item(self, dialect: Dialect, raw: bytes) -> int:
        """The number of an element of a message list, decoded when its bytes are new."""
        key = (dialect.name, xxh3_128_digest(raw))
        number = self._item_numbers.get(key)
        if number is None:
            parts = _decoded(lambda: dialect.item(raw))
            number = self._item_numbers[key] = self._new_item(parts)
        return number

    def _new_item(self, parts: list[Part]) -> int:
        system = bool(parts) and parts[0].kind == KINDS[_SYSTEM]
        text = parts[0].text[:4096] if system else ""
        if any(part.name == "item_reference" and not part.text for part in parts):
            self._references.add(len(self._items))
        self._items.append(_Item(tuple(self._part(part) for part in parts), system, text))
        return len(self._items) - 1

    def _part(self, part: Part) -> int:
        string = self.trie.string
        return self.trie.intern(
            PartFacts(
                self.contents.of_part(part),
                KIND_CODE[part.kind],
                ROLE_CODE[part.role],
                string(part.name),
                string(part.call_id),
                part.breakpoint_s,
                string(part.field),
            )
        )

    def _reply(self, dialect: Dialect, exchange: Exchange, prompt: _Prompt, call: Call) -> None:
        """Intern what was generated, as the row that follows the prompt."""
        if not exchange.response:
            reply = Reply([], dialect.usage(exchange.usage) if exchange.usage else None, complete=False)
        else:
            try:
                reply = dialect.reply(exchange.response)
            except (BadBody, *DECODE_ERRORS):
                call.partial = call.partial or "response-unreadable"
                return
        call.usage = reply.usage
        call.replied = bool(reply.parts)
        if not call.model and reply.model:
            call.model = reply.model
        if reply.parts:
            parts = [self._part(part) for part in reply.parts]
            call.output_row = self.trie.follow(call.last_row, parts, -1)
            whole = call.partial is None
            if reply.response_id and dialect.name == "responses" and whole:
                self._items.append(_Item(tuple(parts), False, ""))
                self._replies[reply.response_id] = (prompt.items, len(self._items) - 1)
                if len(self._replies) > _KEPT_REPLIES:
                    self._replies.popitem(last=False)


class _MisplacedCut(Exception):
    """What was left out of the record is not the list of messages of its request body."""


def _decoded(decode: Callable[[], list[Part]]) -> list[Part]:
    try:
        return decode()
    except DECODE_ERRORS as error:
        raise BadBody(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "too-deep"
    if isinstance(error, UnicodeDecodeError) or "utf-8" in str(error).lower():
        return "bad-utf8"
    return "bad-json" if not isinstance(error, msgspec.ValidationError) else "bad-body"


def _text(raw: msgspec.Raw) -> str | None:
    """A raw JSON string decoded; None when it is missing or no string."""
    data = bytes(raw)
    if data[:1] != b'"':
        return None
    try:
        return str(msgspec.json.decode(data))
    except DECODE_ERRORS:
        return None


def _given(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _flag(raw: msgspec.Raw) -> bool | None:
    return {b"true": True, b"false": False}.get(bytes(raw))
