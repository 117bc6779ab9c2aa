"""A trace rewritten by a plan is the trace that would have been sent, to the token."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.plan import Plan
from cachelens.advise.rewrite import STUB_TOKENS, rewrite
from cachelens.attribute.history import History, compare, history
from cachelens.attribute.siblings import add_siblings
from cachelens.model.edits import Edit
from cachelens.model.kinds import OUTCOME_CODE
from cachelens.model.trace import Trace
from cachelens.simulate.workload import workload
from tests.attribute.test_history import accounts
from tests.truth.scripts import Script, scripts, sessions
from tests.truth.tables import FRAME, SPACE, Ask, Seg, prompt_ids, table, texts_of, word

FRAMES = 0xFFFFFF00


def past_of(trace: Trace) -> History:
    work = workload(trace)
    return history(trace, work, texts_of(trace), work.reusable())


def unknown_texts(trace: Trace) -> History:
    """The history of a rewritten trace, whose new contents have no text."""
    work = workload(trace)
    texts = replace(texts_of(trace), decode=None)
    return history(trace, work, texts, work.reusable())


def everything(past: History, silent: bool) -> Plan:
    numbers = frozenset(edit.number for edit in past.edits)
    return Plan(undo=numbers, silent=numbers if silent else frozenset())


def rows_of(trace: Trace, request: int, reply: bool = False) -> list[tuple[object, ...]]:
    """Each segment of a prompt with all that a table says about it."""
    last = trace.last_output if reply else trace.last_segment
    segments, contents = trace.segments, trace.contents
    found = []
    for row in segments.path(int(last[request])).tolist():
        content = int(segments.content[row])
        columns = (segments.kind, segments.role, segments.name, segments.call_id, segments.breakpoint_s)
        found.append(
            (
                contents.token_ids(content).tolist(),
                int(contents.tokens[content]),
                int(contents.framing[content]),
                *(int(column[row]) for column in columns),
                segments.location(row),
            )
        )
    return found


def same_tables(one: Trace, other: Trace) -> None:
    assert one.requests.equals(other.requests)
    assert one.predecessor.tolist() == other.predecessor.tolist()
    for request in range(len(one)):
        for reply in (False, True):
            assert rows_of(one, request, reply) == rows_of(other, request, reply)


def consistent(trace: Trace) -> None:
    """What every trace has: parents first, prompt tokens that are those of its rows, prompts that replies follow."""
    assert (trace.segments.parent < np.arange(len(trace.segments))).all()
    for request, tokens in enumerate(trace.requests["prompt_tokens"].to_list()):
        assert tokens == len(prompt_ids(trace, request))
        assert prompt_ids(trace, request, reply=True)[:tokens] == prompt_ids(trace, request)


@settings(max_examples=60, deadline=None)
@given(sessions())
def test_an_empty_plan_changes_nothing(asks: list[Ask]) -> None:
    trace = table(asks)
    same_tables(rewrite(trace, past_of(trace), Plan()), trace)


@settings(max_examples=400, deadline=None)
@given(scripts(), st.data())
def test_edits_that_are_undone_are_not_there_and_all_others_are(script: Script, data: st.DataObject) -> None:
    """Against the prompt that the script writes without them; what they put in comes late, and once."""
    trace = table(script.asks)
    past = past_of(trace)
    edited = [number for number, unit in enumerate(script.units) if unit.edits]
    undone = (
        set(data.draw(st.lists(st.sampled_from(edited), unique=True))) if edited and past.edits else set()
    )
    silent = set(data.draw(st.lists(st.sampled_from(sorted(undone)), unique=True))) if undone else set()
    wanted = {number: {script.planted[at][:3] for at in script.units[number].edits} for number in undone}
    numbers = {
        number: {e.number for e in past.edits if (e.kind, e.before_at, e.now_at) in wanted[number]}
        for number in undone
    }
    plan = Plan(
        undo=frozenset(one for number in undone for one in numbers[number]),
        silent=frozenset(one for number in silent for one in numbers[number]),
    )
    made = rewrite(trace, past, plan)
    consistent(made)
    assert prompt_ids(made, 0) == prompt_ids(trace, 0)
    assert prompt_ids(made, 1) == script.without(undone, silent)


@settings(max_examples=200, deadline=None)
@given(sessions(), st.booleans())
def test_without_any_edit_every_trace_only_grows(asks: list[Ask], silent: bool) -> None:
    trace = table(asks)
    past = past_of(trace)
    made = rewrite(trace, past, everything(past, silent))
    consistent(made)
    assert [edit for edit in unknown_texts(made).edits if edit.after_tokens > 0] == []
    assert accounts(made, "ideal")[:, OUTCOME_CODE["divergence"]].sum() == 0
    for request, before in enumerate(made.predecessor.tolist()):
        if before >= 0 and past.edits_of.get(request):
            ids, sent = prompt_ids(made, request), prompt_ids(made, before)
            assert ids[: len(sent)] == sent
    # Replies are as they were generated.
    for request in range(len(trace)):
        size = len(prompt_ids(trace, request))
        new = len(prompt_ids(made, request))
        assert prompt_ids(made, request, True)[new:] == prompt_ids(trace, request, True)[size:]


def test_what_is_new_stands_behind_a_result_that_stays_as_it_was() -> None:
    """Found by chance: new text before a result whose other version is not sent is new all the same."""

    def seg(kind: str, *ids: int, call: str | None = None) -> Seg:
        return Seg(ids=ids, kind=kind, framed=False, call=call, name=None, mark=0)

    def ask(before: int, *prompt: Seg) -> Ask:
        return Ask(prompt=list(prompt), reply=[], before=before, start=0, namespace="", lineage=None, more={})

    head, old = seg("system", 1, 2, 3, 4), [seg("user", 11, 12), seg("tool_result", 13, 14, call="c")]
    now = [seg("user", 21, 22), seg("tool_result", 23, 24, call="c")]
    trace = table([ask(-1, head, *old), ask(0, head, *now)])
    past = past_of(trace)
    made = rewrite(trace, past, everything(past, True))
    assert prompt_ids(made, 1) == [1, 2, 3, 4, 11, 12, 13, 14, 21, 22]


@settings(max_examples=200, deadline=None)
@given(sessions())
def test_silent_edits_add_nothing_and_what_was_sent_is_sent_on(asks: list[Ask]) -> None:
    """Each prompt is its predecessor's, the reply if it came back, and what is new at the end."""
    trace = table(asks)
    past = past_of(trace)
    made = rewrite(trace, past, everything(past, True))
    wanted: list[list[int]] = []
    for request, before in enumerate(trace.predecessor.tolist()):
        now = asks[request].prompt
        if before < 0:
            wanted.append([token for seg in now for token in seg.whole])
            continue
        if request not in past.edits_of:
            sent = sum(seg.tokens for seg in asks[before].prompt)
            wanted.append(wanted[before] + prompt_ids(trace, request)[sent:])
            continue
        pair = compare(trace, request, before)
        used = {match.now for match in pair.found} | {
            edit.now_at for edit in past.edits_of[request] if edit.now_at >= 0
        }
        reply = asks[before].reply if pair.echoed else ()
        new = [seg for at, seg in enumerate(now) if at not in used]
        wanted.append(wanted[before] + [token for seg in (*reply, *new) for token in seg.whole])
    assert [prompt_ids(made, request) for request in range(len(trace))] == wanted


