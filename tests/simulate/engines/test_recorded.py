"""SGLang and vLLM against recorded answers of their real code: equal on every request."""

from __future__ import annotations

from pathlib import Path

import pytest

from cachelens.simulate.engines import ENGINES
from tests.shared import SHARED, needs_shared
from tests.simulate.golden import Recording, golden_workload, recordings

HERE = Path(__file__).parent / "recorded"
RECORDINGS = [*recordings(HERE), *recordings(SHARED / "golden")]


def test_a_small_set_is_always_there() -> None:
    here = recordings(HERE)
    assert {one.engine for one in here} == {"sglang", "vllm"}
    assert {one.setup.policy for one in here if one.engine == "sglang"} == set(
        ENGINES.load("sglang").facts.policies
    )


@needs_shared
def test_the_whole_set_is_there() -> None:
    assert len(recordings(SHARED / "golden")) >= 130


@pytest.mark.parametrize(
    "recording",
    RECORDINGS,
    ids=lambda one: f"{'here' if one.path.parent == HERE else 'shared'}-{one.path.name}",
)
def test_equal_on_every_request(recording: Recording) -> None:
    work = golden_workload(recording.workload, recording.setup.policy == "priority")
    replay = ENGINES.load(recording.engine)(work, recording.setup).replay()
    assert replay.hit.tolist() == recording.hits().tolist()
    assert replay.rejected is not None
    assert not replay.rejected.any()
