"""The JSON Schemas in docs/ are made from the code, and real output validates against them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cachelens.model.curve import Curve
from cachelens.model.grid import Grid
from cachelens.model.result import Result, encode
from tests.report import builders
from tests.report.make_schema import COMMAND, PATHS, schema


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_schemas_are_up_to_date(path: Path) -> None:
    assert path.read_bytes() == schema(PATHS[path]), f"make it again with: {COMMAND}"


@pytest.mark.parametrize(
    ("document", "kind"),
    [(builders.session(), Result), (builders.curve(), Curve), (builders.grid(), Grid)],
    ids=["result", "curve", "grid"],
)
def test_output_validates(document: Result | Curve | Grid, kind: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    given = json.loads(encode(document))
    validator = jsonschema.Draft202012Validator(json.loads(schema(kind)))
    validator.validate(given)
    del given["trace"]["requests"]
    assert not validator.is_valid(given)
