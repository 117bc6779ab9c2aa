"""What is exported is read back, and hits the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.export import EXPORTS
from cachelens.export.base import ExportOptions
from cachelens.export.blocks import Blocks
from cachelens.model.options import IngestOptions
from cachelens.model.trace import Trace
from cachelens.pipeline import load
from cachelens.simulate.workload import workload
from tests.shared import SHARED, needs_shared

SAMPLES = Path(__file__).parents[2] / "sample_traces"
TRACES = sorted(path for path in SAMPLES.iterdir() if path.suffix != ".md")
REAL = sorted(SHARED.glob("traces/*/session.jsonl*"))[:20]

PROMPTS = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=24), st.sampled_from(["", "a"])), min_size=1, max_size=8
)


def again(name: str, trace: Trace, folder: Path, options: ExportOptions) -> Trace:
    """The trace exported and read."""
    for file, pieces in EXPORTS.load(name)().files(trace, options):
        (folder / (file or "all.jsonl")).write_bytes(b"".join(pieces))
    return load([str(folder)], IngestOptions(input_format=name))


def hits(trace: Trace, page: int) -> list[int]:
    """Tokens served to each request by an infinite cache of whole blocks, of prompts alone."""
    return workload(trace).reusable(page, keeps_output=False).tolist()


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name)
def test_tokens_hit_the_same(path: Path, tmp_path: Path) -> None:
    trace = load([str(path)], IngestOptions())
    read = again("tokens", trace, tmp_path, ExportOptions())
    assert read.requests["prompt_tokens"].to_list() == trace.requests["prompt_tokens"].to_list()
    for page in (1, 16):
        assert hits(read, page) == hits(trace, page)
    for keeps in (False, True):
        assert workload(read).reusable(1, keeps).tolist() == workload(trace).reusable(1, keeps).tolist()


@pytest.mark.parametrize("salt", [None, "pepper"])
@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name)
def test_mooncake_hits_the_same_blocks(path: Path, salt: str | None, tmp_path: Path) -> None:
    trace = load([str(path)], IngestOptions())
    read = again("mooncake", trace, tmp_path, ExportOptions(salt=salt))
    assert read.requests["prompt_tokens"].to_list() == trace.requests["prompt_tokens"].to_list()
    # A partial last block that comes again whole is served in part: whole blocks are compared.
    served = [tokens // 512 * 512 for tokens in hits(read, 1)]
    assert served == [tokens // 512 * 512 for tokens in hits(trace, 512)]


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name)
def test_kv_cache_tester_hits_the_same_blocks(path: Path, tmp_path: Path) -> None:
    trace = load([str(path)], IngestOptions())
    read = again("kv-cache-tester", trace, tmp_path, ExportOptions(salt="pepper"))
    assert sorted(read.requests["prompt_tokens"].to_list()) == sorted(
        trace.requests["prompt_tokens"].to_list()
    )
    if trace.requests["started_at"].null_count() == 0 and trace.requests["session_id"].n_unique() == 1:
        assert hits(read, 1) == hits(trace, 64)


@needs_shared
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.parent.name)
def test_real_captures_hit_the_same(path: Path, tmp_path: Path) -> None:
    trace = load([str(path)], IngestOptions())
    (tmp_path / "tokens").mkdir()
    whole = again("tokens", trace, tmp_path / "tokens", ExportOptions())
    for keeps in (False, True):
        assert workload(whole).reusable(1, keeps).tolist() == workload(trace).reusable(1, keeps).tolist()
    (tmp_path / "mooncake").mkdir()
    read = again("mooncake", trace, tmp_path / "mooncake", ExportOptions())
    served = [tokens // 512 * 512 for tokens in hits(read, 1)]
    assert served == [tokens // 512 * 512 for tokens in hits(trace, 512)]


@given(PROMPTS, st.integers(1, 5), st.sampled_from([None, "s"]))
def test_ids_are_equal_where_all_before_is(
    prompts: list[tuple[list[int], str]], size: int, salt: str | None
) -> None:
    blocks = Blocks(size, salt)
    made = [blocks.of(np.array(ids, dtype=np.uint32), name, partial=True) for ids, name in prompts]
    for (one, name), own in zip(prompts, made, strict=True):
        assert len(own) == -(-len(one) // size)
        for (other, another), its in zip(prompts, made, strict=True):
            for at in range(min(len(own), len(its))):
                same = name == another and one[: (at + 1) * size] == other[: (at + 1) * size]
                assert (own[at] == its[at]) == same


def test_a_salt_makes_ids_that_others_cannot_make() -> None:
    ids = np.arange(64, dtype=np.uint32)
    one, other = Blocks(16, "one").of(ids, "", True), Blocks(16, "other").of(ids, "", True)
    assert not set(one) & set(other)
    assert one == Blocks(16, "one").of(ids, "", True)
    assert max(one) < 2**53
    assert Blocks(16).of(ids, "", True) == [0, 1, 2, 3]
