"""Which request continues which: predecessors, lineages, sessions.

In: calls in order of start, with their prompts as rows. Out: `Lineages`. Bodies of concurrent sessions lie
interleaved in one file, so order alone says nothing; the prompts do:

1. A request continues the earlier request whose whole prompt is the longest prefix of its own. Where
   several prompts are equal, the one whose reply it sends back (tool call ids, then text), then the one
   with the same session key, then the latest that nobody continues yet.
2. If that request is already continued, or there is none, an edit may have broken the prefix: the request
   continues the tip of the lineage it holds most of, if it sends back that tip's reply, or holds at least
   half of the tip's messages including its last one, and shares its tools or its system prompt.
3. Otherwise it starts a lineage: as a fork where (1) found a request that is already continued.

Where thinking is left out of earlier turns (`cachelens.model.render`), prompts are compared without it and a
text is the same with a frame or without: what the server leaves out is no edit of the harness.

Lineages join into one session by explicit keys, forks, a prompt that is an argument of another's tool
call (sub-agents), and a first user message that another lineage with other tools has too (title calls).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from cachelens.ingest.intern import Contents, PartFacts, SegmentTrie
from cachelens.ingest.reader import Call
from cachelens.model.kinds import KIND_CODE, ROLE_CODE

_HEAD_KINDS = frozenset({KIND_CODE["tools"], KIND_CODE["system"]})
_TOOL_CALL = KIND_CODE["tool_call"]
_USER = KIND_CODE["user"]
_THINKING = KIND_CODE["thinking"]
_REPLY_ROLES = frozenset({ROLE_CODE["assistant"], ROLE_CODE["tool"]})
#: Requests of which nothing but tokens is known: no edit can be told from a new conversation.
_WITHOUT_ROLES = frozenset({"tokens", "hashes"})
#: Share of the tip's message tokens a request must hold to continue it across an edit.
_HELD_SHARE = 0.5
#: How a reply was recognized in a later prompt; the id of a tool call outweighs its text.
_BY_TEXT, _BY_ID = 1, 2
#: Requests with equal prompts that are compared: the latest ones.
_CANDIDATES = 64
#: Lineages that are compared for one broken prompt: those that held most of its contents.
_LINEAGES_COMPARED = 16
#: User segments at the start of a prompt that may be shared with a side call: its own instruction may come first.
_OPENING = 2
#: Lineages remembered for one content: the latest ones.
_LINEAGES_PER_CONTENT = 64


@dataclass(slots=True)
class Lineages:
    """Per request: `predecessor` (-1: none), `lineage` and `session` (numbers in order of first sight), and
    `parent`, the predecessor or the request that spawned this one (-1: none)."""

    predecessor: list[int]
    lineage: list[int]
    session: list[int]
    parent: list[int]


@dataclass(slots=True)
class _Lineage:
    """A lineage under construction: its tip and what the tip's prompt holds."""

    tip: int
    held: Counter[int] = field(default_factory=Counter)
    head: frozenset[int] = frozenset()
    tokens: int = 0
    last: int = -1


