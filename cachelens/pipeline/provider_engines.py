"""Whose cache a request met. In: provider and model as captured. Out: the name of an engine, or None."""

from __future__ import annotations

from collections import Counter

from cachelens.model.trace import Trace

#: Providers by the name that ingest gives them.
BY_PROVIDER = {
    "anthropic": "anthropic",
    "vertex": "anthropic",
    "openai": "openai",
    "azure": "openai",
    "google": "gemini",
    "gemini": "gemini",
    "deepseek": "deepseek",
    "bedrock": "bedrock",
    "dashscope": "qwen",
    "moonshot": "kimi",
    "xai": "xai",
}
#: Gateways name the vendor in front of the model.
BY_VENDOR = {
    "anthropic": "anthropic",
    "openai": "openai",
    "google": "gemini",
    "deepseek": "deepseek",
    "qwen": "qwen",
    "moonshotai": "kimi",
    "x-ai": "xai",
}
_LOCAL = ("local", "localhost", "127.0.0.1", "0.0.0.0", "[::1]")  # noqa: S104 - names, nothing is bound


def engine_of(provider: str | None, model: str | None) -> str | None:
    """The engine that models what `provider` does, None when there is none."""
    if provider in BY_PROVIDER:
        return BY_PROVIDER[provider]
    vendor = (model or "").partition("/")[0].lower()
    if provider == "openrouter" and vendor in BY_VENDOR:
        return BY_VENDOR[vendor]
    if provider is not None and provider.startswith(_LOCAL):
        return "sglang"
    return None


def engine_of_trace(trace: Trace) -> str | None:
    """The engine that most of its requests met, None when they met none that is modeled."""
    frame = trace.requests
    met = Counter(
        engine_of(provider, model)
        for provider, model in zip(frame["provider"].to_list(), frame["model"].to_list(), strict=True)
    )
    met.pop(None, None)
    return min(met, key=lambda name: (-met[name], str(name))) if met else None
