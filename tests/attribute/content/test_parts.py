"""Lines, tokens, identifiers and shingles against plain readings of the same."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.attribute.content import LabelOptions
from cachelens.attribute.content.cuts import Cuts
from cachelens.attribute.content.files import Files, Held
from cachelens.attribute.content.identifiers import identifiers, name_hash
from cachelens.attribute.content.lines import page
from cachelens.attribute.content.outcome import access_failed, command_failed, exit_code
from cachelens.attribute.content.payloads import payloads
from cachelens.attribute.content.shingles import Shingles, mostly_elsewhere, windows
from cachelens.attribute.content.touch import Edit, Touch
from cachelens.attribute.texts import Texts
from cachelens.model.trace import Contents
from cachelens.tokens.decoder import Decoder
from cachelens.tokens.tokenizer import Tokenizer

from .sessions import FRAME, characters, lines, numbered


def contents_of(texts: list[str], framing: int = FRAME, ids: list[list[int]] | None = None) -> Contents:
    """Contents of one character a token, or of the given token ids."""
    given_ids = ids or [[ord(character) for character in text] for text in texts]
    framed = [[0xFFFFFF00] * framing + one for one in given_ids]
    lengths = np.array([len(one) for one in framed], dtype=np.int64)
    return Contents(
        kind=np.zeros(len(texts), dtype=np.uint8),
        bytes=lengths,
        tokens=lengths,
        framing=np.full(len(texts), framing, dtype=np.int32),
        offsets=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        ids=np.array([token for one in framed for token in one], dtype=np.uint32),
    )


# -- lines


@pytest.mark.parametrize("separator", ["\t", "→", ": ", " | ", "  "])
def test_numbered_lines_are_found_between_header_and_footer(separator: str) -> None:
    text = (
        "<content>\n"
        + numbered(7, 12, separator=separator)
        + "\n\n(End of file - total 12 lines)\n</content>"
    )
    found = page(text)
    assert found.numbers == tuple(range(7, 13))
    assert list(found.plain) == lines(7, 12).splitlines()
    for start, end, plain in zip(found.starts, found.ends, found.plain, strict=True):
        assert text[start:end].rstrip("\n").endswith(plain)


def test_lines_of_a_file_that_holds_numbers_are_its_own() -> None:
    found = page("1 one\nthree\n2 two\n")
    assert not found.numbered
    assert found.numbers == (1, 2, 3)


@given(st.text(alphabet='ab\n\\"\t1é', max_size=60))
def test_json_escapes_are_read_as_the_file_they_stand_for(text: str) -> None:
    import json

    for escaped in (json.dumps({"o": text}), json.dumps([{"q": "", "result": text}], ensure_ascii=False)):
        found = page(escaped)
        if len(text) > 6:  # the longest string of the answer
            expected = text.split("\n")
            if not found.numbered:
                assert list(found.plain) == (expected[:-1] if not expected[-1] else expected)


def test_what_says_that_lines_are_missing() -> None:
    assert page(numbered(1, 3) + "\n[12 more lines in file]").cut
    assert page(numbered(1, 500)).cut
    assert not page(numbered(1, 3)).cut
    assert page("@@ lines 3-4 of 9 @@\nx\ny").shown == (3, 4, 9)


@given(st.data())
def test_lines_after_edits_are_found_where_they_were(data: st.DataObject) -> None:
    """Edit a file at random; a later read of a part supersedes exactly the old lines that it shows."""
    size = data.draw(st.integers(4, 12))
    file = lines(1, size).splitlines()
    origin: list[int | None] = list(range(size))
    answer = "\n".join(f"{at + 1}\t{text}" for at, text in enumerate(file))
    texts = [answer]
    held = (Held(0, 0, 0, Touch("read", "a")),)
    edits = []
    for number in range(data.draw(st.integers(0, 3))):
        first = data.draw(st.integers(0, len(file) - 1))
        last = data.draw(st.integers(first, min(first + 2, len(file) - 1)))
        here = origin[first : last + 1]
        if None in here or here != list(range(here[0] or 0, (here[0] or 0) + len(here))):
            continue  # not a passage of the answer
        new = [f"new {number} {at}" for at in range(data.draw(st.integers(0, 3)))]
        edits.append(Edit("\n".join(file[first : last + 1]) + "\n", "".join(f"{line}\n" for line in new)))
        if last == len(file) - 1:
            edits[-1] = Edit(edits[-1].old[:-1], edits[-1].new[:-1])
            new = new or [""]
        file[first : last + 1] = new
        origin[first : last + 1] = [None] * len(new)
    low = data.draw(st.integers(0, len(file) - 1))
    high = data.draw(st.integers(low, len(file) - 1))
    texts.append("\n".join(f"{at + 1}\t{file[at]}" for at in range(low, high + 1)))
    contents = contents_of(texts)
    files = Files(Texts(contents, characters))
    gone: set[int] = set()
    for touch, content in [
        *((Touch("edit", "a", edits=(edit,)), 0) for edit in edits),
        (Touch("read", "a", low + 1, high + 1), 1),
    ]:
        losses, held = files.after(held, touch, None, content)
        for loss in losses:
            spans = loss.spans if loss.spans is not None else ((0, len(answer)),)
            for start, end in spans:
                gone |= {int(line.split("\t")[0]) - 1 for line in answer[start:end].splitlines()}
    shown = {origin[at] for at in range(low, high + 1) if origin[at] is not None}
    changed = set(range(size)) - {at for at in origin if at is not None}
    assert changed <= gone
    assert gone <= changed | shown
    if len(shown) == high - low + 1:
        assert gone == changed | shown


# -- tokens


@cache
def vocabulary() -> tuple[Any, Any]:
    return Tokenizer().encode, Decoder("o200k_base").decode


@settings(deadline=None)  # the first example loads an encoding
@given(st.text(alphabet="ab\n é☕😀", max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_tokens_inside_a_stretch_of_text(text: str, start: int, end: int) -> None:
    encode, decode = vocabulary()
    ids = encode(text).tolist() if text else []
    contents = contents_of([text], ids=[ids])
    lo, hi = Cuts(Texts(contents, decode)).tokens(0, start, end)
    if hi > lo:
        inside = decode(contents.token_ids(0)[lo:hi].tolist())
        before = decode(contents.token_ids(0)[FRAME:lo].tolist())
        assert "�" not in inside + before
        assert start <= len(before) <= len(before) + len(inside) <= end
    if start == 0 and end >= len(text) > 0:
        assert (lo, hi) == (FRAME, FRAME + len(ids))


# -- identifiers


def plain_identifiers(text: str) -> set[str]:
    """Identifiers by regular expressions."""
    words = re.findall(r"[A-Za-z0-9_]+", text)
    found = {
        word
        for word in words
        if (word.isdigit() and len(word) >= 4)
        or (not word.isdigit() and len(word) >= 6)
        or (
            4 <= len(word) < 6
            and not word.isdigit()
            and (
                "_" in word
                or re.search(r"\d", word)
                or (re.search(r".[A-Z]", word) and re.search("[a-z]", word))
            )
        )
    }
    for match in re.finditer(
        r"(?<![A-Za-z0-9_])(?=([A-Za-z0-9_]+\.[A-Za-z][A-Za-z0-9_]{0,4})(?![A-Za-z0-9_]))", text
    ):
        if len(match[1]) >= 4:
            found.add(match[1])
    return found


def hash_of(word: str) -> int:
    """A polynomial of the bytes, mixed as splitmix64 does."""
    found = 0
    for byte in reversed(word.encode()):
        found = (found * 0x9E3779B97F4A7C15 + byte) & 0xFFFFFFFFFFFFFFFF
    found ^= found >> 30
    found = (found * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    found ^= found >> 27
    found = (found * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return found ^ (found >> 31)


@given(st.lists(st.text(alphabet="abAB01_. -é/", max_size=40), min_size=1, max_size=5))
def test_identifiers_are_those_of_regular_expressions(texts: list[str]) -> None:
    contents = contents_of(texts)
    words = identifiers(contents, range(len(texts)), frozenset(), characters, LabelOptions())
    found: list[set[int]] = [set() for _ in texts]
    for owner, code in zip(words.owner.tolist(), words.hash.tolist(), strict=True):
        found[owner].add(code)
    assert found == [{hash_of(word) for word in plain_identifiers(text)} for text in texts]


@given(st.lists(st.sampled_from(["\n", "\\", '"', "definition", "n_ab", "é", "u0041x", " "]), max_size=12))
def test_identifiers_of_json_are_those_of_what_it_spells(pieces: list[str]) -> None:
    import json

    text = "".join(pieces)
    contents = contents_of([json.dumps({"a": text}), text.replace("\\", " ")], framing=0)
    words = identifiers(contents, [0, 1], frozenset({0}), characters, LabelOptions())
    found = [set(words.hash[words.owner == owner].tolist()) for owner in (0, 1)]
    assert found[0] == found[1]


def test_names_of_files() -> None:
    assert name_hash("/w/src/test_money.py") == hash_of("test_money.py")
    assert name_hash("README") == hash_of("README")
    assert name_hash("my-notes.md") == hash_of("notes.md")
    assert name_hash("a/b c") is None


# -- shingles


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 12))
def test_windows_are_equal_when_their_numbers_are(numbers: list[int], size: int) -> None:
    found = windows(np.array(numbers, dtype=np.uint64), size).tolist()
    parts = [tuple(numbers[at : at + size]) for at in range(len(numbers) - size + 1)]
    assert len(found) == len(parts)
    assert len(set(zip(found, parts, strict=True))) == len(set(found)) == len(set(parts))


@given(st.lists(st.text(alphabet="abc", max_size=30), min_size=1, max_size=6), st.integers(1, 4))
def test_candidates_are_an_upper_bound(texts: list[str], size: int) -> None:
    contents = contents_of(texts)
    shingles = Shingles(contents, size)
    same = payloads(contents)
    assert same.tolist() == [texts.index(text) if text else at for at, text in enumerate(texts)]
    everything = [{text[at : at + size] for at in range(len(text) - size + 1)} for text in texts]
    found = mostly_elsewhere(shingles, list(range(len(texts))), same, 0.8)
    for at, text in enumerate(texts):
        own = [text[i : i + size] for i in range(len(text) - size + 1)]
        assert len(shingles.of(at)) == len(own)
        others = set().union(*(one for other, one in enumerate(everything) if texts[other] != text))
        if sum(one in others for one in own) >= 0.8 * max(1, len(own)):
            assert at in found


def test_contents_are_hashed_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["abcdefgh" * 3, "x" * 5, "abcdefgh" * 2, "", "hgfedcba" * 4, "abcdefgh" * 3 + "!"]
    whole = Shingles(contents_of(texts), 4)
    expected = [whole.of(at).tolist() for at in range(len(texts))]
    monkeypatch.setattr("cachelens.attribute.content.shingles._CHUNK", 20)
    cut = Shingles(contents_of(texts), 4)
    for order in (range(len(texts)), reversed(range(len(texts)))):
        assert {at: cut.of(at).tolist() for at in order} == dict(enumerate(expected))
    together = [cut.of_stretch(low, high, np.arange(len(texts)) != 2) for low, high in cut.stretches()]
    assert [code for hashes, _ in together for code in hashes.tolist()] == [
        code for at, codes in enumerate(expected) if at != 2 for code in codes
    ]
    found = mostly_elsewhere(cut, list(range(len(texts))), payloads(contents_of(texts)), 0.8)
    assert {0, 2, 5} <= set(found)
    assert sorted(at for low, high in cut.stretches() for at in range(low, high)) == list(range(len(texts)))


def test_a_picture_in_between_takes_nothing_from_its_neighbors() -> None:
    ids = np.array([0xFFFFFF00, 1, 2, 0xFFFFFF00, 1, 2, 3], dtype=np.uint32)
    contents = Contents(
        kind=np.zeros(3, dtype=np.uint8),
        bytes=np.zeros(3, dtype=np.int64),
        tokens=np.array([3, 900, 4], dtype=np.int64),
        framing=np.array([1, 1, 1], dtype=np.int32),
        offsets=np.array([0, 3, 3, 7], dtype=np.int64),
        ids=ids,
    )
    shingles = Shingles(contents, 1)
    hashes, owner = shingles.of_stretch(0, 3, np.ones(3, dtype=bool))
    assert owner.tolist() == [0, 0, 2, 2, 2]
    assert hashes.tolist() == [*shingles.of(0).tolist(), *shingles.of(2).tolist()]
    assert mostly_elsewhere(shingles, [0, 2], payloads(contents), 0.8) == [0]


# -- outcomes


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"exit_code": -9, "stdout": ""}', -9),
        ("x\n[exit code 3]", 3),
        ("x\n<exited with exit code 1>", 1),
        ('{"output": "x\\nExit Code: 2\\nProcess Group PGID: 7"}', 2),
        ("x\n[Command succeeded with exit code 0]", 0),
        ('{"success": true}', 0),
        ("the exit code 5 is never used" + "." * 600, None),
        ("plain", None),
    ],
)
def test_exit_codes(text: str, code: int | None) -> None:
    assert exit_code(text) == code
    assert command_failed(text) == (code not in (None, 0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import errors\n\n\nclass NotFound(Exception):\n" + "    pass\n" * 100,
        "Edit applied successfully.",
        "edited a.py",
        '{"output": "def f(): ..."}',
    ],
)
def test_what_reads_like_a_file_is_no_failure(text: str) -> None:
    assert not access_failed(text)
