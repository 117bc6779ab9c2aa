"""Mooncake Store against a literal simulator on token lists, and the worked example of its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.engine import Replay, Setup, Tier
from cachelens.simulate.engines.mooncake_store import MooncakeStore
from cachelens.simulate.engines.vllm import Vllm
from cachelens.simulate.workload import Workload
from tests.simulate.engines.stores import Device, Key, built, key
from tests.simulate.workloads import Call, calls, work_of


class Literal:
    """Objects with a time of last use; within a request the deeper ones count as older."""

    def __init__(self, device: Device, chunk: int, room: int) -> None:
        self.device, self.chunk, self.room = device, chunk, room
        self.used: dict[Key, tuple[int, int]] = {}
        self.clock = 0

    def serve(self, call: Call) -> tuple[int, int]:
        computed = self.device.serve(call)
        self.clock += 1
        prompt = [key(call, end) for end in range(self.chunk, len(call.prompt) + 1, self.chunk)]
        run = 0
        while run < len(prompt) and prompt[run] in self.used:
            run += 1
        external = run * self.chunk
        if external >= len(call.prompt):
            external = (len(call.prompt) - 1) // self.chunk * self.chunk
        for depth, one in enumerate(prompt):
            if one in self.used:
                self.used[one] = (self.clock, -depth)
        stored: set[Key] = set()
        for one in prompt:
            if one in self.used:
                continue
            if len(self.used) + len(stored) >= self.room:
                others = [other for other in self.used if other not in prompt]
                if not others:
                    break
                del self.used[min(others, key=lambda other: self.used[other])]
            stored.add(one)
        for depth, one in enumerate(prompt):
            if one in stored:
                self.used[one] = (self.clock, -depth)
        loaded = max(external - computed, 0)
        return computed + loaded, loaded


def replayed(work: Workload, capacity: int | None, page: int, host: int | None, **options: str) -> Replay:
    tiers = () if host is None else (Tier("pool", host),)
    return MooncakeStore(work, Setup(capacity, page, tiers=tiers, options=options)).replay()


@settings(max_examples=80, deadline=None)
@given(calls(), st.integers(20, 60), st.sampled_from([1, 2, 4]), st.integers(0, 60), st.integers(0, 3))
def test_equal_to_a_literal_simulator(
    given_calls: list[Call], capacity: int, page: int, host: int, blocks: int
) -> None:
    work = built(given_calls)
    replay = replayed(work, capacity, page, host, chunk_size=str(page * blocks))
    chunk = page * (blocks or 1)
    device = Device(page, capacity)
    literal = Literal(device, chunk, host // chunk)
    told = [literal.serve(call) if device.fits(call) else (0, 0) for call in given_calls]
    assert replay.hit.tolist() == [hit for hit, _ in told]
    assert replay.tiers["pool"].tolist() == [loaded for _, loaded in told]


@settings(max_examples=25, deadline=None)
@given(calls(timed=True), st.integers(20, 120), st.sampled_from([1, 4]))
def test_a_store_of_less_than_a_block_is_plain_vllm(
    given_calls: list[Call], capacity: int, page: int
) -> None:
    work = built(given_calls)
    replay = replayed(work, capacity, page, page - 1)
    assert replay.hit.tolist() == Vllm(work, Setup(capacity, page)).replay().hit.tolist()
    assert replay.tiers["pool"].sum() == 0


@settings(max_examples=25, deadline=None)
@given(calls(), st.integers(60, 120), st.sampled_from([1, 4]))
def test_an_unlimited_store_serves_every_block_of_earlier_prompts(
    given_calls: list[Call], capacity: int, page: int
) -> None:
    work = built(given_calls)
    replay = replayed(work, capacity, page, 10**6)
    usable = (work.prompt_tokens - 1) // page * page
    most = np.minimum(work.reusable(page), usable)
    assert (replay.hit >= np.minimum(work.reusable(page, keeps_output=False), usable)).all()
    assert (replay.hit <= most).all()
    plain = Vllm(work, Setup(capacity, page)).replay()
    assert (replay.hit - replay.tiers["pool"]).tolist() == plain.hit.tolist()
    assert replayed(work, None, page, None).hit.tolist() == most.tolist()


def test_what_it_cannot_have(tmp_path: Path) -> None:
    work = work_of([Call([1, 2, 3])], tmp_path)
    with pytest.raises(UsageError, match="needs the size"):
        MooncakeStore(work, Setup(1000))
    with pytest.raises(UsageError, match="no multiple"):
        replayed(work, 1000, 16, 1000, chunk_size="24")
    with pytest.raises(UsageError):
        replayed(work, 1000, 16, 1000, chunk_size="-16")
