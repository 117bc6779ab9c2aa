"""Writes docs/result.schema.json. In: `cachelens.model.result.Result`. Out: its JSON Schema."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cachelens.model.result import Result

PATH = Path(__file__).parents[2] / "docs" / "result.schema.json"
COMMAND = "python -m tests.report.make_schema"


def schema() -> bytes:
    """The schema, indented, with a final newline."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Result)}
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


if __name__ == "__main__":
    PATH.write_bytes(schema())
