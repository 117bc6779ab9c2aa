"""Times, URLs and bodies on their way out of a container."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.formats.base import RecordError
from cachelens.ingest.formats.bodies import headers_of, mend_surrogates, request_body
from cachelens.ingest.formats.times import Time, end_us, start_us
from cachelens.ingest.formats.urls import safe_url

moments = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30))


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_text_with_and_without_zone(moment: datetime, offset: int) -> None:
    expected = (moment - datetime(1970, 1, 1)) // timedelta(milliseconds=1) * 1000
    assert start_us(moment.isoformat()) == expected
    assert start_us(moment.isoformat(" ") + "Z") == expected
    local = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=offset)))
    assert start_us(local.isoformat()) == expected


@given(st.datetimes(datetime(1974, 1, 1), datetime(2106, 1, 1)))
def test_numbers_in_every_unit_agree_with_text(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    micros = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    expected = start_us(moment.isoformat())
    spellings: list[Time] = [micros / 1e6, micros // 1000, micros, micros * 1000, str(micros / 1e6)]
    assert [start_us(spelling) for spelling in spellings] == [expected] * 5


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (0.0019994, 1000), (12.5, 12_500_000), (None, None)])
def test_small_numbers_are_seconds(value: Time, expected: int | None) -> None:
    assert start_us(value) == expected


def test_float_seconds_are_not_cut_below_the_millisecond_they_mean() -> None:
    """1795493026.504 is stored as 1795493026.5039999."""
    assert start_us(1795493026.504) == 1_795_493_026_504_000


@pytest.mark.parametrize("value", ["", "noon", "2026-13-01", -1, float("inf"), float("nan"), 10**40, "nan"])
def test_what_is_no_time_is_refused(value: Time) -> None:
    with pytest.raises(RecordError):
        start_us(value)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0.0, 1000),
        (59.26, 60_300),
        (59.24, 60_200),
        (-1.0, None),
        (None, None),
        (float("nan"), None),
        (1e300, None),
    ],
)
def test_durations_are_rounded_to_tenths_of_a_millisecond(
    duration: float | None, expected: int | None
) -> None:
    assert end_us(1000, duration) == expected
    assert end_us(None, duration) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u:p@h.example:8443/v1/messages?key=x#f", "https://h.example:8443/v1/messages"),
        ("HTTP://h/a@20240620:rawPredict?alt=sse&key=x", "http://h/a@20240620:rawPredict?alt=sse"),
        ("http://h/p?key=alt=sse", "http://h/p"),
        ("http://[::1]:80/p", "http://[::1]:80/p"),
        ("http://a@b@h/p", "http://h/p"),
        ("http://user:pass%40h/p", "http:///p"),
        ("http://h\\@evil/p", "http://evil/p"),
        ("/v1/responses?api-key=x", "/v1/responses"),
        ("", ""),
        ("?key=x", ""),
        ("https://h/p with space/x", "https://h/p"),
    ],
)
def test_urls_lose_their_secrets(url: str, expected: str) -> None:
    assert safe_url(url) == expected


@given(st.text(), st.text(st.characters(categories=["Ll"]), min_size=1))
def test_no_query_and_no_user_ever_remain(noise: str, host: str) -> None:
    assert "S3CRET" not in safe_url(f"https://S3CRET:S3CRET@{host}/p?{noise}=S3CRET#S3CRET")
    assert "@" not in safe_url(noise).partition("//")[2].partition("/")[0]


@given(st.lists(st.sampled_from([r"\ud83d", r"\ude00", r"\\", r"\"", "u", "d", r"\uD83D", r"\u00e9", "x"])))
def test_mending_leaves_pairs_and_escaped_backslashes_alone(pieces: list[str]) -> None:
    text = '"' + "".join(pieces) + '"'
    mended = mend_surrogates(text.encode())
    expected = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in json.loads(text))
    assert json.loads(mended) == expected
    assert msgspec.json.decode(mended) == expected


@pytest.mark.parametrize(
    ("method", "body", "reason"),
    [
        ("GET", b"{}", "no-request-body"),
        ("POST", b" ", "no-request-body"),
        ("PATCH", b"{}", "not-post"),
        ("POST", b"a=b", "not-json"),
        ("POST", b'{"a": 1', "not-json"),
        ("POST", b'{"a": "\xff"}', "bad-utf8"),
        ("POST", b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too-deep"),
    ],
)
def test_bodies_that_are_refused(method: str, body: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        request_body(method, body)
    assert caught.value.reason == reason


def test_body_with_byte_order_mark() -> None:
    assert request_body("post", b'\xef\xbb\xbf {"a": 1}') == b' {"a": 1}'


@pytest.mark.parametrize(
    "stored",
    [
        {"User-Agent": "a", "Authorization": "x", "n": 1},
        [["user-agent", "a"], ["cookie", "x"], 3],
        [{"name": "USER-AGENT", "value": "a"}, {"name": "x-api-key", "value": "x"}],
        {"user-agent": ["a", "b"]},
    ],
)
def test_headers_in_every_spelling(stored: object) -> None:
    assert headers_of(msgspec.Raw(json.dumps(stored).encode())) == {"user-agent": "a"}
