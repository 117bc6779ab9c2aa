"""The examples for pipelines: valid files, commands that run, a capture through a real proxy."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.test_readme import run
from tests.report.stored_schemas import validator

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs" / "ci"
SAMPLES = ROOT / "sample_traces"
PAGE = (CI / "README.md").read_text(encoding="utf-8")


def commands(name: str) -> list[str]:
    """Lines of a file that run cachelens, continued lines joined."""
    text = (CI / name).read_text(encoding="utf-8")
    if name.endswith(".md"):
        text = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    text = re.sub(r"\\\n\s*", "", text)
    text = re.sub(r"(?<!\n)\n {6}(?=-o )", " ", text)  # folded YAML
    found = re.findall(r"^\s*(?:- |entry: |run: )?(cachelens (?:check|analyze) .*)$", text, re.MULTILINE)
    return [command for command in found if "$" not in command]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose harness has just run, with a baseline."""
    (tmp_path / "traces").mkdir()
    (tmp_path / "runs").mkdir()
    shutil.copy(SAMPLES / "no-clock.jsonl", tmp_path / "traces" / "run.jsonl")
    for number in range(1, 4):
        shutil.copy(SAMPLES / "no-clock.jsonl", tmp_path / "runs" / f"{number}.jsonl")
    done = run("cachelens check traces/run.jsonl --update-baseline", tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml", "pre-commit.yaml", "README.md"])
def test_commands_pass_and_fail(name: str, checkout: Path) -> None:
    for command in commands(name):
        done = run(command, checkout)
        assert done.returncode == 0, (command, done.stderr)
    for place in ("traces/run.jsonl", *(f"runs/{number}.jsonl" for number in range(1, 4))):
        shutil.copy(SAMPLES / "clock.jsonl", checkout / place)
    for made in (
        *checkout.glob("*.sarif"),
        *checkout.glob("*.md"),
        *checkout.glob("*.xml"),
        *checkout.glob("*.html"),
    ):
        made.unlink()
    for made in checkout.glob("*.json"):
        if made.name != "cachelens-baseline.json":
            made.unlink()
    checks = [command for command in commands(name) if "--baseline" in command]
    assert checks
    for command in checks:
        done = run(command, checkout)
        assert done.returncode == 1, (command, done.stderr)
        assert "CL101" in done.stdout


def test_the_page_shows_what_a_failing_check_prints(checkout: Path) -> None:
    shutil.copy(SAMPLES / "clock.jsonl", checkout / "traces" / "run.jsonl")
    shown = re.compile(r"(<!-- failing check -->\n```text\n)(.*?)(```\n<!-- /failing check -->)", re.DOTALL)
    command = next(line for line in commands("README.md") if "--max-regression" in line)
    printed = "".join(f"{line.rstrip()}\n" for line in run(command, checkout).stdout.splitlines())
    if os.environ.get("CACHELENS_ACCEPT") == "1":
        text = shown.sub(lambda found: found[1] + printed + found[3], PAGE)
        (CI / "README.md").write_text(text, encoding="utf-8")
        return
    found = shown.search(PAGE)
    assert found is not None
    assert found[2] == printed, "to accept: CACHELENS_ACCEPT=1 python -m pytest tests/docs"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("gitlab.yml", "Gitlab CI configuration"),
        ("pre-commit.yaml", "JSON schema for .pre-commit-config.yaml"),
    ],
)
def test_files_are_valid(name: str, title: str) -> None:
    document = yaml.safe_load((CI / name).read_text(encoding="utf-8"))
    assert list(validator(title).iter_errors(document)) == []


def test_the_workflow_has_what_it_needs() -> None:
    workflow = yaml.safe_load((CI / "github.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["cachelens"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    # What is made by the check is looked at although the check failed.
    after = steps[next(at for at, step in enumerate(steps) if step.get("name") == "Check") + 1 :]
    assert all(step["if"] == "always()" for step in after)


class _Endpoint(BaseHTTPRequestHandler):
    """An endpoint that says the same to everybody."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        reply: dict[str, Any] = {
            "id": "r",
            "object": "chat.completion",
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "done"}, "finish_reason": "stop"}
            ],
        }
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


HARNESS = """
import json, os, sys, urllib.request
messages = [{"role": "system", "content": "x" * 40 + " be brief " * 200}]
for turn in range(4):
    if sys.argv[1] == "clock":
        messages[0]["content"] = f"It is 2026-05-04 12:00:{turn:02}. " + " be brief " * 200
    messages.append({"role": "user", "content": f"question {turn}"})
    body = json.dumps({"model": "m", "messages": messages}).encode()
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, {"content-type": "application/json"}
    )
    reply = json.load(urllib.request.urlopen(request))
    messages.append(reply["choices"][0]["message"])
"""


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(shutil.which("mitmdump") is None, reason="needs mitmdump, which is not here")
def test_a_harness_is_captured_and_gated(tmp_path: Path, upstream: str) -> None:
    (tmp_path / "harness.py").write_text(HARNESS)
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "cachelens"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cachelens "$@"\n')
    program.chmod(0o755)

    def captured(mode: str, flows: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "UPSTREAM": upstream,
            "FLOWS": flows,
            "PORT": str(18000 + os.getpid() % 10000),
            "NO_PROXY": "127.0.0.1",
        }
        command = [str(CI / "capture.sh"), "base.json", sys.executable, "harness.py", mode]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    done = captured("plain", "first.flows")
    assert done.returncode == 2, done.stderr  # there is no baseline yet
    assert "--update-baseline" in done.stderr
    accepted = run("cachelens check first.flows --baseline base.json --update-baseline", tmp_path)
    assert accepted.returncode == 0, accepted.stderr
    done = captured("plain", "second.flows")
    assert done.returncode == 0, done.stderr
    done = captured("clock", "third.flows")
    assert done.returncode == 1, done.stderr
    assert "CL101" in done.stdout
