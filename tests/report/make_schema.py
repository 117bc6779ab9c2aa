"""Writes the JSON Schemas in docs/. In: documents. Out: docs/{result,verdict,curve,grid,inspection}.schema.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from cachelens.model.comparison import Comparison
from cachelens.model.curve import Curve
from cachelens.model.grid import Grid
from cachelens.model.inspection import Inspection
from cachelens.model.result import Result
from cachelens.model.verdict import Verdict

DOCS = Path(__file__).parents[2] / "docs"
PATHS: dict[Path, Any] = {
    DOCS / "result.schema.json": Result,
    DOCS / "verdict.schema.json": Verdict,
    DOCS / "curve.schema.json": Curve,
    DOCS / "grid.schema.json": Grid,
    DOCS / "inspection.schema.json": Inspection,
    DOCS / "comparison.schema.json": Comparison,
}
COMMAND = "python -m tests.report.make_schema"


def schema(document: Any) -> bytes:
    """The schema of a document, indented, with a final newline."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(document)}
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


if __name__ == "__main__":
    for path, document in PATHS.items():
        path.write_bytes(schema(document))
