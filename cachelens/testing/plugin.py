"""The pytest plugin. In: `--cachelens-record`. Out: the fixture `cachelens_recorder`.

pytest loads it at every start, so nothing of cachelens is imported before the fixture is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cachelens.testing.recorder import Recorder

_OPTION = "--cachelens-record"
#: Characters of a test's name in the name of its file; a digest tells longer ones apart.
_NAME_CHARS = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--cachelens-record`."""
    parser.getgroup("cachelens").addoption(
        _OPTION,
        metavar="DIR",
        default=None,
        help="keep what cachelens_recorder records in this folder, one pairs JSONL a test",
    )


@pytest.fixture
def cachelens_recorder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorder]:
    """Records what SDK clients say in this test: a `cachelens.testing.recorder.Recorder`."""
    from cachelens.testing.recorder import Recorder

    folder = request.config.getoption(_OPTION)
    if folder is None:
        path = tmp_path / "cachelens.jsonl"
    else:
        path = request.config.invocation_params.dir / folder / file_name(request.node.nodeid)
        path.unlink(missing_ok=True)  # of an earlier run
    recorder = Recorder(path)
    yield recorder
    recorder.close()


def file_name(nodeid: str) -> str:
    """A name for the recording of one test: readable, of plain characters, and its own."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", nodeid).strip("-")[-_NAME_CHARS:].lstrip(".-")
    return f"{plain}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}.jsonl"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line about what was kept, when it was asked for."""
    folder = config.getoption(_OPTION)
    if folder is not None:
        kept = len(list((config.invocation_params.dir / folder).glob("*.jsonl")))
        terminalreporter.write_line(f"cachelens: {kept} recording{'' if kept == 1 else 's'} in {folder}")
