"""What prompts could do without: against every prompt looked at alone, and case by case."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.case import Case
from cachelens.advise.surplus import LATER, Part, Region, _facts, sum_of
from cachelens.model.kinds import KIND_CODE, LABELS
from tests.advise.sessions import Session, case_of, words

_TEXTS = [words(f"text {number}", 60) for number in range(3)]


@st.composite
def scripts(draw: st.DrawFn) -> Session:
    """A session that reads, writes and runs few things again and again, and at times changes its history."""
    session = Session("any", system="You write code.").user("go")
    for _ in range(draw(st.integers(2, 9))):
        path, text = draw(st.sampled_from("ab")), draw(st.sampled_from(_TEXTS))
        match draw(st.integers(0, 4)):
            case 0 | 1:
                session.use("read_file", {"path": path}, text)
            case 2:
                session.use(
                    "write_file", {"path": path, "content": text}, text if draw(st.booleans()) else "wrote"
                )
            case 3:
                code = draw(st.integers(0, 1))
                session.use("bash", {"command": f"make {path}"}, f"Exit code {code}\n{text}")
            case 4:
                session.messages[draw(st.integers(0, 1))]["content"] = f"changed {len(session.messages)}"
                session.ask("ok")
                session.user("go on")
    session.ask("done")
    return session


def parts_of(case: Case) -> dict[tuple[int, int], tuple[Part, ...]]:
    """(request, row) -> parts, from the regions."""
    found: dict[tuple[int, int], tuple[Part, ...]] = {}
    for region in case.surplus:
        for start, stop in region.runs:
            assert start < stop
            for request in case.tree.requests[start:stop].tolist():
                assert (request, region.row) not in found
                found[request, region.row] = region.parts
    return found


@settings(max_examples=25, deadline=None)
@given(scripts())
def test_regions_say_of_every_prompt_what_its_own_rows_say(session: Session) -> None:
    case = case_of(session)
    facts = _facts(case)
    found = parts_of(case)
    order = [
        "dup_exact",
        "failed_rerun",
        "dup_call",
        "superseded_read",
        "superseded_write",
        "echo",
        "unreferenced",
    ]
    carried = computed = 0
    for request in range(len(case)):
        path = case.path(request).tolist()
        start = 0
        for row in path:
            active = [f for f in facts.get(row, ()) if f.since in path and f.until.isdisjoint(path)]
            kept = {"unreferenced"} if any(fact.label == "kept if unused" for fact in active) else set()
            if any(fact.label == "kept" for fact in active):
                kept = set(LATER)
            here: list[tuple[str, int] | None] = []
            for place in range(case.tokens(row)):
                own = [f for f in active if f.lo <= place < f.hi and f.label not in kept]
                best = min(own, key=lambda f: (order.index(f.label), f.since), default=None)
                here.append((best.label, best.cause) if best else None)
                if best is not None:
                    carried += 1
                    computed += start + place >= int(case.replay.hit[request])
            said: list[tuple[str, int] | None] = [None] * case.tokens(row)
            for lo, hi, label, cause in found.pop((request, row), ()):
                said[lo:hi] = [(label, cause)] * (hi - lo)
            assert said == here
            assert case.tree.start[row] == start
            start += case.tokens(row)
    assert found == {}
    total = sum_of(case, case.surplus)
    assert (total.carried, total.computed) == (carried, computed)


@settings(max_examples=25, deadline=None)
@given(scripts())
def test_what_the_latest_read_of_every_file_said_can_be_told_from_what_is_left(session: Session) -> None:
    """With everything superfluous gone, the latest answer about each file that still holds stands somewhere."""
    case = case_of(session)
    found = parts_of(case)
    for request in range(len(case)):
        path = case.path(request).tolist()
        left = {
            case.text(row)
            for row in path
            if sum(hi - lo for lo, hi, _, _ in found.get((request, row), ())) < case.tokens(row) - 8
        }
        latest: dict[str, str | None] = {}
        for row in path:
            call = case.content.calls.of(row)
            if call is None or row not in case.content.calls.call_of or not call.deed.touches:
                continue
            touch = call.deed.touches[0]
            latest[touch.path] = case.text(row) if touch.action == "read" else None
        for text in latest.values():
            said = [
                one
                for one in left
                if one is not None and text is not None and text in (one, *one.split("\n", 1))
            ]
            escaped = [
                one for one in left if one is not None and text is not None and text.split("\n")[0] in one
            ]
            assert text is None or said or escaped


def labels_in_last(case: Case) -> dict[str, list[str]]:
    """Labels of the outputs in the last prompt, by the beginning of the text."""
    found: dict[str, list[str]] = {}
    last = parts_of(case)
    for row in case.path(len(case) - 1).tolist():
        if case.is_kind(row, "tool_result"):
            text = (case.text(row) or "")[:8]
            labels = [label for _, _, label, _ in last.get((len(case) - 1, row), ())]
            found.setdefault(text, []).append("+".join(labels) or "live")
    return found


def read(*texts: int) -> Case:
    session = Session("reads").user("go")
    for text in texts:
        session.use("read_file", {"path": "a"}, _TEXTS[text])
    session.ask("done")
    return case_of(session)


def test_of_two_equal_answers_the_later_goes() -> None:
    assert labels_in_last(read(0, 0)) == {"[text 0]": ["live", "dup_exact"]}
    assert labels_in_last(read(0, 0, 0)) == {"[text 0]": ["live", "dup_exact", "dup_exact"]}


def test_what_is_followed_by_an_equal_text_goes_when_that_does() -> None:
    assert labels_in_last(read(0, 0, 1)) == {"[text 0]": ["dup_call", "dup_exact"], "[text 1]": ["live"]}


def test_a_text_that_came_back_is_no_copy_of_what_went() -> None:
    assert labels_in_last(read(0, 1, 0)) == {"[text 0]": ["dup_call", "live"], "[text 1]": ["dup_call"]}


def two_files(*later: tuple[str, int]) -> Case:
    session = Session("files").user("go")
    for path, text in (("a", 0), ("b", 0), *later):
        session.use("read_file", {"path": path}, _TEXTS[text])
    session.ask("done")
    return case_of(session)


def test_what_a_copy_of_another_file_relies_on_is_kept_until_that_goes_too() -> None:
    assert labels_in_last(two_files()) == {"[text 0]": ["live", "dup_exact"]}
    assert labels_in_last(two_files(("a", 1))) == {"[text 0]": ["live", "dup_exact"], "[text 1]": ["live"]}
    assert labels_in_last(two_files(("a", 1), ("b", 2)))["[text 0]"] == ["dup_call", "dup_exact"]
    assert labels_in_last(two_files(("b", 2)))["[text 0]"] == ["live", "dup_exact"]


def test_what_was_written_echoed_and_read_back_stays_once() -> None:
    session = Session("back").user("go")
    session.use("write_file", {"path": "a", "content": _TEXTS[0]}, _TEXTS[0])
    session.use("read_file", {"path": "a"}, _TEXTS[0])
    session.ask("done")
    case = case_of(session)
    carried = sum(
        region.tokens for region in case.surplus for start, stop in region.runs if stop == len(case)
    )
    text = case.tokens(case.path(len(case) - 1).tolist()[-1])
    assert carried <= 2 * text


def test_where_no_rule_of_its_own_applies_the_sums_are_those_of_the_ledger() -> None:
    session = Session("plain").user("go")
    session.use("write_file", {"path": "a", "content": _TEXTS[0]}, "wrote")
    session.use("read_file", {"path": "b"}, _TEXTS[1])
    session.use("write_file", {"path": "b", "content": _TEXTS[2]}, "wrote it")
    session.use("list_names", {"of": "."}, words("names", 80))
    session.use("list_names", {"of": "."}, words("more names", 80))
    session.steps(12)
    case = case_of(session)
    sums: Counter[str] = Counter()
    for region in case.surplus:
        for part in region.parts:
            sums[part.label] += (part.hi - part.lo) * region.prompts
    ledger = dict(zip(LABELS, case.ledger.labels.sum(axis=0).tolist(), strict=True))
    del ledger["live"]
    assert {label: tokens for label, tokens in ledger.items() if tokens} == dict(sums)
    assert len(sums) >= 2


def test_held_tokens_are_those_of_distinct_prefixes() -> None:
    session = Session("twin").user("go")
    session.use("read_file", {"path": "a"}, _TEXTS[0])
    session.use("read_file", {"path": "a"}, _TEXTS[0])
    session.ask("done")
    case = case_of(session)
    (region,) = case.surplus
    twin = Region(region.row, (), region.parts)
    assert sum_of(case, [region, twin]).held == region.tokens
    assert np.all(case.trace.segments.kind[[region.row]] == KIND_CODE["tool_result"])
