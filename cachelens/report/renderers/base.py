"""The contract of a renderer. In: one document. Out: the bytes of one output.

Modules of renderers import what is heavy when they render, not when they are imported: the suffixes
and documents of all of them are looked at before any work is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from cachelens.report.terminal.screen import Page

if TYPE_CHECKING:
    from cachelens.model.curve import Curve
    from cachelens.model.grid import Grid
    from cachelens.model.inspection import Inspection
    from cachelens.model.result import Result

#: What can be rendered: `result` an analysis, `curve` the hit rate over cache sizes, `grid` many caches,
#: `inspection` one request.
DocumentKind = Literal["result", "curve", "grid", "inspection"]


@dataclass(frozen=True)
class RenderOptions:
    """How to render. `page` matters to text; `verbose` shows more of it."""

    page: Page = field(default_factory=Page)
    verbose: bool = False


class Renderer(Protocol):
    """One output format. `suffixes` of file names mean it; `binary` output does not belong on a terminal."""

    name: str
    suffixes: tuple[str, ...]
    documents: frozenset[DocumentKind]
    binary: bool

    def render(self, document: Result | Curve | Grid | Inspection, options: RenderOptions) -> bytes:
        """The output. The same document and options give the same bytes."""
        ...
