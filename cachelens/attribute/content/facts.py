"""Everything that is known about what a trace says. In: a trace and its texts. Out: `ContentFacts`, each found once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cachelens.attribute.content.calls import Calls, find_calls
from cachelens.attribute.content.labels import Walkable, label
from cachelens.attribute.content.options import LabelOptions
from cachelens.attribute.content.payloads import payloads
from cachelens.attribute.content.preorder import preorder
from cachelens.attribute.content.references import Use, find_references
from cachelens.attribute.texts import Texts
from cachelens.model.labels import Labels
from cachelens.model.trace import Trace


@dataclass(eq=False)
class ContentFacts:
    """Calls, labels and density of one trace, found when they are asked for and then kept."""

    trace: Trace
    texts: Texts
    options: LabelOptions = field(default_factory=LabelOptions)

    @cached_property
    def calls(self) -> Calls:
        """Tool calls, their results, the files they read and the commands that failed."""
        return find_calls(self.trace, self.texts, self.options.tools, self._walk.order, self._walk.depths)

    @cached_property
    def labels(self) -> Labels:
        """What was not worth sending, and from where on."""
        return label(self.trace, self.texts, self.calls, self._references, self._walk, self.options)

    @cached_property
    def density(self) -> Mapping[int, tuple[int, int]]:
        """By row of a tool result: how many of its rare identifiers the assistant wrote later, and how many it has.

        Results without rare identifiers, and those shorter than `options.min_unreferenced_tokens`, have none.
        """
        return {row: (use.used, use.rare) for row, use in self._references.items()}

    @cached_property
    def _walk(self) -> Walkable:
        order, depths = preorder(self.trace.segments.parent)
        return Walkable(order, depths, payloads(self.trace.contents))

    @cached_property
    def _references(self) -> Mapping[int, Use]:
        walk = self._walk
        return find_references(
            self.trace, self.texts, self.calls, self.options, walk.payloads, walk.order, walk.depths
        )


def find_labels(trace: Trace, texts: Texts, options: LabelOptions) -> Labels:
    """The labels of a trace alone; `ContentFacts` shares the work when more is asked for."""
    return ContentFacts(trace, texts, options).labels
