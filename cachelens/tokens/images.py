"""What a picture costs. In: provider, media type and base64 payload. Out: tokens by the provider's published rule.

Only the header of the picture is read, for its width and height. Providers change these rules, some
per model; each row of `IMAGE_RULES` says where it was published and when that was last checked.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cachelens.errors import unknown_name

#: Pixels assumed for a payload that is no picture, or whose width and height are not to be found.
DEFAULT_PIXELS = (1024, 1024)
#: Base64 characters searched for the frame header of a JPEG, which follows its metadata.
JPEG_SEARCH = 1 << 20
#: Base64 characters enough for the other headers.
_HEADER = 64

_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BLANKS = b" \t\r\n"


@dataclass(frozen=True)
class ImageRule:
    """How one provider counts. `tokens(width, height, low_detail)` takes pixels, both at least 1."""

    tokens: Callable[[int, int, bool], int]
    rule: str
    source: str
    checked: str


def image_tokens(provider: str, media_type: str, base64_data: str | bytes, *, detail: str = "auto") -> int:
    """Tokens of one picture under the rule of `provider`, a key of IMAGE_RULES.

    `base64_data` is the payload or the head of it; 64 characters do for PNG, GIF and WebP, a JPEG
    may need all of it (no more than JPEG_SEARCH are read). `detail` "low" matters to OpenAI alone.
    Counts as DEFAULT_PIXELS when the size is unknown. Raises UsageError for an unknown provider.
    """
    rule = IMAGE_RULES.get(provider)
    if rule is None:
        raise unknown_name("image rule", provider, IMAGE_RULES)
    width, height = image_pixels(media_type, base64_data) or DEFAULT_PIXELS
    return rule.tokens(width, height, detail == "low")


def image_pixels(media_type: str, base64_data: str | bytes) -> tuple[int, int] | None:
    """Width and height in pixels, or None when this is no PNG, JPEG, GIF or WebP or its header is cut off.

    The payload decides, not `media_type`, which is often wrong; but what is not said to be an image
    (nor left unsaid: "" or application/octet-stream) is not looked at.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if not (kind.startswith("image/") or kind in ("", "application/octet-stream")):
        return None
    data = _decoded(base64_data, _HEADER)
    if data.startswith(b"\xff\xd8\xff"):
        pixels = _jpeg(_decoded(base64_data, JPEG_SEARCH))
    else:
        pixels = _png(data) or _gif(data) or _webp(data)
    return pixels if pixels and min(pixels) > 0 else None


def _decoded(base64_data: str | bytes, limit: int) -> bytes:
    """The bytes of the first `limit` characters; as many as are valid base64."""
    head = base64_data[:limit]
    data = head.encode("ascii", "replace") if isinstance(head, str) else head
    data = data.translate(_URL_SAFE, _BLANKS)
    try:
        return binascii.a2b_base64(data[: len(data) // 4 * 4])
    except binascii.Error:
        return b""


def _png(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _gif(data: bytes) -> tuple[int, int] | None:
    if len(data) < 10 or data[:6] not in (b"GIF87a", b"GIF89a"):
        return None
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def _webp(data: bytes) -> tuple[int, int] | None:
    """Each of the three kinds of WebP writes its size its own way (RFC 9649, sections 2.5 to 2.7)."""
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(data[26:28], "little"), int.from_bytes(data[28:30], "little")
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Walks the segments of a JPEG to its frame header, SOF0 to SOF15 (ITU T.81, B.1 and B.2.2)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # segments without a body
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


class _Size(NamedTuple):
    width: int
    height: int


def _shrunk(size: _Size, longest: int) -> _Size:
    """`size` with its longest edge brought down to `longest`, the other edge rounded; unchanged if it fits."""
    edge = max(size)
    if edge <= longest:
        return size
    return _Size(*(max(1, (2 * length * longest + edge) // (2 * edge)) for length in size))


def _anthropic(width: int, height: int, low_detail: bool) -> int:
    """Patches of 28 px: the most that fit 1568 px a side and 1568 patches, aspect ratio kept."""

    def patches(longest: int) -> int | None:
        size = _shrunk(_Size(width, height), longest)
        columns, rows = (-(-length // 28) for length in size)
        return columns * rows if max(columns, rows) * 28 <= 1568 and columns * rows <= 1568 else None

    fits, too_long = 1, max(width, height) + 1
    while fits + 1 < too_long:
        middle = (fits + too_long) // 2
        if patches(middle) is None:
            too_long = middle
        else:
            fits = middle
    return patches(fits) or 1


def _openai(width: int, height: int, low_detail: bool) -> int:
    """Tiles of 512 px after shrinking to 2048 px a side, then to a shortest side of 768 px."""
    if low_detail:
        return 85
    size = _shrunk(_Size(width, height), 2048)
    shortest = min(size)
    if shortest > 768:
        size = _Size(*((2 * length * 768 + shortest) // (2 * shortest) for length in size))
    return 85 + 170 * -(-size.width // 512) * -(-size.height // 512)


def _gemini(width: int, height: int, low_detail: bool) -> int:
    """Tiles whose side is two thirds of the shortest side, but 256 to 768 px; one when 384 px hold it all."""
    size = _shrunk(_Size(width, height), 3072)
    if max(size) <= 384:
        return 258
    tile = min(max(min(size) * 2 // 3, 256), 768)
    return 258 * -(-size.width // tile) * -(-size.height // tile)


#: The rule of each provider, for models of its standard tier.
IMAGE_RULES: dict[str, ImageRule] = {
    "anthropic": ImageRule(
        _anthropic,
        "one token per 28x28 px after shrinking to 1568 px a side and 1568 tokens",
        "https://platform.claude.com/docs/en/build-with-claude/vision-coordinates",
        "2026-11",
    ),
    "openai": ImageRule(
        _openai,
        "85 + 170 per 512 px tile after shrinking to 2048 px, then to a shortest side of 768 px; low detail 85",
        "https://platform.openai.com/docs/guides/images-vision#calculating-costs",
        "2026-11",
    ),
    "gemini": ImageRule(
        _gemini,
        "258 per tile of two thirds of the shortest side, 256 to 768 px; 258 up to 384 px",
        "https://ai.google.dev/gemini-api/docs/image-understanding#token-calculation",
        "2026-11",
    ),
}
