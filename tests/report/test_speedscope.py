"""speedscope: files are valid, and every profile sums to what the analysis counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.model.pictures import Stretch
from cachelens.model.result import Result, check
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.renderers.speedscope import Speedscope
from tests.report import builders
from tests.report.golden import compare
from tests.report.pictured import pictured, stretch, tree

#: From the npm package speedscope 1.25.0, under the license beside it.
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "speedscope.json").read_text())


def made(result: Result) -> dict[str, Any]:
    return json.loads(Speedscope().render(result, RenderOptions()))  # type: ignore[no-any-return]


def weights(file: dict[str, Any], profile: dict[str, Any]) -> dict[tuple[str, ...], int]:
    """Tokens by stack of frames, as a reader of the file comes to them. Fails where events are not nested."""
    names = [frame["name"] for frame in file["shared"]["frames"]]
    found: dict[tuple[str, ...], int] = {}
    stack: list[str] = []
    at = profile["startValue"]
    for event in profile["events"]:
        assert event["at"] >= at
        if event["at"] > at:
            found[tuple(stack)] = found.get(tuple(stack), 0) + event["at"] - at
            at = event["at"]
        name = names[event["frame"]]
        if event["type"] == "O":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    assert at == profile["endValue"]
    return found


def own_weights(stretches: tuple[Stretch, ...], of: Any) -> dict[tuple[str, ...], int]:
    """The same, straight from the tree."""
    found: dict[tuple[str, ...], int] = {}
    for item in stretches:
        path: list[str] = []
        at: Stretch | None = item
        while at is not None:
            name = f"{at.kind} {at.name}" if at.name else at.kind
            path.insert(0, "smaller ones, folded" if at.folded else name)
            at = stretches[at.parent] if at.parent >= 0 else None
        if of(item):
            found[tuple(path)] = found.get(tuple(path), 0) + of(item)
    return found


VALUES = {
    "tokens sent": lambda item: item.sent_tokens,
    "tokens computed": lambda item: item.sent_tokens - item.hit_tokens,
    "tokens from cache": lambda item: item.hit_tokens,
}


@st.composite
def trees(draw: st.DrawFn) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    for number in range(draw(st.integers(1, 30))):
        sent = draw(st.integers(0, 50))
        found.append(
            stretch(
                draw(st.integers(-1, number - 1)),
                draw(st.sampled_from(["user", "assistant", "tool_result"])),
                sent,
                draw(st.integers(0, sent)),
                name=draw(st.sampled_from([None, "read"])),
                folded=draw(st.sampled_from([0, 0, 3])),
            )
        )
    return tuple(found)


@given(trees())
def test_every_stack_has_its_tokens(stretches: tuple[Stretch, ...]) -> None:
    file = made(pictured(stretches))
    assert [profile["name"] for profile in file["profiles"]] == list(VALUES)
    for profile in file["profiles"]:
        assert weights(file, profile) == own_weights(stretches, VALUES[profile["name"]])


def test_profiles_sum_to_the_totals_and_the_file_is_valid() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    result = pictured()
    check(result)
    file = made(result)
    validator = jsonschema.Draft7Validator(SCHEMA)
    validator.validate(file)
    totals = result.totals
    ends = [profile["endValue"] for profile in file["profiles"]]
    assert ends == [totals.prompt_tokens, totals.prefilled_tokens, totals.hit_tokens]
    del file["profiles"][0]["events"][0]["at"]
    assert not validator.is_valid(file)


def test_heaviest_child_comes_first() -> None:
    file = made(pictured())
    names = [frame["name"] for frame in file["shared"]["frames"]]
    opened = [names[event["frame"]] for event in file["profiles"][0]["events"] if event["type"] == "O"]
    assert opened == [
        "tools",
        "user",
        "tool_result read_file",
        "tool_result read_file",
        "assistant",
        "system",
        "smaller ones, folded",
    ]
    assert len(tree()) == len(opened)


def test_a_deep_tree_stays_small() -> None:
    deep = tuple(stretch(at - 1, "user", 3, 1) for at in range(3000))
    assert len(Speedscope().render(pictured(deep), RenderOptions())) < 1_500_000


def test_names_of_tools_are_made_safe() -> None:
    found = made(pictured((stretch(-1, "tool_result", 5, 0, name="\x1b[2J\u202e\ud800<b>"),)))
    assert found["shared"]["frames"] == [{"name": "tool_result \ufffd<b>"}]


def test_without_pictures_or_requests() -> None:
    with pytest.raises(UsageError, match="speedscope: this result holds no data for pictures"):
        Speedscope().render(builders.session(), RenderOptions())
    file = made(pictured(()))
    assert [profile["events"] for profile in file["profiles"]] == [[], [], []]
    with pytest.raises(TypeError):
        Speedscope().render(builders.curve(), RenderOptions())


def test_golden() -> None:
    compare(
        "tree.speedscope.json",
        msgspec.json.format(Speedscope().render(pictured(), RenderOptions()), indent=1),
    )
