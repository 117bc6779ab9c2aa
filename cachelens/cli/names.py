"""What `cachelens list` lists: registries by the name of the list. One line per registry."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

NAMED = Registry(
    "list",
    {
        "formats": Entry("cachelens.ingest.formats:FORMATS", "containers of captures, for --input-format"),
        "dialects": Entry("cachelens.ingest.dialects:DIALECTS", "wire APIs that are understood"),
        "encodings": Entry("cachelens.tokens.encodings:ENCODINGS", "token encodings, for --encoding"),
        "engines": Entry("cachelens.simulate.engines:ENGINES", "models of real caches, for --engine"),
        "policies": Entry("cachelens.simulate.policies:POLICIES", "what is evicted first, for --policy"),
        "routers": Entry(
            "cachelens.simulate.routers:ROUTERS", "what sends requests to replicas, for --router"
        ),
        "models": Entry("cachelens.simulate.models.shapes:MODELS", "shapes of models, for --model"),
        "prices": Entry(
            "cachelens.simulate.prices.table:PRICES",
            "USD per Mtok: input / cached / write / write 1h / output",
        ),
        "rules": Entry("cachelens.advise.rules:RULES", "kinds of waste, for --what-if and explain"),
        "plots": Entry("cachelens.report.plots:PLOTS", "pictures, for cachelens plot"),
        "exports": Entry("cachelens.export:EXPORTS", "traces for other tools, for export --to"),
        "outputs": Entry("cachelens.report.renderers:RENDERERS", "output formats, for --format and -o"),
    },
)
