"""Saved results are known by their content, read whole or not at all, and never mistaken for captures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cachelens.errors import CachelensError, InputError, UsageError
from cachelens.model.result import encode
from cachelens.report import saved
from cachelens.report.saved import saved_result
from tests.report import builders
from tests.report.plots.pictured import pictured

RESULT = pictured(builders.wasteful())
DATA = encode(RESULT)


def write(data: bytes | dict[str, Any], name: str = "r.json") -> Path:
    path = Path(name)
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return path


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """The document with one value replaced."""
    document: dict[str, Any] = json.loads(DATA)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return document


def test_what_was_saved_comes_back_whatever_its_name() -> None:
    assert saved_result(write(DATA)) == RESULT
    assert saved_result(str(write(DATA, "trace.har"))) == RESULT


def test_other_ways_to_write_the_same_json() -> None:
    document = json.loads(DATA)
    for data in (
        json.dumps(document, sort_keys=True).encode(),  # the schema is not the first field then
        json.dumps(document, indent=8).encode(),
        b"\xef\xbb\xbf \n" + DATA,
    ):
        assert saved_result(write(data)) == RESULT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"[1]",
        b'"cachelens.result/1"',
        b'{"log": {"entries": []}}',
        b'{"request": {}}\n{"request": {}}\n',
        b'{"request": {"text": "\\"schema\\": \\"cachelens.result/1\\""}}',
        b'{"trace": "x", "schema": "other/1"}',
        b'{"trace": "x", "schema": 7}',
        b'{"requests": []}',
        b'{"requests": [}',
        b'{"schema": "cachelens"}',
        b'{"schema": "other.result/1"}',
        b"\x1f\x8b\x08\x00",
        b'{"trace": ' + b"[" * 100_000,
        b'{"trace": "\xff"}',
    ],
)
def test_anything_else_is_left_to_readers_of_captures(data: bytes) -> None:
    assert saved_result(write(data)) is None


def test_what_is_no_file_is_left_to_them_too() -> None:
    Path("folder").mkdir()
    for name in ("-", "folder", "nowhere.json", "*.json", "", "a\0b", "x" * 5000, "/dev/null"):
        assert saved_result(name) is None


def refusal(data: bytes | dict[str, Any], pictures: bool = True) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        saved_result(write(data), pictures)
    assert caught.value.exit_code == 2
    return caught.value.message, caught.value.hint or ""


AGAIN = "save it again with `cachelens analyze TRACE -o result.json --force`"


def test_another_version() -> None:
    assert refusal(changed("schema", to="cachelens.result/2")) == (
        "r.json: is a result in layout 2; this version of cachelens reads layout 1",
        AGAIN,
    )


@pytest.mark.parametrize("document", [builders.curve(), builders.grid()])
def test_other_documents(document: Any) -> None:
    kind = document.schema.split("/")[0].split(".")[1]
    message, hint = refusal(encode(document))
    assert message == f"r.json: holds a {kind}, not the result of an analysis"
    assert hint == "make one with `cachelens analyze TRACE -o result.json`"


@pytest.mark.parametrize("end", [len(DATA) - 3, len(DATA) // 2, 40])
def test_cut_off(end: int) -> None:
    assert refusal(DATA[:end]) == ("r.json: is damaged: no complete JSON object", AGAIN)


@pytest.mark.parametrize(
    ("path", "to", "said"),
    [
        (("totals", "hit_tokens"), "9", "Expected `int`, got `str`"),
        (("totals",), None, "Expected `object`"),
        (("totals", "prefilled_tokens"), 7, "hit and prefilled tokens do not sum"),
        (("requests", 0, "prompt_tokens"), 8, "request r1: outcomes do not sum"),
        (("requests", 0, "outcomes"), {"stolen": 21_250}, "an outcome or a bucket of no known name"),
        (("requests", 0, "outcomes"), {"fresh": 21_251, "hit": -1}, "below zero"),
        (("requests", 0, "output_tokens"), 10**30, "beyond all traces"),
        (("pictures", "tree", 0, "parent"), 0, "hangs on none before it"),
        (("pictures", "tree", 0, "sent_tokens"), 0, "does not sum to the prompt tokens"),
        (
            ("pictures", "curve", "points"),
            [{"capacity_tokens": 9, "lru_hit_tokens": 1}, {"capacity_tokens": 3, "lru_hit_tokens": 1}],
            "not in order",
        ),
        (("pictures", "bridge"), [{}], "missing required field"),
    ],
)
def test_damage_is_found(path: tuple[str | int, ...], to: Any, said: str) -> None:
    message, hint = refusal(changed(*path, to=to))
    assert message.startswith("r.json: is damaged: ")
    assert said in message
    assert hint == AGAIN


def test_deep_nesting_is_damage() -> None:
    deep = b'{"schema": "cachelens.result/1", "trace": ' + b"[" * 200_000
    assert refusal(deep)[0] == "r.json: is damaged: no complete JSON object"


def test_messages_quote_nothing_that_acts_on_a_terminal() -> None:
    message, _ = refusal(changed("schema", to="cachelens.result/\x1b[2J\u202e" + "9" * 10**5))
    assert message.isprintable()
    assert len(message) < 200
    message, _ = refusal(
        changed(
            "requests", 0, to=json.loads(DATA)["requests"][0] | {"request_id": "\x1b[2J", "prompt_tokens": 3}
        )
    )
    assert message.isprintable()


def test_without_pictures() -> None:
    plain = encode(builders.session())
    assert refusal(plain) == ("r.json: holds no data for pictures", AGAIN)
    assert saved_result(write(plain), pictures=False) == builders.session()


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "LARGEST", 5000)
    assert refusal(DATA)[0] == "r.json: is larger than 1 GiB, too large for a saved result"
    assert saved_result(write(b'{"trace": "' + b"x" * 9000 + b'"}')) is None
    monkeypatch.setattr(saved, "LARGEST", len(DATA))
    assert saved_result(write(DATA)) == RESULT


def test_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(DATA)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError) as caught:
        saved_result(path)
    assert caught.value.message == "r.json: Permission denied"
    assert isinstance(caught.value, CachelensError)
