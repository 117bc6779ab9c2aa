"""Replies of nothing but tool calls that come back as text. In: two prompts and the reply between. Out: whether.

Nothing of such a reply stands in the later prompt as it was generated, so only what it says can tell that it
came back at all, and that this is no second try.
"""

from __future__ import annotations

import re

from cachelens.attribute.edits import Pair
from cachelens.attribute.texts import Texts
from cachelens.model.kinds import KIND_CODE
from cachelens.model.trace import Trace

_CALL, _ASSISTANT = KIND_CODE["tool_call"], KIND_CODE["assistant"]
_WORD = re.compile(r"\w{3,}")
#: Share of the words of a call that its text must hold, beside the name of the tool.
_HELD_SHARE = 0.8
#: Longest text that is looked through.
_LONGEST = 1 << 20


def written_out(trace: Trace, texts: Texts, pair: Pair) -> bool:
    """Whether the first new segment of the later prompt is a text of the assistant that holds every call made."""
    kind, content = trace.segments.kind, trace.segments.content
    at = max((match.now for match in pair.found), default=-1) + 1
    calls = [row for row in pair.then[pair.reply_at :] if kind[row] == _CALL]
    if pair.echoed or not calls or at >= len(pair.now) or kind[pair.now[at]] != _ASSISTANT:
        return False
    said = texts(int(content[pair.now[at]])) or ""
    return len(said) <= _LONGEST and all(_held(texts(int(content[row])) or "", said) for row in calls)


def _held(call: str, said: str) -> bool:
    name, _, arguments = call.partition("\n")
    words = set(_WORD.findall(arguments))
    if len(arguments) > _LONGEST or not name or name not in said:
        return False
    return sum(word in said for word in words) >= _HELD_SHARE * len(words)
