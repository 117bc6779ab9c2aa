"""Descriptions of the machine and project an agent works in. In: two versions of a text. Out: what of it changed.

Recognized by what stands around a line (`<env>`, `gitStatus:`, `# Directory structure`) and by the line itself
(`Working directory: …`, `├── src`, a list in which most lines are paths). Every changed line must be such a one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cachelens.advise.rules.differing import hunks
from cachelens.advise.rules.volatile import pieces_of

DIRECTORY, GIT, TREE, FILES, OPEN_FILES, MAP, PLATFORM, BLOCK = KINDS = (
    "working directory",
    "git status",
    "directory tree",
    "file list",
    "open files",
    "repository map",
    "platform",
    "environment block",
)
#: Lines that are looked back over for a tag or a heading.
_LOOK_BACK = 400
#: Paths without a heading are a list when so many lines stand together, this share of them paths.
_LIST_LINES = 5
_LIST_SHARE = 0.8

#: Labels (`Platform: linux`) and headings (`# Directory structure`), behind the marks of a heading or list.
_NAMED = tuple(
    (kind, re.compile(r"^[\s#*>•-]*(?:" + pattern + ")", re.IGNORECASE))
    for kind, pattern in (
        (
            OPEN_FILES,
            r"(?:vs ?code |cursor |ide )?(?:open(?:ed)?|visible|active|recently (?:edited|viewed|opened)) "
            r"(?:files?|tabs?|editors?)(?:\s*\(.*\))?\s*(?::.*)?$",
        ),
        (MAP, r"repo(?:sitory)?[- ]?map\s*:?$|here are summaries of some files present in "),
        (
            TREE,
            r"(?:here is the |the )?(?:(?:project|current|workspace|repository|repo) )?"
            r"(?:directory|folder|file|project|repo(?:sitory)?|workspace)[ _]?(?:structure|tree|layout|listing)"
            r"(?:\s*:.*| (?:of|for|in|at|below)\b.*:)?\s*$",
        ),
        (
            DIRECTORY,
            r"(?:(?:my|the|your) )?(?:primary |current |initial |additional )*"
            r"(?:work(?:ing)?|workspace|project|repository|repo|root|current) ?(?:directory|directories|dir|folder"
            r"|root|path)s?(?: is)?\s*(?:[:=]|[`\"']?[/~])"
            r"|i'?m currently working in the (?:following )?director(?:y|ies)\b|(?:cwd|pwd|workdir)\s*[:=]",
        ),
        (
            FILES,
            r"(?:here (?:are|is) )?(?:(?:all|the|a list of|current|workspace|project|working directory"
            r"|repository) )*(?:\(.*\) )?files?(?: (?:in|of|at) .*)?\s*:$"
            r"|(?<=# )current working directory (?:\(.*\) )?files$",
        ),
        (
            GIT,
            r"git ?(?:status|state)\s*(?::.*)?$|(?:current |main |git |default )?branch(?: \(.*\))?\s*[:=]"
            r"|recent commits\s*:|is (?:the |this )?(?:directory a )?git repo(?:sitory)?\s*[:?=]|status:\s*$"
            r"|on branch \S+$|your branch is |changes (?:not staged|to be committed)|untracked files:"
            r"|nothing to commit",
        ),
        (
            PLATFORM,
            r"(?:(?:my|the|your) )?(?:platform|os|os version|os name|operating system|(?:default )?shell"
            r"|home directory|hostname|architecture|time ?zone|python version|node version)(?: is)?\s*:",
        ),
    )
)
#: Tags around such descriptions, without `-` and `_`.
_TAGS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (OPEN_FILES, r"(?:open(?:ed)?|visible|active|recent)(?:files?|tabs?|editors?)"),
        (MAP, r"repo(?:sitory)?map"),
        (
            TREE,
            r"(?:directory|folder|file|project|repo|workspace)?(?:tree|structure|layout)|director(?:y|ies)",
        ),
        (FILES, r"files?(?:list)?"),
        (GIT, r"git(?:status|state|info|branch)?"),
        (DIRECTORY, r"cwd|pwd|workdir|workingdir(?:ectory)?|workspace(?:root|path|info)?s?"),
        (BLOCK, r"env|environment(?:context|details|info(?:rmation)?)?|(?:user|system)info(?:rmation)?"),
    )
)
_OPENING = re.compile(r"\s*<([A-Za-z][\w-]*)(?:\s[^<>]*)?>")
_CLOSING = re.compile(r"</([A-Za-z][\w-]*)>")
#: Lines of trees and maps, of lists of paths, and of what git prints.
_TREE_LINE = re.compile(r"[\s│|]*[├└│]|\s*[|`]--|⋮")
_PATH = re.compile(
    r"\s*(?:[-*•]\s+)?[`\"']?(?:[A-Za-z]:)?(?:[\w.@+~-]*[/\\])*[\w.@+-]*(?:\.\w+|[/\\])[`\"',:]*(?:\s+\([^()]*\))?$"
)
_GIT_LINE = re.compile(r"\s?[MADRCUT?!]{1,2}\s+\S|\s*[0-9a-f]{7,40}\s+\S|\(clean\)")


def environment_of(before: str, now: str) -> str | None:
    """What of an environment differs between two texts: one of KINDS; None when anything else differs too.

    An empty text stands for a segment that is not there: then the other one must be nothing but environment.
    A date or another volatile value may change along with it.
    """
    one, other = (text.split("\n") if text else [] for text in (before, now))
    found: str | None = None
    for hunk in hunks(one, other):
        then, kinds = _others(one, hunk.before_at, hunk.before)
        later, more = _others(other, hunk.now_at, hunk.now)
        if (then or later) and not pieces_of("\n".join(then), "\n".join(later)):
            return None
        found = found or next(iter((*kinds, *more)), None)
    return found


def _others(lines: Sequence[str], start: int, own: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of the lines `own`, at `start`, that say nothing of an environment, and what the others say."""
    kinds = {at: kind_of(lines, at) for at, line in enumerate(own, start) if line.strip()}
    return [lines[at] for at in kinds if kinds[at] is None], [kind for kind in kinds.values() if kind]


