"""What a file is that no format claims. In: its first bytes. Out: a phrase for the error, and a way out."""

from __future__ import annotations

import re

from cachelens.ingest.formats.json_scan import first_records, visible_keys

_MAGIC: tuple[tuple[bytes, str, str | None], ...] = (
    (b"\x89PNG\r\n\x1a\n", "looks like a PNG image", None),
    (b"\xff\xd8\xff", "looks like a JPEG image", None),
    (b"GIF8", "looks like a GIF image", None),
    (b"%PDF-", "looks like a PDF document", None),
    (b"SQLite format 3\0", "looks like an SQLite database", "export the requests as JSONL"),
    (b"PAR1", "looks like a Parquet file", "export the requests as JSONL, one a line"),
    (b"ARROW1", "looks like an Arrow file", "export the requests as JSONL, one a line"),
    (b"PK\x03\x04", "looks like a zip archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "looks like a 7z archive", "unpack it first"),
    (b"\xfd7zXZ\0", "looks like xz data", "decompress it first; gzip and zstd are read as they are"),
    (b"BZh", "looks like bzip2 data", "decompress it first; gzip and zstd are read as they are"),
    (b"\x1f\x8b", "holds gzip data inside compressed data", "decompress it once"),
    (b"\x7fELF", "looks like an executable", None),
    (b"MZ", "looks like an executable", None),
    (b"\x0a\x0d\x0d\x0a", "looks like a packet capture", "capture with mitmproxy, or export HAR"),
    (b"\xd4\xc3\xb2\xa1", "looks like a packet capture", "capture with mitmproxy, or export HAR"),
    (b"\xff\xfe", "looks like UTF-16 text", "convert it to UTF-8"),
    (b"\xfe\xff", "looks like UTF-16 text", "convert it to UTF-8"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]|\(dp\d+\n|\(lp\d+\n")
_TAR_AT = 257
_ARRAY = re.compile(rb"\[\s*[\[{\"\d\]-]")
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|\?xml)", re.IGNORECASE)
_YAML = re.compile(rb"(?:---\s*\n|interactions:\s*\n|%YAML)")
#: The first line of a table: names and values between separators, without the punctuation of prose.
_HEADER = re.compile(rb'[\w "./:-]+(?:,[\w "./:-]*)+|[\w "./:-]+(?:\t[\w "./:-]*)+')
_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$]{0,31}")
_KEYS_SHOWN = 6
_BOM = b"\xef\xbb\xbf"


def describe(head: bytes) -> tuple[str, str | None]:
    """What `head` looks like, and a hint on what to do with it if there is one. Quotes no values."""
    if not head or head == _BOM:
        return "empty file", None
    if head.isspace() or not head.strip(b"\0"):
        return "nothing but white space or null bytes", None
    for magic, what, hint in _MAGIC:
        if head.startswith(magic):
            return what, hint
    if _PICKLE.match(head):
        return "pickle: refused because loading one runs code", "export the requests as JSONL, one a line"
    if head[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return "looks like a tar archive", "unpack it first"
    text = head.removeprefix(_BOM).lstrip()
    if text[:1] == b"{":
        return _json_object(head, text)
    if _ARRAY.match(text):
        return "a JSON array", "one record a line is read: `jq -c '.[]' FILE`"
    if _MARKUP.match(text):
        return "looks like HTML or XML", None
    if _YAML.match(text):
        return "looks like YAML", None
    if b"\0" in head:
        return "binary data of no known kind", None
    return _plain_text(text)


def _json_object(head: bytes, text: bytes) -> tuple[str, str | None]:
    lines = first_records(head)
    keys = lines[0] if lines else visible_keys(text)
    if "custom_id" in keys and "response" in keys:
        return "OpenAI batch results, which hold no prompts", "give the batch input instead"
    if {"input_length", "hash_ids"} & keys.keys() and "chat_id" in keys:
        return "a Qwen-Bailian trace: its blocks are of 16 tokens and its times in seconds", None
    if not lines and keys and b"\n" in text:
        names = _names(keys)
        return (
            f"a JSON object over several lines with keys {names}",
            "one record a line is read: `jq -c . FILE`",
        )
    if not keys:
        return "something like JSON that breaks off at once", None
    return f"a JSON object with keys {_names(keys)} (not a request)", None


def _names(keys: dict[str, bytes]) -> str:
    """The first keys, none that could be data rather than a name."""
    names = [key for key in keys if _KEY.fullmatch(key)]
    shown = ", ".join(names[:_KEYS_SHOWN])
    return (shown + (", ..." if len(keys) > _KEYS_SHOWN else "")) or "that are no names"


def _plain_text(text: bytes) -> tuple[str, str | None]:
    lines = [line.strip() for line in text.split(b"\n", 2)[:2]]
    if len(lines) == 2 and _HEADER.fullmatch(lines[0]):
        separator, name = (b"\t", "tab-separated values") if b"\t" in lines[0] else (b",", "CSV")
        if separator in lines[1]:
            return f"looks like {name}", None
    return "text that is no JSON", None
