"""Growth: the stack is the prompt, the line what was computed, each request once; sessions as they were asked for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch

from cachelens.errors import UsageError
from cachelens.model.result import Result
from cachelens.report.palette import LABEL_LOOKS
from cachelens.report.plots.base import PlotOptions
from cachelens.report.plots.growth import Growth
from cachelens.report.plots.sessions import chosen_session
from tests.report import builders
from tests.report.plots.pictured import HOSTILE, drawn, overlaps, texts

NAMES = list(LABEL_LOOKS)


def stacks(result: Result, session: str | None = None) -> tuple[dict[str, list[float]], list[float]]:
    """Heights of each label by slot, and the computed tokens."""
    figure = drawn(Growth(), result, PlotOptions(session=session))
    by_color = {look.color: name for name, look in LABEL_LOOKS.items()}
    filled, computed = {}, None
    for patch in figure.axes[0].patches:
        assert isinstance(patch, StepPatch)
        values, _, baseline = patch.get_data()
        if patch.get_fill():
            below = np.sum(list(filled.values()), axis=0) if filled else np.zeros(len(values))
            assert np.array_equal(baseline, below)  # each stands on those before it
            filled[by_color[to_hex(patch.get_facecolor())]] = (np.array(values) - np.array(baseline)).tolist()
        else:
            computed = list(values)
    assert computed is not None
    return filled, computed


def test_labels_stack_up_to_the_prompt_with_what_was_computed() -> None:
    rows = [
        builders.row(1, {"fresh": 100}),
        builders.row(2, {"hit": 100, "fresh": 50}, labels={"dup_exact": 30}),
        builders.row(3, {"hit": 20, "divergence": 130}, labels={"dup_exact": 30, "echo": 10}),
    ]
    assert stacks(builders.result(rows)) == (
        {"live": [100, 120, 110], "dup_exact": [0, 30, 30], "echo": [0, 0, 10]},
        [100, 50, 130],
    )


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 10**6),
            st.integers(1, 10**6),
            st.lists(st.integers(0, 10**5), min_size=7, max_size=7),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_request_stands_there_once(made: list[tuple[int, int, int, list[int]]]) -> None:
    rows = []
    for number, (lineage, hit, fresh, labels) in enumerate(made, start=1):
        named = dict(zip(NAMES[1:], labels, strict=True))
        fresh += sum(labels)
        outcomes = {"hit": hit, "fresh": fresh}
        rows.append(builders.row(number, outcomes, lineage_id=f"l{lineage}", labels=named))
    filled, computed = stacks(builders.result(rows))
    tops = np.sum(list(filled.values()), axis=0)
    apart = len({row.lineage_id for row in rows}) - 1
    assert sorted(tops.tolist()) == sorted([0.0] * apart + [float(row.prompt_tokens) for row in rows])
    assert sum(computed) == sum(row.prompt_tokens - row.outcomes["hit"] for row in rows)


def two_sessions() -> Result:
    rows = [
        builders.row(1, {"fresh": 100}, session_id="alpha-1", lineage_id="main"),
        builders.row(2, {"fresh": 70}, session_id="alpha-2", lineage_id="main"),
        builders.row(3, {"fresh": 60}, session_id="alpha-2", lineage_id="side"),
        builders.row(4, {"hit": 70, "fresh": 20}, session_id="alpha-2", lineage_id="main"),
    ]
    return builders.result(rows)


def test_lineages_stand_apart_and_keep_the_numbers_of_their_requests() -> None:
    filled, computed = stacks(two_sessions())
    assert filled == {"live": [70, 90, 0, 60]}
    assert computed == [70, 20, 0, 60]
    axes = drawn(Growth(), two_sessions()).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "4", "3"]
    said = texts(Growth(), two_sessions())
    assert "main, 2 requests" in said
    assert "tokens of each prompt, session alpha-2" in said
    assert "computed 68.2 %" in said
    assert "live 100 %" in said


def test_sessions_by_id_and_by_beginning() -> None:
    result = two_sessions()
    assert stacks(result, "alpha-1") == ({"live": [100]}, [100])
    assert chosen_session(result) == "alpha-2"
    assert chosen_session(result, "alpha-1") == "alpha-1"
    longer = builders.result(
        [builders.row(1, {"fresh": 9}, session_id="s1"), builders.row(2, {"fresh": 5}, session_id="s12")]
    )
    assert chosen_session(longer, "s1") == "s1"  # an id comes before a beginning
    assert chosen_session(longer, "s12") == "s12"
    assert chosen_session(builders.result(())) == ""


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        ("alpha", "session 'alpha' is the beginning of 2 ids", "alpha-1, alpha-2"),
        ("alpha-3", "unknown session 'alpha-3'", "did you mean"),
        ("", "unknown session ''", "known: alpha-1, alpha-2"),
        ("\x1b[2J", "unknown session ''", "known"),
        ("x" * 10**6, "unknown session", "known"),
    ],
)
def test_no_such_session(asked: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen_session(two_sessions(), asked)
    assert caught.value.message.startswith(said)
    assert len(caught.value.message) < 200
    assert hint in (caught.value.hint or "")


def test_described_and_missing() -> None:
    assert Growth().describe(two_sessions()) == (
        "3 requests of 2 lineages sent 220 tokens, of which 150 (68.2 %) were computed. The longest prompt, of request "
        "4, has 90 tokens. Labels other than live stand on 0 % of what was sent."
    )
    assert Growth().missing(builders.result(())) == "There are no prompt tokens to show."
    assert Growth().missing(two_sessions()) is None


def large(count: int, lineages: int, **changes: Any) -> Result:
    labels = dict.fromkeys(NAMES[1:], 1000)
    return builders.result(
        builders.row(
            n,
            {"hit": 30_000 + 80 * (n % 700), "fresh": 400 + 37 * (n % 11)},
            labels=labels,
            lineage_id=f"{HOSTILE}{n % lineages}",
            session_id=HOSTILE,
        )
        for n in range(count)
    )


@pytest.mark.parametrize(("count", "lineages"), [(1, 1), (5, 2), (84, 9), (2000, 1), (2000, 3), (400, 400)])
def test_few_and_many_requests_and_hostile_names(count: int, lineages: int) -> None:
    figure = drawn(Growth(), large(count, lineages))
    axes = figure.axes[0]
    assert overlaps(figure) == []
    ticks = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert not any(one.overlaps(other) for one, other in pairwise(ticks))
    assert len(ticks) <= 20
    assert max(text.get_window_extent().x1 for text in axes.texts) <= figure.bbox.width


def test_size_is_bounded() -> None:
    from cachelens.report.plots.figure import save

    result = large(2000, 7)
    data = save(lambda figure: Growth().draw(figure, result, PlotOptions()), "svg", Growth().size(result))
    assert len(data) < 2_000_000
