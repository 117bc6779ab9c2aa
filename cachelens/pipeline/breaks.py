"""Breaks of all requests. In: a trace on its forest. Out: where each prompt leaves that of its predecessor."""

from __future__ import annotations

import numpy as np

from cachelens.attribute.align import Span, retransmitted, same_prefix
from cachelens.attribute.breaks import Decode, Prompts, describe, shared_contents
from cachelens.model.result import Break
from cachelens.model.trace import Int64, Trace
from cachelens.prefix.forest import Forest
from cachelens.tokens.tokenizer import Tokenizer


def find_breaks(
    trace: Trace, forest: Forest, prompts: Int64, reusable: Int64
) -> tuple[dict[int, Break], dict[int, list[Span]]]:
    """Breaks by request, and the spans that the predecessors of broken requests had sent."""
    breaks: dict[int, Break] = {}
    sent_before: dict[int, list[Span]] = {}
    ids = trace.requests["request_id"].to_list()
    namespaces = trace.requests["namespace"].to_list()
    tokens = trace.requests["prompt_tokens"].to_list()
    decode = _decoder(trace)
    kind = trace.contents.kind
    dialects = trace.requests["dialect"].to_list()
    for request, before in enumerate(trace.predecessor.tolist()):
        if before < 0 or dialects[request] == "hashes":
            continue
        shared = forest.common_depth(int(prompts[before]), int(prompts[request]))
        if shared == tokens[before]:
            continue
        then = trace.segments.path(int(trace.last_segment[before]))
        now = trace.segments.path(int(trace.last_segment[request]))
        content = trace.segments.content
        same = same_prefix(content[then].astype(np.int64), content[now].astype(np.int64))
        spans = retransmitted(
            content[then].tolist(), content[now].tolist(), trace.contents, lambda c: int(kind[c]), same
        )
        sent_before[request] = spans
        lost = sum(max(0, span.hi - max(span.lo, int(reusable[request]))) for span in spans)
        if namespaces[request] != namespaces[before]:
            shared = shared_contents(trace, then.tolist(), now.tolist())
        if shared == tokens[before]:
            breaks[request] = _moved(namespaces[before], namespaces[request], ids[before], lost)
        else:
            parts = Prompts(then.tolist(), now.tolist(), shared)
            breaks[request] = describe(trace, parts, ids[before], lost, decode)
    return breaks, sent_before


def _moved(then: str, now: str, previous_request_id: str, lost: int) -> Break:
    """The break of a request whose prompt is unchanged, but which went to another cache namespace."""
    same_model = then.partition("#")[0] == now.partition("#")[0]
    return Break(
        kind="scope-changed" if same_model else "model-changed",
        previous_request_id=previous_request_id,
        segment=0,
        component="other",
        message=None,
        path="cache_salt or adapter" if same_model else "model",
        name=None,
        token_offset=0,
        segment_offset=0,
        char_offset=None,
        lost_tokens=lost,
    )


def _decoder(trace: Trace) -> Decode | None:
    if trace.encoding in ("exact", "hashes"):
        return None
    # Loads the encoding at the first break, once: append-only traces do not need it.
    return Tokenizer(trace.encoding).decode
