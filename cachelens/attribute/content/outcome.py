"""Whether a tool call failed, from what it answered. In: the text of a result. Out: True, False or None.

What a harness writes around the output of a command is decisive: its exit code, at the start or at the end of the
answer. Without one, only answers count that nothing but a failure looks like. The spellings are listed here and
in docs/labels.md.
"""

from __future__ import annotations

import re
from typing import Final

#: Characters at either end of an answer in which a harness states the exit code.
_MARGIN: Final = 240
#: Answers longer than this are content, whatever words are in them.
_SHORT: Final = 400

_CODE: Final = r"(-?\d{1,10})"
#: How harnesses spell an exit code, each with where it was seen.
_EXIT_CODES: Final = (
    re.compile(
        rf'"(?:returncode|return_code|exit_code|exitCode|exit_status)"\s*:\s*{_CODE}'
    ),  # mini-swe-agent, gemini
    re.compile(rf"<(?:returncode|exit_code)>\s*{_CODE}\s*</"),  # mini-swe-agent 1, Claude Code's sandboxes
    re.compile(rf"^Process exited with code {_CODE}\s*$", re.MULTILINE),  # codex exec_command
    re.compile(rf"\[Command (?:failed|succeeded|exited) with (?:exit )?code {_CODE}\]"),  # deepagents, cline
    re.compile(rf"^Command exited with code {_CODE}\s*$", re.MULTILINE),  # pi
    re.compile(rf"(?:^|\\n)[<\[]?(?:exited with )?[Ee]xit [Cc]ode:? {_CODE}[>\]]?(?=\s*$|\\n)", re.MULTILINE),
    # codex apply_patch, Claude Code, qwen, gemini, agents that write `[exit code 1]`
    re.compile(rf"The command completed with exit code {_CODE}|finished with exit code {_CODE}"),  # openhands
)
_SUCCESS: Final = re.compile(r'"success"\s*:\s*(true|false)')  # cline
_PYTEST: Final = re.compile(
    r"^(?:FAILED|ERROR) \S+|^(?:=+ )?(?:\d+ \w+, )*[1-9]\d* (?:failed|errors?)\b.* in [\d.]+s"
)
_UNITTEST: Final = re.compile(r"^FAILED \((?:failures|errors|unexpected successes)=\d+")
_UNCAUGHT: Final = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b")
_NO_COMMAND: Final = re.compile(
    r"^.{0,80}: (?:command not found|No such file or directory|Permission denied)$"
)
_TRACEBACK: Final = "Traceback (most recent call last):"

_REFUSED: Final = re.compile(
    r"(?i)^[\s\W]*(?:<\w*error>|traceback |"
    r"(?:the |your |this )?(?:tool |edit |file |operation |request |command |user )?"
    r"(?:\w*error\b|fail|exception\b|invalid\b|unable\b|cannot\b|can't\b|could not\b|couldn't\b|no such file"
    r"|not found|enoent|permission|access denied|denied|reject|cancel|abort|interrupt|doesn't want|skipped|missing"
    r"|unknown))"
)
_SAYS_NO: Final = re.compile(
    r"(?i)not found|no such file|does not exist|doesn't exist|not exist|no match|not match|no changes|denied|reject"
    r"|fail|error|multiple (?:matches|occurrences)|not unique|not been read|read it first|unchanged|cleared"
    r"|already read|still current|truncated to save|omitted|elided|up to date|no longer|removed|skipped|cancel"
    r"|abort|timed out|timeout|is a directory|binary"
)


def exit_code(text: str) -> int | None:
    """The exit code that the harness states at the start or the end of an answer; None when it states none."""
    margins = (text,) if len(text) <= 2 * _MARGIN else (text[:_MARGIN], text[-_MARGIN:])
    for pattern in _EXIT_CODES:
        for margin in margins:
            found = pattern.search(margin)
            if found:
                return int(next(group for group in found.groups() if group is not None))
    for margin in margins:
        success = _SUCCESS.search(margin)
        if success:
            return 0 if success[1] == "true" else 1
    return None


def command_failed(text: str) -> bool:
    """Whether a command failed for certain."""
    code = exit_code(text)
    if code is not None:
        return code != 0
    body = text.strip()
    last = body[body.rfind("\n") + 1 :]
    if _PYTEST.match(last) or _UNITTEST.match(last):
        return True
    if body.startswith(_TRACEBACK):
        return bool(_UNCAUGHT.match(last))
    return "\n" not in body and bool(_NO_COMMAND.match(body))


def access_failed(text: str) -> bool:
    """Whether reading or changing a file may have failed, or the answer stands for a content that is not in it."""
    code = exit_code(text)
    if code is not None and code != 0:
        return True
    head = text[:_MARGIN].removeprefix("Observation:").lstrip("{[\"' \n")
    for wrapper in ('output":', 'content":', 'result":', 'text":'):
        head = head.removeprefix(wrapper).lstrip('" ')
    if _REFUSED.match(head) or head.startswith('error"'):
        return True
    return len(text) <= _SHORT and bool(_SAYS_NO.search(text))
