"""Files that a shell command reads or changes. In: a command line. Out: `Touch`es, and where it leaves the shell.

Only what is certain from the command alone: `cat`, `nl`, `head`, `tail`, `sed -n` and pipes of them, `cat` and
`tee` with a here document, `echo` and `printf` with a redirection, `sed -i`, `rm`, `apply_patch`. A command with
any other part in it touches no file as far as labels go: what it prints cannot be told apart.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cachelens.attribute.content.patch import patched
from cachelens.attribute.content.touch import Touch

#: Longer commands without a here document are scripts.
_LONGEST: Final = 1_000
#: In longer ones the bodies of here documents are not told from the rest.
_LONGEST_SCRIPT: Final = 50_000
_WORD: Final = r"(?:\"[^\"\n$`]+\"|'[^'\n]+'|[^\s;&|<>\"'()$`*?]+)"
_LEADING_CD: Final = re.compile(rf"cd\s+({_WORD})\s*(?:&&|;|\n)\s*")
_CD: Final = re.compile(r"(?:^|[\s;&|(])(?:cd|pushd|popd|chdir)(?:\s|$)")
_HERE: Final = re.compile(
    rf"(?:cat|tee)\s+(?:(?P<a>>>?)?\s*(?P<p>{_WORD})\s*<<-?\s*(?P<q>['\"]?)(?P<d>\w+)(?P=q)"
    rf"|<<-?\s*(?P<q2>['\"]?)(?P<d2>\w+)(?P=q2)\s*(?P<a2>>>?)\s*(?P<p2>{_WORD}))[ \t]*(?:>\s*/dev/null[ \t]*)?\n"
)
_BODY: Final = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n(?:.*?\n)?\t*\2[ \t]*(?=\n|$)", re.DOTALL)
_PATCH: Final = re.compile(r"apply_patch\b[^\n]*<<")
_SIMPLE: Final = re.compile(r"(?:cat|nl|head|tail|sed|bat|rm|echo|printf|tee)\s")
_QUIET: Final = re.compile(r"\s2>\s*(?:/dev/null|&1)(?=\s|$)")
_PRINTED: Final = re.compile(r"(\d+)(?:,(\d+|\$))?p")
_SAID: Final = re.compile(rf"(?:echo|printf)\s[^\n;&|<>`$]*?(>>?)\s*({_WORD})\s*$")


@dataclass(frozen=True)
class Moved:
    """`folder`: the command first goes there. `lost`: it may leave the shell in a folder that is not known."""

    folder: str | None = None
    lost: bool = False


#: A command that leaves the shell where it is.
STAYS: Final = Moved()


def shell_command(command: str) -> tuple[tuple[Touch, ...], Moved]:
    """The files that `command` touches, relative names under the folder it goes to first, and where it goes."""
    rest, folder = command.strip(), None
    leading = _LEADING_CD.match(rest)
    if leading:
        rest, folder = rest[leading.end() :], _unquoted(leading[1])
    outside = _BODY.sub("\n", rest) if len(rest) <= _LONGEST_SCRIPT else rest
    moved = Moved(folder, lost=bool(_CD.search(outside)))
    if moved.lost:
        return (), moved
    touches = _touches(rest)
    if folder is not None:
        touches = tuple(replace(touch, path=posixpath.join(folder, touch.path)) for touch in touches)
    return touches, moved


def _touches(rest: str) -> tuple[Touch, ...]:
    if _PATCH.match(rest):
        return patched(rest)
    found: list[Touch] = []
    while here := _HERE.match(rest):
        redirected = here["a2"] or here["a"]
        if (rest.startswith("cat") and not redirected) or (rest.startswith("tee") and redirected):
            return ()
        end = re.compile(rf"^\t*{here['d'] or here['d2']}[ \t]*$", re.MULTILINE).search(rest, here.end())
        if end is None:
            return ()
        path = _unquoted(here["p"] or here["p2"])
        found.append(Touch("edit" if redirected == ">>" else "write", path))
        rest = rest[end.end() :].strip().removeprefix("&&").strip()
    if not rest:
        return tuple(found)
    if len(rest) > _LONGEST or not _SIMPLE.match(rest):
        return tuple(found)
    return (*found, *_simple(rest))


def _simple(rest: str) -> tuple[Touch, ...]:
    """The touches of a chain of known commands; none when a part is not known."""
    said = _SAID.match(rest)
    if said:
        return (Touch("write" if said[1] == ">" else "edit", _unquoted(said[2])),)
    if "$" in rest.replace("$p", "") or any(sign in rest for sign in "`<>(){}*?~\n\\"):
        rest = _QUIET.sub(" ", rest)
        if "$" in rest.replace("$p", "") or any(sign in rest for sign in "`<>(){}*?~\n\\"):
            return ()
    try:
        lexer = shlex.shlex(rest, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return ()
    found: list[Touch] = []
    for part in _parts(words, ("&&", ";")):
        touches = _pipe(_parts(part, ("|",)))
        if touches is None:
            return ()
        found += touches
    return tuple(found)


def _parts(words: Sequence[str], between: Sequence[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in between:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _pipe(stages: Sequence[Sequence[str]]) -> list[Touch] | None:
    """What a pipe of known commands reads or changes; None when a stage is not known."""
    if not stages or any(set("|&;") & set(word) and not set(word) - set("|&;") for s in stages for word in s):
        return None
    name, *words = stages[0]
    if name == "rm" and len(stages) == 1:
        return [Touch("write", word) for word in words if not word.startswith("-")]
    if name == "sed" and len(stages) == 1 and any(word == "-i" or word == "--in-place" for word in words):
        names = [word for word in words if not word.startswith("-")][1:]
        return [Touch("edit", word) for word in names] if "-e" not in words else None
    first = _stage(name, words)
    if first is None or not first[1]:
        return None
    (low, high), names = first
    for name, *words in stages[1:]:
        further = _stage(name, words)
        if further is None or further[1] or len(names) > 1:
            return None
        (start, end), _ = further
        bounds = [bound for bound in (high, None if end is None else low + end - 1) if bound is not None]
        high = min(bounds, default=None)
        low += start - 1
    return [Touch("read", word, low, high) for word in names]


def _stage(name: str, words: Sequence[str]) -> tuple[tuple[int, int | None], list[str]] | None:
    """The lines that one command lets through, and the files it names; None when it does something else."""
    flags = [word for word in words if word.startswith("-") and word != "-"]
    names = [word for word in words if not word.startswith("-")]
    if name in ("cat", "bat"):
        return (
            ((1, None), names)
            if all(flag in ("-n", "--number", "-u", "-p", "-pp") for flag in flags)
            else None
        )
    if name == "nl":
        return ((1, None), names) if flags == ["-ba"] or flags == ["-b", "a"] else None
    if name == "sed" and flags == ["-n"] and names:
        printed = _PRINTED.fullmatch(names[0])
        if printed is None:
            return None
        first = int(printed[1])
        last = None if printed[2] == "$" else int(printed[2] or first)
        return (first, last), names[1:]
    if name in ("head", "tail"):
        return _end(name, list(words))
    return None


def _end(name: str, words: list[str]) -> tuple[tuple[int, int | None], list[str]] | None:
    """`head` and `tail -n +N`; the last lines of a file have no known number."""
    count = "10"
    if words and words[0] == "-n" and len(words) > 1:
        count, words = words[1], words[2:]
    elif words and re.fullmatch(r"-n?\+?\d+", words[0]):
        count, words = words[0].lstrip("-n"), words[1:]
    if any(word.startswith("-") for word in words):
        return None
    if name == "head":
        return ((1, int(count)), words) if count.isdigit() and int(count) else None
    return ((int(count[1:]), None), words) if re.fullmatch(r"\+[1-9]\d*", count) else None


def _unquoted(word: str) -> str:
    return word[1:-1] if word[:1] in "\"'" and word[-1:] == word[:1] else word
