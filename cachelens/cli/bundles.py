"""Options that several verbs share, as dataclasses. In: a verb with such parameters. Out: one with each spelled out.

A verb names the bundles it takes, `cache: Cache`, and the program shows and parses the fields of each as options of
their own, in their order; a field may be a bundle again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints

from cachelens.cli import advice, options
from cachelens.cli import engine_options as caches
from cachelens.cli.console import Console
from cachelens.cli.outputs import Outputs, plan
from cachelens.model.options import AnalyzeOptions, IngestOptions, KvOptions
from cachelens.report.renderers.base import DocumentKind


@dataclass(frozen=True)
class How:
    """How a cache is replayed, whichever it is."""

    page_size: caches.PageSize = None
    model: caches.ModelName = None
    kv_dtype: caches.KvDtype = KvOptions.kv_dtype
    tp: caches.TensorParallel = KvOptions.tp
    tier: caches.Tiers = None
    set_option: caches.SetOption = None
    sequential: caches.Sequential = False

    @property
    def kv(self) -> KvOptions:
        """Whose KV it holds."""
        return KvOptions(self.model, self.kv_dtype, self.tp)

    def replayed(self, verb: str, capacity: str, engine: str | None, policy: str | None) -> AnalyzeOptions:
        """A cache replayed like that by `verb`. Raises UsageError for unknown names and several sizes."""
        return caches.one_cache(
            verb,
            capacity,
            engine,
            policy,
            self.page_size,
            self.kv,
            self.tier,
            self.set_option,
            self.sequential,
        )


@dataclass(frozen=True)
class Limits:
    """Limits of labels and rules, and further tools."""

    threshold: advice.Threshold = None
    tools: advice.ToolsFile = None

    def of(self, cache: AnalyzeOptions) -> AnalyzeOptions:
        """The options of an analysis with these. Raises UsageError for what is no NAME=VALUE."""
        return replace(cache, thresholds=advice.thresholds(self.threshold), tools_file=self.tools)


@dataclass(frozen=True)
class Cache:
    """One cache, and how it is replayed."""

    capacity: caches.OneCapacity = AnalyzeOptions.capacity
    engine: caches.OneEngine = None
    policy: caches.OnePolicy = None
    how: How = How()

    def options(self, verb: str) -> AnalyzeOptions:
        """It as options of the analysis. Raises UsageError for unknown names and several sizes."""
        return self.how.replayed(verb, self.capacity, self.engine, self.policy)


@dataclass(frozen=True)
class Reading:
    """How captures are read."""

    input_format: options.InputFormat = None
    encoding: options.Encoding = IngestOptions.encoding
    render: options.RenderOrder = None
    strict: options.Strict = False

    @property
    def options(self) -> IngestOptions:
        """It as options of the reader. Raises UsageError, with a suggestion, for a name that is unknown."""
        return options.ingest_options(self.input_format, self.encoding, self.render, self.strict)


@dataclass(frozen=True)
class Printing:
    """Where reports go."""

    output_format: options.Format = None
    output: options.OutputFiles = None
    force: options.Force = False

    def plan(self, kind: DocumentKind, inputs: Sequence[str], quiet: bool) -> Outputs:
        """The outputs, checked. Raises UsageError for formats, places or overwriting that cannot be."""
        return plan(kind, self.output, self.output_format, self.force, inputs, quiet)


@dataclass(frozen=True)
class Voice:
    """How much is said, and in which colors."""

    quiet: options.Quiet = False
    verbose: options.Verbose = False
    color: options.ColorWhen = options.Color.AUTO

    @property
    def console(self) -> Console:
        """Where it is said."""
        return Console(self.quiet, self.verbose, self.color.value)


def spelled_out(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the fields of its bundles as parameters of their own."""
    hints = get_type_hints(verb, include_extras=True)
    flat: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(verb).parameters.items():
        flat += _parameters(name, hints[name], parameter.default)

    def run(**given: Any) -> None:
        verb(**{name: _gathered(name, hint, given) for name, hint in hints.items() if name != "return"})

    run.__name__, run.__doc__, run.__module__ = verb.__name__, verb.__doc__, verb.__module__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return run


def _parameters(name: str, hint: Any, default: Any) -> Iterator[inspect.Parameter]:
    if not is_dataclass(hint):
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        return
    own = get_type_hints(hint, include_extras=True)
    for field in fields(hint):
        yield from _parameters(field.name, own[field.name], field.default)


def _gathered(name: str, hint: Any, given: dict[str, Any]) -> Any:
    if not (is_dataclass(hint) and isinstance(hint, type)):
        return given[name]
    own = get_type_hints(hint, include_extras=True)
    return hint(**{field.name: _gathered(field.name, own[field.name], given) for field in fields(hint)})
