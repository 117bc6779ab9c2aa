"""The commands. Each is one module and one line here."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

VERBS = Registry(
    "command",
    {
        "analyze": Entry(
            "cachelens.cli.analyze:analyze", "Say where prompt tokens went and why the cache missed."
        ),
        "simulate": Entry(
            "cachelens.cli.simulate:simulate",
            "Say what other caches would have hit: engines, policies, sizes.",
        ),
        "check": Entry(
            "cachelens.cli.check:check", "Gate traffic: budgets, rules, a baseline; exit 1 on failure."
        ),
        "compare": Entry(
            "cachelens.cli.compare:compare", "Say what changed between two traces or saved results."
        ),
        "inspect": Entry(
            "cachelens.cli.inspect:inspect",
            "Look at one request: its prompt segment by segment, what broke it.",
        ),
        "plot": Entry("cachelens.cli.plot:plot", "Draw one picture of a trace or of a saved result."),
        "report": Entry("cachelens.cli.report:report", "Make outputs of a saved result again."),
        "explain": Entry("cachelens.cli.explain:explain", "Explain a rule, an outcome, a label or a bucket."),
        "ingest": Entry(
            "cachelens.cli.ingest:ingest", "Write captures as columnar tables, to be read again."
        ),
        "export": Entry("cachelens.cli.export:export", "Write a trace that simulators and other tools read."),
        "doctor": Entry("cachelens.cli.doctor:doctor", "Show versions, settings, and where each came from."),
        "init": Entry("cachelens.cli.init:init", "Write a file of settings, and a first baseline."),
        "list": Entry("cachelens.cli.list_:list_names", "List the names that options accept."),
    },
)
