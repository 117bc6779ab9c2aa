"""What holds of all provider engines: the rules table, bounds, an oracle for markers everywhere, real captures."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.model.options import IngestOptions
from cachelens.pipeline.loading import load
from cachelens.simulate.api.rules import EVIDENCE, Lookup, plain, table
from cachelens.simulate.engine import Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.engines.anthropic import Anthropic
from cachelens.simulate.workload import workload
from tests.shared import SHARED, needs_shared
from tests.simulate.scenes import PAGES, Ask, scene

API = [name for name in ENGINES if ENGINES.load(name).facts.kind == "api"]


def test_the_table_is_whole() -> None:
    for rule in table():
        assert rule.engine in API
        assert rule.evidence in EVIDENCE
        assert date.fromisoformat(rule.date)
        assert re.fullmatch(r"[\d ]+|automatic|breakpoints", rule.value)
        # A reader of a doubtful value is told why it was taken.
        assert rule.remark or rule.evidence not in ("assumed", "conflict")
        assert rule.source in {source.where for source in ENGINES.load(rule.engine).facts.sources}
    keys = {(rule.engine, rule.key) for rule in table()}
    covered = {(rule.engine, rule.key) for rule in table() if rule.model == "*"}
    assert keys == covered, "every key has a value for models that are not listed"


def test_no_row_hides_a_later_one() -> None:
    seen: set[tuple[str, str, str]] = set()
    general: set[tuple[str, str]] = set()
    for rule in table():
        key = (rule.engine, rule.key, rule.model)
        assert key not in seen
        assert key[:2] not in general
        seen.add(key)
        if rule.model == "*":
            general.add(key[:2])


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5:beta", "claude-sonnet-4-5"),
        ("claude-opus-4-1@20250805", "claude-opus-4-1"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0", "nova-pro"),
        ("GPT-5.6-Terra", "gpt-5-6-terra"),
        ("gpt-4.1-2025-04-14", "gpt-4-1"),
        ("models/gemini-2.5-pro-latest", "gemini-2-5-pro"),
        (None, ""),
    ],
)
def test_plain_names(given_name: str | None, name: str) -> None:
    assert plain(given_name) == name


def test_a_similar_name_is_another_model() -> None:
    lookup = Lookup("anthropic", ["claude-opus-4-20250514", "claude-opus-5-7"])
    assert lookup.numbers("minimum_tokens") == [1024, 1024]
    assert len(lookup.notes) == 2


def test_a_name_that_is_no_name_is_not_repeated() -> None:
    lookup = Lookup("anthropic", ["\x1b[31mclaude"])
    lookup.numbers("minimum_tokens")
    assert "\x1b" not in lookup.notes[0]


def test_a_rule_that_is_not_there() -> None:
    with pytest.raises(KeyError, match="no rule"):
        Lookup("xai", [""]).number("minimum_tokens")


def test_every_engine_has_a_page_that_says_what_is_unknown() -> None:
    for name in API:
        text = " ".join((PAGES / f"{name}.md").read_text(encoding="utf-8").split())
        facts = ENGINES.load(name).facts
        for sentence in facts.unknown:
            assert sentence in text, (name, sentence)
        for source in facts.sources:
            assert source.where in text, (name, source.where)
            assert source.date in text, name


def numbers(engine: str) -> str:
    """The table of numbers on an engine's page."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for rule in table():
        if rule.engine == engine:
            evidence = f"{rule.evidence}: {rule.remark}" if rule.remark else rule.evidence
            groups.setdefault((rule.key, rule.value, evidence), []).append(f"`{rule.model}`")
    rows = [
        f"| `{key}` | {value} | {', '.join(models)} | {why} |\n"
        for (key, value, why), models in groups.items()
    ]
    return "| rule | value | models | evidence |\n|---|---|---|---|\n" + "".join(rows)


@pytest.mark.parametrize("engine", sorted({rule.engine for rule in table()}))
def test_the_page_shows_the_numbers_of_the_table(engine: str) -> None:
    page = (PAGES / f"{engine}.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- numbers -->\n")[2].partition("<!-- /numbers -->")[0]
    assert shown == numbers(engine)


