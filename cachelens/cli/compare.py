"""`cachelens compare`. In: two captures, table folders or saved results. Out: what changed from one to the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from cachelens.cli import advice, options
from cachelens.cli.bundles import How, Limits, Printing, Voice
from cachelens.cli.options import names_of
from cachelens.cli.outputs import Outputs
from cachelens.cli.progress import Bar, stderr_is_terminal
from cachelens.cli.sides import Asked, allowed, inherit, pair
from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, IngestOptions
from cachelens.report.saved import saved_result

if TYPE_CHECKING:
    from cachelens.model.result import Result

Before = Annotated[str, typer.Argument(metavar="BEFORE", show_default=False, hidden=True)]
After = Annotated[str, typer.Argument(metavar="AFTER", show_default=False, hidden=True)]
Across = Annotated[
    str | None,
    typer.Option(
        "--across",
        metavar="NAMES",
        help="What may differ between the two, with commas between: engine, policy, page-size, capacity, options, "
        "render. Encodings never may.",
        show_default="nothing",
    ),
]
Names = Annotated[
    str | None,
    typer.Option(
        "--names",
        metavar="BEFORE,AFTER",
        help="What to call the two.",
        show_default="their file names",
    ),
]
EnginePair = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Cache to replay (`cachelens list engines`); two with a comma between: one for each side.",
        show_default="the one that the traffic met; lru with a size",
        autocompletion=names_of("engines"),
    ),
]
PolicyPair = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME",
        help="Eviction policy (`cachelens list policies`), or one for each side.",
        show_default="the engine's own",
        autocompletion=names_of("policies"),
    ),
]
CapacityPair = Annotated[
    str | None,
    typer.Option(
        "--capacity",
        metavar="SIZE",
        help="Size of the cache: tokens (200k, 8m), memory of a --model (8gib), inf; or one for each side. A share of "
        "the working set (10%) is another size for each trace.",
        show_default=AnalyzeOptions.capacity,
    ),
]
EncodingOrSame = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding that counts the tokens (`cachelens list encodings`).",
        show_default=f"{IngestOptions.encoding}, or that of a saved result",
        autocompletion=names_of("encodings"),
    ),
]

_KEPT = "a saved result keeps the cache it was made with: to change that, analyze its trace again"


def compare(
    before: Before,
    after: After,
    *,
    across: Across = None,
    names: Names = None,
    capacity: CapacityPair = None,
    engine: EnginePair = None,
    policy: PolicyPair = None,
    how: How,
    limits: Limits,
    printing: Printing,
    input_format: options.InputFormat = None,
    encoding: EncodingOrSame = None,
    render: options.RenderOrder = None,
    strict: options.Strict = False,
    voice: Voice,
) -> None:
    """Say what changed from BEFORE to AFTER: better or worse, by how much, and why.

    Compares what was counted and replayed alike, and refuses what was not, with the reasons; --across, or one value
    for each side, compares two engines, policies or sizes on purpose.

    BEFORE and AFTER are each a capture (file, folder, glob, `-`), a table folder, or a result saved as JSON. Beside a
    saved result a capture is read and replayed as that was, unless options say otherwise.
    """
    console = voice.console
    asked = Asked(
        engine=pair("--engine", engine),
        policy=pair("--policy", policy),
        capacity=pair("--capacity", capacity),
        how=how,
        encoding=encoding,
        render=render,
    )
    allow = allowed(across, asked)
    places = (before, after)
    called = _called(names, places)
    if before == after == "-":
        raise UsageError("standard input can be one side only")
    thresholds = advice.thresholds(limits.threshold)
    outputs = printing.plan("comparison", places, voice.quiet)
    pictures = _draws(outputs)
    caches_asked = [asked.cache(at) for at in range(2)]  # complains about names before anything is read
    readings = [asked.reading(input_format, strict) for _ in range(2)]
    saved = [saved_result(place, pictures) for place in places]
    notes = inherit(saved, asked, caches_asked, readings, places)
    if all(saved) and (given := asked.given()):
        console.warn(f"{_KEPT}; without effect: {given}")
    if any(saved) and (thresholds or limits.tools):
        notes.append(
            "a saved result was made with limits and tools of its own: --threshold and --tools are not for it"
        )
    for note in notes:
        console.tell(f"cachelens: {note}")
    results: list[Result] = []
    with Bar(visible=not voice.quiet and stderr_is_terminal()) as progress:
        for at, place in enumerate(places):
            known = saved[at]
            if known is None:
                from cachelens.pipeline import analyze, load

                cache = replace(limits.of(caches_asked[at]), pictures=pictures)
                known = analyze(load([place], readings[at], progress), cache, progress)
            results.append(known)
    from cachelens.pipeline.comparison import compare as run
    from cachelens.pipeline.comparison import illustrated

    first, second = results
    try:
        found = run(first, second, _apart(called, first, second), allow, notes)
    except UsageError as error:
        if not any(saved):
            raise
        raise UsageError(error.message, f"{error.hint}\n{_KEPT}") from error
    if not outputs.shows_people:
        for result in results:
            console.warn_skipped(result.trace.skipped)
    outputs.write(illustrated(found, first, second) if pictures else found, console)


def _called(names: str | None, places: tuple[str, str]) -> tuple[str, str]:
    """Short names of both sides: those given, or as much of the ends of their paths as tells them apart."""
    if names is not None:
        before, comma, after = names.partition(",")
        if not comma or not before.strip() or not after.strip() or "," in after:
            raise UsageError(f"--names {names!r} is not BEFORE,AFTER")
        return before.strip(), after.strip()
    parts = [[part for part in place.replace("\\", "/").split("/") if part] or [place] for place in places]
    length = 1
    while parts[0][-length:] == parts[1][-length:] and length < max(map(len, parts)):
        length += 1
    if parts[0] == parts[1]:
        length = 1
    first, second = (
        "standard input" if place == "-" else "/".join(part[-length:])
        for place, part in zip(places, parts, strict=True)
    )
    return first, second


def _apart(names: tuple[str, str], before: Result, after: Result) -> tuple[str, str]:
    """The names, with those of the engines where the same trace was replayed by two."""
    if names[0] != names[1] or before.engine.name == after.engine.name:
        return names
    return f"{names[0]} ({before.engine.name})", f"{names[1]} ({after.engine.name})"


def _draws(outputs: Outputs) -> bool:
    """Whether an output draws pictures. JSON is asked about results: of a comparison it keeps none."""
    return any(
        getattr(item.renderer, "pictures", False) and item.renderer.name != "json" for item in outputs.items
    )