@settings(max_examples=200, deadline=None)
@given(sessions())
def test_what_edits_put_in_is_sent_exactly_once(asks: list[Ask]) -> None:
    trace = table(asks)
    past = past_of(trace)
    made = rewrite(trace, past, everything(past, False))
    for request, before in enumerate(trace.predecessor.tolist()):
        sent = set(prompt_ids(trace, before, reply=True)) if before >= 0 else set()
        own = Counter(prompt_ids(made, request))
        there = {token for token in prompt_ids(trace, request) if token != SPACE and token < FRAMES}
        assert all(own[token] for token in there)
        assert all(own[token] == 1 for token in there - sent)


@settings(max_examples=100, deadline=None)
@given(sessions(), st.data())
def test_undoing_edits_of_one_request_leaves_all_before_it_alone(
    asks: list[Ask], data: st.DataObject
) -> None:
    trace = table(asks)
    past = past_of(trace)
    if not past.edits_of:
        return
    chosen = data.draw(st.sampled_from(sorted(past.edits_of)))
    numbers = frozenset(edit.number for edit in past.edits_of[chosen])
    made = rewrite(trace, past, Plan(undo=numbers, silent=numbers))
    later = {chosen}
    for request, before in enumerate(trace.predecessor.tolist()):
        if before in later:
            later.add(request)
        elif request not in later:
            assert prompt_ids(made, request) == prompt_ids(trace, request)
    # Edits of the others are still there, where what they changed is still there.
    left = {(edit.request, edit.kind) for edit in unknown_texts(made).edits if edit.request not in later}
    texts = replace(texts_of(trace), decode=None)
    work = workload(trace)
    plain = history(trace, work, texts, work.reusable())
    assert left == {(edit.request, edit.kind) for edit in plain.edits if edit.request not in later}


