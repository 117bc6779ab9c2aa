"""Engines: models of real caches, name -> class. In: nothing. Out: `ENGINES`."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

_HERE = "cachelens.simulate.engines"

ENGINES = Registry(
    "engine",
    {
        "sglang": Entry(f"{_HERE}.sglang:Sglang", "SGLang's radix tree: whole leaves, eight policies"),
        "hicache": Entry(
            f"{_HERE}.hicache:Hicache", "SGLang HiCache: the radix tree, and host memory below it"
        ),
        "vllm": Entry(f"{_HERE}.vllm:Vllm", "vLLM's block pool: chained hashes, freed back to front"),
        "lmcache": Entry(
            f"{_HERE}.lmcache:Lmcache", "LMCache behind vLLM: chunks of 256 tokens in host memory"
        ),
        "mooncake-store": Entry(
            f"{_HERE}.mooncake_store:MooncakeStore", "Mooncake Store behind vLLM: an object for every block"
        ),
        "tensorrt-llm": Entry(
            f"{_HERE}.tensorrt_llm:TensorrtLlm",
            "TensorRT-LLM: blocks that match in part, a tier in host memory",
        ),
        "llamacpp": Entry(
            f"{_HERE}.llamacpp:Llamacpp", "llama.cpp server: one sequence a slot, copies in RAM"
        ),
        "lru": Entry(f"{_HERE}.bounds:Lru", "least recently used, token by token: the stack model"),
        "optimal": Entry(
            f"{_HERE}.bounds:Optimal", "perfect eviction: what no policy can beat at a capacity"
        ),
        "ideal": Entry(f"{_HERE}.bounds:Ideal", "an infinite cache, token by token: what no cache can beat"),
        "anthropic": Entry(
            f"{_HERE}.anthropic:Anthropic", "Anthropic: marked prefixes, 5 minutes or an hour"
        ),
        "openai": Entry(
            f"{_HERE}.openai:Openai", "OpenAI: prefixes in increments, breakpoints from GPT-5.6 on"
        ),
        "gemini": Entry(f"{_HERE}.gemini:Gemini", "Gemini: implicit caching from a minimum length on"),
        "deepseek": Entry(f"{_HERE}.deepseek:Deepseek", "DeepSeek: whole prefix units on disk"),
        "bedrock": Entry(f"{_HERE}.bedrock:Bedrock", "Amazon Bedrock: checkpoints of Claude and Nova"),
        "qwen": Entry(
            f"{_HERE}.qwen:Qwen", "Qwen (Model Studio): explicit markers, or implicit without them"
        ),
        "kimi": Entry(f"{_HERE}.kimi:Kimi", "Kimi (Moonshot): every prefix, in chunks of 256"),
        "xai": Entry(f"{_HERE}.xai:Xai", "xAI: every prefix, in increments of 128"),
    },
    "cachelens.engines",
)
