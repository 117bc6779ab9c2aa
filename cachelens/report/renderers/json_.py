"""Everything, exact. In: any document. Out: its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.report.renderers.base import Document


class Json:
    """`cachelens.model.result.encode`, of which docs/result.schema.json is the schema."""

    name = "json"
    suffixes = (".json",)
    documents: frozenset[DocumentKind] = frozenset(
        {"result", "curve", "grid", "inspection", "verdict", "comparison"}
    )
    binary = False
    pictures = True
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """Indented UTF-8 JSON with a final newline; `options` change nothing. Raises TypeError for a picture."""
        import msgspec

        from cachelens.model.comparison import Comparison, plain
        from cachelens.model.result import encode

        if not isinstance(document, msgspec.Struct):
            raise TypeError(f"{self.name} does not hold this document")
        return encode(plain(document) if isinstance(document, Comparison) else document)
