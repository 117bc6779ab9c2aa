"""The contract of a rule. In: a `Case`. Out: `Candidate`s. One module each, one line in the registry.

The module docstring of a rule is its documentation page, in six sections; `cachelens explain CODE` and docs/rules/ are
made of it:

    one line: the pattern that fails, as the rule's summary

    What it detects / Why it costs / How it is measured / How to fix / Example / When to ignore

each a heading on a line of its own, underlined by nothing, followed by indented or plain paragraphs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case

#: Headings of a rule's documentation, in order.
SECTIONS = (
    "What it detects",
    "Why it costs",
    "How it is measured",
    "How to fix",
    "Example",
    "When to ignore",
)


class Rule(Protocol):
    """One kind of waste. Constructed without arguments; holds nothing of a trace.

    `code`: never used again for anything else. `name`: the failing pattern in words, never an instruction.
    """

    code: ClassVar[str]
    name: ClassVar[str]

    def find(self, case: Case) -> Iterable[Candidate]:
        """What it finds, one candidate per cause."""
        ...
