"""The words of a report that are no rules: outcomes, labels, buckets, edits. In: nothing. Out: `TERMS` by name.

The one source of their texts: `cachelens explain` shows them, the tables in docs/ are checked against them.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Term(NamedTuple):
    """One word. `kind`: `outcome`, `label`, `bucket` or `edit`. `meaning`: one line, as in the tables of the docs.

    `more`: a paragraph, empty when the line says it all. `rules`: codes of rules that are about it.
    """

    kind: str
    meaning: str
    more: str = ""
    rules: tuple[str, ...] = ()


#: What a kind of term is, in one line.
KINDS_OF_TERMS: Final = {
    "outcome": "why a prompt token was computed, or that it was not; each has exactly one",
    "label": "whether a prompt token was worth sending; each has exactly one, the first that holds",
    "bucket": "the three kinds of waste; a token is in at most one",
    "edit": "what was done to a segment of an earlier prompt; the first of them breaks the prefix",
}

TERMS: Final[dict[str, Term]] = {
    "hit": Term(
        "outcome", "served from cache", "A token that is sent again and served from cache is not waste."
    ),
    "fresh": Term(
        "outcome",
        "not sent before by its lineage, nor part of a prefix that was: unavoidable",
        "Decided per occurrence, not by text: a file read twice and appended at the end is fresh the second time "
        "too. Whether it was worth sending is what labels say.",
    ),
    "divergence": Term(
        "outcome",
        "sent before, but something earlier in the prompt changed, so it was computed again",
        "Caches match from the first token on. The first edit behind which something stands that had been sent "
        "before is named as its cause; `cachelens inspect` shows both sides of it.",
        ("CL101", "CL103", "CL104", "CL105", "CL107", "CL110", "CL112", "CL113"),
    ),
    "capacity": Term(
        "outcome",
        "this exact prefix was cached and had been evicted",
        "The request that pushed the first lost token out is named where the engine can tell.",
        ("CL401", "CL405"),
    ),
    "expiry": Term(
        "outcome",
        "this exact prefix was cached and its lifetime had ended",
        "The time for which the first lost token had not been used is shown.",
        ("CL402",),
    ),
    "alignment": Term(
        "outcome",
        "lost to pages, minimum lengths, increments, the last token that is always computed, or because the "
        "cached response had not begun yet",
    ),
    "unmarked": Term("outcome", "the cache needs breakpoints and none was set here", "", ("CL403",)),
    "routing": Term("outcome", "another replica had it, this one never did", "", ("CL404",)),
    "live": Term("label", "none of the others", "Nothing says that it could have been left out."),
    "dup_exact": Term(
        "label", "the same content, of 64 tokens or more, stands earlier in this very prompt", "", ("CL201",)
    ),
    "dup_call": Term(
        "label",
        "output of a call that was made again with the same arguments, and the later output stands in this prompt",
        "",
        ("CL201",),
    ),
    "superseded_read": Term(
        "label",
        "lines of a file that was read or written again later in this prompt",
        "Overlapping lines only, where the ranges are known.",
        ("CL202", "CL301"),
    ),
    "superseded_write": Term(
        "label", "a write whose result was read or overwritten later in this prompt", "", ("CL301",)
    ),
    "failed_rerun": Term(
        "label", "output of a command that failed, and the same command ran again later", "", ("CL205",)
    ),
    "echo": Term(
        "label", "a tool output of which 80 % of the text stands earlier in this prompt", "", ("CL206",)
    ),
    "unreferenced": Term(
        "label",
        "a tool output, ten steps old or more, of which no rare identifier occurs in anything generated later",
        "A candidate, not a proof: paths, symbols, numbers and long words are looked for, meaning is not.",
        ("CL301",),
    ),
    "retransmission": Term(
        "bucket",
        "sent before and computed again, and in neither of the other two",
        "Any cause counts but `fresh`. What was sent again and served is not waste.",
    ),
    "tool_output_reparsing": Term(
        "bucket",
        "tool output that is computed again, and tool output that is a duplicate or an echo, from its first time on",
        "Comes before the other two: a token is in the first bucket that fits.",
        ("CL201", "CL206"),
    ),
    "stale_history": Term(
        "bucket",
        "superseded, failed and rerun, or never referenced, for as long as it is carried along",
        "Served from cache it is cheap but not free: it holds KV and takes part of the context window. Leaving it "
        "out changes what the model sees.",
        ("CL301", "CL302"),
    ),
    "changed": Term("edit", "was replaced by another version"),
    "inserted": Term("edit", "is new, the predecessor's one follows later"),
    "removed": Term("edit", "of the predecessor is gone, what followed it is still there"),
    "reordered": Term("edit", "both versions hold both segments, in another order"),
    "truncated": Term("edit", "of the predecessor is gone, and so is all that followed"),
    "moved": Term("edit", "stood elsewhere in the predecessor's prompt"),
    "summarized": Term(
        "edit", "stands for several of the predecessor's that are gone, and is much shorter", "", ("CL109",)
    ),
    "respelled": Term(
        "edit",
        "says the same in other bytes: white space, Unicode form, order of keys, spelling of JSON",
        "",
        ("CL113",),
    ),
    "framed": Term("edit", "differs only in whether a message begins with it"),
    "model-changed": Term(
        "edit",
        "nothing differs, but the request went to another model or provider; an edit beside it is named instead",
    ),
    "scope-changed": Term("edit", "nothing differs, but the request has another cache salt or adapter"),
}