def seg(number: int, tokens: int = 9, kind: str = "user", **more: object) -> Seg:
    return Seg(word(number, tokens), kind, **more)  # type: ignore[arg-type]


def ids(*segs: Seg) -> list[int]:
    return [token for one in segs for token in one.whole]


def numbers(past: History, **where: object) -> frozenset[int]:
    return frozenset(
        edit.number for edit in past.edits if all(getattr(edit, key) == value for key, value in where.items())
    )


def test_what_is_kept_before_everything_else_is_carried_on() -> None:
    """A window that drops the first message: the next request still has it."""
    a, b, c, d = (seg(number) for number in range(4))
    asks = [Ask([a, b]), Ask([b, c], (), 0), Ask([b, c, d], (), 1)]
    trace = table(asks)
    past = past_of(trace)
    made = rewrite(trace, past, everything(past, True))
    assert prompt_ids(made, 1) == ids(a, b, c)
    assert prompt_ids(made, 2) == ids(a, b, c, d)


def test_tools_that_come_and_go_stay_and_are_sent_once() -> None:
    a, tool, b, c, d = (seg(number) for number in range(5))
    asks = [
        Ask([a, tool, b]),
        Ask([a, b, c], (), 0),
        Ask([a, tool, b, c, d], (), 1),
        Ask([a, b, c, d], (), 2),
    ]
    trace = table(asks)
    past = past_of(trace)
    assert [edit.kind for edit in past.edits] == ["removed", "inserted", "removed"]
    made = rewrite(trace, past, everything(past, False))
    assert [prompt_ids(made, at) for at in range(4)] == [
        ids(a, tool, b),
        ids(a, tool, b, c),
        ids(a, tool, b, c, d),
        ids(a, tool, b, c, d),
    ]


def test_a_clock_that_is_not_silent_comes_behind_what_was_sent() -> None:
    before, after = word(1, 10), word(2, 10)
    clocks = [Seg((*before, 7000 + at, *after), "system") for at in range(3)]
    b, c, d = seg(4), seg(5), seg(6)
    trace = table([Ask([clocks[0], b]), Ask([clocks[1], b, c], (), 0), Ask([clocks[2], b, c, d], (), 1)])
    past = past_of(trace)
    made = rewrite(trace, past, everything(past, False))
    assert prompt_ids(made, 1) == [*ids(clocks[0], b), 7001, *ids(c)]
    assert prompt_ids(made, 2) == [*ids(clocks[0], b), 7001, *ids(c), 7002, *ids(d)]
    last = made.segments.path(int(made.last_segment[1])).tolist()[-2]
    assert made.segments.breakpoint_s[last] == 0
    half = rewrite(trace, past, Plan(undo=numbers(past, request=1), silent=numbers(past, request=1)))
    assert prompt_ids(half, 1) == ids(clocks[0], b, c)
    assert prompt_ids(half, 2) == ids(clocks[2], b, c, d)


