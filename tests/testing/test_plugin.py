"""The pytest plugin as a user meets it: in a run of pytest of its own, with no other plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cachelens.testing.plugin import file_name

ROOT = Path(__file__).parents[2]
HARNESS = '''
import pytest

httpx = pytest.importorskip("httpx2")

REPLY = {"id": "x", "object": "chat.completion", "model": "m", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}]}


def ask(recorder, clock):
    """Three requests of a harness that puts a clock into its system prompt, or does not."""
    inner = httpx.MockTransport(lambda request: httpx.Response(200, json=REPLY))
    messages = [{"role": "system", "content": "Be brief."}]
    with httpx.Client(transport=recorder.transport(inner)) as client:
        for turn in range(3):
            if clock:
                messages[0] = {"role": "system", "content": f"It is 10:31:0{turn}. Be brief."}
            messages.append({"role": "user", "content": f"question {turn}"})
            reply = client.post("http://localhost/v1/chat/completions", json={"model": "m", "messages": messages})
            messages.append(reply.json()["choices"][0]["message"])


@pytest.mark.parametrize("clock", [False, True], ids=["plain", "clock/1"])
def test_harness(cachelens_recorder, clock):
    ask(cachelens_recorder, clock)
    assert len(cachelens_recorder.requests) == 3
    assert len(cachelens_recorder.trace) == 3
    cachelens_recorder.assert_append_only()
    cachelens_recorder.assert_prefix_stable()
    cachelens_recorder.assert_hit_rate(at_least=1, of="repeated", engine="ideal")
    cachelens_recorder.assert_no_findings(engine="ideal")


def test_nothing(cachelens_recorder):
    with pytest.raises(Exception, match="nothing was recorded"):
        cachelens_recorder.assert_append_only()
'''


def run(folder: Path, *arguments: str, code: str = HARNESS) -> subprocess.CompletedProcess[str]:
    (folder / "test_harness.py").write_text(code, encoding="utf-8")
    # No other plugin, and this one by its module: what is installed may be of another day.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "cachelens.testing.plugin", "-W", "error", "--strict-markers",
         "-p", "no:cacheprovider", *arguments, "test_harness.py"],
        cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip


def test_a_clock_fails_and_the_failure_shows_it(tmp_path: Path):
    pytest.importorskip("httpx2", reason="httpx2 is not installed (extra `test`)")
    done = run(tmp_path, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    assert "2 of 3 prompts do not extend the one before: r2, r3" in done.stdout
    assert "BREAK   changed: system, messages[0].content, character 13" in done.stdout
    assert "CL101 volatile-prefix" in done.stdout
    assert "It is 10:31:[-00-]. Be brief." in done.stdout
    assert "def assert_append_only" not in done.stdout  # the frames of cachelens are hidden
    assert "recordings" not in done.stdout


def test_recordings_are_kept_where_asked(tmp_path: Path):
    pytest.importorskip("httpx2", reason="httpx2 is not installed (extra `test`)")
    for _ in range(2):  # a second run replaces the first
        done = run(tmp_path, "-q", "--cachelens-record", "kept")
        assert "cachelens: 2 recordings in kept" in done.stdout, done.stdout + done.stderr
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert [name.rpartition("-")[0] for name in names] == [
        "test_harness.py-test_harness-clock-1",
        "test_harness.py-test_harness-plain",
    ]
    for name in names:
        lines = (tmp_path / "kept" / name).read_bytes().splitlines()
        assert [len(json.loads(line)["request"]["messages"]) for line in lines] == [2, 4, 6]


def test_pytest_starts_as_light_as_before(tmp_path: Path):
    code = """
import sys

def test_light():
    heavy = {"polars", "numpy", "pyarrow", "httpx", "httpx2", "openai", "msgspec", "cachelens.testing.assertions"}
    assert not heavy & set(sys.modules)
    assert "cachelens.testing.plugin" in sys.modules
"""
    done = run(tmp_path, "-q", code=code)
    assert done.returncode == 0, done.stdout + done.stderr


def test_file_names_are_plain_and_their_own():
    ids = ["tests/a.py::test_x[1/2]", "tests/a.py::test_x[1:2]", "a" * 500, "b" + "a" * 499, "../..", "tést"]
    names = [file_name(one) for one in ids]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.isascii()
        assert "/" not in name
        assert not name.startswith(".")
        assert len(name) < 150


def test_the_plugin_is_an_entry_point():
    import tomllib

    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert config["project"]["entry-points"]["pytest11"] == {"cachelens": "cachelens.testing.plugin"}
