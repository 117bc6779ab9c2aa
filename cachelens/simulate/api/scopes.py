"""Parameters that separate cache entries though no prompt token differs. In: a workload. Out: small numbers.

The columns `invalidates_system` and `invalidates_messages` of the requests table hold a digest each of
the parameters (tool choice, thinking, speed, …) whose change makes a server compute the system prompt and
what follows, or the messages, anew. Where it is null, nothing is known to differ.
"""

from __future__ import annotations

from cachelens.simulate.api.places import MESSAGES, SYSTEM
from cachelens.simulate.workload import Workload

SYSTEM_COLUMN = "invalidates_system"
MESSAGES_COLUMN = "invalidates_messages"


class Scopes:
    """`of[level][i]`: number of the scope of request i for entries that end in that level.

    `count` is above every number. `whole`: every change separates all levels.
    """

    def __init__(self, work: Workload, whole: bool = False) -> None:
        frame = work.trace.requests
        system, messages = (frame[name].to_list() for name in (SYSTEM_COLUMN, MESSAGES_COLUMN))
        numbers: dict[object, int] = {}

        def number(key: object) -> int:
            return numbers.setdefault(key, len(numbers))

        everything = [number(("both", *pair)) for pair in zip(system, messages, strict=True)]
        one = number("nothing")
        self.of: list[list[int]] = [[one] * len(work), [], []]
        self.of[SYSTEM] = [number(("system", value)) for value in system]
        self.of[MESSAGES] = everything
        if whole:
            self.of = [everything] * 3
        self.count = len(numbers)
