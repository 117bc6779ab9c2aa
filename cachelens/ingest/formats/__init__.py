"""Containers that captures come in. Each is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

FORMATS = Registry(
    "input format",
    {
        "pairs": Entry("cachelens.ingest.formats.pairs:Pairs", "JSONL, one request/response pair a line"),
        "claude-trace": Entry(
            "cachelens.ingest.formats.claude_trace:ClaudeTrace", "JSONL written by claude-trace"
        ),
        "requests": Entry(
            "cachelens.ingest.formats.requests:Requests", "JSONL of request bodies, OpenAI batch lines too"
        ),
        "har": Entry("cachelens.ingest.formats.har:Har", "HTTP archive (HAR 1.2)"),
        "mitmproxy": Entry("cachelens.ingest.formats.mitmproxy:Mitmproxy", "mitmproxy flow dump"),
        "claude-raw": Entry(
            "cachelens.ingest.formats.claude_raw:ClaudeRaw", "folder of Claude Code raw bodies"
        ),
        "claude-code": Entry("cachelens.ingest.formats.claude_code:ClaudeCode", "Claude Code transcript"),
        "codex-rollout": Entry("cachelens.ingest.formats.codex_rollout:CodexRollout", "Codex rollout"),
        "pi-session": Entry(
            "cachelens.ingest.formats.pi_session:PiSession", "session of the pi coding agent"
        ),
        "vcr": Entry("cachelens.ingest.formats.vcr:Vcr", "VCR cassette (YAML)"),
        "tokens": Entry("cachelens.ingest.formats.tokens:Tokens", "JSONL of token ids, one request a line"),
        "mooncake": Entry(
            "cachelens.ingest.formats.mooncake:Mooncake", "Mooncake hash trace, 512-token blocks"
        ),
        "kv-cache-tester": Entry(
            "cachelens.ingest.formats.kv_cache_tester:KvCacheTester",
            "kv-cache-tester session, 64-token blocks",
        ),
    },
    group="cachelens.formats",
)
