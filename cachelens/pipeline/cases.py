"""A trace with all that is known about it under one cache. In: a trace, options. Out: a `Case`."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from cachelens.advise.case import Case, Thresholds
from cachelens.attribute.content import ContentFacts
from cachelens.attribute.content.options import LabelOptions
from cachelens.attribute.content.tools import read_tools
from cachelens.attribute.history import history
from cachelens.attribute.ledger import ledger
from cachelens.attribute.outcomes import outcomes
from cachelens.attribute.siblings import add_siblings
from cachelens.attribute.texts import Decode, Texts
from cachelens.errors import UsageError, unknown_name
from cachelens.model.options import AnalyzeOptions
from cachelens.model.progress import Progress, silent
from cachelens.model.trace import Trace
from cachelens.pipeline.costs import token_prices
from cachelens.pipeline.replays import Replays, engine_setup, replays
from cachelens.pipeline.reported import told_of
from cachelens.simulate.engine import Engine
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.workload import workload
from cachelens.tokens.decoder import Decoder

#: Thresholds lie below this.
_LARGEST = 1e18


def build_case(trace: Trace, options: AnalyzeOptions, progress: Progress = silent) -> tuple[Case, Replays]:
    """Replay `trace` and account for every token of it. Raises UsageError for options that cannot be had."""
    labels, thresholds = _thresholds(options)
    progress("building the prefix forest", 0, None)
    work = workload(trace, keep_builder=True)
    name, setup = engine_setup(trace, work, options)
    engine: type[Engine] = ENGINES.load(name)
    progress("replaying", 0, None)
    outcome = replays(work, engine, setup)
    progress("comparing prompts", 0, None)
    texts = Texts(trace.contents, decoder(trace))
    past = history(trace, work, texts, outcome.reusable, engine.facts.keeps_output)
    add_siblings(past, trace, texts, outcome.reusable)
    rows = outcomes(
        work.prompt_tokens.tolist(),
        outcome.replay.hit.tolist(),
        [(cause, hits.tolist()) for cause, hits in outcome.limits],
        past.sent_before,
    )
    progress("labeling contents", 0, None)
    content = ContentFacts(trace, texts, labels)
    case = Case(
        trace=trace,
        work=work,
        engine_name=name,
        engine=engine,
        setup=setup,
        replay=outcome.replay,
        limits=dict(outcome.limits),
        reusable=outcome.reusable,
        texts=texts,
        past=past,
        content=content,
        ledger=ledger(trace, rows, content.labels),
        outcome_tokens=rows.totals(len(trace)),
        told=told_of(work, outcome.replay.hit),
        thresholds=thresholds,
        prices=token_prices(work, name, outcome.replay),
    )
    return case, outcome


def decoder(trace: Trace) -> Decode | None:
    """What turns token ids into text; None for traces of ids of an unknown vocabulary, and of hashes."""
    return None if trace.encoding in ("exact", "hashes") else Decoder(trace.encoding).decode


def _thresholds(options: AnalyzeOptions) -> tuple[LabelOptions, Thresholds]:
    """Limits of labels and of rules, with those given by name. Raises UsageError for an unknown or bad one."""
    tools = read_tools(Path(options.tools_file)) if options.tools_file else ()
    labels, rules = LabelOptions(tools=tools), Thresholds()
    for name, text in options.thresholds.items():
        if name in {field.name for field in fields(rules)}:
            rules = replace(rules, **_given(name, text, getattr(rules, name)))
        elif name != "tools" and name in {field.name for field in fields(labels)}:
            given = _given(name, text, getattr(labels, name))
            try:
                labels = replace(labels, **given)
            except ValueError as error:
                raise UsageError(f"threshold {name} cannot be {text}", str(error)) from error
        else:
            known = [field.name for field in (*fields(rules), *fields(labels)) if field.name != "tools"]
            raise unknown_name("threshold", name, known)
    return labels, rules


def _given(name: str, text: str, default: object) -> dict[str, Any]:
    """`text` as a number of the kind of `default`, not negative, by its name."""
    try:
        value = int(text) if isinstance(default, int) else float(text)
    except ValueError:
        raise UsageError(f"threshold {name} is a number, not {text!r}") from None
    if not 0 <= value < _LARGEST:
        raise UsageError(f"threshold {name} cannot be {text}")
    return {name: value}
