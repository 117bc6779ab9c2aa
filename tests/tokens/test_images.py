from __future__ import annotations

import base64
import io
import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cachelens.errors import UsageError
from cachelens.tokens.images import IMAGE_RULES, JPEG_SEARCH, image_pixels, image_tokens

sides = st.integers(1, 16_383)
lengths = st.one_of(st.integers(1, 6000), st.integers(1, 2**32 - 1))


def png(width: int, height: int) -> str:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 6, 0, 0, 0)
    return base64.b64encode(header + b"\0" * 100).decode()


def tokens(provider: str, width: int, height: int, detail: str = "auto") -> int:
    return image_tokens(provider, "image/png", png(width, height), detail=detail)


def drawn(width: int, height: int, kind: str, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (width, height), 1).save(stream, kind, **options)
    return stream.getvalue()


KINDS = [
    ("PNG", {}),
    ("GIF", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("JPEG", {"exif": b"Exif\0\0" + b"\xff\xc0" * 20_000, "icc_profile": bytes(90_000), "comment": b"\xff"}),
    ("WEBP", {"lossless": False}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"lossless": False, "icc_profile": bytes(10)}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 700), (1025, 2), (255, 257)])
def test_sizes_of_pictures_drawn_by_pillow(
    kind: str, options: dict[str, object], size: tuple[int, int]
) -> None:
    payload = base64.b64encode(drawn(*size, kind, **options))
    assert image_pixels(f"image/{kind.lower()}", payload) == size
    assert image_pixels("", payload.decode()) == size
    wrapped = b"\n".join(payload[at : at + 76] for at in range(0, len(payload), 76))
    assert image_pixels("image/png; charset=binary", wrapped) == size
    if kind != "JPEG":
        assert image_pixels("image/png", payload[:64]) == size


@given(sides, sides)
def test_sizes_of_every_kind_of_webp(width: int, height: int) -> None:
    riff = b"RIFF\0\0\0\0WEBP"
    lossy = riff + b"VP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height | 0xC000)
    lossless = riff + b"VP8L\0\0\0\0\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + b"\0" * 9
    extended = (
        riff + b"VP8X\0\0\0\0\0\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    )
    for data in (lossy, lossless, extended):
        assert image_pixels("image/webp", base64.b64encode(data)) == (width, height)


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", *[base64.b64decode(png(9, 9))[:24]], b"GIF89a", b"\xff\xd8\xff"]),
)
def test_url_safe_alphabet_is_the_same_picture(tail: bytes, head: bytes) -> None:
    data = head + tail
    ordinary = image_pixels("image/png", base64.b64encode(data))
    assert ordinary == image_pixels("image/png", base64.urlsafe_b64encode(data))


segments = st.lists(
    st.tuples(st.sampled_from([0xE0, 0xE1, 0xFE, 0xDB, 0xC4, 0xCC, 0xC8]), st.binary(max_size=300)),
    max_size=6,
)


@given(segments, st.sampled_from([0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xCF]), sides, sides, st.integers(0, 3))
def test_jpeg_frame_is_found_behind_any_metadata(
    before: list[tuple[int, bytes]], frame: int, width: int, height: int, fill: int
) -> None:
    data = b"\xff\xd8"
    for marker, body in before:
        data += b"\xff" * fill + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    data += bytes([0xFF, frame]) + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    assert image_pixels("image/jpeg", base64.b64encode(data)) == (width, height)


def test_jpeg_whose_frame_is_cut_off_counts_as_unknown() -> None:
    payload = base64.b64encode(drawn(300, 200, "JPEG", comment=b"x" * 60_000))
    assert image_pixels("image/jpeg", payload) == (300, 200)
    assert image_pixels("image/jpeg", payload[:60_000]) is None
    far = (
        b"\xff\xd8"
        + (b"\xff\xe1\xff\xff" + bytes(65_533)) * 16
        + b"\xff\xc0\0\x11\x08\0\x09\0\x09\x03"
        + bytes(9)
    )
    assert len(far) * 4 / 3 > JPEG_SEARCH
    assert image_pixels("image/jpeg", base64.b64encode(far)) is None


