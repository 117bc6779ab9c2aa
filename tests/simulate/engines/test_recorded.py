"""SGLang and vLLM against recorded answers of their real code: equal on every request."""

from __future__ import annotations

import pytest

from cachelens.simulate.engines import ENGINES
from tests.shared import SHARED, needs_shared
from tests.simulate.golden import Recording, golden_workload, recordings

SHARED_RECORDINGS = recordings(SHARED / "golden")


@needs_shared
def test_all_are_there() -> None:
    assert len(SHARED_RECORDINGS) >= 130
    assert {one.engine for one in SHARED_RECORDINGS} == {"sglang", "vllm"}


@pytest.mark.parametrize("recording", SHARED_RECORDINGS, ids=lambda one: one.path.name)
def test_equal_on_every_request(recording: Recording) -> None:
    work = golden_workload(recording.workload, recording.setup.policy == "priority")
    replay = ENGINES.load(recording.engine)(work, recording.setup).replay()
    assert replay.hit.tolist() == recording.hits().tolist()
    assert replay.rejected is not None
    assert not replay.rejected.any()
