"""Results for tests of the page, and the page as a parser sees it. In: nothing, or a page. Out: model objects, tags."""

from __future__ import annotations

import functools
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec

from cachelens.model.comparison import Illustrated
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.result import Result
from cachelens.pipeline import analyze, load
from cachelens.pipeline.comparison import compare, illustrated
from tests.report import builders

SAMPLES = Path(__file__).parents[3] / "sample_traces"
#: Elements that have no end tag.
VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
#: Elements of SVG that end themselves.
CLOSED = frozenset({"rect", "path", "use", "image", "circle", "line", "polygon", "polyline", "ellipse"})
#: Fields whose values are words of ours: a page may rely on them.
VOCABULARY = frozenset(
    (
        "kind",
        "outcome",
        "label",
        "bucket",
        "verdict",
        "role",
        "expected",
        "unit",
        "why",
        "component",
        "schema",
    )
)


@functools.cache
def analyzed(sample: str, show_text: bool = False, **options: Any) -> Result:
    """A sample as the pipeline analyzes it, with pictures."""
    trace = load([str(SAMPLES / sample)], IngestOptions())
    return analyze(trace, AnalyzeOptions(pictures=True, show_text=show_text, **options))


@functools.cache
def compared() -> Illustrated:
    """A session with a clock in its prompts against one without, with both results."""
    before, after = analyzed("clock.jsonl"), analyzed("append-only.jsonl")
    return illustrated(compare(before, after), before, after)


def many(requests: int, sessions: int = 37) -> Result:
    """A long trace, made by hand: a break in every twelfth request."""
    rows = []
    for number in range(1, requests + 1):
        prompt = 20_000 + 1_250 * (number // sessions)
        outcomes = {"hit": prompt - 1_250, "fresh": 1_250}
        changes: dict[str, Any] = {}
        if number % 12 == 0:
            outcomes = {"hit": 1_214, "fresh": 1_250, "divergence": prompt - 2_464}
            path = f"messages[{number}].content[0].content"
            changes["break_"] = builders.broken(prompt - 2_464, path=path, name="read_file")
        session = number % sessions
        rows.append(
            builders.row(
                number,
                outcomes,
                request_id=f"req_{number * 2654435761 % 2**32:08x}_{number:06d}",
                session_id=f"session-{session}",
                lineage_id=f"lineage-{session}-{number % 3}",
                started_s=number * 1.5,
                reported_cached_tokens=prompt - 2_000,
                runs=tuple(outcomes.items()),
                **changes,
            )
        )
    return builders.result(rows, trace={"sessions": sessions, "lineages": 3 * sessions})


def spoiled(value: Any, text: str, field: str = "") -> Any:
    """`value` with every string that comes from a trace followed by `text`, ids the same wherever they stand."""
    if isinstance(value, str):
        return value if field in VOCABULARY else value + text
    if isinstance(value, msgspec.Struct):
        if "causes" in value.__struct_fields__:  # tokens by words of ours
            return value
        changes = {name: spoiled(getattr(value, name), text, name) for name in value.__struct_fields__}
        return type(value)(**changes)
    if isinstance(value, tuple) and field == "runs":
        return value
    if isinstance(value, tuple):
        return tuple(spoiled(item, text, field) for item in value)
    if isinstance(value, dict):
        kept = field in ("outcomes", "labels", "buckets", "definitions")
        return {
            key if kept else spoiled(key, text): spoiled(item, text, field) for key, item in value.items()
        }
    return value


class Parsed(HTMLParser):
    """Tags, ids, attributes and text of a page; `problems` says what is not well-formed."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self._attributes: dict[str, str] = {}
        self.feed(page.decode("utf-8"))
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self.open]

    @property
    def text(self) -> str:
        """What is there to read, white space as one blank."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if len(values) != len(attrs):
            self.problems.append(f"<{tag}> has an attribute twice")
        self.tags.append((tag, values))
        self._attributes = values
        if "id" in values:
            self.ids.append(values["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes what is not open at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append((self._attributes, data))
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)


def assert_stands_alone(data: bytes) -> None:
    """Well-formed, every link and reference found in the page itself, nothing inline that a policy would refuse."""
    parsed = Parsed(data)
    assert parsed.problems == []
    assert len(parsed.ids) == len(set(parsed.ids))
    for tag, attributes in parsed.tags:
        assert tag not in ("iframe", "object", "embed", "base", "form", "img"), tag
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            target = attributes.get(name, "#")
            assert target.startswith(("#", "data:,", "data:image/png;base64,")), (tag, target)
            if target.startswith("#") and len(target) > 1:
                assert target[1:] in parsed.ids, target
        for value in attributes.values():
            for name in re.findall(r"url\(#([^)]+)\)", value):
                assert name in parsed.ids
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(attributes.get(name, "").split()) <= set(parsed.ids)
