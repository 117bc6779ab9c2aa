"""Wire APIs inside a container. Each is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

DIALECTS = Registry(
    "dialect",
    {
        "anthropic": Entry("cachelens.ingest.dialects.anthropic:Anthropic", "Anthropic Messages"),
        "chat": Entry(
            "cachelens.ingest.dialects.chat:Chat", "OpenAI Chat Completions and compatible servers"
        ),
        "responses": Entry("cachelens.ingest.dialects.responses:Responses", "OpenAI Responses"),
        "gemini": Entry("cachelens.ingest.dialects.gemini:Gemini", "Gemini generateContent"),
    },
    group="cachelens.dialects",
)
