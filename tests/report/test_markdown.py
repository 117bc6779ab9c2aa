"""Comments: nothing of a trace means anything in them, they never get too long, and they say what the result says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt  # comes with rich
from markdown_it.token import Token

from cachelens.model.findings import Location
from cachelens.model.result import LayoutRow, Result
from cachelens.pipeline.comparison.compare import compare
from cachelens.report.markdown.comment import MARKER, MOST, comment, table
from cachelens.report.markdown.escape import code, prose
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.renderers.markdown import Markdown
from cachelens.report.untrusted import clean
from tests.report import builders, inspections
from tests.report.golden import compare as golden

#: GitHub links names, numbers, addresses and commits in text of this kind, and only there.
_TROUBLE = re.compile(r"[@#/\\<>&`*_\[\]|~$:]|[^\W\d]\.\w|\b[0-9a-f]{7,}\b", re.IGNORECASE)
_HOSTILE = (
    "@octocat",
    "#123",
    "GH-123",
    "a/b#4",
    "a/b@0123456789abcdef",
    "0123456789abcdef",
    "1234567",
    "http://evil.example",
    "www.evil.example",
    "a@b.example",
    ":tada:",
    "<img src=x>",
    "<!-- -->",
    "</details>",
    "&#64;octocat",
    "[x](y)",
    "![x](y)",
    "**b**",
    "_i_",
    "~~s~~",
    "$$x$$",
    "`",
    "``",
    "a`b``c",
    "|",
    "\\|",
    "a\\",
    "||",
    "1.",
    "2)",
    "-",
    "+",
    "=",
    "---",
    "> x",
    "(/home/x.py),",
    '"quoted"',
    "it's",
    "3.1 %",
    "é",
    "\n\n# x",
    "\u202e",
    "\x1b[2J",
)
_TEXTS = st.lists(st.sampled_from(_HOSTILE) | st.text(max_size=8), max_size=8).map(" ".join)


def parsed(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(markdown)


def read(markdown: str) -> tuple[str, str]:
    """All text that a reader sees, and of it what is no code. Fails on any other markup."""
    tokens = parsed(markdown)
    inline = [token for token in tokens if token.type == "inline"]
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"], markdown
    seen = plain = ""
    for token in inline[0].children or ():
        assert token.type in ("text", "code_inline"), (token.type, markdown)
        seen += token.content
        plain += token.content if token.type == "text" else ""
    return seen, plain


def in_cell(text: str) -> str:
    """A table whose middle cell of the one row is `text`."""
    return table(("a", "b", "c"), [("", text, "")])


@example("a \\| b")
@example("`|`")
@given(_TEXTS)
def test_text_means_nothing_and_reads_as_it_was(text: str) -> None:
    shown = clean(text, 300)
    for made in (prose(text), code(text, 300)):
        if not shown:
            assert made == "–"
            continue
        seen, plain = read(made)
        assert not plain or made == prose(text)
        assert seen == shown
        assert _TROUBLE.search(re.sub(r"[:.](?!\w)", "", plain)) is None, plain


@given(_TEXTS)
def test_a_cell_stays_a_cell(text: str) -> None:
    shown = clean(text, 300)
    for made in (prose(text), code(text, 300)):
        tokens = parsed(in_cell(made))
        inline = [token for token in tokens if token.type == "inline"]
        assert len(inline) == 6
        seen = "".join(token.content for token in inline[4].children or ())
        assert seen == (shown or "–")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("read `x` @me", "read ``` `x` @me ```".replace("```", "``")),
        ("3 outputs fill the prompts; 3.1 % of all", "3 outputs fill the prompts; 3.1 % of all"),
        ("read of (src/app.py), twice", "read of (`src/app.py`), twice"),
        ("1. item", "`1`. item"),
        ("a b|c", "a `b|c`"),
        ("the deadbeef commit", "the `deadbeef` commit"),
    ],
)
def test_how_it_looks(text: str, made: str) -> None:
    assert prose(text) == made


def show(document: Any) -> str:
    return Markdown().render(document, RenderOptions()).decode()


def append_only() -> Result:
    rows = [builders.row(n, {"hit": n - 1, "fresh": 1} if n > 1 else {"fresh": 1}) for n in range(1, 6)]
    return builders.result(rows, engine={"name": "ideal", "capacity_tokens": None})


def with_layouts() -> Result:
    layout = LayoutRow(
        engine="anthropic",
        order="tools-first",
        prompt_tokens=9,
        hit_tokens=3,
        prefilled_tokens=6,
        hit_rate=1 / 3,
        cost_usd=1.5,
    )
    return msgspec.structs.replace(builders.wasteful(), engines=(layout,))


def compared() -> Any:
    found = compare(with_layouts(), builders.session(), ("a.json", "b|c.json"))
    return msgspec.structs.replace(found, cachelens="0.1.0")


DOCUMENTS: dict[str, Callable[[], Any]] = {
    "session": builders.session,
    "wasteful": with_layouts,
    "append-only": append_only,
    "empty": lambda: builders.result([]),
    "comparison": compared,
    "grid": builders.grid,
    "curve": lambda: builders.curve(marked=200_000),
}


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_golden(name: str) -> None:
    golden(f"{name}.md", show(DOCUMENTS[name]()).encode())


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_comments_are_well_formed(name: str) -> None:
    text = show(DOCUMENTS[name]())
    assert text.startswith(f"{MARKER}\n### cachelens: ")
    assert text.endswith("<sub>cachelens 0.1.0</sub>\n")
    assert text.count("<details>") == text.count("</details>")
    assert "\n\n\n" not in text
    tokens = parsed(text)
    rows = re.findall(r"^\|.*\|$", text, re.M)
    assert sum(token.type == "tr_open" for token in tokens) == len(rows) - len(
        re.findall(r"^\| :?--", text, re.M)
    )


def hostile() -> Result:
    bad = "@a|`\\|</details>\U0001d165\U0001d165 " * 300
    found = builders.broken(5, path=bad, kind=bad, component=bad, name=bad)
    rows = [
        builders.row(n, {"hit": 9, "fresh": 2}, request_id=f"{bad}{n}", break_=found) for n in range(1, 40)
    ]
    base = builders.result(rows, trace={"sources": (bad,), "encoding": bad, "notes": (bad,) * 50})
    place = Location(request_id=bad, path=bad, name=bad, token_offset=5)
    findings = tuple(builders.finding(title=bad, code=bad, location=place) for _ in range(60))
    known = tuple(builders.finding(title=bad, verdict="diagnostic") for _ in range(60))
    return msgspec.structs.replace(
        base, findings=findings + known, remedies=builders.wasteful().remedies, engines=with_layouts().engines
    )


def test_never_too_long_for_github() -> None:
    result = hostile()
    other = msgspec.structs.replace(
        result,
        findings=tuple(
            builders.finding(f"CL1{n:02}", title="x|" * 200, fingerprint=f"{n}") for n in range(60)
        ),
    )
    for document in (result, compare(result, other, ("x|" * 500, "y"))):
        text = show(document)
        assert len(text.encode()) <= MOST < 65_536
        assert text.count("<details>") == text.count("</details>\n")


def test_parts_that_have_no_room_are_left_out_whole() -> None:
    text = comment(("head", "x" * MOST, "", "tail"), ("a", "b"), "1")
    assert text == (
        f"{MARKER}\nhead\n\ntail\n\nWhat else there is to say is too long for a comment; other formats of cachelens "
        "hold it.\n\n- a\n- b\n\n<sub>cachelens 1</sub>\n"
    )


def test_notes_are_cut_short() -> None:
    text = comment(("head",), ["x" * 5_000] * 4, "1")
    assert text.count("- x") == 2
    assert "- more notes stand in other formats of cachelens\n" in text


def test_what_is_said() -> None:
    text = show(with_layouts())
    assert "12.0 % of 6.14 M prompt tokens had to be computed; remedies save up to 58.2 % of these" in text
    assert "| retransmission | 380,000 | 380,000 | 51.5 % |" in text
    opportunities = text.partition("#### Opportunities")[2].partition("<details>")[0]
    assert len(re.findall(r"^\| `CL", opportunities, re.M)) == 5
    assert "| ≤ 90.0 k | 12.2 % | request `r12`, `system[0].text`, character 214 |" in opportunities
    assert "**all together**" in opportunities
    assert "- servers reported 96.2 % of 6.14 M tokens from cache, 8.2 pp from the simulation" in text
    assert "- **3 records skipped**: 2 `no-request-body`, 1 `bad-json`" in text
    assert "tokens are those of `o200k_base`: approximate" in text
    assert "no server reported cached tokens" in show(append_only())
    assert "none of them twice" in show(append_only())


def test_rejected_requests_are_told() -> None:
    result = builders.result([builders.row(1, {"capacity": 5})], engine={"rejected_requests": 1})
    assert "- 1 request larger than the cache: nothing of them is held" in show(result)


def test_comparison_says_what_changed() -> None:
    better = msgspec.structs.replace(
        builders.wasteful(), findings=(builders.finding(), builders.finding("CL203", fingerprint="1"))
    )
    worse = msgspec.structs.replace(better, findings=better.findings[1:])
    text = show(compare(better, worse))
    assert re.search(r"\| vanished \| `CL101` \| a time in the system prompt", text)
    assert "### cachelens: equal: " in text


def test_other_documents_are_refused() -> None:
    with pytest.raises(TypeError):
        Markdown().render(inspections.inspection(), RenderOptions())
