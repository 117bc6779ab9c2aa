"""What was done to an earlier message. In: an edit that is nothing more particular. Out: a slug and words for it."""

from __future__ import annotations

import re

from cachelens.advise.case import Case
from cachelens.advise.edit_rule import View
from cachelens.advise.rules.compactions import head_length
from cachelens.model.edits import Edit

#: Slug -> what is done, in the middle of a sentence.
WORDS = {
    "pruned": "tool results of earlier steps are cleared or cut",
    "pruned-calls": "arguments of earlier tool calls are cleared or cut",
    "reminder": "reminders are moved, taken out or put in among earlier messages",
    "reordered": "earlier messages stand in another order",
    "images": "images of earlier messages are dropped",
    "system": "the system prompt changes in mid-session",
    "tools": "tool definitions change in mid-session",
    "removed": "earlier messages are taken out",
    "inserted": "messages are put in among earlier ones",
    "changed": "earlier messages are changed in place",
}

#: A segment was cut when this share of it is left at most, and so many tokens are gone.
_CUT_SHARE = 0.5
_CUT_TOKENS = 32
#: What stands in place of something that was cleared: OpenClaw, Claude Code, opencode, Qwen Code and others.
_STUB = re.compile(
    r"\[[^\]\n]{0,60}\b(?:cleared|removed|omitted|pruned|elided|truncated|compacted|stripped)\b[^\]\n]{0,80}\]"
    r"|<persisted-output>",
    re.IGNORECASE,
)
#: Longest text that is a stub and not a message with one in it.
_STUB_CHARACTERS = 400
#: Notes that harnesses put into messages, and take out again.
_REMINDER = re.compile(
    r"<(?:system[-_]reminder|environment[-_]details|environment[-_]context|ide[-_]\w+|reminder|todo[-_]\w+)>",
    re.IGNORECASE,
)


def rewriting(view: View) -> str:
    """The slug of an edit."""
    edit, case = view.edit, view.case
    leading = _leading(view)
    if leading and case.is_kind(edit.row, "tools"):
        return "tools"
    if leading:
        return "system"
    if _reminder(view):
        return "reminder"
    if case.is_kind(edit.row, "image") and edit.kind != "moved":
        return "images" if edit.before_row >= 0 else "inserted"
    if _instead_of_image(view):
        return "images"
    if edit.before_row >= 0 and edit.now_row >= 0 and edit.kind != "moved":
        return _in_place(view)
    if edit.kind == "moved":
        return "reordered"
    return "inserted" if edit.before_row < 0 else "removed"


def cut(case: Case, edit: Edit) -> int:
    """Tokens that a segment is shorter by, 0 when it is not."""
    now = case.tokens(edit.now_row) if edit.now_row >= 0 else 0
    return max(0, case.tokens(edit.before_row) - now) if edit.before_row >= 0 else 0


def _in_place(view: View) -> str:
    case, edit = view.case, view.edit
    gone = cut(case, edit)
    stub = len(view.now) <= _STUB_CHARACTERS and _STUB.search(view.now) and not _STUB.fullmatch(view.before)
    much = gone >= _CUT_TOKENS and case.tokens(edit.now_row) <= _CUT_SHARE * case.tokens(edit.before_row)
    if gone and (stub or much):
        if case.is_kind(edit.before_row, "tool_result"):
            return "pruned"
        if case.is_kind(edit.before_row, "tool_call"):
            return "pruned-calls"
    return "changed"


def _leading(view: View) -> bool:
    """Whether the edit lies in the tools and the leading system prompt of the earlier prompt or of the later one."""
    edit = view.edit
    if not view.case.is_kind(edit.row, "tools", "system"):
        return False
    pair = view.case.past.pairs[edit.request]
    if edit.before_at >= 0:
        return edit.before_at < head_length(view.case, pair.then[: pair.reply_at])
    return edit.now_at < head_length(view.case, pair.now)


def _reminder(view: View) -> bool:
    """Whether what differs is a reminder."""
    edit = view.edit
    if edit.before_row >= 0 and edit.now_row >= 0 and edit.kind != "moved":
        head, tail = view.ends
        differing = view.before[head : len(view.before) - tail], view.now[head : len(view.now) - tail]
        # The end of the tag before may have been shared with text that only begins alike.
        start = max(0, head - 24)
        around = view.before[start : head + 24], view.now[start : head + 24]
        return any(_REMINDER.search(text) for text in (*differing, *around))
    return _REMINDER.match((view.now if edit.now_row >= 0 else view.before).lstrip()) is not None


def _instead_of_image(view: View) -> bool:
    """Whether a short text was put in where the request dropped an image."""
    case, edit = view.case, view.edit
    if edit.kind != "inserted" or len(view.now) > _STUB_CHARACTERS:
        return False
    gone = [
        other
        for other in case.past.edits_of[edit.request]
        if other.kind == "removed" and case.is_kind(other.before_row, "image")
    ]
    return any(other.depth == edit.depth or "image" in view.now.lower() for other in gone)
