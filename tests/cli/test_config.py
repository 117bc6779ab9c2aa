"""Settings from flags, environment and files: which is stronger, where they are found, what is wrong with them."""

from __future__ import annotations

import os
import tomllib
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachelens.cli import run
from cachelens.cli.app import build
from cachelens.cli.config import file as files
from cachelens.cli.config.environment import OTHERS, variables
from cachelens.cli.config.file import line_of
from cachelens.cli.config.known import kind_of, settable
from cachelens.cli.config.values import merged
from tests.cli import fakes


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CACHELENS_"):
            monkeypatch.delenv(name)


def settings(text: str, name: str = "cachelens.toml", folder: str = ".") -> None:
    """Write a file of settings."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / name).write_text(text, encoding="utf-8")


def analyzed(stages: fakes.Stages, *arguments: str) -> Any:
    """The options that `analyze` runs with."""
    assert run(["analyze", "t.jsonl", "-q", "--format", "json", *arguments]) == 0
    return stages.calls["analyze"][0]


# -- which is stronger


SOURCES = ("default", "file", "variable", "flag")


@pytest.mark.parametrize(("weaker", "stronger"), list(combinations(SOURCES, 2)))
def test_the_stronger_of_two_counts(
    stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch, weaker: str, stronger: str
) -> None:
    capacities = {"default": "inf", "file": "1000", "variable": "2000", "flag": "3000"}
    used = {weaker, stronger}
    if "file" in used:
        settings(f'capacity = "{capacities["file"]}"')
    if "variable" in used:
        monkeypatch.setenv("CACHELENS_CAPACITY", capacities["variable"])
    flags = ["--capacity", capacities["flag"]] if "flag" in used else []
    assert analyzed(stages, *flags).capacity == capacities[stronger]


def test_what_is_for_one_verb_is_stronger(stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    settings('[analyze]\ncapacity = 7000\n[simulate]\ncapacity = "1"\n')
    assert analyzed(stages).capacity == "7000"
    settings("capacity = 5000\n[analyze]\ncapacity = 7000\n")
    assert analyzed(stages).capacity == "7000"
    monkeypatch.setenv("CACHELENS_CAPACITY", "8000")
    assert analyzed(stages).capacity == "8000"
    monkeypatch.setenv("CACHELENS_ANALYZE_CAPACITY", "9000")
    assert analyzed(stages).capacity == "9000"
    monkeypatch.setenv("CACHELENS_ANALYZE_CAPACITY", "")
    assert analyzed(stages).capacity == "8000"


def test_named_values_are_joined_name_by_name(stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(
        "[thresholds]\nmin-tokens = 1\nshingle = 2\ntool-requests = 3\n[analyze.thresholds]\nshingle = 4\n"
    )
    assert analyzed(stages).thresholds == {"min_tokens": "1", "shingle": "4", "tool_requests": "3"}
    monkeypatch.setenv("CACHELENS_THRESHOLD", "min-tokens=5 tool_requests=6")
    assert analyzed(stages).thresholds == {"min_tokens": "5", "shingle": "4", "tool_requests": "6"}
    found = analyzed(stages, "--threshold", "min_tokens=7", "--threshold", "echo_share=0.5")
    assert found.thresholds == {"min_tokens": "7", "shingle": "4", "tool_requests": "6", "echo_share": "0.5"}


def test_a_name_given_twice_at_once_is_still_a_mistake(
    stages: fakes.Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("thresholds = {shingle = 2}")
    assert run(["analyze", "t", "--threshold", "shingle=1", "--threshold", "shingle=2"]) == 2
    assert "given twice" in capsys.readouterr().err


@given(
    st.lists(st.from_regex(r"[a-c]=[0-9]", fullmatch=True)),
    st.lists(st.from_regex(r"[a-c]=[0-9]", fullmatch=True)),
)
def test_joined_values_hold_every_name_and_the_stronger_value(weaker: list[str], stronger: list[str]) -> None:
    found = merged(weaker, stronger)
    of = [dict(text.split("=") for text in texts) for texts in (weaker, stronger)]
    assert dict(text.split("=") for text in found) == of[0] | of[1]
    assert found[len(found) - len(stronger) :] == stronger


def test_lists_replace_each_other(stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    settings('output = ["a.json", "b.json"]\nformat = "json"')
    assert run(["analyze", "t"]) == 0
    assert {path.name for path in Path().glob("*.json")} == {"a.json", "b.json"}
    monkeypatch.setenv("CACHELENS_OUTPUT", "c.json d.json")
    assert run(["analyze", "t"]) == 0
    assert run(["analyze", "t", "-o", "e.json"]) == 0
    assert {path.stem for path in Path().glob("*.json")} == set("abcde")


def test_values_of_every_kind(stages: fakes.Stages) -> None:
    settings(
        'page-size = 16\nstrict = true\nencoding = "cl100k_base"\nutilization = 1\nset = "slots=4"\ntp = 2'
    )
    found = analyzed(stages)
    assert (found.page_size, found.kv.tp, found.engine_options) == (16, 2, {"slots": "4"})
    reading = stages.calls["load"][1]
    assert (reading.strict, reading.encoding) == (True, "cl100k_base")


def test_a_switch_can_be_turned_off_again(stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    settings("strict = true")
    monkeypatch.setenv("CACHELENS_STRICT", "no")
    analyzed(stages)
    assert stages.calls["load"][1].strict is False


def test_a_choice_is_for_verbs_that_have_it(
    stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings('format = "json"')
    assert run(["explain", "fresh"]) == 0
    assert run(["analyze", "t"]) == 0
    assert capsys.readouterr().out.rpartition("\n{")[2]
    settings("")
    monkeypatch.setenv("CACHELENS_FORMAT", "json")
    assert run(["explain", "fresh"]) == 0
    monkeypatch.setenv("CACHELENS_EXPLAIN_FORMAT", "json")
    assert run(["explain", "fresh"]) == 2
    assert "CACHELENS_EXPLAIN_FORMAT: Invalid value" in capsys.readouterr().err


# -- where the file is


def test_the_nearest_file_up_to_the_root_of_the_repository(
    stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings("capacity = 1000")
    settings("capacity = 2000", folder="repository/inner")
    Path("repository/inner/deep").mkdir()
    monkeypatch.chdir("repository/inner/deep")
    assert analyzed(stages).capacity == "2000"
    monkeypatch.chdir("../..")
    assert analyzed(stages).capacity == "1000"
    Path(".git").write_text("gitdir: elsewhere")
    assert analyzed(stages).capacity == "inf"
    settings("capacity = 3000")  # the root itself still counts
    assert analyzed(stages).capacity == "3000"


def test_a_project_file_counts_when_it_has_settings(
    stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings("capacity = 1000")
    settings('[project]\nname = "cachelens-user"\n', "pyproject.toml", "project")
    monkeypatch.chdir("project")
    assert analyzed(stages).capacity == "1000"
    settings("this is no TOML", "pyproject.toml")
    assert analyzed(stages).capacity == "1000"
    settings("[tool.cachelens]\ncapacity = 2000\n[tool.cachelens.analyze]\npage-size = 4\n", "pyproject.toml")
    assert (analyzed(stages).capacity, analyzed(stages).page_size) == ("2000", 4)
    settings("capacity = 3000")  # a file of its own beside it is read instead
    assert analyzed(stages).capacity == "3000"
    found = files.find(Path.cwd())
    assert found is not None
    assert (found.shown, found.ignored) == ("cachelens.toml", "pyproject.toml")


@pytest.mark.parametrize("before", [True, False])
def test_a_file_by_name(stages: fakes.Stages, before: bool) -> None:
    settings("capacity = 1000")
    settings("capacity = 2000", "other.toml", "there")
    words = ["--config", "there/other.toml"]
    verb = ["analyze", "t", "--format", "json"]
    assert run([*words, *verb] if before else [*verb, *words]) == 0
    assert stages.calls["analyze"][0].capacity == "2000"


def test_a_file_by_variable_and_none_at_all(stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch) -> None:
    settings("capacity = 1000")
    settings("capacity = 2000", "other.toml")
    monkeypatch.setenv("CACHELENS_CONFIG", "other.toml")
    assert analyzed(stages).capacity == "2000"
    assert analyzed(stages, "--config", "cachelens.toml").capacity == "1000"
    assert analyzed(stages, "--config", "none").capacity == "inf"
    monkeypatch.setenv("CACHELENS_CONFIG", "none")
    assert analyzed(stages).capacity == "inf"


def test_names_of_files_are_relative_to_the_file(
    stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings('tools = "mine.toml"\noutput = ["deep/r.json", "-"]')
    Path("deep").mkdir()
    monkeypatch.chdir("deep")
    assert analyzed(stages).tools_file == "../mine.toml"
    assert Path("r.json").exists()


def test_tools_can_stand_in_the_file(stages: fakes.Stages) -> None:
    from cachelens.attribute.content.tools import read_tools

    entry = '[[{}]]\nname = "peek"\naction = "read"\npath = "file"\n'
    settings(f"capacity = 1000\n{entry.format('tools')}")
    place = analyzed(stages).tools_file
    (tool,) = read_tools(Path(place))
    assert (tool.tool, tool.action, tool.path) == ("peek", "read", "file")
    settings("")
    Path("cachelens.toml").unlink()
    settings(f"[tool.cachelens]\ncapacity = 9\n{entry.format('tool.cachelens.tools')}", "pyproject.toml")
    assert read_tools(Path(analyzed(stages).tools_file)) == (tool,)


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("\nengin = 'lru'", "cachelens.toml:2: unknown key 'engin'", "did you mean 'engine'?"),
        ("page_size = 4", "unknown key 'page_size'", "did you mean 'page-size'?"),
        ("[analyse]\nengine = 'lru'", "unknown key 'analyse'", "did you mean 'analyze'?"),
        ("[analyze]\njobs = 2", "cachelens.toml:2: unknown key 'jobs'", "known: "),
        ("[ruls]\nCL101 = 'error'", "unknown key 'ruls'", "did you mean 'rules'?"),
        ("[analyze]\n\nengine = [\n'lru',\n]", "cachelens.toml:3: engine takes a text, not a list", None),
        ("capacity = true", "capacity takes a text, not true", None),
        ("page-size = '16'", "page-size takes a whole number, not a text", None),
        ("page-size = 1.5", "page-size takes a whole number, not a number", None),
        ("utilization = true", "utilization takes a number, not true", None),
        ("strict = 'yes'", "strict takes true or false, not a text", None),
        ("strict = 1", "strict takes true or false, not a number", None),
        (
            "set = [1, true]",
            "set takes a table of names and values, or a list of texts such as OPTION=VALUE",
            None,
        ),
        ("thresholds = {min-tokens = [1]}", "min-tokens cannot be a list", "max-tokens"),
        ("capacity = 2020-01-01", "capacity takes a text, not a time", None),
        ("color = 'blue'", "unknown value of color 'blue'", "known: always, auto, never"),
        ("[analyze]\ncolor = 'alway'", "unknown value of color 'alway'", "did you mean 'always'?"),
        ("force = true", "force cannot be set in a file", "command line"),
        ("config = 'x'", "unknown key 'config'", None),
        ("analyze = 3", "unknown key 'analyze'", None),
        ("engine = ", "cachelens.toml: not TOML", "docs/configuration.md"),
    ],
)
def test_mistakes_are_named(
    stages: fakes.Stages, capsys: pytest.CaptureFixture[str], text: str, message: str, hint: str | None
) -> None:
    settings(text)
    assert run(["analyze", "t"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert hint is None or hint in said
    assert stages.calls == {}


def test_a_broken_file_does_not_stop_help(capsys: pytest.CaptureFixture[str]) -> None:
    settings("engin = 1")
    assert run(["analyze", "--help"]) == 0
    assert "--capacity" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"engine = '\xff'"), "is no UTF-8 text"),
        (lambda path: path.write_text("#" * (1 << 20) + "\n"), "is too large"),
        (lambda path: path.write_text("engine = " + "[" * 100_000), "nested too deeply"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: None, "No such file"),
    ],
)
def test_files_that_cannot_be_read(capsys: pytest.CaptureFixture[str], write: Any, message: str) -> None:
    write(Path("mine.toml"))
    assert run(["--config", "mine.toml", "analyze", "t"]) == 2
    said = capsys.readouterr().err
    assert "mine.toml: " in said
    assert message in said


def test_a_project_file_that_was_asked_for_must_have_settings(capsys: pytest.CaptureFixture[str]) -> None:
    settings("[project]\n", "pyproject.toml")
    assert run(["--config", "pyproject.toml", "analyze", "t"]) == 2
    assert "has no section [tool.cachelens]" in capsys.readouterr().err


def test_a_value_out_of_range_says_where_it_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings("\n\npage-size = 0")
    assert run(["analyze", "t"]) == 2
    assert "cachelens.toml:3: Invalid value for '--page-size'" in capsys.readouterr().err
    monkeypatch.setenv("CACHELENS_PAGE_SIZE", "many")
    assert run(["analyze", "t"]) == 2
    assert "CACHELENS_PAGE_SIZE: Invalid value for '--page-size'" in capsys.readouterr().err


def test_an_error_of_a_verb_tells_what_came_from_elsewhere(
    stages: fakes.Stages, capsys: pytest.CaptureFixture[str]
) -> None:
    settings('engine = "sglangg"')
    assert run(["analyze", "t"]) == 2
    said = capsys.readouterr().err
    assert "unknown engine 'sglangg'" in said
    assert "engine (cachelens.toml:1)" in said
    assert run(["analyze", "t", "--engine", "vlllm"]) == 2
    assert "cachelens.toml" not in capsys.readouterr().err


def test_unknown_variables_are_warned_about_and_never_shown(
    stages: fakes.Stages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CACHELENS_ENGIN", "hunter2")
    monkeypatch.setenv("CACHELENS_ZZZZZ", "hunter2")
    for name in OTHERS[1:]:
        monkeypatch.setenv(name, "1")
    assert run(["analyze", "t", "-o", "a.json", "--format", "json"]) == 0
    said = capsys.readouterr().err
    assert "warning: CACHELENS_ENGIN sets nothing: did you mean CACHELENS_ENGINE?" in said
    assert "warning: CACHELENS_ZZZZZ sets nothing\n" in said
    assert "hunter2" not in said
    assert not [name for name in OTHERS if name in said]
    assert run(["analyze", "t", "-q", "-o", "b.json"]) == 0
    assert capsys.readouterr().err == ""


# -- the whole of it


def test_every_option_has_a_variable_of_its_own_and_a_kind() -> None:
    known = settable(build())
    names: dict[str, set[tuple[str, str]]] = {}
    for verb, options in known.items():
        for name, option in options.items():
            assert kind_of(option)
            own, general = variables(verb, name)
            names.setdefault(own, set()).add((verb, name))
            names.setdefault(general, set()).add(("", name))
    assert {name: users for name, users in names.items() if len(users) > 1} == {}
    assert not set(names) & set(OTHERS)


def test_no_option_is_named_as_a_verb() -> None:
    known = settable(build())
    assert not set(known) & {name for options in known.values() for name in options}


VALUES = st.one_of(
    st.integers(0, 9),
    st.just("a\n# b = 1\nc = '''"),
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.sampled_from("xyz"), st.integers(0, 9), max_size=2),
)


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), VALUES, st.integers(0, 2)), unique_by=lambda one: one[0])
)
def test_lines_of_settings(rows: list[tuple[str, Any, int]]) -> None:
    """A file written statement by statement: each begins where it was written."""
    lines: list[str] = []
    expected = {}
    for number, (key, value, blanks) in enumerate(rows):
        lines += ["", "# note = 1"][:blanks]
        expected[key] = len(lines) + 1
        if isinstance(value, list):
            lines += [f"{key} = [", *(f"  {one}," for one in value), "]"]
        elif isinstance(value, dict):
            inner = ", ".join(f"{name} = {one}" for name, one in value.items())
            lines += [f"{key} = {{{inner}}}"]
        elif isinstance(value, str):
            lines += [f'{key} = """', *value.split("\n"), '"""']
        else:
            lines += [f"{key} = {value}  # {number}"]
    text = "\n".join(lines)
    assert set(tomllib.loads(text)) == set(expected)
    assert {key: line_of(text, [key]) for key in expected} == expected


def test_lines_below_tables() -> None:
    text = "[a]\nx = 1\n\n[a.b]\ny = 2\n[[c]]\nz = 1\n[[c]]\nz = 2\n"
    assert line_of(text, ["a"]) == 1
    assert line_of(text, ["a", "x"]) == 2
    assert line_of(text, ["a", "b"]) == 4
    assert line_of(text, ["a", "b", "y"]) == 5
    assert line_of(text, ["c"]) == 6
    assert line_of(text, ["d"]) is None
