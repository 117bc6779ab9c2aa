"""URLs without secrets. In: a URL as captured. Out: scheme, host and path of it, and `alt=` if given.

User names, passwords, keys and everything else in the query are dropped: Gemini keys travel in `?key=`.
"""

from __future__ import annotations

import re

_URL = re.compile(
    r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]{0,31}):)?(?://(?:[^/?#]*@)?(?P<host>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?",
    re.DOTALL,
)
_HOST = re.compile(r"[A-Za-z0-9.\-_]*(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_PATH = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]*")
#: The one query parameter that says something about the exchange: Gemini's `alt=sse`.
_ALT = re.compile(r"(?:^|&)(alt=[A-Za-z0-9_-]{1,16})(?:&|$)")
_LONGEST = 1024


def safe_url(url: str) -> str:
    """`url` without user information, query (but `alt`) and fragment; a host that is none is left out too."""
    match = _URL.match(url.strip())
    assert match is not None  # every part of the pattern may be empty
    host = match["host"] or ""
    if not _HOST.fullmatch(host):
        host = ""
    path_match = _PATH.match(match["path"][:_LONGEST])
    path = path_match[0] if path_match else ""
    scheme = f"{match['scheme'].lower()}:" if match["scheme"] and match["host"] is not None else ""
    authority = f"//{host}" if match["host"] is not None else ""
    alt = _ALT.search(match["query"] or "")
    return f"{scheme}{authority}{path}{'?' + alt[1] if alt else ''}"