def test_new_text_of_a_moved_and_changed_segment_is_not_lost() -> None:
    one = Seg((*word(1, 10), *word(2, 2), *word(3, 10)), "user")
    other = Seg((*word(1, 10), *word(4, 2), *word(3, 10)), "user")
    a, b, c = seg(5, 40), seg(6), seg(7)
    trace = table([Ask([one, a, b]), Ask([a, b, other, c], (), 0)])
    past = past_of(trace)
    assert [edit.kind for edit in past.edits] == ["moved"]
    assert prompt_ids(rewrite(trace, past, everything(past, False)), 1) == [
        *ids(one, a, b),
        *word(4, 2),
        *ids(c),
    ]
    assert prompt_ids(rewrite(trace, past, everything(past, True)), 1) == ids(one, a, b, c)


def test_where_a_segment_goes_back_to_is_no_place_for_what_stood_behind_it() -> None:
    a, b, c, d, new = (seg(number) for number in range(5))
    trace = table([Ask([a, b, c, d]), Ask([a, d, new, b, c], (), 0)])
    past = past_of(trace)
    moved = numbers(past, kind="moved")
    assert prompt_ids(rewrite(trace, past, Plan(undo=moved)), 1) == ids(a, new, b, c, d)


def test_old_text_that_is_kept_stands_before_new_text_in_its_place() -> None:
    """So that as much as can be is served, and what was not undone is computed alone."""
    a, gone, b, c, new = seg(0), seg(1, 30, "tool_result", call="x"), seg(2), seg(3), seg(4)
    trace = table([Ask([a, gone, b]), Ask([a, new, b, c], (), 0)])
    past = past_of(trace)
    assert [edit.kind for edit in past.edits] == ["removed", "inserted"]
    made = rewrite(trace, past, Plan(undo=numbers(past, kind="removed")))
    assert prompt_ids(made, 1) == ids(a, gone, new, b, c)
    made = rewrite(trace, past, Plan(undo=numbers(past, kind="inserted")))
    assert prompt_ids(made, 1) == ids(a, b, new, c)


def test_what_is_new_comes_behind_old_text_that_goes_back() -> None:
    a, b, c, new = (seg(number) for number in range(4))
    trace = table([Ask([a, b, c]), Ask([b, new, a], (), 0)])
    past = past_of(trace)
    assert sorted(edit.kind for edit in past.edits) == ["moved", "truncated"]
    assert prompt_ids(rewrite(trace, past, everything(past, False)), 1) == ids(a, b, c, new)
    # With what moved left where it is now, the new text stays in front of it.
    kept = Plan(undo=numbers(past, kind="truncated"))
    assert prompt_ids(rewrite(trace, past, kept), 1) == ids(b, c, new, a)


def marks_of(trace: Trace, request: int) -> list[int]:
    return [
        int(mark)
        for mark in trace.segments.breakpoint_s[trace.segments.path(int(trace.last_segment[request]))]
    ]


def test_breakpoints_move_on_with_the_capture() -> None:
    """What is kept by the plan alone has no breakpoint of its own."""
    a, c, d, e = seg(1), seg(3), seg(4), seg(5)
    out = seg(2, kind="tool_result", call="x", mark=300)
    asks = [
        Ask([a, out, c]),
        Ask([a, c, d._replace(mark=300)], (), 0),
        Ask([a, c, d, e._replace(mark=300)], (), 1),
    ]
    trace = table(asks)
    past = past_of(trace)
    made = rewrite(trace, past, everything(past, True))
    assert [marks_of(made, at) for at in range(3)] == [[0, 300, 0], [0, 0, 0, 300], [0, 0, 0, 0, 300]]


def test_the_breakpoint_of_what_is_not_sent_stays_where_it_was() -> None:
    a, b, c, d = (seg(number) for number in range(4))
    note = seg(5, mark=300)
    inserted = table([Ask([a, b]), Ask([a, note, b, c], (), 0)])
    past = past_of(inserted)
    made = rewrite(inserted, past, everything(past, True))
    assert marks_of(made, 1) == [300, 0, 0]
    assert marks_of(rewrite(inserted, past, everything(past, False)), 1) == [300, 0, 0, 0]
    # A reminder that is moved to the end of every prompt, with the breakpoint on it.
    moved = table([Ask([a, b, note], [c]), Ask([a, b, c, d, note], (), 0)])
    past = past_of(moved)
    made = rewrite(moved, past, everything(past, True))
    assert prompt_ids(made, 1) == ids(a, b, note, c, d)
    assert marks_of(made, 1) == [0, 0, 0, 0, 300]


