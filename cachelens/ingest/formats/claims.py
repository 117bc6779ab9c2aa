"""What the claims of JSONL formats share. In: a source. Out: the best score over its first lines."""

from __future__ import annotations

from collections.abc import Callable

from cachelens.ingest.formats.json_scan import first_records
from cachelens.ingest.source import Source

#: Keys that only the body of an LLM request has.
PROMPT_KEYS = frozenset({"messages", "input", "contents"})
#: Keys of request bodies; one of them may be all of a long body that its beginning shows.
BODY_KEYS = PROMPT_KEYS | {
    "model",
    "system",
    "instructions",
    "systemInstruction",
    "system_instruction",
    "tools",
    "max_tokens",
    "generationConfig",
    "stream",
}


def best_claim(source: Source, score: Callable[[dict[str, bytes]], float]) -> float:
    """The best `score` of the visible keys (raw values, the last one cut off) of the first lines."""
    return max((score(keys) for keys in first_records(source.head())), default=0.0)
