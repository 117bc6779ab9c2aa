"""How it was computed. In: a `Result`. Out: the engine and its sources, the encoding, what was skipped, notes."""

from __future__ import annotations

from dataclasses import dataclass

from cachelens.model.result import Result
from cachelens.report.html import words
from cachelens.report.html.headline import encoding
from cachelens.report.units import exact, plural, size
from cachelens.simulate.engine import Source
from cachelens.simulate.engines import ENGINES

#: Rows shown of files, and of reasons for skipping.
_FILES, _SKIPS = 50, 100


@dataclass(frozen=True)
class Skip:
    """Records of one source left out for one reason."""

    records: str
    reason: str
    source: str
    places: str
    detail: str


@dataclass(frozen=True)
class Method:
    """Facts as (name, value); sources of the engine's rules as (what, where, day)."""

    trace: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    more_files: int
    engine: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str, str], ...]
    no_sources: str
    notes: tuple[str, ...]
    unknown: tuple[str, ...]
    skipped: str
    skips: tuple[Skip, ...]
    more_skips: int
    counting: str
    document: tuple[tuple[str, str], ...]


def method(result: Result) -> Method:
    """Everything one needs to know to trust the figures, or not to."""
    trace, engine = result.trace, result.engine
    reports = sorted(trace.skipped, key=lambda report: -report.records)
    sources, no_sources = _sources(engine.name)
    skipped = f"{plural(trace.skipped_records, 'record')} could not be read and were left out."
    return Method(
        trace=_trace(result),
        files=tuple(words.file(source) for source in trace.sources[:_FILES]),
        more_files=max(len(trace.sources) - _FILES, 0),
        engine=_engine(result),
        sources=tuple((source.what, source.where, source.date) for source in sources),
        no_sources=no_sources,
        notes=tuple(words.sentence(note) for note in (*trace.notes, *engine.notes)),
        unknown=tuple(words.sentence(text) for text in engine.unknown),
        skipped=skipped if trace.skipped_records else "No record was left out.",
        skips=tuple(
            Skip(
                exact(report.records),
                words.name(report.reason),
                words.file(report.source),
                ", ".join(exact(place) for place in report.places if place)
                + (", …" if report.records > len(report.places) else ""),
                words.sentence(report.detail),
            )
            for report in reports[:_SKIPS]
        ),
        more_skips=max(len(reports) - _SKIPS, 0),
        counting=_counting(trace.encoding),
        document=(("schema", words.name(result.schema)), ("cachelens", words.name(result.cachelens))),
    )


def _counting(name: str) -> str:
    if name == "exact":
        return "The capture holds the token ids themselves, so counts are exact."
    if name == "hashes":
        return "The capture holds hashes of blocks of tokens: counts are those of the blocks, and texts are unknown."
    return (
        f"Tokens are counted with {words.name(name)}, and chat templates are not part of it: counts are exact for "
        "that vocabulary and approximate for a model that has another."
    )


def _trace(result: Result) -> tuple[tuple[str, str], ...]:
    trace = result.trace
    found = [
        ("requests", exact(trace.requests)),
        ("sessions", exact(trace.sessions)),
        ("lineages", exact(trace.lineages)),
        ("prompt tokens", exact(trace.prompt_tokens)),
        ("tokens of distinct contents", exact(trace.unique_tokens)),
        ("tokens of distinct prefixes (working set)", exact(trace.working_set_tokens)),
        ("output tokens", exact(trace.output_tokens)),
        ("encoding", encoding(trace.encoding)),
        ("order of prompts", words.name(trace.render)),
    ]
    for label, names in (
        ("harnesses", trace.harnesses),
        ("models", trace.models),
        ("dialects", trace.dialects),
    ):
        if names:
            found.append((label, words.sentence(", ".join(names))))
    return tuple(found)


def _engine(result: Result) -> tuple[tuple[str, str], ...]:
    engine = result.engine
    capacity = "unlimited"
    if engine.capacity_tokens is not None:
        capacity = f"{size(engine.capacity_tokens)} tokens ({exact(engine.capacity_tokens)})"
    found = [
        ("engine", f"{words.name(engine.name)}: {words.sentence(engine.title or engine.name)}"),
        ("policy", words.name(engine.policy) if engine.policy else "none: the provider decides"),
        ("capacity", capacity),
        ("page", plural(engine.page_size, "token")),
    ]
    found += [
        (f"tier {words.name(name)}", f"{exact(tokens)} tokens") for name, tokens in engine.tiers.items()
    ]
    found += [(f"option {words.name(name)}", words.sentence(value)) for name, value in engine.options.items()]
    if engine.rejected_requests:
        found.append(("rejected", f"{plural(engine.rejected_requests, 'request')} can never fit in it"))
    if engine.waited_requests:
        found.append(("waited", f"{plural(engine.waited_requests, 'request')} had to wait for others"))
    return tuple(found)


def _sources(name: str) -> tuple[tuple[Source, ...], str]:
    """Where the engine's rules were read; or why that cannot be said."""
    if name not in ENGINES:
        return (), "This installation does not know the engine, so its sources cannot be shown."
    sources: tuple[Source, ...] = ENGINES.load(name).facts.sources
    return sources, "" if sources else "A model that is defined here; there is no document to cite."