def test_the_breakpoint_of_what_is_left_out_goes_to_what_stood_before_it() -> None:
    a, b, out, c = seg(1), seg(2), seg(3, kind="tool_result", mark=300), seg(4)
    trace = table([Ask([a, b, out]), Ask([a, b, out._replace(mark=0), c], (), 0)])
    past = past_of(trace)
    rows = {int(trace.last_segment[0]): 0, int(trace.segments.parent[trace.last_segment[1]]): 0}
    made = rewrite(trace, past, Plan(shorten=rows))
    assert [prompt_ids(made, at) for at in range(2)] == [ids(a, b), ids(a, b, c)]
    assert [marks_of(made, at) for at in range(2)] == [[0, 300], [0, 0, 0]]
    cleared = Plan(
        shorten=rows, clear={0: frozenset([int(trace.segments.path(int(trace.last_segment[0]))[0])])}
    )
    assert marks_of(rewrite(trace, past, cleared), 0) == [0, 300]


@settings(max_examples=100, deadline=None)
@given(sessions(edits=()), st.data())
def test_shortened_segments_are_short_wherever_they_are_sent(asks: list[Ask], data: st.DataObject) -> None:
    trace = table(asks)
    past = past_of(trace)
    prompts = sorted({row for path in trace.prompts() for row in path.tolist()})
    shorten = data.draw(st.dictionaries(st.sampled_from(prompts), st.integers(0, 12), max_size=5))
    made = rewrite(trace, past, Plan(shorten=shorten))
    consistent(made)
    for request in range(len(trace)):
        want: list[int] = []
        for row in trace.segments.path(int(trace.last_segment[request])).tolist():
            content = int(trace.segments.content[row])
            own = trace.contents.token_ids(content).tolist()
            kept = shorten.get(row)
            if kept is not None:
                own = own[: int(trace.contents.framing[content]) + kept] if kept else []
            want += own
        assert prompt_ids(made, request) == want


@settings(max_examples=100, deadline=None)
@given(sessions(edits=()), st.data())
def test_cleared_segments_are_stubs_from_then_on(asks: list[Ask], data: st.DataObject) -> None:
    """In the request that clears them and in all that continue it, and in no other."""
    trace = table(asks)
    past = past_of(trace)
    clear: dict[int, frozenset[int]] = {}
    for request in data.draw(st.lists(st.integers(0, len(trace) - 1), unique=True, max_size=3)):
        path = trace.segments.path(int(trace.last_segment[request])).tolist()
        clear[request] = frozenset(data.draw(st.lists(st.sampled_from(path), unique=True, max_size=3)))
    made = rewrite(trace, past, Plan(clear=clear))
    consistent(made)
    gone: list[set[int]] = []
    for request, before in enumerate(trace.predecessor.tolist()):
        path = trace.segments.path(int(trace.last_segment[request])).tolist()
        # In an append-only trace a continued prompt has the very rows of the earlier one.
        gone.append(set(clear.get(request, ())) | (gone[before] if before >= 0 else set()))
        want = 0
        for row, found in zip(path, rows_of(made, request), strict=True):
            content = int(trace.segments.content[row])
            framing, tokens = int(trace.contents.framing[content]), int(trace.contents.tokens[content])
            assert found[1] == (framing + STUB_TOKENS if row in gone[request] else tokens)
            assert found[2] == framing
            want += int(found[1])
        assert made.requests["prompt_tokens"][request] == want