@st.composite
def conversations(draw: st.DrawFn) -> list[Ask]:
    """Prompts of blocks that go on from, or fork, earlier ones; blocks have one size a name."""
    sizes = {"a": 3, "b": 5, "c": 1, "d": 700, "e": 1024, "system": 600, "tool": 40}
    block = st.builds(
        lambda name, mark: (name, mark), st.sampled_from(sorted(sizes)), st.sampled_from(["", "", "*", "**"])
    )
    prompts: list[list[tuple[str, str]]] = []
    asks: list[Ask] = []
    clock = 0.0
    for _ in range(draw(st.integers(1, 9))):
        base = draw(st.sampled_from(prompts)) if prompts and draw(st.booleans()) else []
        kept = [
            (name, draw(st.sampled_from([mark, ""])))
            for name, mark in base[: draw(st.integers(0, len(base)))]
        ]
        prompt = kept + draw(st.lists(block, min_size=1, max_size=5))
        prompts.append(prompt)
        clock += draw(st.sampled_from([0, 1, 100, 301, 3601]))
        text = " ".join(f"{name}:{sizes[name]}{mark}" for name, mark in prompt)
        answer = draw(st.sampled_from(["", " => a:3", " => d:700"]))
        model = draw(
            st.sampled_from(
                ["claude-sonnet-4-5", "claude-sonnet-4-5", "gpt-5.6", "gemini-2.5-pro", "nova-pro"]
            )
        )
        asks.append(
            Ask(
                text + answer,
                clock,
                first=draw(st.sampled_from([0, 1, 150, None])),
                end=draw(st.sampled_from([200, None])),
                model=model,
                namespace=draw(st.sampled_from(["x", "y"])) + model,
                auto_s=draw(st.sampled_from([0, 300])),
                more=(("invalidates_messages", draw(st.sampled_from([None, "p", "q"]))),),
            )
        )
    return asks


@pytest.mark.parametrize("name", API)
@settings(max_examples=60, deadline=None)
@given(conversations())
def test_bounds_and_relaxations(name: str, asks: list[Ask]) -> None:
    work = scene(asks)
    kind = ENGINES.load(name)
    replay = kind(work, Setup()).replay()
    most = work.reusable(1, kind.facts.keeps_output)
    written = sum(part for part in (replay.written_5m, replay.written_1h) if part is not None)
    assert (replay.hit >= 0).all()
    assert (replay.hit + written <= work.prompt_tokens).all()
    steps = [replay.hit, *(kind(work, setup).replay().hit for _, setup in kind.relaxed(Setup())), most]
    for narrower, wider in pairwise(steps):
        assert (narrower <= wider).all()


@pytest.mark.parametrize("name", API)
@settings(max_examples=30, deadline=None)
@given(conversations())
def test_requests_left_out_are_as_if_never_sent(name: str, asks: list[Ask]) -> None:
    kind = ENGINES.load(name)
    half = scene(asks).only(np.arange(0, len(asks), 2, dtype=np.int64))
    alone = kind(scene(asks[::2]), Setup()).replay()
    replay = kind(half, Setup()).replay()
    assert replay.hit[::2].tolist() == alone.hit.tolist()
    assert replay.hit[1::2].sum() == 0


@settings(max_examples=80, deadline=None)
@given(conversations())
def test_markers_everywhere_find_the_longest_block_that_was_sent(asks: list[Ask]) -> None:
    plain_asks = [Ask(ask.prompt, ask.start, model=None, namespace=ask.namespace) for ask in asks]
    options = {"marks": "everywhere", "expiry": "false", "minimum": "0"}
    work = scene(plain_asks)
    replay = Anthropic(work, Setup(options=options, concurrent=False)).replay()
    sent: set[tuple[object, ...]] = set()
    expected = []
    for ask in plain_asks:
        blocks = re.sub(r"\*", "", ask.prompt.partition("=>")[0]).split()
        prefixes = [(ask.namespace, *blocks[: n + 1]) for n in range(len(blocks))]
        found = [prefix for prefix in prefixes if prefix in sent]
        expected.append(sum(int(block.partition(":")[2]) for block in found[-1][1:]) if found else 0)
        sent.update(prefixes)
    assert replay.hit.tolist() == expected
    assert (replay.hit + replay.written_5m == work.prompt_tokens).all()


@needs_shared
@pytest.mark.parametrize("capture", ["opencode-anthropic", "pi-anthropic", "deepagents-anthropic"])
def test_real_captures_are_read_up_to_their_markers(capture: str) -> None:
    work = workload(load([str(SHARED / "traces" / capture / "session.jsonl.zst")], IngestOptions()))
    for name in API:
        kind = ENGINES.load(name)
        replay = kind(work, Setup()).replay()
        assert (replay.hit <= work.reusable(1, kind.facts.keeps_output)).all()
        assert replay.hit.sum() > 0.85 * work.prompt_tokens.sum()
