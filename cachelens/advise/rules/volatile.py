"""Values that change by themselves. In: two spellings of one place in a text. Out: the `Shape` both have.

All that differs between the two texts must be such values, at the same places of the same lines: one changed word,
and nothing is volatile. Names of files and versions are none, though they hold digits, and a number in
running text is a counter only where a word beside it says so (`turn 3`, `12 of 50`).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from cachelens.advise.rules.differing import hunks
from cachelens.advise.rules.moments import STAMP, read, seconds_between

#: More differing lines than this are a list that changed, not a value in it.
_MOST_LINES = 16
#: Characters of unchanged text on either side of a difference that say what it is.
_NEAR = 200
#: Longest line that is looked at, in characters.
_LONGEST_LINE = 1 << 18
_YEAR_S = 366 * 86_400.0

_TOKEN = re.compile(
    rf"(?P<stamp>{STAMP})|(?P<word>[\w./\\:+~@%#$-]+)|(?P<space>[^\S\n]+)|(?P<other>.)", re.DOTALL
)
_UUID = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-([0-9a-fA-F])[0-9a-fA-F]{3}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_HEX = re.compile(r"(?:0x)?(?:[0-9a-f]{8,}|[0-9A-F]{8,})")
_RANDOM = re.compile(r"[A-Za-z0-9_+/-]{10,}")
_EPOCH = re.compile(r"([0-9]{10}|[0-9]{13}|[0-9]{16})(\.[0-9]{1,9})?")
_EPOCH_UNITS = {10: ("second", 1.0), 13: ("millisecond", 1e3), 16: ("microsecond", 1e6)}
_PORT = re.compile(r"((?:\w+://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[?::1\]?):)([0-9]{2,5})(?![0-9])")
_PERCENTAGE = re.compile(r"[0-9]{1,3}(?:[.,][0-9]+)?%")
_NUMBER = re.compile(
    r"[$€£~#]?[0-9]{1,3}(?:[,_][0-9]{3})+|[$€£~#]?[0-9]{1,9}(?:\.[0-9]+)?(?:[kKMG]?[bB]?|m?s)"
)
_SHARE = re.compile(r"([0-9]+)/([0-9]+)")
_LABELED = re.compile(r"([A-Za-z_]+)[:#]([0-9]+)")
_TEMP_ROOT = re.compile(
    r"(?:/private)?(?:/var/folders/\w\w/[\w+-]+/[A-Z]|/var/tmp|/tmp|/dev/shm)[/\\]|.*[/\\]AppData[/\\]Local[/\\]Temp[/\\]"
)
_AFFIX_END = re.compile(r"[-_.:/\\@#]")
#: Words beside a number that make it a counter.
_COUNTED = frozenset(
    (
        *(
            "turn",
            "turns",
            "step",
            "steps",
            "request",
            "requests",
            "message",
            "messages",
            "iteration",
            "iterations",
        ),
        *(
            "round",
            "rounds",
            "attempt",
            "attempts",
            "count",
            "counter",
            "total",
            "token",
            "tokens",
            "used",
            "usage",
        ),
        *(
            "remaining",
            "left",
            "budget",
            "context",
            "cost",
            "spent",
            "elapsed",
            "uptime",
            "progress",
            "sequence",
        ),
        *("seq", "call", "calls", "seconds", "minutes", "hours", "ms"),
    )
)
_OF = frozenset(("of", "/"))


class Shape(NamedTuple):
    """What a changing value is.

    `kind`: slug such as `time`, `date`, `epoch`, `uuid`, `hex`, `random`, `counter`, `percentage`, `port`,
    `temp-path`. `words`: the same for a sentence, with an article. `granularity`: the finest part of it, such as
    `microsecond`, `second`, `day`; empty where it has none. `step_s`: seconds between the two values.
    """

    kind: str
    words: str
    granularity: str
    step_s: float | None


class Piece(NamedTuple):
    """One value that differs: its shape and both spellings."""

    shape: Shape
    before: str
    now: str


class _Token(NamedTuple):
    kind: str
    text: str


def shape_of(before: str, now: str) -> Shape | None:
    """The volatile shape that two differing texts share, None when they share none.

    Where several values differ, that of the first.
    """
    found = pieces_of(before, now)
    return found[0].shape if found else None


def pieces_of(before: str, now: str) -> list[Piece]:
    """All that differs between two texts, in order; empty when any of it is not volatile, or nothing differs."""
    one, other = before.split("\n"), now.split("\n")
    if len(one) != len(other):
        return []
    apart = hunks(one, other)
    if sum(len(hunk.now) for hunk in apart) > _MOST_LINES:
        return []
    found: list[Piece] = []
    for hunk in apart:
        for then, later in zip(hunk.before, hunk.now, strict=True):
            pieces = _line(then, later)
            if not pieces:
                return []
            found += pieces
    return found


def _line(before: str, now: str) -> list[Piece]:
    if max(len(before), len(now)) > _LONGEST_LINE:
        return []
    one, other = (_tokens(text) for text in _around(before, now))
    if len(one) != len(other):
        return []
    found: list[Piece] = []
    for at, (then, later) in enumerate(zip(one, other, strict=True)):
        if then.text == later.text or then.kind == later.kind == "space":
            continue
        shape = None
        if then.kind == later.kind == "stamp":
            shape = _moment(then.text, later.text)
        elif then.kind == later.kind == "word":
            shape = _word(then.text, later.text) or _counter(one, other, at)
        if shape is None:
            return []
        found.append(Piece(shape, then.text, later.text))
    return found


def _around(before: str, now: str) -> tuple[str, str]:
    """Both lines without what they share, but for the words next to the differences: prompts can be one line."""
    size = min(len(before), len(now))
    head = _shared(before[:size], now[:size])
    tail = _shared(before[::-1][: size - head], now[::-1][: size - head])
    start = max(before.rfind(" ", 0, max(head - _NEAR, 0)), 0)
    end = before.find(" ", len(before) - max(tail - _NEAR, 0))
    left = len(before) - end if end >= 0 else 0
    return before[start : len(before) - left], now[start : len(now) - left]


def _shared(before: str, now: str) -> int:
    """Characters that two texts of one length share at their start, found by halving."""
    low, high = 0, len(before)
    while low < high:
        middle = (low + high + 1) // 2
        if before[low:middle] == now[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _tokens(line: str) -> list[_Token]:
    """The line in expressions of date or time, words, white space and other characters."""
    return [_Token(match.lastgroup or "other", match[0]) for match in _TOKEN.finditer(line)]


def _moment(before: str, now: str) -> Shape | None:
    one, other = read(before), read(now)
    if one is None or other is None or one.has_time != other.has_time or one.finest != other.finest:
        return None
    step = seconds_between(one, other)
    if step == 0:
        return None  # another spelling of the same moment
    if one.has_time:
        words = "a date and time" if one.month is not None else "a time of day"
        return Shape("time", words, one.finest, step)
    return Shape("date", "a date", one.finest, step)


def _word(before: str, now: str) -> Shape | None:
    """What a word is whatever stands beside it."""
    before, now = _bare(before), _bare(now)
    for of in (_uuid, _temp_path, _port, _percentage):
        if (shape := of(before, now)) is not None:
            return shape
    head, tail = _affixes(before, now)
    one, other = before[head : len(before) - tail], now[head : len(now) - tail]
    for of in (_epoch, _hex, _random):
        if (shape := of(one, other)) is not None:
            return shape
    return None


def _bare(word: str) -> str:
    """A word without the punctuation behind it."""
    return word.rstrip(".:")


def _affixes(before: str, now: str) -> tuple[int, int]:
    """Characters that both words share at their ends, up to a separator on either side."""
    size = min(len(before), len(now))
    head = next((at for at in range(size) if before[at] != now[at]), size)
    while head and not _AFFIX_END.match(before[head - 1]):
        head -= 1
    most = size - head
    tail = next((at for at in range(most) if before[-1 - at] != now[-1 - at]), most)
    while tail and not _AFFIX_END.match(before[len(before) - tail]):
        tail -= 1
    return head, tail


def _uuid(before: str, now: str) -> Shape | None:
    one, other = _UUID.search(before), _UUID.search(now)
    if one is None or other is None or _UUID.sub("*", before) != _UUID.sub("*", now):
        return None
    if one[1] == other[1] == "7":
        stamps = [int(match[0].replace("-", "")[:12], 16) / 1000.0 for match in (one, other)]
        return Shape("uuid", "a UUID", "millisecond", round(abs(stamps[1] - stamps[0]), 6))
    return Shape("uuid", "a UUID", "", None)


def _temp_path(before: str, now: str) -> Shape | None:
    root = _TEMP_ROOT.match(before)
    other_root = _TEMP_ROOT.match(now)
    if root is None or other_root is None or root[0] != other_root[0]:
        return None
    one, other = (re.split(r"[/\\]", text[root.end() :]) for text in (before, now))
    if len(one) != len(other):
        return None
    if all(a == b or _made_up(a, b) for a, b in zip(one, other, strict=True)):
        return Shape("temp-path", "a temporary path", "", None)
    return None


def _made_up(before: str, now: str) -> bool:
    """Whether two names of a temporary folder differ in what a program made up: `tmpk3_x9ab`, `run-4711`."""
    head, tail = _affixes(before, now)
    one, other = before[head : len(before) - tail], now[head : len(now) - tail]
    if one.isdigit() and other.isdigit():
        return True
    if not (one.isascii() and other.isascii()) or len(one) != len(other) or len(one) < 5:
        return False
    if one.startswith("tmp") and other.startswith("tmp"):
        return True
    return any(character.isdigit() for text in (one, other) for character in text)


def _port(before: str, now: str) -> Shape | None:
    one, other = _PORT.search(before), _PORT.search(now)
    if one is None or other is None or _PORT.sub(r"\1*", before) != _PORT.sub(r"\1*", now):
        return None
    return Shape("port", "a port", "", None)


def _percentage(before: str, now: str) -> Shape | None:
    if _PERCENTAGE.fullmatch(before) and _PERCENTAGE.fullmatch(now):
        return Shape("percentage", "a percentage", "", None)
    return None


def _epoch(before: str, now: str) -> Shape | None:
    one, other = _EPOCH.fullmatch(before), _EPOCH.fullmatch(now)
    if one is None or other is None or len(one[1]) != len(other[1]):
        return None
    unit, per_second = _EPOCH_UNITS[len(one[1])]
    values = [(int(match[1]) + float("0" + (match[2] or ""))) / per_second for match in (one, other)]
    # 2001 to 2069, and not further apart than a capture lasts
    if not all(1e9 <= value < 3.1e9 for value in values) or abs(values[1] - values[0]) > _YEAR_S:
        return None
    if one[2] and other[2]:
        unit = "millisecond" if len(one[2]) <= 4 else "microsecond"
    return Shape("epoch", "a Unix timestamp", unit, round(abs(values[1] - values[0]), 6))


def _hex(before: str, now: str) -> Shape | None:
    if len(before) != len(now) or not (_HEX.fullmatch(before) and _HEX.fullmatch(now)):
        return None
    if not any(text.removeprefix("0x").strip("0123456789") for text in (before, now)):
        return None  # plain numbers
    if not all(any(character.isdigit() for character in text) for text in (before, now)):
        return None  # words such as `deadbeef`, or a rare nonce
    return Shape("hex", "a hexadecimal token", "", None)


def _random(before: str, now: str) -> Shape | None:
    if len(before) != len(now) or not (_RANDOM.fullmatch(before) and _RANDOM.fullmatch(now)):
        return None
    if _looks_random(before) and _looks_random(now):
        return Shape("random", "a random token", "", None)
    return None


def _looks_random(text: str) -> bool:
    """Letters and digits mixed as no name mixes them: between kinds every fourth character, two digits at least."""
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "-" for c in text]
    changes = sum(a != b for a, b in pairwise(kinds))
    return kinds.count("d") >= 2 and kinds.count("-") <= 1 and 4 * changes >= len(text)


def _counter(before: list[_Token], now: list[_Token], at: int) -> Shape | None:
    """A number that a word beside it makes a counter; `at` in the tokens of its line."""
    one, other = _bare(before[at].text), _bare(now[at].text)
    a, b = _SHARE.fullmatch(one), _SHARE.fullmatch(other)
    if a and b:
        return Shape("counter", "a counter", "", None) if a[2] == b[2] else None
    a, b = _LABELED.fullmatch(one), _LABELED.fullmatch(other)
    if a and b:
        same = a[1] == b[1] and a[1].rpartition("_")[2].lower() in _COUNTED
        return Shape("counter", "a counter", "", None) if same else None
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return None
    words = [index for index, token in enumerate(before) if token.kind == "word"]
    place = words.index(at)
    beside = [*words[max(0, place - 2) : place], *words[place + 1 : place + 2]]
    said = {
        part.lower()
        for index in beside
        if before[index].text == now[index].text
        for part in re.split(r"[^A-Za-z/]+", before[index].text)
    }
    following = _bare(before[words[place + 1]].text) if place + 1 < len(words) else ""
    if said & _COUNTED or following in _OF:
        return Shape("counter", "a counter", "", None)
    if following in ("%", "percent"):
        return Shape("percentage", "a percentage", "", None)
    if any(_bare(before[index].text).lower() == "port" for index in words[max(0, place - 1) : place]):
        return Shape("port", "a port", "", None)
    return None
