"""Plans join into one that holds them all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachelens.advise.plan import Plan, join

NUMBERS = st.frozensets(st.integers(0, 9), max_size=4)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    undo = draw(NUMBERS)
    return Plan(
        undo=undo,
        silent=undo & draw(NUMBERS),
        shorten=draw(st.dictionaries(st.integers(0, 9), st.integers(0, 50), max_size=3)),
        clear=draw(st.dictionaries(st.integers(0, 9), NUMBERS.filter(bool), max_size=3)),
        ttl_s=draw(st.sampled_from([None, 300, 3600])),
        mark_s=draw(st.sampled_from([None, 300, 3600])),
        system_in_place=draw(st.booleans()),
        capacity_tokens=draw(st.none() | st.integers(1, 99)),
    )


@given(st.lists(plans(), max_size=5))
def test_a_join_holds_what_each_holds(given_plans: list[Plan]) -> None:
    whole = join(given_plans)
    assert whole.undo == frozenset().union(*(plan.undo for plan in given_plans))
    for row in {row for plan in given_plans for row in plan.shorten}:
        assert whole.shorten[row] == min(p.shorten[row] for p in given_plans if row in p.shorten)
    for request in {request for plan in given_plans for request in plan.clear}:
        assert whole.clear[request] == frozenset().union(
            *(p.clear.get(request, frozenset()) for p in given_plans)
        )
    for name in ("ttl_s", "mark_s", "capacity_tokens"):
        values = [value for plan in given_plans if (value := getattr(plan, name)) is not None]
        assert getattr(whole, name) == (max(values) if values else None)
    assert whole.system_in_place == any(plan.system_in_place for plan in given_plans)
    assert whole.empty == all(plan.empty for plan in given_plans)
    assert whole.rewrites == any(plan.rewrites for plan in given_plans)


@given(plans(), plans(), plans())
def test_the_order_in_which_plans_join_does_not_matter(one: Plan, two: Plan, three: Plan) -> None:
    assert (one | two) | three == one | (two | three)
    assert one | two == two | one
    assert one | one == one


def test_an_edit_that_one_plan_would_still_send_is_silent_when_another_says_so() -> None:
    loud = Plan(undo=frozenset([1, 2]))
    quiet = Plan(undo=frozenset([2]), silent=frozenset([2]))
    assert (loud | quiet).silent == {2}


def test_what_changes_the_cache_alone_needs_no_rewriting() -> None:
    assert not Plan(capacity_tokens=10).rewrites
    assert not Plan(options={"ttl": "3600"}).rewrites
    assert not Plan(capacity_tokens=10).empty
    assert not Plan(options={"ttl": "3600"}).empty
    assert Plan(mark_s=300).rewrites
    assert (Plan(options={"a": "1"}) | Plan(options={"b": "2"})).options == {"a": "1", "b": "2"}
