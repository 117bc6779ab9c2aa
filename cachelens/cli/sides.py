"""Two sides of a comparison. In: options for both or each, results that were saved. Out: how each side is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cachelens.cli import options
from cachelens.cli.bundles import How
from cachelens.cli.names import NAMED
from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, IngestOptions

if TYPE_CHECKING:
    from cachelens.model.result import Result


@dataclass(frozen=True)
class Asked:
    """What the command line says of caches and reading, for each side where it can; None: nothing."""

    engine: tuple[str | None, str | None]
    policy: tuple[str | None, str | None]
    capacity: tuple[str | None, str | None]
    how: How
    encoding: str | None
    render: Sequence[str] | None

    def cache(self, at: int) -> AnalyzeOptions:
        """The cache of one side. Raises UsageError for unknown names and sizes."""
        capacity = self.capacity[at] or AnalyzeOptions.capacity
        return self.how.replayed("compare", capacity, self.engine[at], self.policy[at])

    def reading(self, input_format: str | None, strict: bool) -> IngestOptions:
        """How captures are read. Raises UsageError for an unknown name."""
        return options.ingest_options(
            input_format, self.encoding or IngestOptions.encoding, self.render, strict
        )

    def given(self) -> str:
        """Names of the options about caches and reading that were given."""
        values = {
            "--engine": any(self.engine),
            "--policy": any(self.policy),
            "--capacity": any(self.capacity),
            "--page-size": self.how.page_size is not None,
            "--tier": bool(self.how.tier),
            "--set": bool(self.how.set_option),
            "--sequential": self.how.sequential,
            "--encoding": self.encoding is not None,
            "--render": bool(self.render),
        }
        return ", ".join(name for name, given in values.items() if given)


def pair(option: str, text: str | None) -> tuple[str | None, str | None]:
    """One value for both sides, or one for each."""
    if text is None:
        return None, None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 or not all(parts):
        raise UsageError(
            f"{option} {text!r} is neither one value nor one for each side", "for example A or A,B"
        )
    return parts[0], parts[-1]


def allowed(across: str | None, asked: Asked) -> tuple[str, ...]:
    """What may differ: what --across names, and what has a value of its own on each side."""
    allowed = [] if across is None else [part.strip() for part in across.split(",") if part.strip()]
    if across is not None and not allowed:
        raise UsageError("--across names nothing", "for example --across engine")
    own = {"engine": asked.engine, "policy": asked.policy, "capacity": asked.capacity}
    allowed += [name for name, (one, other) in own.items() if one != other]
    return tuple(dict.fromkeys(allowed))


def inherit(
    saved: Sequence[Result | None],
    asked: Asked,
    cache: list[AnalyzeOptions],
    readings: list[IngestOptions],
    places: tuple[str, str],
) -> list[str]:
    """Where one side alone is saved, the other is read and replayed as it was; what that comes to, in a sentence."""
    from cachelens.report.terminal.heading import cache_model

    at = 0 if saved[0] is None else 1
    known, other = saved[1 - at], saved[at]
    if known is None or other is not None:
        return []
    engine, trace = known.engine, known.trace
    limit = engine.capacity_tokens
    own = cache[at]
    # An engine of its own has policies, pages and options of its own.
    same = asked.engine[at] in (None, engine.name)
    cache[at] = replace(
        own,
        engine=own.engine or engine.name,
        policy=own.policy if own.policy or not same else engine.policy or None,
        capacity=own.capacity if asked.capacity[at] else "inf" if limit is None else str(limit),
        page_size=own.page_size if own.page_size or not same else engine.page_size,
        tiers=own.tiers
        if own.tiers or not same
        else tuple((name, str(size)) for name, size in engine.tiers.items()),
        engine_options={**engine.options, **own.engine_options} if same else own.engine_options,
    )
    if not _is_tables(places[at]):
        reading = readings[at]
        if asked.encoding is None and trace.encoding in NAMED.load("encodings"):
            reading = replace(reading, encoding=trace.encoding)
        if not asked.render:
            reading = replace(reading, render=trace.render)
        readings[at] = reading
    sides = ("before", "after")
    but = f", but for {asked.given()}" if asked.given() else ""
    return [f"{sides[at]} is read and replayed as {sides[1 - at]} was ({cache_model(engine)}){but}"]


def _is_tables(place: str) -> bool:
    """Whether an input is a table folder, whose encoding and rendering are fixed."""
    from cachelens.ingest.store import MANIFEST

    return place != "-" and (Path(place) / MANIFEST).exists()
