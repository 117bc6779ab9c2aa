"""`cachelens compare`: captures, tables and saved results, mixed as well; what it inherits, refuses and writes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cachelens.cli import run
from cachelens.cli.bundles import How
from cachelens.cli.compare import _called as called
from cachelens.cli.sides import Asked, inherit, pair
from cachelens.errors import UsageError
from cachelens.model.comparison import Comparison
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.result import Result, encode
from tests.advise.sessions import Session, tool, words
from tests.builders.captures import pairs
from tests.report import builders

TEXT = "[plain "  # begins every text that `words("plain …")` makes


def talk(clock: bool, turns: int = 4, url: str = "http://localhost:30000/v1/chat/completions") -> Session:
    """A session whose system prompt tells the time with every request, or never."""
    session = Session(name="a", tools=[tool("look_up", what="string")], url=url)
    session.messages.append({"role": "system", "content": ""})
    for turn in range(turns):
        time = f"The time is 10:31:{turn:02}." if clock else "Be brief."
        session.messages[0]["content"] = f"{words('plain head', 80)}\n{time}\n{words('plain rest', 80)}"
        if turn == 0:
            session.user(words("plain question", 20))
        session.use("look_up", {"what": str(turn)}, words(f"plain output {turn}", 100), text=f"step {turn}")
    return session


def capture(clock: bool, turns: int = 4, **changes: str) -> str:
    name = f"{'clock' if clock else 'still'}-{turns}.jsonl"
    Path(name).write_bytes(pairs(talk(clock, turns, **changes).calls))
    return name


def seen(capfd: pytest.CaptureFixture[str], *arguments: str) -> Comparison:
    """The JSON of one run."""
    assert run(["compare", *arguments, "--format", "json", "-q"]) == 0
    return msgspec.json.decode(capfd.readouterr().out, type=Comparison)


def saved(trace: str, name: str, *arguments: str) -> str:
    assert run(["analyze", trace, "-q", "-o", name, *arguments]) == 0
    return name


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    capfd.readouterr()
    assert run(["compare", *arguments, "-q"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    return err


def test_the_day_somebody_adds_a_clock(capfd: pytest.CaptureFixture[str]) -> None:
    still, clock = capture(False), capture(True)
    assert run(["compare", still, clock]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert "\n WORSE    computes " in out
    assert "CL101 appeared: " in out
    assert TEXT not in out
    assert run(["compare", clock, still]) == 0
    out = capfd.readouterr().out
    assert "\n BETTER   computes " in out
    assert "CL101 vanished" in out
    found = seen(capfd, still, still)
    assert found.judgment == "same"
    assert not any(one.change or one.change_pp for one in found.figures)


def test_saved_results_captures_and_tables_give_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    still, clock = capture(False), capture(True)
    wanted = seen(capfd, still, clock, "--names", "a,b", "--capacity", "2k", "--engine", "sglang")
    options = ["--capacity", "2k", "--engine", "sglang"]
    one, other = saved(still, "one.json", *options), saved(clock, "other.json", *options)
    assert run(["ingest", still, "-o", "one-tables", "-q"]) == 0
    assert run(["ingest", clock, "-o", "other-tables", "-q"]) == 0
    for before in (one, still, "one-tables"):
        for after in (other, clock, "other-tables"):
            mixed = "json" in before + after and before + after != "one.jsonother.json"
            more = [] if "json" in (before[-4:], after[-4:]) else options
            found = seen(capfd, before, after, "--names", "a,b", *more)
            same = ("judgment", "figures", "outcomes", "labels", "buckets", "causes", "layouts", "sessions")
            for name in same:
                assert getattr(found, name) == getattr(wanted, name), (before, after, name)
            assert mixed or found.notes == wanted.notes


def test_beside_a_saved_result_a_capture_is_replayed_as_that_was(capfd: pytest.CaptureFixture[str]) -> None:
    still, clock = capture(False), capture(True)
    one = saved(
        still,
        "one.json",
        "--engine",
        "vllm",
        "--capacity",
        "4k",
        "--encoding",
        "cl100k_base",
        "--page-size",
        "32",
    )
    assert run(["compare", one, clock]) == 0
    out, err = capfd.readouterr()
    note = "after is read and replayed as before was (vllm, lru, 4 k tokens, pages of 32)"
    assert err == f"cachelens: {note}\n"
    assert note in " ".join(out.split())
    found = seen(capfd, clock, one)
    assert found.before.engine.name == found.after.engine.name == "vllm"
    assert found.before.engine.capacity_tokens == 4000
    assert found.before.engine.page_size == 32
    assert found.before.trace.encoding == "cl100k_base"
    assert found.notes[0].startswith("before is read and replayed as after was (vllm")
    err = refused(capfd, one, clock, "--capacity", "5k", "--encoding", "o200k_base")
    assert (
        "encoding: cl100k_base before, o200k_base after; capacity: 4,000 tokens before, 5,000 tokens after"
        in err
    )
    assert "a saved result keeps the cache it was made with" in err
    assert "--across capacity" in err
    assert "--across encoding" not in err
    found = seen(capfd, one, clock, "--engine", "sglang", "--across", "engine")
    assert [(d.name, d.before, d.after) for d in found.across] == [
        ("engine", "vllm", "sglang"),
        ("page size", "32 tokens", "1 token"),
    ]
    assert found.after.engine.capacity_tokens == 4000
    assert found.notes[0].endswith("but for --engine")


def test_options_of_engines_and_tiers_are_inherited() -> None:
    base = builders.session()
    engine = msgspec.structs.replace(
        base.engine, name="hicache", policy="lfu", tiers={"host": 500}, options={"io": "x"}, page_size=64
    )
    trace = msgspec.structs.replace(base.trace, render="system-first", encoding="exact")
    known: Result = msgspec.structs.replace(base, engine=engine, trace=trace)
    nothing = Asked((None, None), (None, None), (None, None), How(), None, None)
    cache, readings = [AnalyzeOptions()] * 2, [IngestOptions()] * 2
    assert inherit([known, known], nothing, cache, readings, ("a", "b")) == []
    assert inherit([None, None], nothing, cache, readings, ("a", "b")) == []
    assert cache == [AnalyzeOptions()] * 2
    inherit([None, known], nothing, cache, readings, ("a", "b"))
    own = cache[0]
    assert (own.engine, own.policy, own.capacity, own.page_size) == ("hicache", "lfu", "200000", 64)
    assert own.tiers == (("host", "500"),)
    assert own.engine_options == {"io": "x"}
    assert readings[0].render == "system-first"
    assert readings[0].encoding == IngestOptions.encoding, (
        "ids as they were captured are no encoding to count by"
    )
    assert cache[1] == AnalyzeOptions()
    assert readings[1] == IngestOptions()


def test_one_value_for_each_side_compares_on_purpose(capfd: pytest.CaptureFixture[str]) -> None:
    still = capture(False)
    found = seen(capfd, still, still, "--engine", "sglang,vllm", "--capacity", "600,4k")
    assert (found.before.engine.name, found.after.engine.name) == ("sglang", "vllm")
    assert (found.before.engine.capacity_tokens, found.after.engine.capacity_tokens) == (600, 4000)
    assert (found.before.name, found.after.name) == (f"{still} (sglang)", f"{still} (vllm)")
    assert {one.name for one in found.across} == {"engine", "page size", "capacity"}
    found = seen(capfd, still, still, "--engine", "sglang", "--policy", "lru,lfu")
    assert (found.before.engine.policy, found.after.engine.policy) == ("lru", "lfu")
    assert pair("--x", None) == (None, None)
    assert pair("--x", "a") == ("a", "a")
    assert pair("--x", "a, b") == ("a", "b")
    for wrong in ("a,b,c", "a,", ",", ""):
        with pytest.raises(UsageError):
            pair("--x", wrong)


def test_what_the_traffic_met_may_differ_and_is_then_refused(capfd: pytest.CaptureFixture[str]) -> None:
    still = capture(False)
    other = capture(False, 5, url="https://api.openai.com/v1/chat/completions")
    err = refused(capfd, still, other)
    assert "these cannot be compared: engine: sglang before, openai after" in err
    assert "choose one --engine for both, or --across engine" in err
    assert "saved result" not in err
    assert seen(capfd, still, other, "--across", "engine").across[0].name == "engine"
    assert seen(capfd, still, other, "--engine", "ideal").across == ()


def test_a_share_of_the_working_set_is_another_size_for_each(capfd: pytest.CaptureFixture[str]) -> None:
    err = refused(capfd, capture(False, 3), capture(False, 6), "--capacity", "50%")
    assert "capacity: " in err
    assert "a share of the working set is another size for each trace" in err


def test_saved_results_mind_no_options_and_say_so(capfd: pytest.CaptureFixture[str]) -> None:
    one = saved(capture(False), "one.json")
    assert run(["compare", one, one, "--engine", "vllm"]) == 0
    err = capfd.readouterr().err
    assert "a saved result keeps the cache it was made with" in err
    assert err.rstrip().endswith("without effect: --engine")
    assert run(["compare", one, capture(True), "--threshold", "min_tokens=5"]) == 0
    assert "--threshold and --tools are not for it" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--across", "encoding"], "unknown difference to compare across 'encoding'"),
        (["--across", "engin"], "did you mean 'engine'?"),
        (["--across", ","], "--across names nothing"),
        (["--names", "one"], "--names 'one' is not BEFORE,AFTER"),
        (["--engine", "sglang,vlm"], "did you mean 'vllm'?"),
        (["--engine", "a,b,c"], "neither one value nor one for each side"),
        (["--encoding", "o200k"], "did you mean 'o200k_base'?"),
        (["--format", "png"], "png does not show this kind of report"),
        (["-o", "x.unknown"], "the suffix names no output format"),
        (["--threshold", "min_tokens"], "is no NAME=VALUE"),
    ],
)
def test_usage(arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    still = capture(False)
    assert said in refused(capfd, still, still, *arguments)


def test_other_inputs_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    still = capture(False)
    assert "standard input can be one side only" in refused(capfd, "-", "-")
    assert "Missing argument" in refused(capfd, still)
    assert run(["compare", still, still, "-q", "-o", "c.json"]) == 0
    assert "c.json: holds a comparison, not the result of an analysis" in refused(capfd, still, "c.json")
    assert "c.json: exists already" in refused(capfd, still, still, "-o", "c.json")
    assert f"{still}: is an input of this very run" in refused(
        capfd, still, still, "-o", still, "--format", "json"
    )
    assert "nothing.jsonl" in refused(capfd, still, "nothing.jsonl")


def test_files_and_screen_and_the_same_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    still, clock = capture(False), capture(True)
    assert run(["compare", still, clock, "-o", "one.json", "-o", "one.txt"]) == 0
    out, err = capfd.readouterr()
    assert out == Path("one.txt").read_text()
    assert err == "Wrote one.json\nWrote one.txt\n"
    assert run(["compare", still, clock, "-q", "-o", "two.json"]) == 0
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()
    assert TEXT not in Path("one.json").read_text()
    document = msgspec.json.decode(Path("one.json").read_bytes(), type=Comparison)
    assert document.figure("requests").before == 4


def test_names_tell_both_sides_apart() -> None:
    for places, names in {
        ("a.json", "b.json"): ("a.json", "b.json"),
        ("/very/long/way/to/a.jsonl", "other/b.har"): ("a.jsonl", "b.har"),
        ("x/run.jsonl", "y/run.jsonl"): ("x/run.jsonl", "y/run.jsonl"),
        ("/data/x/deep/run.jsonl", "/data/y/deep/run.jsonl"): ("x/deep/run.jsonl", "y/deep/run.jsonl"),
        ("run.jsonl", "old/run.jsonl"): ("run.jsonl", "old/run.jsonl"),
        ("before/", "after/"): ("before", "after"),
        ("same.jsonl", "same.jsonl"): ("same.jsonl", "same.jsonl"),
        ("/a/same.jsonl", "/a/same.jsonl"): ("same.jsonl", "same.jsonl"),
        ("-", "b.json"): ("standard input", "b.json"),
        ("/", "x"): ("/", "x"),
        ("C:\\runs\\a.json", "C:\\runs\\b.json"): ("a.json", "b.json"),
    }.items():
        assert called(None, places) == names
    assert called(" main, pull request ", ("a", "b")) == ("main", "pull request")


def test_hostile_names_reach_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    bad = "\x1b[2J\u202eevil\u200b" + "n" * 5000
    sessions = []
    for end in ("one", "two"):
        session = Session(name="h", system=f"{bad} {end}", tools=[tool(bad, what="string")], model=bad + end)
        session.user(bad).use(bad, {"what": bad}, bad)
        session.messages[0]["content"] = f"{bad} {end} changed"
        session.ask()
        Path(f"{end}.jsonl").write_bytes(pairs(session.calls))
        sessions.append(f"{end}.jsonl")
    for more in ([], ["-v"], ["--names", f"{bad},{bad}"]):
        assert run(["compare", *sessions, *more]) == 0
        out, _ = capfd.readouterr()
        assert not set(out) & {"\x1b", "\x9b", "\u202e", "\u200b"}
        assert max(map(len, out.splitlines())) <= 100


def test_a_page_has_the_waterfalls_of_both_sides(capfd: pytest.CaptureFixture[str]) -> None:
    still, clock = capture(False), capture(True)
    one = saved(still, "one.json")
    assert run(["compare", one, clock, "-q", "-o", "page.html", "-o", "page.json"]) == 0
    page = Path("page.html").read_text()
    assert page.count("-waterfall") >= 2
    assert page.count("<svg") >= 2
    assert TEXT not in page
    document = msgspec.json.decode(Path("page.json").read_bytes())
    assert "results" not in document, "what pictures are drawn from is not kept"
    bare = msgspec.structs.replace(builders.session(), pictures=None)
    Path("bare.json").write_bytes(encode(bare))
    assert "bare.json: holds no data for pictures" in refused(capfd, "bare.json", "bare.json", "-o", "x.html")
    assert not Path("x.html").exists()
    assert run(["compare", "bare.json", "bare.json", "-q", "-o", "x.json"]) == 0
