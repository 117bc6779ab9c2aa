"""Secrets of a capture reach no output: not the report, not the tables, not an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SECRETS = [f"s3cr3t-{n:04d}-planted" for n in range(8)]
HEADERS = [
    ("Authorization", f"Bearer {SECRETS[0]}"),
    ("x-api-key", SECRETS[1]),
    ("Cookie", f"sid={SECRETS[2]}"),
    ("x-goog-api-key", SECRETS[3]),
    ("Proxy-Authorization", f"Basic {SECRETS[4]}"),
]
URL = f"https://user:{SECRETS[5]}@api.example.com/v1/chat/completions?key={SECRETS[6]}&api_key={SECRETS[7]}"


def body(number: int) -> dict[str, object]:
    return {"model": "m", "messages": [{"role": "user", "content": f"Question {number}, nothing secret"}]}


def har(path: Path) -> None:
    entries = [
        {
            "startedDateTime": f"2026-01-01T00:00:0{n}Z",
            "time": 5,
            "request": {
                "method": "POST",
                "url": URL,
                "headers": [{"name": name, "value": value} for name, value in HEADERS],
                "cookies": [{"name": "sid", "value": SECRETS[2]}],
                "postData": {"mimeType": "application/json", "text": json.dumps(body(n)) if n else "{broken"},
            },
            "response": {"status": 200, "headers": [], "content": {"text": "{}"}},
        }
        for n in range(3)
    ]
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))


def pairs(path: Path) -> None:
    lines = [
        json.dumps({"method": "POST", "url": URL, "request_headers": dict(HEADERS), "request": body(n)})
        for n in range(3)
    ]
    path.write_text("\n".join([lines[0][:-40], *lines]))


@pytest.mark.parametrize("write", [har, pairs])
def test_planted_secrets_are_found_nowhere(write: object, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    write(capture)  # type: ignore[operator]
    run = [sys.executable, "-m", "cachelens"]
    said = b""
    for command in (
        ["analyze", str(capture), "-v"],
        ["analyze", str(capture), "--format", "json"],
        ["analyze", str(capture), "--strict"],
        ["ingest", str(capture), "-o", str(tmp_path / "tables")],
    ):
        done = subprocess.run([*run, *command], capture_output=True, check=False)
        assert done.returncode == (2 if "--strict" in command else 0), done.stderr
        said += done.stdout + done.stderr
    tables = [path.read_bytes() for path in (tmp_path / "tables").iterdir()]
    assert len(tables) == 4
    for data in (said, *tables):
        for secret in SECRETS:
            assert secret.encode() not in data
