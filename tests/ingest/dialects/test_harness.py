"""Who sends and who answers."""

from __future__ import annotations

import pytest

from cachelens.ingest.harness import harness_of, provider_of


@pytest.mark.parametrize(
    ("text", "agent", "expected"),
    [
        ("You are Claude Code, a program", "", "claude-code"),
        ("You are opencode, a tool", "x", "opencode"),
        ("You are OpenCode, a tool", "claude-cli/1.0", "opencode"),
        ("", "claude-cli/2.0.1 (external, cli)", "claude-code"),
        ("", "codex_cli_rs/0.50.0 (Linux) xterm", "codex"),
        ("", "opencode/1.2.3 ai-sdk/provider-utils/3.0", "opencode"),
        ("", "OpenAI/Python 2.1", None),
        ("", "Anthropic/JS 0.60", None),
        ("", "python-httpx/0.28", None),
        ("Be careful. Claude Codex", "", None),
        ("x" * 500 + " Claude Code", "", None),
        ("", "", None),
    ],
)
def test_harness(text: str, agent: str, expected: str | None) -> None:
    assert harness_of(text, {"user-agent": agent} if agent else {}) == expected


@pytest.mark.parametrize(
    ("url", "model", "expected"),
    [
        ("https://api.anthropic.com/v1/messages", "claude", "anthropic"),
        ("https://api.openai.com/v1", "", "openai"),
        ("https://chatgpt.com/backend-api/codex/responses", "", "openai"),
        ("https://name.openai.azure.com/x", "", "openai"),
        ("https://generativelanguage.googleapis.com/v1beta", "", "google"),
        ("https://us-east5-aiplatform.googleapis.com/v1", "", "vertex"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/model/x/invoke", "", "bedrock"),
        ("https://api.deepseek.com/chat/completions", "", "deepseek"),
        ("https://api.moonshot.cn/v1", "", "moonshot"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "", "alibaba"),
        ("https://api.x.ai/v1", "", "xai"),
        ("https://openrouter.ai/api/v1", "", "openrouter"),
        ("https://api.mistral.ai/v1", "", "mistral"),
        ("https://api.groq.com/openai/v1", "", "groq"),
        ("https://api.together.xyz/v1", "", "together"),
        ("https://api.fireworks.ai/inference/v1", "", "fireworks"),
        ("http://127.0.0.1:8000/v1", "gpt-x", "local"),
        ("http://localhost:11434/v1", "", "local"),
        ("http://[::1]:8000/v1", "", "local"),
        ("http://10.1.2.3/v1", "", "local"),
        ("http://192.168.0.9:1234/v1", "", "local"),
        ("http://vllm:8000/v1", "", "local"),
        ("http://llm.default.svc.cluster.local/v1", "", "local"),
        ("https://notopenai.com/v1", "", "notopenai.com"),
        ("https://8.8.8.8/v1", "", "8.8.8.8"),
        ("https://user:secret@llm.example.com/v1?key=s", "", "llm.example.com"),
        ("", "claude-sonnet", "anthropic"),
        ("", "gpt-5.5", "openai"),
        ("", "gpt-oss-20b", ""),
        ("", "gemini-2.5-pro", "google"),
        ("", "qwen3", ""),
        ("http://[broken", "grok-4", "xai"),
    ],
)
def test_provider(url: str, model: str, expected: str) -> None:
    assert provider_of(url, model) == expected
