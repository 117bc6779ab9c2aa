"""Every planted edit is found with its kind, place and tokens, and nothing else is."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.attribute.align import Match, in_order
from cachelens.attribute.edits import edits_of
from cachelens.attribute.history import compare
from cachelens.model.edits import Edit
from tests.truth.scripts import Planted, Script, scripts
from tests.truth.tables import FRAME, Ask, Seg, table, texts_of, word

#: Eight words that share no token.
WORDS = [Seg(word(number, 5 + number), "user") for number in range(8)]
PROMPTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)


def found(script: Script, first: int = 0) -> list[Edit]:
    trace = table(script.asks)
    return edits_of(trace, texts_of(trace), compare(trace, 1, 0), first)


def between(before: list[Seg], reply: list[Seg], now: list[Seg]) -> list[Edit]:
    trace = table([Ask(before, reply), Ask(now, (), 0)])
    return edits_of(trace, texts_of(trace), compare(trace, 1, 0), 0)


def plain(edit: Edit) -> Planted:
    return Planted(
        edit.kind,
        edit.before_at,
        edit.now_at,
        edit.head,
        edit.tail,
        edit.in_reply,
        edit.depth,
        edit.after_tokens,
    )


@settings(max_examples=300, deadline=None)
@given(scripts())
def test_what_was_planted_is_found_and_nothing_else(script: Script) -> None:
    edits = found(script)
    assert sorted(plain(edit) for edit in edits) == sorted(script.planted)
    assert [edit.depth for edit in edits] == sorted(edit.depth for edit in edits)


@settings(max_examples=100, deadline=None)
@given(scripts(), st.integers(0, 9))
def test_edits_are_numbered_and_name_their_rows(script: Script, first: int) -> None:
    trace = table(script.asks)
    edits = edits_of(trace, texts_of(trace), compare(trace, 1, 0), first)
    assert [edit.number for edit in edits] == list(range(first, first + len(edits)))
    then = trace.segments.path(int(trace.last_output[0])).tolist()
    now = trace.segments.path(int(trace.last_segment[1])).tolist()
    for edit in edits:
        assert edit.before_row == (then[edit.before_at] if edit.before_at >= 0 else -1)
        assert edit.now_row == (now[edit.now_at] if edit.now_at >= 0 else -1)
        assert edit.row == (edit.now_row if edit.now_at >= 0 else edit.before_row)
        assert (edit.request, edit.before, edit.sibling) == (1, 0, False)


@settings(max_examples=300, deadline=None)
@given(PROMPTS, st.lists(st.sampled_from(WORDS), max_size=3), PROMPTS)
def test_the_first_edit_is_where_the_prompts_differ_first(
    before: list[Seg], reply: list[Seg], now: list[Seg]
) -> None:
    """Whatever was removed, inserted, repeated and moved at once."""
    trace = table([Ask(before, reply), Ask(now, (), 0)])
    pair = compare(trace, 1, 0)
    edits = edits_of(trace, texts_of(trace), pair, 0)
    then = [*before, *reply] if pair.echoed else before
    same = next(
        (at for at, (a, b) in enumerate(zip(then, now, strict=False)) if a != b), min(len(then), len(now))
    )
    if same == len(then):
        assert edits == []
    else:
        assert edits[0].depth == sum(seg.tokens for seg in now[:same])
    # Places that have no edit stand in both prompts, in the same order, or are new at the end.
    gone = {edit.before_at for edit in edits} - {-1}
    put = {edit.now_at for edit in edits} - {-1}
    stayed = [seg for at, seg in enumerate(then) if at not in gone]
    left = [seg for at, seg in enumerate(now) if at not in put]
    assert left[: len(stayed)] == stayed


def test_a_segment_without_tokens_is_no_edit() -> None:
    a, b, c = WORDS[:3]
    nothing = Seg((), "assistant")
    assert between([a, nothing, b], [], [a, b, c]) == []
    assert between([a, b, c], [], [a, nothing, b, c]) == []
    assert [edit.kind for edit in between([a, nothing, b, c], [], [a, c, nothing])] == ["removed"]


def test_a_segment_moved_to_the_end_takes_effect_where_it_was_taken_away() -> None:
    a, b, c, d = WORDS[:4]
    (edit,) = between([a, b, c, d], [], [a, c, d, b])
    assert (edit.kind, edit.depth, edit.after_tokens) == ("moved", a.tokens, b.tokens + c.tokens + d.tokens)


def test_what_was_removed_beside_a_moved_segment_takes_effect_first() -> None:
    a, b, c, d, e = WORDS[:5]
    edits = between([a, b, c, e, d], [], [a, d, c, e])
    assert [(edit.kind, edit.depth) for edit in edits] == [("removed", a.tokens), ("moved", a.tokens)]


def test_a_short_output_of_the_same_call_is_a_change_although_nothing_is_the_same() -> None:
    a, b = WORDS[:2]
    output = Seg(word(20, 30), "tool_result", True, "call1")
    stub = Seg(word(21, 3), "tool_result", True, "call1")
    other = Seg(word(21, 3), "tool_result", True, "call2")
    (edit,) = between([a, output, b], [], [a, stub, b])
    assert (edit.kind, edit.head, edit.tail) == ("changed", 4, 0)
    assert [edit.kind for edit in between([a, output, b], [], [a, other, b])] == ["removed", "inserted"]


def test_a_summary_is_three_times_shorter_and_stands_for_two_segments_or_more() -> None:
    a, b = WORDS[:2]
    long = [Seg(word(20 + at, 30), "user") for at in range(3)]
    short = Seg(word(30, 20), "assistant")
    longer = Seg(word(30, 31), "assistant")
    assert {edit.kind for edit in between([a, *long, b], [], [a, short, b])} == {"summarized"}
    assert {edit.kind for edit in between([a, *long, b], [], [a, longer, b])} == {"removed", "inserted"}
    assert {edit.kind for edit in between([a, long[0], b], [], [a, short._replace(ids=word(30, 9)), b])} == {
        "removed",
        "inserted",
    }


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(6)), st.lists(st.integers(1, 9), min_size=6, max_size=6))
def test_what_stays_in_order_holds_most_tokens(places: list[int], tokens: list[int]) -> None:
    """Against all choices of segments that rise in both prompts."""
    found = [
        Match(now, before, size, 0) for now, (before, size) in enumerate(zip(places, tokens, strict=True))
    ]
    kept = sorted(in_order(found))
    assert all(found[a].before < found[b].before for a, b in pairwise(kept))
    rising = [
        choice
        for size in range(7)
        for choice in combinations(range(6), size)
        if all(places[a] < places[b] for a, b in pairwise(choice))
    ]
    assert sum(tokens[at] for at in kept) == max(sum(tokens[at] for at in choice) for choice in rising)


def test_a_reminder_that_goes_to_the_end_moved_and_not_the_reply() -> None:
    a, note, reply, turn = (Seg(word(number, 9), "user") for number in range(4))
    (edit,) = between([a, note], [reply], [a, reply, turn, note])
    assert (edit.kind, edit.before_at, edit.now_at, edit.depth) == ("moved", 1, 3, 9)
    assert edit.after_tokens == 18


def test_a_short_text_that_gets_the_frame_of_its_message_is_still_that_text() -> None:
    """As where thinking in front of it is left out."""
    a, b = WORDS[:2]
    thinking = Seg(word(20, 30), "thinking", True)
    text = Seg(word(21, 2), "assistant")
    edits = between([a, thinking, text, b], [], [a, text._replace(framed=True), b])
    assert [(edit.kind, edit.head, edit.tail) for edit in edits] == [("removed", 0, 0), ("framed", 0, 2)]
    assert edits[0].after_tokens == 2 + b.tokens


def test_of_texts_of_one_template_the_one_that_is_most_alike_was_edited() -> None:
    a, b = WORDS[:2]
    template = word(20, 8)
    texts = [Seg((*word(30 + at, 3), *template), "assistant") for at in range(3)]
    edited = texts[2]._replace(ids=(9999, *texts[2].ids))
    edits = between([a, *texts, b], [], [a, edited, b])
    assert [(edit.kind, edit.before_at, edit.now_at) for edit in edits] == [
        ("removed", 1, -1),
        ("removed", 2, -1),
        ("changed", 3, 1),
    ]


def test_what_is_gone_behind_a_replaced_output_takes_effect_behind_it() -> None:
    a, b, c = WORDS[:3]
    output = Seg(word(20, 30), "tool_result", True, "call1")
    stub = Seg(word(21, 3), "tool_result", True, "call1")
    edits = between([a, output, b, c], [], [a, stub, c])
    assert [(edit.kind, edit.depth) for edit in edits] == [
        ("changed", a.tokens + FRAME),
        ("removed", a.tokens + stub.tokens),
    ]


def test_two_short_texts_for_three_and_a_short_reply_are_no_summary() -> None:
    a, b = WORDS[:2]
    long = [Seg(word(20 + at, 40), "user") for at in range(3)]
    short = [Seg(word(30 + at, 4), "assistant") for at in range(2)]
    assert {edit.kind for edit in between([a, *long, b], [], [a, *short, b])} == {"removed", "inserted"}
    edits = between([a], [*long, b], [a, short[0], b])
    assert {(edit.kind, edit.in_reply) for edit in edits} == {("removed", True), ("inserted", False)}
