"""Column names and types of the tables, as polars schemas.

In: nothing. Out: `REQUESTS`, `SEGMENTS`, `CONTENTS`.
"""

from __future__ import annotations

import polars as pl

#: Starts are kept to the millisecond, durations to a tenth of one: the finest that every capture format carries.
TIME = pl.Datetime("us", "UTC")

#: One row per request, in order of start. `previous_request_id`: the request whose prompt this one continues;
#: `parent_request_id`: that one, or else the request that spawned this one (a sub-agent's first).
#: `namespace`: requests of another one share no cache; provider and model, and behind a `#` the digest of a salt
#: or adapter. `auto_breakpoint_ttl_s`: TTL of a breakpoint asked for at the end of the prompt without marking a
#: block (0: none). `priority`: as the server was given it (0: none). `invalidates_system`, `invalidates_messages`:
#: digests of request parameters; where one differs between two requests, nothing that was cached of the system
#: prompt and messages, or of messages alone, serves the other (null: no such parameter). `routing_key`: digest of
#: the key that sends requests to the same server. `cache_retention_s`: lifetime asked for. `cache_mode`:
#: `explicit` when the request says that marked breakpoints alone count.
REQUESTS: dict[str, pl.DataType] = {
    "request_id": pl.String(),
    "session_id": pl.String(),
    "lineage_id": pl.String(),
    "previous_request_id": pl.String(),
    "parent_request_id": pl.String(),
    "seq": pl.Int64(),
    "started_at": TIME,
    "first_token_at": TIME,
    "ended_at": TIME,
    "namespace": pl.String(),
    "harness": pl.String(),
    "provider": pl.String(),
    "model": pl.String(),
    "dialect": pl.String(),
    "status": pl.Int32(),
    "stream": pl.Boolean(),
    "auto_breakpoint_ttl_s": pl.Int32(),
    "priority": pl.Int32(),
    "invalidates_system": pl.String(),
    "invalidates_messages": pl.String(),
    "routing_key": pl.String(),
    "cache_retention_s": pl.Int64(),
    "cache_mode": pl.String(),
    "source_file": pl.String(),
    "source_record": pl.Int64(),
    "prompt_tokens": pl.Int64(),
    "output_tokens": pl.Int64(),
    "reported_prompt_tokens": pl.Int64(),
    "reported_uncached_tokens": pl.Int64(),
    "reported_cache_read_tokens": pl.Int64(),
    "reported_cache_write_5m_tokens": pl.Int64(),
    "reported_cache_write_1h_tokens": pl.Int64(),
    "reported_output_tokens": pl.Int64(),
    "reported_miss_reason": pl.String(),
    "partial": pl.String(),
}

#: One row per segment of each request's prompt, in prompt order, then of its reply (`generated`).
SEGMENTS: dict[str, pl.DataType] = {
    "request_id": pl.String(),
    "position": pl.Int32(),
    "generated": pl.Boolean(),
    "kind": pl.String(),
    "role": pl.String(),
    "content_id": pl.Int32(),
    "tokens": pl.Int64(),
    "name": pl.String(),
    "call_id": pl.String(),
    "breakpoint_ttl_s": pl.Int32(),
    "source_path": pl.String(),
}

#: One row per unique payload. `token_ids` is empty for atomic contents (images, hash blocks).
CONTENTS: dict[str, pl.DataType] = {
    "content_id": pl.Int32(),
    "kind": pl.String(),
    "bytes": pl.Int64(),
    "tokens": pl.Int64(),
    "framing_tokens": pl.Int32(),
    "token_ids": pl.List(pl.UInt32()),
}