def kind_of(lines: Sequence[str], at: int) -> str | None:
    """What the line at `at` says of an environment, one of KINDS; None when it says something else."""
    line = lines[at]
    own = _tagged(line) or _named(line)
    if own is not None:
        return own
    body = _is_body(line)
    found = _heading(lines, at) if body else None
    if found is None:
        found = _enclosing(lines, at)
        if found == FILES and not body:
            found = None  # the files themselves, not their names
    if found is None and _TREE_LINE.match(line):
        found = TREE
    if found is None and _PATH.match(line) and _in_list(lines, at):
        found = FILES
    return found


def _tagged(line: str) -> str | None:
    """The kind of a line that opens, closes or is a tagged description."""
    match = _OPENING.match(line) or _CLOSING.match(line.strip())
    return None if match is None else _kind_of_tag(match[1])


def _kind_of_tag(tag: str) -> str | None:
    plain = tag.replace("-", "").replace("_", "")
    return next((kind for kind, pattern in _TAGS if pattern.fullmatch(plain)), None)


def _named(line: str) -> str | None:
    return next((kind for kind, pattern in _NAMED if pattern.match(line)), None)


def _is_body(line: str) -> bool:
    """Whether the line can stand below a heading: of a tree, a list of paths, what git prints."""
    return any(pattern.match(line) for pattern in (_TREE_LINE, _PATH, _GIT_LINE))


def _heading(lines: Sequence[str], at: int) -> str | None:
    for line in reversed(lines[max(0, at - _LOOK_BACK) : at]):
        if not line.strip():
            continue
        named = _named(line)
        if named is not None or not _is_body(line):
            return named
    return None


def _enclosing(lines: Sequence[str], at: int) -> str | None:
    """The kind of the nearest tag about such things that is open at a line."""
    closed: list[str] = []
    for line in reversed(lines[max(0, at - _LOOK_BACK) : at]):
        closed += reversed(_CLOSING.findall(line))
        opening = _OPENING.match(line)
        if opening is None:
            continue
        if opening[1] in closed:
            closed.remove(opening[1])
        elif (kind := _kind_of_tag(opening[1])) is not None:
            return kind
    return None


def _in_list(lines: Sequence[str], at: int) -> bool:
    """Whether the lines around, up to the next blank ones, are a list of paths."""
    start = at
    while start > 0 and at - start < _LOOK_BACK and lines[start - 1].strip():
        start -= 1
    end = at + 1
    while end < len(lines) and end - at < _LOOK_BACK and lines[end].strip():
        end += 1
    paths = sum(bool(_PATH.match(line)) for line in lines[start:end])
    return end - start >= _LIST_LINES and paths >= _LIST_SHARE * (end - start)
