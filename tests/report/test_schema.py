"""docs/result.schema.json is made from the code, and real output validates against it."""

from __future__ import annotations

import json

import pytest

from cachelens.model.result import encode
from tests.report import builders
from tests.report.make_schema import COMMAND, PATH, schema


def test_schema_is_up_to_date() -> None:
    assert PATH.read_bytes() == schema(), f"make it again with: {COMMAND}"


def test_output_validates() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = json.loads(encode(builders.session()))
    validator = jsonschema.Draft202012Validator(json.loads(schema()))
    validator.validate(document)
    document["totals"]["hit_tokens"] = "many"
    assert not validator.is_valid(document)
