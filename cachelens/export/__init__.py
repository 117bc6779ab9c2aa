"""Traces for other tools. In: a `Trace`. Out: files that they read. Each format is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

EXPORTS = Registry(
    "export",
    {
        "mooncake": Entry(
            "cachelens.export.mooncake:Mooncake", "hash trace, one request a line, chained block ids"
        ),
        "kv-cache-tester": Entry(
            "cachelens.export.kv_cache_tester:KvCacheTester", "hash trace, one JSON document a session"
        ),
        "tokens": Entry("cachelens.export.tokens:Tokens", "token ids, one request a line"),
    },
    group="cachelens.exports",
)
