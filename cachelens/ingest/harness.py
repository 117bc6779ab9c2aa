"""Who sent a request and who answers it. In: system prompt, headers, URL. Out: short names, or None.

A harness is told by the first words of its system prompt, which captures without headers have as well,
then by its user agent. SDKs are no harnesses: many programs share one.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

#: Characters of the system prompt that are looked at.
_HEAD_CHARS = 400
#: Words near the beginning of a system prompt -> harness; the first that is found wins.
_PROMPTS = (
    (
        "claude-code",
        re.compile(r"\bClaude Code\b|\bClaude agent, built on Anthropic's Claude Agent SDK", re.I),
    ),
    ("opencode", re.compile(r"^you are opencode\b", re.I)),
    ("qwen-code", re.compile(r"\bQwen Code\b", re.I)),
    (
        "gemini-cli",
        re.compile(r"\bGemini CLI\b|^you are an? (non-)?interactive CLI agent specializing in", re.I),
    ),
    ("codex", re.compile(r"\bCodex CLI\b|^you are (Codex\b|a coding agent running in the Codex\b)", re.I)),
    ("pi", re.compile(r"\boperating inside pi\b", re.I)),
    ("roo-code", re.compile(r"^you are Roo\b", re.I)),
    ("cline", re.compile(r"^you are Cline\b", re.I)),
    ("kilo-code", re.compile(r"^you are Kilo Code\b", re.I)),
    ("goose", re.compile(r"\bagent called goose\b", re.I)),
    ("copilot", re.compile(r"\bGitHub Copilot\b", re.I)),
    ("cursor", re.compile(r"\boperates? (exclusively )?in Cursor\b", re.I)),
    ("crush", re.compile(r"^you are Crush\b", re.I)),
    ("openhands", re.compile(r"^you are OpenHands\b", re.I)),
    ("kimi-cli", re.compile(r"^you are Kimi (Code )?CLI\b", re.I)),
    ("aider", re.compile(r"^act as an expert software developer\b", re.I)),
    (
        "smolagents",
        re.compile(
            r"^you are an expert assistant who can solve any task using (tool calls|code blobs)", re.I
        ),
    ),
    ("mini-swe-agent", re.compile(r"^you are a helpful assistant that can interact with a computer\b", re.I)),
)
#: User-agent product tokens -> harness.
_AGENTS = {
    "claude-cli": "claude-code",
    "claude-code": "claude-code",
    "opencode": "opencode",
    "qwencode": "qwen-code",
    "qwen-code": "qwen-code",
    "geminicli": "gemini-cli",
    "gemini-cli": "gemini-cli",
    "codex_cli_rs": "codex",
    "codex_exec": "codex",
    "codex-tui": "codex",
    "codex": "codex",
    "codex_vscode": "codex",
    "pi": "pi",
    "roo-code": "roo-code",
    "cline": "cline",
    "kilo-code": "kilo-code",
    "goose": "goose",
    "githubcopilotchat": "copilot",
    "copilot": "copilot",
    "cursor": "cursor",
    "crush": "crush",
    "charm-crush": "crush",
    "openhands": "openhands",
    "kimicli": "kimi-cli",
    "kimi-cli": "kimi-cli",
    "aider": "aider",
}
_PRODUCT = re.compile(r"([A-Za-z][\w.-]*)(?=/|\s|$)")

#: Ends of host names -> provider.
_HOSTS = (
    ("anthropic.com", "anthropic"),
    ("claude.ai", "anthropic"),
    ("openai.com", "openai"),
    ("chatgpt.com", "openai"),
    ("openai.azure.com", "openai"),
    ("aiplatform.googleapis.com", "vertex"),
    ("googleapis.com", "google"),
    ("deepseek.com", "deepseek"),
    ("moonshot.ai", "moonshot"),
    ("moonshot.cn", "moonshot"),
    ("kimi.com", "moonshot"),
    ("aliyuncs.com", "alibaba"),
    ("qwen.ai", "alibaba"),
    ("x.ai", "xai"),
    ("openrouter.ai", "openrouter"),
    ("mistral.ai", "mistral"),
    ("groq.com", "groq"),
    ("together.xyz", "together"),
    ("together.ai", "together"),
    ("fireworks.ai", "fireworks"),
)
_BEDROCK = re.compile(r"^bedrock(-runtime)?(-fips)?\..*amazonaws\.com(\.cn)?$|^bedrock-mantle\.")
_LOCAL_NAMES = ("localhost", "host.docker.internal", "host.containers.internal")
_LOCAL_ENDS = (".localhost", ".local", ".internal", ".lan", ".svc", ".home.arpa")
#: Model names that only their maker serves -> provider, for captures without a URL.
_MODELS = (
    ("anthropic", re.compile(r"claude", re.I)),
    ("openai", re.compile(r"(gpt-(?!oss)|chatgpt-|o[134](-|$)|codex-)", re.I)),
    ("google", re.compile(r"gemini-", re.I)),
    ("xai", re.compile(r"grok-[2-9]", re.I)),
    ("deepseek", re.compile(r"deepseek-(chat|reasoner)$", re.I)),
)


def harness_of(system_text: str, headers: dict[str, str]) -> str | None:
    """The program that built the prompt; None when neither its prompt nor its user agent is known.

    `headers` are kept headers, names in lower case.
    """
    head = system_text[:_HEAD_CHARS].lstrip()
    for name, words in _PROMPTS:
        if words.search(head):
            return name
    for key in ("user-agent", "originator"):
        for product in _PRODUCT.findall(headers.get(key, "")):
            if found := _AGENTS.get(product.lower()):
                return found
    return None


def provider_of(url: str, model: str) -> str:
    """Who serves the model: a provider's name, `local` for a private address, else the host itself.

    Without a URL it is judged by the model's name; empty when that says nothing either.
    """
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        host = ""
    if not host:
        return next((provider for provider, names in _MODELS if names.match(model)), "")
    if _BEDROCK.search(host):
        return "bedrock"
    for end, provider in _HOSTS:
        if host == end or host.endswith(("." + end, "-" + end)):
            return provider
    return "local" if _is_local(host) else host


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in _LOCAL_NAMES or host.endswith(_LOCAL_ENDS) or "." not in host
    return address.is_private or address.is_loopback or address.is_link_local or address.is_unspecified
