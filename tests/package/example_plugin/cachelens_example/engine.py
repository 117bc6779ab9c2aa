"""A cache that keeps the last few prompts whole. In: a workload. Out: tokens served per request.

An engine never touches a token: the workload says at which node of the prefix forest a prompt ends, and the forest how
deep two nodes are the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cachelens.errors import UsageError
from cachelens.simulate.engine import Facts, Replay, Setup
from cachelens.simulate.options import chosen, engine_options
from cachelens.simulate.workload import Workload


@dataclass(frozen=True)
class Options:
    """`prompts`: how many of them are kept; 0: all."""

    prompts: int = 1


class LastPrompts:
    """Serves each request what it has in common with one of the last prompts and their replies."""

    Options = Options
    facts: ClassVar[Facts] = Facts(
        name="last-prompts",
        title="The last few prompts",
        kind="server",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=True,
        sized=False,
        unknown=("This engine is an example; no server works like that.",),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        self._options = engine_options(Options, setup, self.facts)
        chosen(setup, self.facts)
        if setup.capacity_tokens is not None:
            raise UsageError("last-prompts has no size in tokens", "--set prompts=N says how many are kept")
        if self._options.prompts < 0:
            raise UsageError("last-prompts keeps 0 (all) or more prompts")
        self._work = workload

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """Keeping all prompts: what would have been served then was lost to the cache's size."""
        if setup.options.get("prompts") == "0":
            return ()
        return (("capacity", replace(setup, options={**setup.options, "prompts": "0"})),)

    def replay(self) -> Replay:
        """Tokens served to each request."""
        work = self._work
        hit = np.zeros(len(work), dtype=np.int64)
        kept: deque[int] = deque(maxlen=self._options.prompts or None)
        for request in work.order.tolist():
            prompt = int(work.prompt[request])
            hit[request] = max((work.forest.common_depth(one, prompt) for one in kept), default=0)
            kept.append(int(work.kept[request]))
        return Replay(hit=hit)