@dataclass
class _Finder:
    calls: Sequence[Call]
    contents: Contents
    trie: SegmentTrie
    tokens: Sequence[int]
    without_thinking: bool

    def __post_init__(self) -> None:
        count = len(self.calls)
        self.same: Sequence[int] = (
            self.contents.payloads() if self.without_thinking else range(len(self.contents))
        )
        self.predecessor = [-1] * count
        self.lineage = [-1] * count
        self.parent = [-1] * count
        self.continued = [False] * count
        self.lineages: list[_Lineage] = []
        self.row_node: dict[int, int] = {-1: 0}  # segment row -> content-trie node
        self.node_next: dict[tuple[int, int], int] = {}
        self.node_parent = [-1]
        self.ended: defaultdict[int, list[int]] = defaultdict(
            list
        )  # node -> requests whose prompt ends there
        # message content -> lineages that held it, the latest last
        self.by_content: defaultdict[int, dict[int, None]] = defaultdict(dict)
        # call id -> requests that generated it, with the call: some servers count ids from 0 again and again
        self.by_reply_id: defaultdict[int, deque[tuple[int, int]]] = defaultdict(
            lambda: deque(maxlen=_CANDIDATES)
        )
        self.by_reply_text: dict[int, int] = {}  # assistant content -> request that generated it

    def run(self) -> None:
        for index in range(len(self.calls)):
            node = self._node(self.prefix_row(index))
            found = self._extended(index, node)
            if found >= 0 and not self.continued[found]:
                self._continue(index, found)
            else:
                tip = self._broken(index, found)
                if tip >= 0:
                    self._continue(index, tip)
                else:
                    self._start(index, found)
            self.ended[node].append(index)
            self._note_reply(index)

    # -- rows and nodes

    def prefix_row(self, index: int) -> int:
        """Where the part of a prompt ends that a continuation must begin with."""
        call = self.calls[index]
        return call.last_row if call.prefix_row is None else call.prefix_row

    def path(self, row: int, stop: int = -1) -> list[int]:
        """Rows from after `stop` to `row`."""
        rows = []
        parent = self.trie.parent
        while row != stop and row >= 0:
            rows.append(row)
            row = parent[row]
        return rows[::-1]

    def parts(self, row: int, stop: int = -1) -> list[PartFacts]:
        """Parts from after `stop` to `row`, as they are compared: contents without regard to what does not count."""
        return self.compared(self.path(row, stop))

    def compared(self, rows: Sequence[int]) -> list[PartFacts]:
        """The parts of rows, as they are compared."""
        found = [self.trie.parts[self.trie.part[row]] for row in rows]
        if not self.without_thinking:
            return found
        return [part._replace(content=self.same[part.content]) for part in found if part.kind != _THINKING]

    def _node(self, row: int) -> int:
        """The content-trie node of a row: rows that differ only in markers or paths share it."""
        pending = []
        while (node := self.row_node.get(row)) is None:
            pending.append(row)
            row = self.trie.parent[row]
        for row in reversed(pending):
            part = self.trie.parts[self.trie.part[row]]
            if self.without_thinking and part.kind == _THINKING:
                self.row_node[row] = node
                continue
            key = (node, self.same[part.content])
            following = self.node_next.get(key)
            if following is None:
                following = self.node_next[key] = len(self.node_parent)
                self.node_parent.append(node)
            self.row_node[row] = node = following
        return node

    # -- finding the predecessor

    def _extended(self, index: int, node: int) -> int:
        """The request whose prompt is the longest prefix of this one's, -1 when there is none."""
        equal = True
        while node > 0:
            candidates = self.ended[node][-_CANDIDATES:] if node in self.ended else []
            if candidates and equal:
                candidates = [c for c in candidates if self._repeats(index, c)]
            if candidates:
                return self._choose(index, candidates, node)
            node = self.node_parent[node]
            equal = False
        return -1

    def _repeats(self, index: int, earlier: int) -> bool:
        """Whether a request with the same prompt as `earlier` is that request tried again.

        Concurrent sessions may send equal prompts too: they differ in their tool call ids, or are first
        requests that were all answered.
        """
        before, now = self.calls[earlier], self.calls[index]
        same = before.last_row == now.last_row and not _differ(before.session_key, now.session_key)
        return same and (self.predecessor[earlier] >= 0 or not before.replied)

    def _choose(self, index: int, candidates: list[int], node: int) -> int:
        """The predecessor among requests with equal prompts: the latest ones, and any whose reply comes back."""
        if len(candidates) == 1:
            return candidates[0]
        echoed = self._echoed(index)
        older = (c for c in echoed if c < candidates[0] and self.row_node[self.prefix_row(c)] == node)
        candidates = [*older, *candidates]
        key = self.calls[index].session_key
        return max(
            candidates,
            key=lambda c: (
                echoed.get(c, 0),
                key is not None and self.calls[c].session_key == key,
                not self.continued[c],
                c,
            ),
        )

    def _echoed(self, index: int) -> dict[int, int]:
        """Requests whose replies this prompt sends back, and how that is known."""
        found: dict[int, int] = {}
        for part in self.parts(self.calls[index].last_row):
            generated: list[tuple[int, int]] = list(self.by_reply_id.get(part.call_id, ()))
            if len(generated) == 1:
                found[generated[0][0]] = _BY_ID
                continue
            # An id that was given out several times proves something only together with the call.
            by_id = [request for request, content in generated if content == part.content]
            if by_id:
                found.update(dict.fromkeys(by_id, _BY_ID if len(by_id) == 1 else _BY_TEXT))
            elif (by_text := self.by_reply_text.get(part.content, -1)) >= 0:
                found.setdefault(by_text, _BY_TEXT)
        return found

    def _broken(self, index: int, extended: int) -> int:
        """The lineage tip that this request continues across an edit, -1 when there is none."""
        if self.calls[index].dialect in _WITHOUT_ROLES:
            return -1
        parts = self.parts(self.calls[index].last_row)
        messages = [part for part in parts if part.kind not in _HEAD_KINDS]
        head = frozenset(part.content for part in parts if part.kind in _HEAD_KINDS)
        holding: Counter[int] = Counter()
        for part in messages:
            holding.update(list(self.by_content.get(part.content, ())))
        echoed = self._echoed(index)
        lineages = {self.lineage[request] for request in echoed}
        lineages.update(number for number, _ in holding.most_common(_LINEAGES_COMPARED))
        counts = Counter(part.content for part in messages)
        last_at = {part.content: at for at, part in enumerate(messages)}
        replies_after = _suffix_any([part.role in _REPLY_ROLES for part in messages])
        shared = self._shared_tokens(extended)
        best, best_score = -1, (0, 0, -1)
        for number in lineages:
            lineage = self.lineages[number]
            echo = echoed.get(lineage.tip, 0)
            held = sum(
                min(count, counts[content]) * self.tokens[content]
                for content, count in lineage.held.items()
                if content in counts
            )
            # Tool call ids are proof; anything less must explain more than the request it would fork from.
            if echo < _BY_ID and held <= shared:
                continue
            if not self._continues(lineage, echo, held, head, last_at, replies_after):
                continue
            score = (echo, held, lineage.tip)
            if score > best_score:
                best, best_score = lineage.tip, score
        return best

    def _continues(
        self,
        lineage: _Lineage,
        echo: int,
        held: int,
        head: frozenset[int],
        last_at: dict[int, int],
        replies_after: list[bool],
    ) -> bool:
        if echo == _BY_ID:
            return True
        holds_most = held >= _HELD_SHARE * lineage.tokens > 0
        if not (head & lineage.head) and (head or lineage.head):
            # Without tools, a clock in the system prompt leaves nothing of the head in common.
            return bool(echo) and holds_most
        if echo:
            return True
        at = last_at.get(lineage.last, -1)
        return at >= 0 and replies_after[at] and holds_most

    def _shared_tokens(self, extended: int) -> int:
        """Message tokens held by extending `extended`, which another request already continues."""
        if extended < 0:
            return 0
        return sum(
            self.tokens[part.content]
            for part in self.parts(self.calls[extended].last_row)
            if part.kind not in _HEAD_KINDS
        )

    # -- recording

    def _continue(self, index: int, before: int) -> None:
        self.predecessor[index] = self.parent[index] = before
        self.continued[before] = True
        number = self.lineage[before]
        self.lineage[index] = number
        lineage = self.lineages[number]
        if self.node_is_prefix(before, index):
            rows = self._rows_after(index, before)
        else:
            lineage.held.clear()
            lineage.tokens = 0
            lineage.head = frozenset()
            rows = self.path(self.calls[index].last_row)
        self._hold(lineage, number, rows)
        lineage.tip = index

    def _rows_after(self, index: int, before: int) -> list[int]:
        """Rows of a prompt beyond the content-trie node where an earlier prompt, its prefix, ends."""
        end = self.row_node[self.prefix_row(before)]
        rows = []
        row = self.prefix_row(index)
        while row >= 0 and self.row_node[row] != end:
            rows.append(row)
            row = self.trie.parent[row]
        return rows[::-1]

    def node_is_prefix(self, before: int, index: int) -> bool:
        """Whether the prompt of `before` is a full prefix of that of `index`, content by content."""
        end = self.row_node[self.prefix_row(before)]
        node = self.row_node[self.prefix_row(index)]
        while node > end:
            node = self.node_parent[node]
        return node == end

    def _start(self, index: int, forked_from: int) -> None:
        self.predecessor[index] = self.parent[index] = forked_from
        number = self.lineage[index] = len(self.lineages)
        lineage = _Lineage(index)
        self.lineages.append(lineage)
        self._hold(lineage, number, self.path(self.calls[index].last_row))

    def _hold(self, lineage: _Lineage, number: int, rows: list[int]) -> None:
        head = set()
        for part in self.compared(rows):
            if part.kind in _HEAD_KINDS:
                head.add(part.content)
                continue
            lineage.held[part.content] += 1
            lineage.tokens += self.tokens[part.content]
            lineage.last = part.content
            known = self.by_content[part.content]
            known.pop(number, None)
            known[number] = None
            if len(known) > _LINEAGES_PER_CONTENT:
                del known[next(iter(known))]
        if head:
            lineage.head = lineage.head | head

    def _note_reply(self, index: int) -> None:
        call = self.calls[index]
        for part in self.parts(call.output_row, call.last_row):
            if part.call_id >= 0:
                self.by_reply_id[part.call_id].append((index, part.content))
            self.by_reply_text[part.content] = index


