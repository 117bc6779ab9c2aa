"""Fleets and routers against literal ones, and what must hold of every router."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.errors import UsageError
from cachelens.simulate.engine import Engine, Setup, Tier
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.fleet import Fleet, reach, route
from cachelens.simulate.routers import ROUTERS
from cachelens.simulate.workload import Workload
from tests.simulate.tables import rows
from tests.simulate.workloads import Call, calls, work_of

PAGE = Path(__file__).parents[2] / "docs" / "routers.md"
ROUTES = list(ROUTERS)
SERVERS = [name for name in ENGINES if ENGINES.load(name).facts.kind == "server"]


def built(given_calls: list[Call]) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        return work_of(given_calls, Path(folder))


@st.composite
def fleets(draw: st.DrawFn) -> list[Call]:
    """Timed requests, most of which belong to one of a few sessions."""
    names = st.sampled_from([None, "a", "b", "c", "d"])
    return [call._replace(session=draw(names)) for call in draw(calls(timed=True, most=30))]


def engine(name: str) -> type[Engine]:
    found: type[Engine] = ENGINES.load(name)
    return found


def setup_of(name: str, capacity: int | None) -> Setup:
    known = engine(name).facts
    page = None if known.page_size == 1 else 4
    if page is not None and known.page_sizes and page not in known.page_sizes:
        page = None
    tiers = (Tier("host", 2 * capacity),) if known.tiers and capacity is not None else ()
    return Setup(capacity_tokens=capacity, page_size=page, tiers=tiers)


@pytest.mark.parametrize("router", ROUTES)
@settings(max_examples=25, deadline=None)
@given(given_calls=fleets(), replicas=st.integers(1, 5))
def test_every_request_has_one_replica_the_same_in_every_run(
    router: str, given_calls: list[Call], replicas: int
) -> None:
    work = built(given_calls)
    found = route(work, replicas, router)
    assert found.dtype == np.int64
    assert ((found >= 0) & (found < replicas)).all()
    random.seed(1)
    assert route(work, replicas, router).tolist() == found.tolist()


@pytest.mark.parametrize("router", ROUTES)
@settings(max_examples=25, deadline=None)
@given(given_calls=fleets(), names=st.permutations([11, 5, 90]))
def test_token_ids_and_session_names_are_only_names(
    router: str, given_calls: list[Call], names: list[int]
) -> None:
    other = {None: None, "a": "z", "b": "y", "c": "x", "d": "w"}
    renamed = [
        call._replace(
            prompt=[names[t] for t in call.prompt],
            output=[names[t] for t in call.output],
            session=other[call.session],
        )
        for call in given_calls
    ]
    assert route(built(given_calls), 3, router).tolist() == route(built(renamed), 3, router).tolist()


@pytest.mark.parametrize("name", SERVERS)
@settings(max_examples=15, deadline=None)
@given(given_calls=fleets(), capacity=st.integers(20, 90), router=st.sampled_from(ROUTES))
def test_one_replica_is_no_fleet(name: str, given_calls: list[Call], capacity: int, router: str) -> None:
    work = built(given_calls)
    setup = setup_of(name, capacity)
    alone = engine(name)(work, setup).replay()
    fleet = Fleet(engine(name), work, setup, 1, router)
    replay = fleet.replay()
    assert replay.hit.tolist() == alone.hit.tolist()
    assert replay.waited == alone.waited
    assert replay.evicted_tokens == alone.evicted_tokens
    assert replay.notes == alone.notes
    assert {n: t.tolist() for n, t in replay.tiers.items()} == {n: t.tolist() for n, t in alone.tiers.items()}
    assert (replay.rejected is None) == (alone.rejected is None)
    if replay.rejected is not None and alone.rejected is not None:
        assert replay.rejected.tolist() == alone.rejected.tolist()
    assert not fleet.routing().any()
    assert fleet.summary(replay).hit_rate == fleet.summary(replay).pooled_hit_rate


@settings(max_examples=20, deadline=None)
@given(
    given_calls=fleets(),
    capacity=st.sampled_from([None, 40, 90]),
    replicas=st.integers(2, 4),
    router=st.sampled_from(ROUTES),
)
def test_replicas_are_servers_of_their_own(
    given_calls: list[Call], capacity: int | None, replicas: int, router: str
) -> None:
    """Each replica alone, as a trace that holds nothing but its requests."""
    work = built(given_calls)
    setup = setup_of("vllm", capacity)
    fleet = Fleet(engine("vllm"), work, setup, replicas, router)
    replay = fleet.replay()
    hit = [0] * len(work)
    waited = evicted = 0
    for replica in range(replicas):
        mine = np.flatnonzero(fleet.replica == replica).tolist()
        if mine:
            alone = engine("vllm")(built([given_calls[i] for i in mine]), setup).replay()
            waited += alone.waited
            evicted += alone.evicted_tokens
            for request, tokens in zip(mine, alone.hit.tolist(), strict=True):
                hit[request] = tokens
    assert replay.hit.tolist() == hit
    assert (replay.waited, replay.evicted_tokens) == (waited, evicted)
    own, everywhere = fleet.reach()
    assert (replay.hit <= own).all()
    assert (own <= everywhere).all()
    share = fleet.share(replay)
    assert share.requests.sum() == len(work)
    assert share.prompt_tokens.sum() == work.prompt_tokens.sum()
    assert share.hit_tokens.sum() == replay.hit.sum()
    assert share.imbalance == 0 or 1 <= share.imbalance <= replicas


@settings(max_examples=30, deadline=None)
@given(given_calls=fleets(), replicas=st.integers(2, 3), page=st.sampled_from([1, 4]))
def test_reach_is_what_replicas_and_fleet_had_computed(
    given_calls: list[Call], replicas: int, page: int
) -> None:
    work = built(given_calls)
    where = route(work, replicas, "random", {"seed": "3"})
    held: list[set[tuple[object, ...]]] = [set() for _ in range(replicas)]
    own, fleet = [], []
    for call, replica in zip(given_calls, where.tolist(), strict=True):

        def pages(tokens: list[int], namespace: str = call.namespace) -> list[tuple[object, ...]]:
            return [(namespace, *tokens[:end]) for end in range(page, len(tokens) + 1, page)]

        def found(cache: set[tuple[object, ...]], prompt: list[int] = call.prompt) -> int:
            return sum(path in cache for path in pages(prompt)) * page

        own.append(found(held[replica]))
        fleet.append(found(set().union(*held)))
        held[replica].update(pages([*call.prompt, *call.output[:-1]]))
    got = reach(work, where, page)
    assert got.own.tolist() == own
    assert got.fleet.tolist() == fleet


def test_disjoint_sessions_by_session_lose_nothing(tmp_path: Path) -> None:
    given_calls = []
    for turn in range(1, 5):
        for name in "abcdef":
            base = ord(name) * 1000
            given_calls.append(Call(list(range(base, base + 10 * turn)), session=name))
    work = work_of(given_calls, tmp_path)
    fleet = Fleet(engine("sglang"), work, Setup(), 3, "session")
    alone = engine("sglang")(work, Setup()).replay()
    assert fleet.replay().hit.tolist() == alone.hit.tolist()
    assert not fleet.routing().any()
    assert fleet.share(fleet.replay()).requests.tolist() == [8, 8, 8]
    spread = Fleet(engine("sglang"), work, Setup(), 4, "round-robin")
    # Six sessions in turn at four replicas: a session comes by the same replica every second turn.
    lost = int(spread.routing().sum())
    assert lost == sum(
        int(work.reusable()[i]) - (10 * (t - 2) if t > 2 else 0)
        for i, t in enumerate(t for t in range(1, 5) for _ in range(6))
    )


def test_prefix_aware_is_the_literal_tree() -> None:
    @settings(max_examples=80, deadline=None)
    @given(
        fleets(),
        st.integers(1, 4),
        st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]),
        st.sampled_from([(64, 1.5), (0, 1.0), (1, 1.1)]),
    )
    def check(given_calls: list[Call], replicas: int, threshold: float, balance: tuple[int, float]) -> None:
        sent: list[set[tuple[object, ...]]] = [set() for _ in range(replicas)]
        active: list[tuple[float, int]] = []
        expected = []
        for call in given_calls:
            assert call.start is not None
            assert call.duration is not None
            active = [(end, replica) for end, replica in active if end > call.start]
            load = [sum(r == replica for _, r in active) for replica in range(replicas)]
            paths = [(call.namespace, *call.prompt[: n + 1]) for n in range(len(call.prompt))]
            if max(load) - min(load) > balance[0] and max(load) > balance[1] * min(load):
                choice = load.index(min(load))
            else:
                shared = [sum(path in tree for path in paths) for tree in sent]
                if np.float32(max(shared)) / np.float32(len(paths)) > np.float32(threshold):
                    choice = shared.index(max(shared))
                else:
                    sizes = [len(tree) for tree in sent]
                    choice = sizes.index(min(sizes))
            sent[choice].update(paths)
            active.append((call.start + call.duration, choice))
            expected.append(choice)
        options = {
            "cache_threshold": str(threshold),
            "balance_abs_threshold": str(balance[0]),
            "balance_rel_threshold": str(balance[1]),
        }
        assert route(built(given_calls), replicas, "prefix-aware", options).tolist() == expected

    check()


def test_least_loaded_counts_what_runs(tmp_path: Path) -> None:
    work = work_of(
        [
            Call([1], start=0, duration=10),
            Call([2], start=1, duration=1),
            Call([3], start=2, duration=1),  # the second has just ended
            Call([4], start=2.5, duration=9),
            Call([5], start=12, duration=1),
        ],
        tmp_path,
    )
    # The fourth finds both busy with one: replica 0 was not chosen for longest.
    assert route(work, 2, "least-loaded").tolist() == [0, 1, 1, 0, 1]


def test_least_loaded_needs_times(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="least-loaded needs the start and the end") as error:
        route(work_of([Call([1])], tmp_path), 2, "least-loaded")
    assert error.value.hint is not None
    assert "session" in error.value.hint


def test_round_robin_and_session_by_hand(tmp_path: Path) -> None:
    work = work_of([Call([n], session=s) for n, s in enumerate(["x", "y", "x", "z", None, "y"])], tmp_path)
    assert route(work, 2, "round-robin").tolist() == [0, 1, 0, 1, 0, 1]
    assert route(work, 2, "session").tolist() == [0, 1, 0, 0, 1, 1]


def test_consistent_hash_keeps_prefixes_together_and_moves_few(tmp_path: Path) -> None:
    given_calls = [Call([family, *range(5), turn]) for turn in range(3) for family in range(10, 210)]
    work = work_of(given_calls, tmp_path)
    short = {"prefix_tokens": "6"}
    four = route(work, 4, "consistent-hash", short)
    assert (four[:200] == four[200:400]).all()
    assert (four[:200] == four[400:]).all()
    assert (np.bincount(four[:200]) > 25).all()
    five = route(work, 5, "consistent-hash", short)
    moved = four != five
    assert (five[moved] == 4).all()  # keys move to the new replica and nowhere else
    assert 0 < moved.mean() < 0.35
    # With longer keys the last token, which differs from turn to turn, is part of the key.
    assert (route(work, 4, "consistent-hash")[:200] != four[:200]).any() or (
        route(work, 4, "consistent-hash")[200:400] != four[200:400]
    ).any()


def test_consistent_hash_by_session(tmp_path: Path) -> None:
    work = work_of([Call([n], session=f"s{n % 7}") for n in range(28)], tmp_path)
    found = route(work, 3, "consistent-hash", {"key": "session"})
    assert (found[:7] == found[7:14]).all()
    assert (found[:7] == found[21:]).all()
    assert route(work, 3, "consistent-hash", {"key": "session", "seed": "1"}).tolist() != found.tolist()


def test_random_spreads_evenly(tmp_path: Path) -> None:
    work = work_of([Call([n]) for n in range(400)], tmp_path)
    found = route(work, 4, "random")
    assert (np.bincount(found) > 70).all()
    assert route(work, 4, "random", {"seed": "1"}).tolist() != found.tolist()


def test_only_what_is_replayed_is_routed(tmp_path: Path) -> None:
    work = work_of([Call([n]) for n in range(4)], tmp_path).only(np.array([1, 3], dtype=np.int64))
    assert route(work, 2).tolist() == [-1, 0, -1, 1]
    fleet = Fleet(engine("sglang"), work, Setup(), 2)
    assert fleet.share(fleet.replay()).requests.tolist() == [1, 1]
    nothing = work.only(np.zeros(0, dtype=np.int64))
    empty = Fleet(engine("sglang"), nothing, Setup(), 2)
    assert empty.replay().hit.tolist() == [0, 0, 0, 0]
    assert empty.summary(empty.replay()).hit_rate == 0.0


@pytest.mark.parametrize(
    ("replicas", "router", "options"),
    [
        (0, "random", {}),
        (2, "sesion", {}),
        (2, "session", {"seed": "1"}),
        (2, "random", {"seed": "x"}),
        (2, "prefix-aware", {"cache_threshold": "2"}),
        (2, "prefix-aware", {"balance_abs_threshold": "-1"}),
        (2, "consistent-hash", {"prefix_tokens": "0"}),
        (2, "consistent-hash", {"key": "model"}),
    ],
)
def test_what_cannot_be(replicas: int, router: str, options: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        route(work_of([Call([1])], tmp_path), replicas, router, options)


def test_pooled_has_the_capacity_of_all(tmp_path: Path) -> None:
    work = work_of([Call([1])], tmp_path)
    fleet = Fleet(engine("lru"), work, Setup(capacity_tokens=10, tiers=(Tier("disk", 5),)), 3)
    assert fleet.pooled().capacity_tokens == 30
    assert fleet.pooled().tiers == (Tier("disk", 15),)
    assert Fleet(engine("lru"), work, Setup(), 3).pooled().capacity_tokens is None


def test_the_worked_example_of_the_page() -> None:
    found = rows(PAGE.read_text(encoding="utf-8"), "routers")
    assert found
    for options, given_calls, table in found:
        work = built(given_calls)
        replicas = int(options["replicas"])
        for router in options["routers"].split(","):
            fleet = Fleet(engine(options["engine"]), work, Setup(), replicas, router)
            replay = fleet.replay()
            shown = [tuple(map(int, row[router].split(": "))) for row in table]
            assert shown == list(zip(fleet.replica.tolist(), replay.hit.tolist(), strict=True)), router
            routing = dict(pair.split(":") for pair in options["lost"].split(","))
            assert int(fleet.routing().sum()) == int(routing[router])
