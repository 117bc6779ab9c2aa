"""Options about findings, and what becomes of remedied traces. In: the command line. Out: checked options, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cachelens.cli.console import Console, write_stdout
from cachelens.cli.names import NAMED
from cachelens.cli.options import names_of
from cachelens.cli.outputs import check_folder, write_file
from cachelens.errors import UsageError

if TYPE_CHECKING:
    from cachelens.pipeline.analysis import Analysis

WhatIf = Annotated[
    str | None,
    typer.Option(
        "--what-if",
        metavar="CODES",
        help="Rules whose remedies are replayed together, with commas between (CL101,CL204).",
        show_default="none",
        autocompletion=names_of("rules"),
    ),
]
Threshold = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        metavar="NAME=VALUE",
        help="A limit of labels or rules (docs/labels.md, docs/rules); may be given several times.",
        show_default="none",
    ),
]
ToolsFile = Annotated[
    str | None,
    typer.Option(
        "--tools",
        metavar="FILE",
        help="TOML file of further tools: which of them read, write or run what (docs/labels.md).",
        show_default="none",
    ),
]
ShowText = Annotated[
    bool,
    typer.Option(
        "--show-text", help="Show excerpts of prompts. Without it a report holds names and hashes only."
    ),
]
ExportRemedied = Annotated[
    str | None,
    typer.Option(
        "--export-remedied",
        metavar="PLACE",
        help="Write the trace as it would be with the remedies of --what-if, or with all: a table folder, or token "
        "ids one request a line when PLACE ends in .jsonl.",
        show_default="none",
    ),
]
LedgerFile = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="Write both planes as rows of tokens, outcome, label, bucket and cause: .parquet, .csv or .jsonl.",
        show_default="none",
    ),
]


def codes(text: str | None) -> tuple[str, ...]:
    """Codes of rules. Raises UsageError for one that is none, and for an empty list."""
    if text is None:
        return ()
    found = tuple(dict.fromkeys(code.strip().upper() for code in text.split(",") if code.strip()))
    if not found:
        raise UsageError("--what-if names no rule", "for example --what-if CL101 (`cachelens list rules`)")
    for code in found:
        NAMED.load("rules").require(code)
    return found


def thresholds(given: Sequence[str] | None) -> dict[str, str]:
    """Limits by name. Raises UsageError for what is no NAME=VALUE, and for one name given twice."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise UsageError(f"--threshold {text!r} is no NAME=VALUE", "for example min_tokens=500")
        if name in found:
            raise UsageError(f"threshold {name} is given twice")
        found[name] = value.strip()
    return found


@dataclass(frozen=True)
class Extras:
    """Files beside the report, checked before the work starts; None where none was asked for."""

    remedied: str | None
    ledger: str | None
    force: bool

    @classmethod
    def plan(cls, remedied: str | None, ledger: str | None, force: bool) -> Extras:
        """Raises UsageError for places that cannot be written."""
        for place in (remedied, ledger):
            if place is not None and not place:
                raise UsageError("the name of a file is empty")
            if place is not None and place != "-":
                path = Path(place)
                if path.exists() and not force:
                    raise UsageError(f"{place}: exists already", "--force overwrites it")
                check_folder(path.parent)
        if ledger is not None and ledger != "-" and Path(ledger).suffix not in (".parquet", ".csv", ".jsonl"):
            raise UsageError(f"{ledger}: no format of a ledger", "names end in .parquet, .csv or .jsonl")
        return cls(remedied, ledger, force)

    def write(self, analysis: Analysis, asked: Sequence[str], console: Console) -> None:
        """Write them. Raises UsageError when that fails, and when there is nothing to remedy."""
        if self.ledger is not None:
            self._write_ledger(analysis, self.ledger, console)
        if self.remedied is not None:
            self._write_remedied(analysis, self.remedied, asked, console)

    def _write_ledger(self, analysis: Analysis, place: str, console: Console) -> None:
        from cachelens.pipeline.ledgers import ledger_file

        if place == "-":
            write_stdout(ledger_file(analysis.case, ".jsonl"))
            return
        write_file(Path(place), ledger_file(analysis.case, Path(place).suffix))
        console.tell(f"Wrote {place}")

    def _write_remedied(self, analysis: Analysis, place: str, asked: Sequence[str], console: Console) -> None:
        from cachelens.export.tokens import token_lines
        from cachelens.ingest.store import write
        from cachelens.pipeline.findings import plan_of
        from cachelens.pipeline.savings import rewritten

        trace = rewritten(analysis.case, plan_of(analysis.case, asked))
        if place == "-" or place.endswith(".jsonl"):
            if place == "-":
                for line in token_lines(trace):
                    write_stdout(line)
                return
            write_file(Path(place), token_lines(trace))
        else:
            write(trace, Path(place), self.force)
        console.tell(f"Wrote {place}")
