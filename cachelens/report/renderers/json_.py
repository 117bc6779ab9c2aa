"""Everything, exact. In: any document. Out: its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.inspection import Inspection
    from cachelens.model.result import Result


class Json:
    """`cachelens.model.result.encode`, of which docs/result.schema.json is the schema."""

    name = "json"
    suffixes = (".json",)
    documents: frozenset[DocumentKind] = frozenset({"result", "curve", "grid", "inspection"})
    binary = False

    def render(self, document: Result | Curve | Grid | Inspection, options: RenderOptions) -> bytes:
        """Indented UTF-8 JSON with a final newline; `options` change nothing."""
        from cachelens.model.result import encode

        return encode(document)