def test_a_stub_outlives_edits_around_it_and_its_own_undoing() -> None:
    a, out, b, c = seg(1), seg(2, 50, "tool_result", framed=True, call="x"), seg(3), seg(4)
    changed = a._replace(ids=(*a.ids[:4], 9999, *a.ids[4:]))
    asks = [Ask([a, out]), Ask([a, out, b], (), 0), Ask([changed, out, b, c], (), 1)]
    trace = table(asks)
    past = past_of(trace)
    row = int(trace.last_segment[0])
    made = rewrite(trace, past, Plan(clear={1: frozenset([row])}))
    assert made.requests["prompt_tokens"].to_list() == [63, 9 + 12 + 9, 10 + 12 + 9 + 9]
    both = Plan(clear={1: frozenset([row])}) | everything(past, True)
    assert rewrite(trace, past, both).requests["prompt_tokens"].to_list() == [63, 30, 39]


def test_marks_and_lifetimes() -> None:
    a, b = seg(1, mark=300), seg(2)
    trace = table(
        [
            Ask([a, b], more={"auto_breakpoint_ttl_s": 0}),
            Ask([a, b], (), 0, more={"auto_breakpoint_ttl_s": 300}),
        ]
    )
    past = past_of(trace)
    longer = rewrite(trace, past, Plan(ttl_s=3600))
    assert longer.requests["auto_breakpoint_ttl_s"].to_list() == [0, 3600]
    assert longer.segments.breakpoint_s.tolist() == [3600, 0]
    marked = rewrite(trace, past, Plan(mark_s=300))
    assert marked.requests["auto_breakpoint_ttl_s"].to_list() == [300, 300]
    assert rewrite(trace, past, Plan(mark_s=300, ttl_s=3600)).requests["auto_breakpoint_ttl_s"].to_list() == [
        3600,
        3600,
    ]


def sibling_trace() -> Trace:
    """Two lineages: something of their own, then 300 tokens that both have, then their task."""
    shared = seg(50, 300, "system", framed=True)
    first = [seg(1, 20, "system"), shared, seg(2)]
    second = [seg(3, 20, "system"), shared, seg(4)]
    more = [*second, seg(5)]
    return table([Ask(first), Ask(second), Ask(more, (), 1), Ask([*first, seg(6)], (), 0)])


def test_siblings_share_what_stood_behind_something_of_their_own() -> None:
    trace = sibling_trace()
    past = past_of(trace)
    work = workload(trace)
    add_siblings(past, trace, texts_of(trace), work.reusable())
    edits: list[Edit] = list(past.sibling_edits[1])
    assert [(edit.kind, edit.sibling, edit.before) for edit in edits] == [("changed", True, 0)]
    made = rewrite(trace, past, Plan(undo=frozenset(edit.number for edit in edits)))
    shared = ids(seg(1, 20, "system"), seg(50, 300, "system", framed=True))
    assert prompt_ids(made, 1) == [*shared, *word(3, 20), *ids(seg(4))]
    assert prompt_ids(made, 2) == [*shared, *word(3, 20), *ids(seg(4), seg(5))]
    assert prompt_ids(made, 3) == prompt_ids(trace, 3)
    assert workload(made).reusable()[1] == 20 + 300 + FRAME


def test_a_third_that_begins_like_the_second_is_rewritten_like_it_with_breakpoints_of_its_own() -> None:
    shared, own = seg(50, 300, "system", framed=True), seg(3, 20, "system")
    first = [seg(1, 20, "system"), shared, seg(2)]
    second = [own, shared, seg(4)]
    third = [own, shared, seg(5, mark=300)]
    trace = table([Ask(first), Ask(second), Ask(third), Ask([*third, seg(6)], (), 2)])
    past = past_of(trace)
    add_siblings(past, trace, texts_of(trace), workload(trace).reusable())
    assert sorted(past.sibling_edits) == [1]
    made = rewrite(trace, past, Plan(undo=frozenset(edit.number for edit in past.sibling_edits[1])))
    consistent(made)
    head = [*ids(seg(1, 20, "system"), shared), *word(3, 20)]
    assert prompt_ids(made, 1) == [*head, *ids(seg(4))]
    assert prompt_ids(made, 2) == [*head, *ids(seg(5))]
    assert prompt_ids(made, 3) == [*head, *ids(seg(5), seg(6))]
    assert [marks_of(made, at) for at in range(4)] == [[0] * 3, [0] * 4, [0, 0, 0, 300], [0, 0, 0, 300, 0]]