def _differ(one: str | None, other: str | None) -> bool:
    """Whether two session keys are both known and not the same."""
    return one is not None and other is not None and one != other


def _suffix_any(flags: list[bool]) -> list[bool]:
    """For each place: whether any later place is set."""
    result, seen = [False] * len(flags), False
    for at in range(len(flags) - 1, -1, -1):
        result[at] = seen
        seen = seen or flags[at]
    return result


def find_lineages(
    calls: Sequence[Call],
    contents: Contents,
    trie: SegmentTrie,
    tokens: Sequence[int],
    without_thinking: bool = False,
) -> Lineages:
    """Predecessors, lineages and sessions of `calls`, which are in order of start.

    `tokens` are the lengths of the contents. `without_thinking`: servers leave it out of earlier turns.
    """
    finder = _Finder(calls, contents, trie, tokens, without_thinking)
    finder.run()
    session = _Sessions(finder).run()
    return Lineages(finder.predecessor, finder.lineage, session, finder.parent)


class _Sessions:
    """Joins lineages into sessions (union-find over lineage numbers)."""

    def __init__(self, finder: _Finder) -> None:
        self.finder = finder
        self.leader = list(range(len(finder.lineages)))
        self.key: list[str | None] = [None] * len(finder.lineages)
        self.source = [-1] * len(finder.lineages)
        for index, call in enumerate(finder.calls):
            lineage = finder.lineage[index]
            self.key[lineage] = self.key[lineage] or call.session_key
            if self.source[lineage] < 0:
                self.source[lineage] = call.source

    def _find(self, number: int) -> int:
        while self.leader[number] != number:
            self.leader[number] = self.leader[self.leader[number]]
            number = self.leader[number]
        return number

    def _relate(self, one: int, other: int) -> None:
        """Join two lineages for what their prompts show, unless their explicit keys say otherwise, or they
        come from different inputs: another capture of the same task holds the same words."""
        if self.source[one] == self.source[other] and not _differ(self.key[one], self.key[other]):
            self._join(one, other)

    def _join(self, one: int, other: int) -> None:
        one, other = self._find(one), self._find(other)
        self.leader[max(one, other)] = min(one, other)

    def run(self) -> list[int]:
        finder, calls = self.finder, self.finder.calls
        by_key: dict[str, int] = {}
        roots: list[int] = []
        seen: set[int] = set()
        for index, call in enumerate(calls):
            lineage = finder.lineage[index]
            for key in (call.session_key, call.parent_key):
                if key is not None:
                    self._join(by_key.setdefault(key, lineage), lineage)
            if finder.predecessor[index] >= 0 and call.dialect not in _WITHOUT_ROLES:
                self._join(finder.lineage[finder.predecessor[index]], lineage)
            if lineage not in seen:
                seen.add(lineage)
                if finder.predecessor[index] < 0:
                    roots.append(index)
        self._spawned(roots)
        self._side_calls(roots)
        numbers: dict[int, int] = {}
        return [numbers.setdefault(self._find(lineage), len(numbers)) for lineage in finder.lineage]

    def _user_contents(self, index: int) -> list[int]:
        finder = self.finder
        parts = finder.parts(finder.calls[index].last_row)
        return [part.content for part in parts if part.kind == _USER]

    def _spawned(self, roots: list[int]) -> None:
        """A lineage whose first prompt holds a string argument of another request's tool call."""
        finder = self.finder
        for index in roots:
            for content in self._user_contents(index):
                calls = finder.contents.prompt_arguments.get(finder.contents.digest[content], ())
                spawners = [
                    spawner
                    for call in calls
                    if (spawner := finder.by_reply_text.get(finder.same[call], index)) < index
                    and finder.calls[spawner].source == finder.calls[index].source
                ]
                if spawners:
                    finder.parent[index] = max(spawners)
                    self._relate(finder.lineage[max(spawners)], finder.lineage[index])
                    break

    def _side_calls(self, roots: list[int]) -> None:
        """Lineages with different tools or system prompt that open with the same user message."""
        finder = self.finder
        latest: dict[bytes, list[int]] = {}
        for index in roots:
            head = finder.lineages[finder.lineage[index]].head
            for content in self._user_contents(index)[:_OPENING]:
                others = latest.setdefault(finder.contents.digest[content], [])
                if others and finder.lineages[finder.lineage[others[-1]]].head != head:
                    self._relate(finder.lineage[others[-1]], finder.lineage[index])
                others.append(index)
