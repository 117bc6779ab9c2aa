"""Tool calls and their results. In: a trace and its texts. Out: `Calls`.

A result belongs to the nearest earlier call of its prompt that has its id; without ids to the first call of that
name which has no result yet. Calls that are spelled in text are found by `spelled`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cachelens.attribute.content.accesses import Deed, deed
from cachelens.attribute.content.arguments import parsed
from cachelens.attribute.content.outcome import access_failed, command_failed
from cachelens.attribute.content.preorder import Journal
from cachelens.attribute.content.spelled import Spelled, spelled_call
from cachelens.attribute.content.tools import ToolEntry
from cachelens.attribute.texts import Texts
from cachelens.model.kinds import KIND_CODE
from cachelens.model.trace import Trace

_ASSISTANT, _CALL, _RESULT, _USER = (
    KIND_CODE[name] for name in ("assistant", "tool_call", "tool_result", "user")
)
#: Tools that answer something else each time they are called alike.
_ANSWERS_ANEW = ("poll", "delegate", "note")


@dataclass(frozen=True)
class Call:
    """A tool call at segment row `row`; `results` are the rows of its results, of all prompts that hold it.

    `start`: the character of the row's text where the call begins (0 but for calls spelled in text). What the call
    does is in `deed`.
    """

    row: int
    results: tuple[int, ...]
    deed: Deed
    start: int = 0

    @property
    def repeatable(self) -> bool:
        """Whether the same call again takes the place of this one: its result is no piece of a longer one."""
        done = self.deed
        if not done.known:
            return done.arguments != "{}"  # what a tool without arguments answers is a matter of its state
        return done.action not in _ANSWERS_ANEW


@dataclass(eq=False)
class Calls:
    """All calls of a trace. `call_of[row]` is the row of the call that row answers; `at[row]` the call at a row."""

    trace: Trace
    texts: Texts
    at: Mapping[int, Call]
    call_of: Mapping[int, int]
    _verdicts: dict[tuple[int, str], bool] = field(default_factory=dict)

    def of(self, row: int) -> Call | None:
        """The call that `row` makes, or that it answers; None when it does neither."""
        return self.at.get(self.call_of.get(row, row))

    @cached_property
    def reads(self) -> Mapping[str, tuple[Call, ...]]:
        """Calls that read a file, by its path as the call spells it, in order of rows."""
        found: dict[str, list[Call]] = {}
        for call in self.at.values():
            for path in dict.fromkeys(touch.path for touch in call.deed.touches if touch.action == "read"):
                found.setdefault(path, []).append(call)
        return {path: tuple(calls) for path, calls in found.items()}

    def command_failed(self, row: int) -> bool:
        """Whether the command that `row` answers failed for certain; what is no command never did."""
        call = self.at[self.call_of[row]]
        return call.deed.action == "run" and self._verdict(row, "command")

    def access_failed(self, row: int) -> bool:
        """Whether the file that `row` answers for may not have been read or changed after all."""
        return self._verdict(row, "access") or self.command_failed(row)

    def _verdict(self, row: int, kind: str) -> bool:
        key = int(self.trace.segments.content[row]), kind
        if key not in self._verdicts:
            text = self.texts(key[0])
            if kind == "command":
                self._verdicts[key] = text is not None and command_failed(text)
            else:
                self._verdicts[key] = text is None or access_failed(text)
        return self._verdicts[key]

    @cached_property
    def failed_commands(self) -> tuple[Call, ...]:
        """Calls of commands with a result that says that they failed, in order of rows."""
        return tuple(
            call
            for call in self.at.values()
            if call.deed.action == "run" and any(self.command_failed(row) for row in call.results)
        )


def find_calls(
    trace: Trace, texts: Texts, tools: Sequence[ToolEntry], order: list[int], depths: list[int]
) -> Calls:
    """All calls of a trace and the results of each; none for a trace without text.

    `order` and `depths` are the walk over its segments.
    """
    if not texts.known:
        return Calls(trace, texts, {}, {})
    made = _Deeds(texts, tools)
    call_of = _pairs(trace, made, order, depths)
    results: dict[int, list[int]] = {}
    for row in sorted(call_of):
        results.setdefault(call_of[row], []).append(row)
    at: dict[int, Call] = {}
    segments = trace.segments
    content, kind, name = segments.content.tolist(), segments.kind.tolist(), segments.name.tolist()
    for row in range(len(segments)):
        if kind[row] == _CALL:
            done = made.called(content[row], segments.strings[name[row]] if name[row] >= 0 else "")
            at[row] = Call(row, tuple(results.get(row, ())), done)
        elif row in results:
            spelled = made.spelled(content[row])
            assert spelled is not None
            at[row] = Call(row, tuple(results[row]), made.of_spelled(content[row], spelled), spelled.start)
    return Calls(trace, texts, at, call_of)


class _Deeds:
    """What calls do, once for each content."""

    def __init__(self, texts: Texts, tools: Sequence[ToolEntry]) -> None:
        self._texts = texts
        self._tools = tools
        self._called: dict[int, Deed] = {}
        self._spelled: dict[int, Spelled | None] = {}
        self._deeds: dict[int, Deed] = {}

    def called(self, content: int, name: str) -> Deed:
        found = self._called.get(content)
        if found is None:
            first, _, arguments = (self._texts(content) or "").partition("\n")
            structured = arguments[:1] == "{"
            found = self._called[content] = deed(name or first, parsed(arguments), self._tools, structured)
        return found

    def spelled(self, content: int) -> Spelled | None:
        if content not in self._spelled:
            text = self._texts(content)
            self._spelled[content] = spelled_call(text) if text else None
        return self._spelled[content]

    def of_spelled(self, content: int, spelled: Spelled) -> Deed:
        if content not in self._deeds:
            self._deeds[content] = deed(spelled.name, spelled.arguments, self._tools)
        return self._deeds[content]

    def starts(self, content: int, beginning: str) -> bool:
        return (self._texts(content) or "").startswith(beginning)


def _pairs(trace: Trace, made: _Deeds, order: list[int], depths: list[int]) -> dict[int, int]:
    """The row of the call for each row of a result."""
    segments = trace.segments
    kind, content, parent = segments.kind.tolist(), segments.content.tolist(), segments.parent.tolist()
    name, call_id, message = segments.name.tolist(), segments.call_id.tolist(), segments.message.tolist()
    field = segments.field.tolist()
    by_id: dict[int, int] = {}
    # Under the one key -1: calls without a result so far, when results have no ids.
    waiting: dict[int, tuple[int, ...]] = {}
    found: dict[int, int] = {}
    journal = Journal()

    def unnamed(row: int, above: int) -> int | None:
        """The call of a result without id: that of the part before it, or the first that waits."""
        if (
            above in found
            and kind[above] == _RESULT
            and call_id[above] < 0
            and message[above] == message[row]
        ):
            owners = [_owner(segments.strings[field[r]]) if field[r] >= 0 else "" for r in (above, row)]
            if owners[0] == owners[1] != "":
                return found[above]
        calls = waiting.get(-1, ())
        fitting = [call for call in calls if name[row] < 0 or name[call] == name[row]]
        if not fitting:
            return None
        journal.set(waiting, -1, tuple(call for call in calls if call != fitting[0]))
        return fitting[0]

    for row in journal.visit(order, depths):
        code, above = kind[row], parent[row]
        if code == _CALL:
            if call_id[row] >= 0:
                journal.set(by_id, call_id[row], row)
            else:
                journal.set(waiting, -1, (*waiting.get(-1, ()), row))
        elif code == _RESULT or (code not in (_ASSISTANT, _USER) and call_id[row] in by_id):
            call = by_id.get(call_id[row]) if call_id[row] >= 0 else unnamed(row, above)
            if call is not None:
                found[row] = call
        elif code == _USER and above >= 0:
            if kind[above] == _ASSISTANT:
                spelled = made.spelled(content[above])
                if spelled is not None and made.starts(content[row], spelled.answer):
                    found[row] = above
            elif kind[above] == _USER and above in found and message[above] == message[row] >= 0:
                text = made.spelled(content[found[above]])
                # Cline writes the answer behind a header of its own.
                if text is not None and text.answer[0] == "[" and parent[above] == found[above]:
                    found[row] = found[above]
    return found


def _owner(field: str) -> str:
    """The part of a field that names the result it belongs to: what comes before its own parts."""
    for mark in (".functionResponse", ".function_response"):
        if mark in field:
            return field[: field.index(mark) + len(mark)]
    return ""