@given(
    st.sampled_from(["image/png", "image/jpeg", "", "application/pdf"]),
    st.one_of(st.text(max_size=80), st.binary(max_size=80)),
    st.sampled_from(["", "iVBORw0KGgo", "/9j/", "R0lGODlh", "UklGRgAAAABXRUJQVlA4"]),
)
def test_garbage_costs_a_bounded_number(media_type: str, tail: str | bytes, head: str) -> None:
    payload = head + tail if isinstance(tail, str) else head.encode() + tail
    for provider in IMAGE_RULES:
        assert 1 <= image_tokens(provider, media_type, payload) <= 258 * 36


@pytest.mark.parametrize("payload", ["", png(0, 7), png(7, 0), png(7, 7)[:20], "not base64!", b"\xff\xfe"])
def test_unknown_size_counts_as_1024_square(payload: str | bytes) -> None:
    for provider, expected in {"anthropic": 37 * 37, "openai": 765, "gemini": 4 * 258}.items():
        assert image_tokens(provider, "image/png", payload) == expected == tokens(provider, 1024, 1024)


def test_what_is_not_an_image_is_not_looked_at() -> None:
    assert image_pixels("application/pdf", png(5, 5)) is None
    assert image_pixels("IMAGE/PNG", png(5, 5)) == (5, 5)


def test_unknown_provider() -> None:
    with pytest.raises(UsageError, match="unknown image rule 'antropic'"):
        image_tokens("antropic", "image/png", "")


@given(st.sampled_from(sorted(IMAGE_RULES)), lengths, lengths)
def test_rules_are_symmetric_and_bounded(provider: str, width: int, height: int) -> None:
    """Turning a picture costs nothing, and no size, however absurd, costs more than the most expensive."""
    cost = tokens(provider, width, height)
    assert cost == tokens(provider, height, width)
    assert 1 <= cost <= {"anthropic": 1568, "openai": 85 + 170 * 8, "gemini": 258 * 36}[provider]


def fits(width: int, height: int) -> bool:
    columns, rows = math.ceil(width / 28), math.ceil(height / 28)
    return columns * 28 <= 1568 and rows * 28 <= 1568 and columns * rows <= 1568


@given(st.integers(1, 9000), st.integers(1, 9000))
@settings(max_examples=200, deadline=None)
def test_anthropic_takes_the_largest_size_that_fits(width: int, height: int) -> None:
    """Against trying every size. Ties of rounding are left out: the publisher's code rounds them to even."""
    edge, other = max(width, height), min(width, height)
    longest = edge
    while longest > 1 and not fits(longest, max(1, round(longest * other / edge))):
        longest -= 1
    if (2 * longest * other) % edge or (2 * longest * other // edge) % 2 == 0:
        shortest = max(1, round(longest * other / edge))
        assert tokens("anthropic", width, height) == math.ceil(longest / 28) * math.ceil(shortest / 28)


def test_published_examples() -> None:
    assert tokens("anthropic", 1075, 1520) == math.ceil(924 / 28) * math.ceil(1307 / 28)  # their A4 page
    assert tokens("anthropic", 200, 200) == 64
    assert tokens("openai", 1024, 1024) == 765
    assert tokens("openai", 2048, 4096) == 1105
    assert tokens("openai", 4096, 8192, "low") == 85
    assert tokens("gemini", 960, 540) == 6 * 258
    assert tokens("gemini", 384, 384) == 258
    assert tokens("gemini", 385, 100) == 2 * 258


def test_openai_rounds_after_shrinking() -> None:
    """Billed, less 8 tokens of text: community.openai.com/t/1281361."""
    assert tokens("openai", 2049, 513) == 1453 - 8
    assert tokens("openai", 2050, 513) == 773 - 8


def test_every_rule_says_where_it_comes_from() -> None:
    for rule in IMAGE_RULES.values():
        assert rule.source.startswith("https://")
        assert len(rule.checked) == 7
        assert rule.rule
