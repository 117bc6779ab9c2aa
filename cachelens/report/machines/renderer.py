"""What formats of verdicts for machines have in common. In: any document. Out: the bytes of a verdict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from cachelens.report.renderers.base import DocumentKind, RenderOptions

if TYPE_CHECKING:
    from cachelens.model.verdict import Verdict
    from cachelens.report.renderers.base import Document


class VerdictRenderer(ABC):
    """A format that shows verdicts alone; `written` makes it."""

    name: str
    suffixes: tuple[str, ...] = ()
    documents: frozenset[DocumentKind] = frozenset({"verdict"})
    binary = False
    pictures = False
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """The output; `options` change nothing. Raises TypeError for anything but a verdict."""
        from cachelens.model.verdict import Verdict

        if not isinstance(document, Verdict):
            raise TypeError(f"{self.name} shows verdicts only")
        return self.written(document)

    @abstractmethod
    def written(self, verdict: Verdict) -> bytes:
        """The verdict in this format."""
