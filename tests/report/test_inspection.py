"""The screen of one request, and what it is made of: pictures, folds, differing texts."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.model.inspection import Inspection, Pointer, check
from cachelens.model.kinds import BUCKETS, KINDS, LABELS, OUTCOMES
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.pipeline import inspect, load
from cachelens.report.palette import BUCKET_LOOKS, KIND_LOOKS, LABEL_LOOKS, OUTCOME_LOOKS
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.renderers.json_ import Json
from cachelens.report.renderers.terminal import Terminal
from cachelens.report.terminal.differing import versions
from cachelens.report.terminal.picture import picture, strip
from cachelens.report.terminal.screen import ColorDepth, Page
from cachelens.report.terminal.strip import ROWS, groups
from cachelens.report.units import duration
from cachelens.report.untrusted import spelled, width
from tests.report import builders
from tests.report.golden import compare
from tests.report.inspections import inspection, piece, segment
from tests.report.make_schema import schema

ROOT = Path(__file__).parents[2]
_SGR = re.compile(r"\x1b\[[0-9;]*m")
BAD = "\x1b[2J\u202e\u200b[red]漢字\r\n\ud800" * 300


def show(document: Inspection, page: Page | None = None, verbose: bool = False) -> str:
    return Terminal().render(document, RenderOptions(page or Page(), verbose)).decode()


def of_sample(name: str, request: str | None, **options: object) -> Inspection:
    trace = load([f"sample_traces/{name}"], IngestOptions())
    return inspect(trace, AnalyzeOptions(**options), request)  # type: ignore[arg-type]


# -- golden screens of the samples

GOLDEN = {
    "clock": ("clock.jsonl", "r8", {"show_text": True}),
    "resorted-tools": ("resorted-tools.jsonl", None, {"engine": "ideal"}),
    "pruned-history": ("pruned-history.jsonl.zst", "r15", {"engine": "ideal"}),
    "append-only": ("append-only.jsonl", None, {"engine": "lru", "capacity": "2k"}),
    "tokens": ("tokens.jsonl", "2", {}),
}


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sample, request, options = GOLDEN[name]
    found = of_sample(sample, request, **options)
    check(found)
    text = show(found, Page(columns))
    assert max(map(width, text.splitlines())) <= columns
    compare(f"inspect-{name}.{columns}.txt", text.encode())


# -- limits


def hostile(count: int = 250) -> Inspection:
    """Everything long, everything trying to escape, every outcome, label and bucket."""
    cause = Pointer(path=BAD, kind=BAD, name=BAD, position=10**9)
    rows = []
    at = 10**9
    for number in range(count):
        first = piece(
            at,
            at + 10**6,
            OUTCOMES[number % len(OUTCOMES)],
            LABELS[number % len(LABELS)],
            bucket=(None, *BUCKETS[1:])[number % len(BUCKETS)],
            label_cause=cause,
        )
        second = piece(first.hi, first.hi + 1, OUTCOMES[number // 7 % len(OUTCOMES)], LABELS[number // 3 % 8])
        kind = KINDS[number // 5 % len(KINDS)]
        rows.append(segment(10**6 + number, first, second, kind=kind, path=BAD, name=BAD, text=BAD * 20))
        at = second.hi
    sample = inspection()
    side = msgspec.structs.replace(
        sample.edits[0].now, kind=BAD, path=BAD, name=BAD, text=BAD * 200, position=10**9, tokens=10**9
    )
    other = msgspec.structs.replace(side, text=(BAD + "x y ") * 150)
    edit = msgspec.structs.replace(
        sample.edits[0], compared_with=BAD, before=side, now=side, token_offset=10**9
    )
    edits = tuple(
        msgspec.structs.replace(edit, number=n, sibling=n > 200, in_reply=n % 2 == 0) for n in range(1, 300)
    )
    at_break = builders.broken(
        10**9,
        kind=BAD,
        component=BAD,
        path=BAD,
        name=BAD,
        token_offset=10**9,
        segment_offset=10**9,
        segment=10**9,
        message=10**9,
        char_offset=10**9,
        previous_request_id=BAD,
    )
    departure = msgspec.structs.replace(sample.break_, at=at_break, before=side, now=other)
    step = msgspec.structs.replace(
        sample.lineage[0],
        request_id=BAD,
        previous_request_id=BAD,
        gap_s=1e9,
        prompt_tokens=8 * 10**9,
        outcomes=dict.fromkeys(OUTCOMES, 10**9),
        break_kind="summarized",
    )
    made = inspection(
        *rows,
        edits=edits,
        divergence_edit=1,
        break_=departure,
        echo=departure,
        lineage=(step,) * 11,
        earlier_steps=10**9,
        spawned_by=BAD,
        reported_prompt_tokens=10**12,
        started_at="2026-03-02T09:00:00.123456+00:00",
        trace=builders.facts(requests=10**9, sources=(BAD,) * 9, notes=(BAD,) * 9, encoding=BAD),
        shows_text=True,
    )
    request = msgspec.structs.replace(
        made.request,
        request_id=BAD,
        session_id=BAD,
        lineage_id=BAD,
        previous_request_id=BAD,
        source_file=BAD,
        model=BAD,
        evicted_by=BAD,
        idle_s=1e9,
        reported_cached_tokens=10**9,
        expected="less",
        miss_reason=BAD,
    )
    return msgspec.structs.replace(made, request=request)


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("make", [hostile, inspection])
def test_every_screen_fits(make, columns: int, ascii_only: bool, verbose: bool) -> None:  # type: ignore[no-untyped-def]
    text = show(make(), Page(columns, ascii_only), verbose)
    lines = text.splitlines()
    assert max(map(width, lines)) <= columns
    assert verbose or len(lines) <= 260
    assert not set(text) & {"\x1b", "\x9b", "\u202e", "\u200b", "\r", "\ud800"}
    assert text.isascii() or not ascii_only


def test_a_name_of_a_megabyte_is_cut() -> None:
    text = show(inspection(segment(0, piece(0, 9, "fresh"), name="n" * 10**6, path="p" * 10**6)))
    assert max(map(width, text.splitlines())) <= 100


def test_an_empty_prompt_has_no_picture() -> None:
    made = msgspec.structs.replace(inspection(), segments=(), request=builders.row(1, {}))
    check(made)
    text = show(made)
    assert "the prompt is empty" in text
    assert "no tokens" in text


@pytest.mark.parametrize("depth", ["16", "256", "truecolor"])
def test_color_changes_nothing_but_color(depth: ColorDepth) -> None:
    plain, colored = show(inspection()), show(inspection(), replace(Page(), color=depth))
    assert colored != plain
    assert [line.rstrip() for line in _SGR.sub("", colored).splitlines()] == plain.splitlines()


def test_json_is_the_inspection_comes_back_and_validates() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    made = inspection()
    data = Json().render(made, RenderOptions())
    assert msgspec.json.decode(data, type=Inspection) == made
    validator = jsonschema.Draft202012Validator(json.loads(schema(Inspection)))
    given_json = json.loads(data)
    validator.validate(given_json)
    del given_json["segments"]
    assert not validator.is_valid(given_json)


# -- figures


def test_the_screen_says_what_broke_for_what_and_by_whom() -> None:
    text = show(inspection(), Page(160))
    assert re.search(r"diverged for edit 1, changed at token 140, CL101 volatile-prefix", text)
    assert re.search(r"BREAK +changed: system, system, character 9", text)
    assert re.search(r"first at token 140, 40 into segment 1 .* 760 tokens computed again", text)
    assert re.search(
        r"superseded_read, all: by segment 3, tool_result messages\[3\].content \(read_file\)", text
    )
    assert re.search(r"LINEAGE main +begun by request r1 +4 requests before these", text)
    assert re.search(r"r3 +12.5 s +1,000 +14.0 % +diverged 760 +changed", text)


def test_legends_sum_to_the_prompt() -> None:
    text = show(inspection(), Page(160))
    for title, looks in (
        ("kind", KIND_LOOKS),
        ("outcome", OUTCOME_LOOKS),
        ("label", LABEL_LOOKS),
        ("waste", BUCKET_LOOKS),
    ):
        legend = text[text.index(f"\n  {title:<9}") :].splitlines()[2]
        names = "|".join(re.escape(look.label) for look in looks.values())
        assert (
            sum(int(found.replace(",", "")) for found in re.findall(rf"(?:{names}) ([\d,]+), ", legend))
            == 1000
        )


def test_without_a_break_the_screen_says_why() -> None:
    row = segment(0, piece(0, 9, "fresh"))
    assert "none: the prompt begins with the whole prompt of r2" in show(inspection(row))
    first = builders.row(1, {"fresh": 9})
    assert "none: the request continues no other" in show(inspection(row, request=first))
    hashes = builders.facts(requests=3, encoding="hashes")
    assert "block hashes do not say what changed" in show(inspection(row, trace=hashes))


def test_reported_tokens_stand_beside_the_simulated_ones() -> None:
    row = builders.row(
        3, {"hit": 750, "fresh": 250}, reported_cached_tokens=450, expected="less", miss_reason="ttl"
    )
    made = inspection(
        segment(0, piece(0, 750), piece(750, 1000, "fresh")), request=row, reported_prompt_tokens=900
    )
    said = (
        "reported 450 cached of 900 by the server's count, 50.0 %; simulated 75.0 %: less than expected (ttl)"
    )
    assert said in show(made, Page(160))
    assert "reported" not in show(inspection())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (86_400 * 3 + 4 * 3600 + 59, "3 d 4 h"),
        (-5, "-5.0 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_check_sees_every_token_that_is_not_accounted_for() -> None:
    good = inspection()
    check(good)
    rows = good.segments
    gap = msgspec.structs.replace(rows[1], pieces=(rows[1].pieces[0],))
    moved = msgspec.structs.replace(rows[1], start=99)
    other = msgspec.structs.replace(rows[3], pieces=(piece(900, 1000, "hit"),))
    wasted = msgspec.structs.replace(rows[3], pieces=(piece(900, 1000, "fresh", bucket="stale_history"),))
    for wrong in (gap, moved, other, wasted):
        changed = tuple(wrong if row.position == wrong.position else row for row in rows)
        with pytest.raises(ValueError, match=r"segment"):
            check(msgspec.structs.replace(good, segments=changed))
    with pytest.raises(ValueError, match="sum to the outcomes"):
        check(msgspec.structs.replace(good, segments=rows[:-1]))


# -- pictures

RUNS = st.lists(st.tuples(st.integers(0, 50), st.sampled_from(OUTCOMES)), max_size=12)


@given(RUNS, st.integers(len(OUTCOMES), 40))
def test_a_picture_shows_what_most_of_a_cell_is_and_hides_nothing(
    runs: list[tuple[int, str]], room: int
) -> None:
    cells = picture(runs, room)
    # token by token, each as wide as the bar: cell c is made of the units [c * whole, (c + 1) * whole)
    units = [name for tokens, name in runs for _ in range(tokens) for _ in range(room)]
    if not units:
        assert cells == []
        return
    whole = len(units) // room
    assert len(cells) == room
    assert set(cells) == set(units)
    majority = []
    for at in range(room):
        held = Counter(units[at * whole : (at + 1) * whole])
        majority.append({name for name in held if held[name] == max(held.values())})
    repainted = sum(cell not in best for cell, best in zip(cells, majority, strict=True))
    hidden = set(units) - {cell for cell, best in zip(cells, majority, strict=True) if cell in best}
    assert repainted <= len(hidden)


def test_hidden_names_keep_their_order() -> None:
    assert picture([(3, "hit"), (2, "fresh"), (95, "divergence")], 5) == ["hit", "fresh", *["divergence"] * 3]
    assert picture([(95, "divergence"), (2, "hit"), (3, "fresh")], 5)[-2:] in (
        ["hit", "fresh"],
        ["fresh", "hit"],
    )


def test_a_picture_too_narrow_for_all_names_still_fits() -> None:
    assert picture([(5, "hit"), (1, "fresh"), (1, "expiry")], 2) == ["hit", "fresh"]
    assert picture([(5, "hit")], 0) == []


def test_a_strip_joins_neighbors_of_one_look() -> None:
    spans = strip(["hit", "hit", "fresh"], OUTCOME_LOOKS, Page(ascii_only=True))
    assert [span.text for span in spans] == ["##", "."]


def test_letters_of_a_bar_are_told_apart() -> None:
    for looks in (OUTCOME_LOOKS, LABEL_LOOKS, BUCKET_LOOKS, KIND_LOOKS):
        for glyphs in (
            [look.glyph for look in looks.values()],
            [look.ascii_glyph for look in looks.values()],
        ):
            assert len(set(glyphs)) == len(looks)
            assert all(width(glyph) == 1 for glyph in glyphs)
        assert all(look.ascii_glyph.isascii() for look in looks.values())


# -- folds


@st.composite
def prompts(draw: st.DrawFn) -> Inspection:
    rows, at = [], 0
    for position in range(draw(st.integers(1, 120))):
        pieces = []
        for _ in range(draw(st.integers(1, 2))):
            size = draw(st.integers(1, 9))
            outcome = draw(st.sampled_from(["hit", "hit", "hit", "divergence", "fresh"]))
            label = draw(st.sampled_from(["live", "live", "live", "echo"]))
            pieces.append(
                piece(at, at + size, outcome, label, bucket=draw(st.sampled_from([None, "stale_history"])))
            )
            at += size
        rows.append(segment(position, *pieces, kind=draw(st.sampled_from(KINDS))))
    return inspection(*rows)


@given(prompts())
def test_folding_keeps_every_segment_once_in_order(made: Inspection) -> None:
    for rows in (None, ROWS, 10):
        found = groups(made, rows)
        assert [s for group in found for s in group.segments] == list(made.segments)
        assert rows is None or len(found) <= rows
        assert rows is not None or all(len(group.segments) == 1 for group in found)


def test_folding_joins_what_is_alike_and_leaves_what_is_telling() -> None:
    def many(kinds: list[str], outcome: str = "hit") -> list[int]:
        rows = [segment(n, piece(n, n + 1, outcome), kind=kind) for n, kind in enumerate(kinds)]
        return [len(group.segments) for group in groups(inspection(*rows))]

    assert many(["user", "assistant", "tool_call", "tool_result"]) == [
        4
    ]  # served and live: whatever the kind
    assert many(["user"] * 5, "fresh") == [5]
    assert many(["user", "user", "assistant", "user", "user"], "fresh") == [1, 1, 1, 1, 1]
    assert many(["user", "assistant"]) == [1, 1]  # two are shorter than a fold
    edited = msgspec.structs.replace(inspection().edits[0], now=None, before=None)
    rows = [segment(n, piece(n, n + 1)) for n in range(9)]
    side = msgspec.structs.replace(inspection().edits[0].now, position=4)
    made = inspection(*rows, edits=(msgspec.structs.replace(edited, now=side),))
    assert [len(group.segments) for group in groups(made)] == [4, 1, 4]


# -- differing texts

TEXT = st.text(alphabet="ab \n\t\u200bé.", max_size=40)


@given(TEXT, TEXT)
def test_without_the_marks_a_side_is_its_text(before: str, now: str) -> None:
    page = Page()
    old, new = versions(before, now, page, room=80, limit=100)
    for lines, text, marks in ((old, before, ("[-", "-]")), (new, now, ("{+", "+}"))):
        shown = "".join(span.text for line in lines for span in line)
        for mark in marks:
            shown = shown.replace(mark, "")
        assert shown == spelled(text)
        assert all(sum(width(span.text) for span in line) <= 80 for line in lines)
    if before != now:
        marked = "".join(span.text for line in (*old, *new) for span in line)
        assert "[-" in marked or "{+" in marked


def test_whole_words_are_marked_with_some_context() -> None:
    lead, trail = "word " * 200, " tail" * 200
    old, new = versions(f"{lead}at 10:31:07{trail}", f"{lead}at 10:32:07{trail}", Page(), 1000, 5)
    (line,) = ["".join(span.text for span in line) for line in old]
    assert re.fullmatch(r"….{60}", line.partition("[-")[0])
    assert "10:[-31-]:07" in line
    assert len(line) < 200
    assert "10:{+32+}:07" in "".join(span.text for span in new[0])


def test_long_differences_are_bounded() -> None:
    old, new = versions("a b " * 10**5, "c d " * 10**5, Page(), 60, 4)
    assert len(old) == len(new) == 4
    assert old[-1][-1].text == "…"


def test_invisible_differences_are_spelled_out() -> None:
    old, new = versions("one two", "one\u202e \x1b[2Jtwo", Page(), 80, 4)
    text = "".join(span.text for line in (*old, *new) for span in line)
    assert "\\u202e" in text
    assert "\\x1b" in text
    assert not set(text) & {"\u202e", "\x1b"}
    assert spelled("a" + "\u0301" * 5 + "漢", ascii_only=True).isascii()
    assert spelled("\ud800") == "\\ud800"
