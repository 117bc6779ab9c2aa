"""Turns exchanges into calls on interned tables, one at a time.

In: `Exchange`s and `TokenRequest`s of any format. Out: `Call`s, whose prompts and replies are rows of one
segment trie. A block of a body that was seen before is neither decoded nor tokenised again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from cachelens.ingest.block_paths import BlockPaths, whole_blocks
from cachelens.ingest.dialects import DIALECTS
from cachelens.ingest.dialects.base import BadBody, Body, Dialect, Reply, Settings, Usage
from cachelens.ingest.dialects.endpoint import NO_REQUEST, endpoint
from cachelens.ingest.dialects.settings import key_digest
from cachelens.ingest.elements import DECODE_ERRORS, Elements, reason
from cachelens.ingest.exchange import Exchange, TokenRequest
from cachelens.ingest.harness import harness_of, provider_of
from cachelens.ingest.intern import Contents, SegmentTrie, TokenizerLike
from cachelens.ingest.prompts import Prompt, Prompts
from cachelens.ingest.session_keys import session_keys
from cachelens.ingest.shorten import Elided, Shortener
from cachelens.model.render import Render

#: `Call.partial` of a request that continues a response not read so far.
PREVIOUS_MISSING = "previous-response-missing"
#: Replies kept so that a later request can continue one by `previous_response_id`.
_KEPT_REPLIES = 4096
#: Claims of a dialect from which on no other is asked, and from which on it needs no more evidence.
_CERTAIN, _LIKELY = 1.0, 0.5
#: Priorities that the tables can hold lie below this, either side of 0.
_LARGEST_PRIORITY = 2**31


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
    settings: Settings = field(default_factory=Settings)
    usage: Usage | None = None
    output_tokens: int | None = None
    partial: str | None = None
    replied: bool = False


@dataclass
class Reader:
    """Interns one exchange after another. `render`: names of `cachelens.model.render`, None for the defaults."""

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
        render = Render.parse(self.render)
        self._elements = Elements(self.contents, self.trie, render.thinking)
        self._prompts = Prompts(self._elements, render)
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
            raise BadBody(reason(error)) from error
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
        call.last_row = call.output_row = prompt.last_row
        call.settings = self._settings(dialect, body, exchange.headers, prompt)
        call.harness = self._harness(system_text, exchange.headers)
        call.session_key, call.parent_key = session_keys(body, exchange.headers, exchange.session_key)
        self._reply(dialect, exchange, prompt, call)
        # Only now: some requests leave it to the response to name the model.
        call.provider = exchange.provider or self._provider(exchange.url, call.model or "")
        scope = call.settings.scope
        call.namespace = f"{call.provider}/{call.model or ''}" + (f"#{scope}" if scope else "")
        return call

    def token_request(self, request: TokenRequest, source: int) -> Call:
        """Intern a request that is already tokenised or hashed. Raises BadBody for a priority out of range."""
        if abs(request.priority) >= _LARGEST_PRIORITY:
            raise BadBody("bad-priority", "a priority that is no 32-bit integer")
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
            settings=Settings(priority=request.priority),
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
        if known is not None and best_score < _LIKELY and endpoint(url) != NO_REQUEST:
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

    @staticmethod
    def _settings(dialect: Dialect, body: Body, headers: dict[str, str], prompt: Prompt) -> Settings:
        """What the body says about caches; xAI takes its routing key from a header as well."""
        settings = dialect.settings(body, prompt.first_image >= 0)
        if settings.routing_key is None and (key := headers.get("x-grok-conv-id")):
            return settings._replace(routing_key=key_digest(key))
        return settings

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
    ) -> tuple[Prompt, str]:
        """Put a prompt together from what is known and what is new; the text of its system prompt beside it."""
        raw_list = bytes(getattr(body, dialect.list_field))
        known: Prompt | None = None
        if shortener is not None and elided.start < 0 and raw_list[:1] == b"[":
            elided = shortener.learn(elided.record, raw_list) or elided
        try:
            raws = [bytes(raw) for raw in self._list.decode(raw_list)] if raw_list[:1] == b"[" else [raw_list]
        except DECODE_ERRORS as error:
            raise BadBody(reason(error)) from error
        raws = [raw for raw in raws if raw]
        if elided.kept and elided.known is not None:
            known = elided.known.payload
            if known is None or known.dialect != dialect.name:
                raise _MisplacedCut
        items = known.items[: elided.kept] if known else []
        shared = len(items)
        items = items + [self._elements.of_raw(dialect, raw) for raw in raws]
        previous = _text(body.previous_response_id)
        if previous:
            earlier = self._replies.get(previous)
            if earlier is None:
                call.partial = PREVIOUS_MISSING
            else:
                items = [*earlier[0], earlier[1], *items]
                known, shared = None, 0
        elif _given(body.conversation):
            call.partial = "conversation-on-server"
        elif _given(body.cachedContent):
            call.partial = "cached-content-on-server"
        elif self._elements.references and not self._elements.references.isdisjoint(items):
            call.partial = "items-on-server"
        prompt, system_text = self._prompts.assemble(dialect, body, items, known, shared)
        # A prompt that begins with an earlier response is no list that stands in a record: nothing to share.
        payload = None if previous else prompt
        remembered = shortener is None or elided.start < 0 or shortener.remember(elided, raws, payload)
        if elided.kept and not remembered:
            raise _MisplacedCut
        return prompt, system_text

    def _reply(self, dialect: Dialect, exchange: Exchange, prompt: Prompt, call: Call) -> None:
        """Intern what was generated, thinking included, as the row that follows the prompt."""
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
            parts = [self._elements.part(part) for part in reply.parts]
            call.output_row = self.trie.follow(call.last_row, parts, -1)
            whole = call.partial is None
            if reply.response_id and dialect.name == "responses" and whole:
                element = self._elements.of_parts(dialect, reply.parts)
                self._replies[reply.response_id] = (prompt.items, element)
                if len(self._replies) > _KEPT_REPLIES:
                    self._replies.popitem(last=False)


class _MisplacedCut(Exception):
    """What was left out of the record is not the list of messages of its request body."""


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
