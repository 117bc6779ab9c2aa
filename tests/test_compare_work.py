"""Whether two results are of the same work: what is judged of each, and which session is which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cachelens.model.result import Result
from cachelens.model.rows import RequestRow
from cachelens.pipeline.comparison import compare
from cachelens.pipeline.comparison.pairing import LISTED
from tests.report import builders

# -- judgments


def _sessions(*sizes: Sequence[int], hit: int, fresh: int = 10, **changes: Any) -> Result:
    made = [
        builders.row(
            at, {"hit": hit, "fresh": fresh}, session_id=f"s{number}", lineage_id=f"l{number}", **changes
        )
        for number, size in enumerate(sizes, 1)
        for at in range(sum(size))
    ]
    return builders.result(made, trace={"sessions": len(sizes)})


def test_of_the_same_work_amounts_are_judged() -> None:
    leaner = compare(_sessions([3], hit=90), _sessions([3], hit=20, fresh=9))
    assert leaner.same_work
    assert leaner.figure("hit-rate").effect == "worse"
    assert (leaner.judgment, leaner.judged_by) == ("better", ("computed-tokens",)), (
        "fewer computed for the same"
    )


def test_of_other_work_rates_are_judged() -> None:
    """Half the requests compute half the tokens: that is no improvement."""
    half = compare(_sessions([8], hit=90), _sessions([4], hit=80))
    assert not half.same_work
    assert half.figure("computed-tokens").change == -40
    assert half.figure("computed-tokens").effect == ""
    assert half.figure("computed-tokens").better == "less"
    assert (half.judgment, half.judged_by) == ("worse", ("hit-rate", "amplification"))


def test_cost_has_a_say_where_both_have_one() -> None:
    def priced(result: Result, cost: float | None) -> Result:
        return msgspec.structs.replace(result, totals=msgspec.structs.replace(result.totals, cost_usd=cost))

    one, other = _sessions([3], hit=90), _sessions([3], hit=90, fresh=9)
    assert compare(priced(one, 1.0), priced(other, 0.5)).judged_by == ("computed-tokens", "cost")
    assert compare(priced(one, 1.0), priced(other, 1.5)).judgment == "mixed"
    assert compare(priced(one, 1.0), priced(other, None)).judgment == "better"


# -- sessions


def test_numbers_that_cachelens_gave_pair_nothing() -> None:
    """`s1` of both sides may be anything: here each side has them the other way round."""
    one = _sessions([2], [3], hit=10)
    other = _sessions([3], [2], hit=10)
    found = compare(one, other).sessions
    assert found.paired == 0
    assert found.only_before.sessions == found.only_after.sessions == 2
    assert (
        "number 1 has 2 requests in 1 lineage on one side and 3 requests in 1 lineage on the other"
        in found.why
    )


def test_sessions_that_look_alike_are_paired_by_order_and_said_to_be() -> None:
    found = compare(_sessions([2], [3], hit=10), _sessions([2], [3], hit=5)).sessions
    assert found.ways == {"order": 2}
    assert found.why == ""
    assert found.worse == found.better == 0, "as many tokens are computed"
    assert found.same == 2
    assert [pair.hit_rate.effect for pair in found.pairs] == ["worse", "worse"]


def test_other_numbers_of_sessions_are_not_paired_by_order() -> None:
    found = compare(_sessions([2], [3], hit=10), _sessions([2], [3], [4], hit=10)).sessions
    assert found.paired == 0
    assert "2 sessions on one side and 3 on the other" in found.why
    assert found.only_after.requests == 9
    assert not compare(_sessions([2], [3], hit=10), _sessions([2], [3], [4], hit=10)).same_work


def _told(session: str, requests: int = 2, **changes: Any) -> list[RequestRow]:
    return [
        builders.row(n, {"hit": n, "fresh": 10}, session_id=session, **changes)
        for n in range(1, requests + 1)
    ]


def test_ids_requests_and_files_say_which_session_is_which() -> None:
    def side(swapped: bool) -> Result:
        folder, numbers = ("second", ("s2", "s1")) if swapped else ("first", ("s1", "s2"))
        mine = [
            _told("conversation-7", 2 + swapped, source_file=f"{folder}/many.jsonl"),
            [
                builders.row(
                    1,
                    {"hit": 5},
                    session_id=numbers[0],
                    request_id="req_abc",
                    source_file=f"{folder}/{swapped}",
                )
            ],
            _told(numbers[1], 3, source_file=f"{folder}/task-a.jsonl"),
            _told("s3", 4 - swapped, source_file=f"{folder}/task-b.jsonl"),
            _told("s4", 1, source_file=f"{folder}/gone-{folder}.jsonl"),
        ]
        if swapped:
            mine.reverse()
        return builders.result([row for part in mine for row in part], trace={"sessions": 5})

    found = compare(side(False), side(True)).sessions
    assert {
        pair.paired_by: (pair.before_id, pair.after_id) for pair in found.pairs if pair.paired_by != "file"
    } == {
        "id": ("conversation-7", "conversation-7"),
        "requests": ("s1", "s2"),
    }
    assert {(pair.before_id, pair.after_id) for pair in found.pairs if pair.paired_by == "file"} == {
        ("s2", "s1"),
        ("s3", "s3"),
    }
    assert found.same_length == 2
    assert found.only_before.sessions == found.only_after.sessions == 1
    assert found.why, "the last of either side is another session, though it is the last"


def test_several_sessions_of_a_file_are_paired_where_they_look_alike() -> None:
    def side(*sizes: int) -> Result:
        made = [
            row for at, size in enumerate(sizes, 1) for row in _told(f"s{at}", size, source_file="a.jsonl")
        ]
        made += _told("s9", 5, source_file="b.jsonl")
        return builders.result(made, trace={"sessions": len(sizes) + 1})

    assert compare(side(2, 3), side(2, 3)).sessions.ways == {"order": 2, "file": 1}
    found = compare(side(2, 3), side(3, 2)).sessions
    assert found.ways == {"file": 1}
    assert found.only_before.sessions == 2


def test_files_of_the_same_name_below_other_folders() -> None:
    def side(folder: str, *files: str) -> Result:
        made = [
            row
            for at, file in enumerate(files, 1)
            for row in _told(f"s{at}", at, source_file=f"{folder}/{file}")
        ]
        return builders.result(made, trace={"sessions": len(files)})

    found = compare(
        side("/data/before", "task-a/t.jsonl", "task-b/t.jsonl", "task-c/t.jsonl"),
        side("after", "task-c/t.jsonl", "task-a/t.jsonl", "task-d/t.jsonl"),
    ).sessions
    assert {(pair.before_id, pair.after_id) for pair in found.pairs if pair.paired_by == "file"} == {
        ("s1", "s2"),
        ("s3", "s1"),
    }
    assert found.ways == {"file": 2}
    assert found.only_before.sessions == found.only_after.sessions == 1


def test_only_so_many_pairs_are_listed_and_the_rest_is_summed() -> None:
    one = _sessions(*[[2]] * (LISTED + 7), hit=10)
    other = _sessions(*[[2]] * (LISTED + 7), hit=10, fresh=13)
    found = compare(one, other).sessions
    assert (len(found.pairs), found.left_out) == (LISTED, 7)
    assert found.left_out_prompt_change == found.left_out_computed_change == 7 * 2 * 3
    assert found.worse == found.paired == LISTED + 7
