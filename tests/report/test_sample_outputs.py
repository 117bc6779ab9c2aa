"""Every output of every sample is as it was accepted: the comment word for word, the others by their digest.

The HTML page holds every picture, so its digest is theirs as well.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from functools import cache
from pathlib import Path

import pytest

from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.model.result import Result
from cachelens.pipeline import analyze, load
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import RenderOptions
from cachelens.report.tables.names import TABLES
from cachelens.report.terminal.screen import Page
from tests.report.golden import compare

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(path.name for path in (ROOT / "sample_traces").iterdir() if path.suffix != ".md")


@cache
def result(name: str) -> Result:
    """The analysis of a sample, whatever the folder that the tests are run from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT / "sample_traces")
        return analyze(load([name], IngestOptions()), AnalyzeOptions(pictures=True))


def outputs(found: Result) -> dict[str, bytes]:
    """Everything that an analysis is rendered to, by name."""
    made: dict[str, bytes] = {}
    for name in RENDERERS:
        renderer = RENDERERS.load(name)()
        if "result" not in renderer.documents or name == "parquet":
            continue
        if name == "terminal":
            for width in (80, 100, 160):
                made[f"terminal {width}"] = renderer.render(found, RenderOptions(Page(width)))
        elif getattr(renderer, "tabular", False):
            for table in TABLES["result"]:
                made[f"{name} {table}"] = renderer.render(found, RenderOptions(table=table))
        else:
            made[name] = renderer.render(found, RenderOptions())
    return made


@pytest.mark.parametrize("name", SAMPLES)
def test_outputs_are_those_that_were_accepted(name: str) -> None:
    pinned = re.search(r"^matplotlib==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    if pinned is None or importlib.metadata.version("matplotlib") != pinned[1]:
        pytest.skip("another version of matplotlib draws other bytes")
    made = outputs(result(name))
    assert {"json", "html", "markdown", "speedscope", "perfetto", "terminal 80", "csv requests"} <= set(made)
    compare(f"samples/{name}.md", made["markdown"])
    lines = [f"{hashlib.sha256(data).hexdigest()}  {len(data)}  {output}\n" for output, data in made.items()]
    compare(f"samples/{name}.sha256", "".join(sorted(lines, key=lambda line: line.split("  ")[2])).encode())
