"""What every request of a trace did to the prompt before it. In: a workload. Out: a `History`.

Only prompts that do not simply go on are looked at segment by segment; where the forest says that a prompt
extends its predecessor's, reply included, there is nothing to explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cachelens.attribute.align import Span, spans
from cachelens.attribute.breaks import Prompts, describe, describe_echo, moved, shared_contents
from cachelens.attribute.counterparts import counterparts
from cachelens.attribute.edits import Pair, edits_of
from cachelens.attribute.texts import Texts
from cachelens.attribute.written_out import written_out
from cachelens.model.edits import Edit
from cachelens.model.rows import Break
from cachelens.model.trace import Int64, Trace
from cachelens.simulate.workload import Workload


@dataclass(eq=False)
class History:
    """By request: `breaks` and `echoes`, where its prompt departs from the earlier prompt and from the reply
    to it; `sent_before`, the spans of a departing prompt that had been sent (or generated and kept) before.

    `edits` are all edits of the trace by number; `edits_of[request]` those of one request, in order of depth;
    `pairs[request]` is what they were found in. `sibling_edits`: those between first requests of lineages.
    """

    breaks: dict[int, Break] = field(default_factory=dict)
    echoes: dict[int, Break] = field(default_factory=dict)
    sent_before: dict[int, list[Span]] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    edits_of: dict[int, Sequence[Edit]] = field(default_factory=dict)
    pairs: dict[int, Pair] = field(default_factory=dict)
    sibling_edits: dict[int, Sequence[Edit]] = field(default_factory=dict)


def history(
    trace: Trace, work: Workload, texts: Texts, reusable: Int64, keeps_output: bool = True
) -> History:
    """Compare every prompt with its predecessor's and with the reply to it.

    `reusable`: what an infinite cache would have served. `keeps_output`: the cache holds generated text, so
    that what comes back of it was there before.
    """
    return _Comparison(trace, work, texts, reusable, keeps_output).run()


def compare(trace: Trace, request: int, before: int, sibling: bool = False) -> Pair:
    """The prompt of `request` against that of `before` and the reply to it, matched segment by segment."""
    segments, contents = trace.segments, trace.contents
    asked = segments.path(int(trace.last_segment[before]))
    then = segments.path(int(trace.last_output[before])) if not sibling else asked
    now = segments.path(int(trace.last_segment[request]))
    found = counterparts(trace, then, now, len(asked))
    offsets = (
        np.concatenate(([0], np.cumsum(contents.tokens[segments.content[now]]))).astype(np.int64).tolist()
    )
    return Pair(request, before, then.tolist(), len(asked), now.tolist(), found, offsets, sibling)


@dataclass
class _Comparison:
    trace: Trace
    work: Workload
    texts: Texts
    reusable: Int64
    keeps_output: bool

    def __post_init__(self) -> None:
        frame = self.trace.requests
        self.ids = frame["request_id"].to_list()
        self.namespaces = frame["namespace"].to_list()
        self.dialects = frame["dialect"].to_list()
        self.prompt_tokens = self.work.prompt_tokens.tolist()

    def run(self) -> History:
        trace, work, forest = self.trace, self.work, self.work.forest
        found = History()
        prompt, kept, kept_tokens = (a.tolist() for a in (work.prompt, work.kept, work.kept_tokens))
        captured = (trace.last_output != trace.last_segment).tolist()
        for request, before in enumerate(trace.predecessor.tolist()):
            if before < 0 or self.dialects[request] == "hashes":
                continue
            # Replies whose number of tokens alone is known are no part of any prompt.
            end = kept[before] if captured[before] else prompt[before]
            whole = kept_tokens[before] if captured[before] else self.prompt_tokens[before]
            shared = forest.common_depth(end, prompt[request])
            if shared == whole or shared == self.prompt_tokens[request] >= self.prompt_tokens[before]:
                continue
            self._explain(found, request, before, min(shared, self.prompt_tokens[before]))
        return found

    def _explain(self, found: History, request: int, before: int, shared: int) -> None:
        trace = self.trace
        pair = compare(trace, request, before)
        broken = shared < self.prompt_tokens[before]
        pair = replace(pair, written_out=written_out(trace, self.texts, pair))
        if not broken and not pair.echoed:
            return  # tried again, or forked: nothing of the reply came back
        sent = self._sent(pair)
        found.sent_before[request] = sent
        floor = int(self.reusable[request])
        lost = sum(max(0, span.hi - max(span.lo, floor)) for span in sent)
        edits = edits_of(trace, self.texts, pair, len(found.edits))
        found.edits += edits
        found.edits_of[request] = edits
        found.pairs[request] = pair
        if broken:
            found.breaks[request] = self._break(pair, edits, shared, lost)
        echo = next((edit for edit in edits if edit.in_reply), None)
        if echo is not None:
            found.echoes[request] = describe_echo(trace, echo, self.ids[before], lost, self.texts)

    def _sent(self, pair: Pair) -> list[Span]:
        """Spans that the cache had seen: of the earlier prompt, and where replies are kept of the reply.

        The last token of a reply is sampled but never computed, so nobody had it.
        """
        seen = [match for match in pair.found if match.before < pair.reply_at or self.keeps_output]
        found = spans(seen, pair.offsets)
        last = len(pair.then) - 1
        echo = next((match for match in seen if match.before == last >= pair.reply_at), None)
        if echo is None:
            return found
        content = self.trace.segments.content[pair.then[last]]
        if not echo.tail and echo.head < int(self.trace.contents.tokens[content]):
            return found
        end = pair.offsets[echo.now + 1]
        cut = [Span(span.lo, span.hi - (span.hi == end)) for span in found]
        return [span for span in cut if span.hi > span.lo]

    def _break(self, pair: Pair, edits: Sequence[Edit], shared: int, lost: int) -> Break:
        before, request = pair.before, pair.request
        then, now = list(pair.then[: pair.reply_at]), list(pair.now)
        if self.namespaces[request] != self.namespaces[before]:
            shared = shared_contents(self.trace, then, now)
        if shared == self.prompt_tokens[before]:
            return moved(self.namespaces[before], self.namespaces[request], self.ids[before], lost)
        return describe(self.trace, Prompts(then, now, shared, edits), self.ids[before], lost, self.texts)
