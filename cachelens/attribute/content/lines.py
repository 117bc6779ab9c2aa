"""Lines of a file inside the answer of a read. In: the text of a tool result. Out: a `Page`.

Answers number their lines in many ways, put headers and footers around them, and often are JSON with the file as
an escaped string. A page tells which characters of the answer are which line of the file; where it cannot, it
has no lines.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Final

#: Number and separator before a line, as `cat -n`, Claude Code, opencode, cline and others write it.
_NUMBER: Final = re.compile(r"[ \t]*(\d{1,7})(\t|→|: ?| ?\| ?|  |[ \t]*$)")
#: Which lines of how many are shown, as deepagents, gemini and others write it at the start or the end.
_SHOWN: Final = re.compile(r"(?i)\blines? (\d{1,7}) ?(?:-|–|to|through) ?(\d{1,7}) (?:of|\(of) (\d{1,7})\b")
#: What says that lines were left out. A file that holds these words is taken for one that was cut.
_CUT: Final = (
    "runcated",
    "elided",
    "omitted",
    "too long",
    "more lines",
    "ext offset",
    "howing lines",
    "offset=",
    "lines left",
    "not shown",
)
#: Harnesses cut files off at round numbers of lines without saying so.
_ROUND: Final = 500
#: Headers after which a file begins; what stands before is the harness's.
_HEADERS: Final = ("\nOutput:\n", "total lines.\n\n---\n\n", "<content>\n", "<file>\n", "@@\n")
_HEADER_CHARACTERS: Final = 400
#: Share of the lines of an answer that must be numbered in order for the numbers to be those of the file.
_NUMBERED: Final = 0.8
#: Lines of headers and footers that a harness puts around a few numbered ones.
_AROUND: Final = 6
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_UNESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Page:
    """Lines of a file: line `numbers[i]` is `plain[i]` and stands in characters `[starts[i], ends[i])` of the answer.

    `numbered`: the answer numbers them itself; else `numbers` count from 1. `cut`: lines may have been left out.
    `shown`: first and last line and their total, where the answer says so.
    """

    numbers: tuple[int, ...]
    plain: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    numbered: bool
    cut: bool
    shown: tuple[int, int, int] | None

    @cached_property
    def index(self) -> dict[int, int]:
        """Where each line number is."""
        return {number: at for at, number in enumerate(self.numbers)}

    @cached_property
    def joined(self) -> tuple[str, list[int]]:
        """The lines as one text, and where in it each begins."""
        offsets, at = [], 0
        for line in self.plain:
            offsets.append(at)
            at += len(line) + 1
        return "\n".join(self.plain), offsets

    def places(self, passage: str) -> list[tuple[int, int]]:
        """First and last index of the lines that hold `passage`, for each place where it stands (64 at most)."""
        text, offsets = self.joined
        found: list[tuple[int, int]] = []
        at = text.find(passage)
        while at >= 0 and len(found) < _PLACES:
            last = max(at, at + len(passage.removesuffix("\n")) - 1)
            found.append((bisect_right(offsets, at) - 1, bisect_right(offsets, last) - 1))
            at = text.find(passage, at + max(1, len(passage)))
        return found


_PLACES: Final = 64


def page(text: str) -> Page:
    """The lines of the file that `text`, the answer of a read, shows."""
    body_start, body_end, escaped = _body(text)
    pieces = _pieces(text, body_start, body_end, escaped)
    cut = any(word in text for word in _CUT)
    margin = (
        text
        if len(text) <= 2 * _HEADER_CHARACTERS
        else text[:_HEADER_CHARACTERS] + text[-_HEADER_CHARACTERS:]
    )
    said = _SHOWN.search(margin)
    shown = (int(said[1]), int(said[2]), int(said[3])) if said else None
    numbered = _numbered(pieces)
    if numbered:
        numbers, plain, starts, ends = zip(*numbered, strict=True)
        return Page(numbers, plain, starts, ends, True, cut or numbers[-1] % _ROUND == 0, shown)
    if pieces and not pieces[-1][0]:
        pieces = pieces[:-1]  # the text after the last line feed is no line
    numbers = tuple(range(1, len(pieces) + 1))
    plain, starts, ends = zip(*pieces, strict=True) if pieces else ((), (), ())
    return Page(
        numbers, plain, starts, ends, False, cut or (bool(pieces) and len(pieces) % _ROUND == 0), shown
    )


def _body(text: str) -> tuple[int, int, bool]:
    """Where the file stands in the answer, and whether it is escaped as in JSON."""
    if text[:1] in ("{", "["):
        longest = max(_STRING.finditer(text), key=lambda found: found.end() - found.start(), default=None)
        if longest is not None:
            return longest.start(1), longest.end(1), True
    start = len("Observation:\n") if text.startswith("Observation:\n") else 0
    for header in _HEADERS:
        at = text.find(header, 0, _HEADER_CHARACTERS)
        if at >= 0:
            start = at + len(header)
            break
    end = text.rfind("\n</content>")
    return start, end if end >= start else len(text), False


def _pieces(text: str, start: int, end: int, escaped: bool) -> list[tuple[str, int, int]]:
    """Lines between two characters: what they say, and where they stand with their line feeds."""
    if not escaped:
        found, at = [], start
        for line in text[start:end].split("\n"):
            found.append((line, at, min(at + len(line) + 1, end)))
            at += len(line) + 1
        return found
    found, at, line_start, line = [], start, start, ""
    for escape in _ESCAPE.finditer(text, start, end):
        line += text[at : escape.start()]
        at = escape.end()
        if escape[2] == "n":
            found.append((line, line_start, at))
            line, line_start = "", at
        elif escape[2] is not None:
            line += _UNESCAPED.get(escape[2], escape[2])
        else:
            line += chr(int(escape[1], 16))
    found.append((line + text[at:end], line_start, end))
    return found


def _numbered(pieces: list[tuple[str, int, int]]) -> list[tuple[int, str, int, int]] | None:
    """Lines that carry their number, in order; None when most do not."""
    found: list[tuple[int, str, int, int]] = []
    for line, start, end in pieces:
        match = _NUMBER.match(line)
        if match is None:
            continue
        number = int(match[1])
        if found and number <= found[-1][0]:
            continue
        found.append((number, line[match.end() :], start, end))
    others = sum(1 for line, _, _ in pieces if line) - len(found)
    in_one_piece = (
        bool(found) and sum(end - start for _, _, start, end in found) == found[-1][3] - found[0][2]
    )
    if len(found) < _NUMBERED * (len(found) + others) and not (in_one_piece and others <= _AROUND):
        return None
    steps = sum(1 for (a, *_), (b, *_) in itertools.pairwise(found) if b == a + 1)
    return found if steps >= _NUMBERED * (len(found) - 1) and (len(found) > 1 or len(pieces) == 1) else None
