"""In what way a reply came back other than it was generated. In: an edit of a reply. Out: a slug and words for it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cachelens.advise.case import Case
from cachelens.advise.edit_rule import View
from cachelens.attribute.edits import Pair
from cachelens.attribute.spelling import respelling
from cachelens.model.edits import Edit

#: Slug -> what is done, in the middle of a sentence.
WORDS = {
    "arguments-respelled": "tool arguments are written anew",
    "arguments-changed": "tool arguments are changed",
    "text-respelled": "text is written anew",
    "text-appended": "text is added to replies",
    "text-cut": "text of replies is cut",
    "text-changed": "text of replies is changed",
    "text-dropped": "text beside tool calls is dropped",
    "call-as-text": "tool calls come back as text",
    "call-dropped": "tool calls are dropped",
    "parallel-call-dropped": "one of several parallel tool calls is dropped",
    "reordered": "the parts of replies change places",
    "other": "a part of replies is changed",
}
#: Those that say the same to the model.
SAME_MEANING = ("arguments-respelled", "text-respelled", "call-as-text", "reordered")


def echo_kind(view: View) -> str | None:
    """The slug of an edit of a reply; None for an edit of anything else."""
    edit, case = view.edit, view.case
    if edit.sibling:
        return None
    if not edit.in_reply:
        slipped_in = edit.kind == "inserted" and case.is_kind(edit.now_row, "assistant")
        return "text-appended" if slipped_in and _within_echo(case.past.pairs[edit.request], edit) else None
    if edit.kind == "moved":
        return "reordered"
    if case.is_kind(edit.before_row, "tool_call"):
        return _of_call(view)
    if case.is_kind(edit.before_row, "assistant"):
        return _of_text(view)
    return "other"


def spelling_of(view: View) -> str | None:
    """What differs in the spelling of a respelled part, such as `white space`."""
    return respelling(view.before, view.now)


def _of_call(view: View) -> str:
    case, edit = view.case, view.edit
    if edit.kind == "respelled":
        return "arguments-respelled" if _same_arguments(view) else "arguments-changed"
    if edit.now_row >= 0:
        return "arguments-changed" if case.is_kind(edit.now_row, "tool_call") else "call-as-text"
    if any(_written_out(case, other) for other in case.past.edits_of[edit.request]):
        return "call-as-text"
    pair = case.past.pairs[edit.request]
    others = (match.before for match in pair.found if match.before >= pair.reply_at)
    calls = any(case.is_kind(pair.then[at], "tool_call") for at in others)
    return "parallel-call-dropped" if calls else "call-dropped"


def _same_arguments(view: View) -> bool:
    """Whether both spellings of a call are the same JSON: white space inside a value is no spelling."""
    if spelling_of(view) != "white space":
        return True
    try:
        one, other = (msgspec.json.decode(text.partition("\n")[2]) for text in (view.before, view.now))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return True
    return bool(one == other)


def _of_text(view: View) -> str:
    edit = view.edit
    if edit.kind == "respelled":
        return "text-respelled"
    if edit.now_row < 0:
        return "text-dropped"
    if view.now.startswith(view.before):
        return "call-as-text" if _calls_gone(view.case, view.edit.request) else "text-appended"
    return "text-cut" if view.now in view.before else "text-changed"


def _written_out(case: Case, edit: Edit) -> bool:
    """Whether an edit adds to the text of a reply, or makes text of a call."""
    if not edit.in_reply or edit.now_row < 0 or not case.is_kind(edit.now_row, "assistant"):
        return False
    before, now = case.text(edit.before_row) or "", case.text(edit.now_row) or ""
    return case.is_kind(edit.before_row, "tool_call") or (now.startswith(before) and now != before)


def _calls_gone(case: Case, request: int) -> bool:
    """Whether tool calls of the reply that a request sends back are gone."""
    edits: Iterable[Edit] = case.past.edits_of[request]
    return any(
        edit.in_reply and edit.now_row < 0 and case.is_kind(edit.before_row, "tool_call") for edit in edits
    )


def _within_echo(pair: Pair, edit: Edit) -> bool:
    """Whether an inserted segment stands in front of a part of the reply, behind all of the earlier prompt."""
    behind = [match.before >= pair.reply_at for match in pair.found if match.now > edit.now_at]
    return bool(behind) and all(behind)
