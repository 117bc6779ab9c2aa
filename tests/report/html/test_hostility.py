"""Whatever a trace is full of: nothing of it runs, reorders or hides, and the page stays a page."""

from __future__ import annotations

import json
import time
import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markupsafe import Markup

from cachelens.report.html.page import page
from cachelens.report.html.shell import coded, embedded, environment, scrub
from tests.report import builders
from tests.report.html.documents import Parsed, analyzed, many, spoiled

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "end of script": "</script><script>alert(1)</script><!--<script>",
    "attribute": "\" onmouseover=alert(1) x='` onload=alert(1)",
    "cdata": "]]><svg onload=alert(1)>",
    "template": "{{ 7*7 }}{% raw %}${alert(1)}",
    "markup": "<img src=x onerror=alert(1)><style>*{display:none}</style>&lt;b&gt;",
    "right to left": "\u202e\u2066gnp.exe\u200f\u061c",
    "surrogates": "\ud800\udfff\udc00",
    "controls": "\x00\x07\x1b[31m\x1b]0;title\x07\u2028\u2029\x85\x7f\ufeff",
    "link": "javascript:alert(1) https://example.org/?q=1",
    "mathematics": r"$\frac{1}{0}$ \N{BEL} %s %(x)s",
    "long": "x" * 1_000_000,
    "marks": "a" + "\u0301" * 5_000,
}


def assert_harmless(data: bytes) -> None:
    parsed = Parsed(data)
    assert parsed.problems == []
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("style") == 1
    assert [attributes for attributes, _ in parsed.scripts if "type" not in attributes] == [{}]
    assert "img" not in tags
    for tag, attributes in parsed.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("href", "src", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:,", "data:image/png;base64,"))
    assert len(parsed.ids) == len(set(parsed.ids))
    text = data.decode("utf-8")
    shown = {unicodedata.category(char) for char in set(text) - {"\n"}}
    assert shown & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_strings_in_every_field(text: str) -> None:
    result = spoiled(analyzed("pruned-history.jsonl.zst", show_text=True), text)
    started = time.process_time()
    data = page(result)
    assert time.process_time() - started < 60
    assert len(data) < 5_000_000
    assert b"x" * 2_000 not in data
    assert_harmless(data)


@pytest.mark.parametrize("text", [HOSTILE["end of script"], HOSTILE["surrogates"], HOSTILE["controls"]])
def test_hostile_strings_in_the_data_of_the_script(text: str) -> None:
    result = spoiled(many(500), text)
    data = page(result)
    assert_harmless(data)
    (found,) = [body for attributes, body in Parsed(data).scripts if "type" in attributes]
    assert len(json.loads(found)["sessions"]) == 37


def test_a_result_from_elsewhere_may_have_words_that_are_none_of_ours() -> None:
    base = builders.wasteful()
    row = builders.row(1, {"hit": 1, '"><script>': 5}, runs=(("<b>", 3), ("hit", 3)), expected="<i>")
    strange = msgspec.structs.replace(
        base,
        requests=(row, *base.requests),
        findings=(builders.finding("<CL>", verdict="<b>", name="\u202e"), *base.findings),
        worst_breaks=("gone", *base.worst_breaks),
        labels={"<live>": 3, "live": 4},
        buckets={"<none>": base.buckets["retransmission"], **base.buckets},
    )
    assert_harmless(page(strange))


@given(st.text(st.characters(), max_size=30))
@settings(max_examples=200, deadline=None)
def test_embedded_data_comes_back_and_ends_no_element(text: str) -> None:
    data = embedded([text, "</script>", {"<": text}])
    assert not set(data) & set("<>&\u2028\u2029")
    assert json.loads(data) == [text, "</script>", {"<": text}]


@given(st.text(st.characters(), max_size=30))
@settings(max_examples=200, deadline=None)
def test_scrubbed_text_has_as_many_characters_and_none_that_hides(text: str) -> None:
    shown = scrub(text)
    assert isinstance(shown, str)
    assert len(shown) == len(text)
    shown.encode("utf-8")
    for before, after in zip(text, shown, strict=True):
        assert after in (before, "\ufffd")
        assert after == "\n" or unicodedata.category(after) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    assert scrub(Markup("\u202e")) == "\u202e"


def test_what_a_template_shows_is_escaped_and_scrubbed_even_if_nobody_cleaned_it() -> None:
    template = environment().from_string(
        '{% set kept %}{{ text }}{% endset %}<p title="{{ text }}">{{ kept }}</p>'
    )
    made = template.render(text='<b>"\u202e\ud800\x00')
    assert made == '<p title="&lt;b&gt;&#34;\ufffd\ufffd\ufffd">&lt;b&gt;&#34;\ufffd\ufffd\ufffd</p>'
    with pytest.raises(UndefinedError):
        environment().from_string("{{ missing }}").render()


@given(st.text(st.sampled_from("ab`<>&"), max_size=20))
def test_code_between_backquotes_is_escaped_too(text: str) -> None:
    made = str(coded(text))
    assert (
        made.count("<code>")
        == made.count("</code>")
        == (text.count("`") // 2 if text.count("`") % 2 == 0 else 0)
    )
    assert "<" not in made.replace("<code>", "").replace("</code>", "")
