"""What the path of a URL says. In: the URL of an exchange. Out: the wire API behind it, and the model it names."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

#: What `endpoint` answers for a URL that is known to be no generation request.
NO_REQUEST: Final = "none"

#: Calls beside generation: counting, embedding, moderating, batches, files, telemetry.
_OTHER = re.compile(
    r"count[-_]?tokens|tokenize|input_tokens|embeddings?\b|[/:.]embed|moderations?\b|rerank|telemetry|event_logging"
    r"|[/:]batch|/cachedContents(/[^/:]+)?/?$|/threads/[^/]+/messages"
    r"|/(files|audio|images|models|traces|metrics|logs|score|classify)/?$",
    re.IGNORECASE,
)
_APIS = (
    ("chat", re.compile(r"/chat/completions/?$")),
    ("responses", re.compile(r"/responses(/compact)?/?$")),
    ("anthropic", re.compile(r"/messages/?$")),
    ("anthropic", re.compile(r"/model/[^/]+/(invoke(-with-response-stream)?|converse(-stream)?)/?$")),
    ("anthropic", re.compile(r"/publishers/anthropic/models/[^/:]+:(raw|streamRaw)Predict$")),
    ("gemini", re.compile(r":(generateContent|streamGenerateContent)$")),
)
_MODEL = re.compile(r"/(?:models?|deployments)/([^/]+?)(?::[A-Za-z]+$|/(?:invoke|converse|chat)\b|$)")


def path_of(url: str) -> str:
    """The path of a URL without its query, percent escapes kept; empty when the URL cannot be parsed."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def endpoint(url: str) -> str | None:
    """The name of the dialect spoken at `url`, NO_REQUEST for a call that generates nothing, None: unknown."""
    path = path_of(url)
    if _OTHER.search(path):
        return NO_REQUEST
    return next((name for name, pattern in _APIS if pattern.search(path)), None)


def model_of(url: str) -> str | None:
    """The model that a path names: `/models/NAME:generateContent`, `/model/NAME/invoke`, `/deployments/NAME/..`."""
    found = _MODEL.search(path_of(url))
    return unquote(found[1]) if found else None
