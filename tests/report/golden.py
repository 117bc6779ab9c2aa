"""Golden outputs. In: what was rendered. Out: a failing test that says how to accept a change.

A mismatch is saved beside the golden file, as `<name>.actual`.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
ACCEPT = "CACHELENS_ACCEPT=1 pytest tests/report"


def compare(name: str, actual: bytes) -> None:
    """Assert that `actual` is what golden file `name` holds, or write it when changes are accepted."""
    golden, beside = FOLDER / name, FOLDER / f"{name}.actual"
    if os.environ.get("CACHELENS_ACCEPT") == "1":
        golden.write_bytes(actual)
        beside.unlink(missing_ok=True)
        return
    if not golden.exists() or actual != golden.read_bytes():
        beside.write_bytes(actual)
        raise AssertionError(f"{beside} differs from {golden.name}; accept the change with: {ACCEPT}")
    beside.unlink(missing_ok=True)
