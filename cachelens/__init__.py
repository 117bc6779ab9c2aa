"""cachelens: where an LLM agent's prompt tokens go, and why the prefix cache misses."""

__version__ = "0.1.0"
