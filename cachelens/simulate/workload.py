"""A trace as caches see it. In: a `Trace`. Out: a `Workload` of integers: paths, lengths, times.

Built once per trace and shared by all engines, policies and capacities; engines never touch a token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from cachelens.model.trace import Int64, Trace
from cachelens.prefix.forest import Forest, ForestBuilder, place
from cachelens.prefix.grow import cut, hang
from cachelens.prefix.paths import Paths
from cachelens.prefix.queries import infinite_hits
from cachelens.prefix.runs import ReuseRuns, reuse_runs


@dataclass(frozen=True, eq=False)
class Workload:
    """Requests in order of start. Arrays have one entry per request of the trace.

    `prompt[i]` is the forest node that ends the prompt, `prompt_tokens[i]` its depth. `kept[i]` ends what
    a server holds afterwards: the prompt and the generated text without its last token, whose KV was
    never computed (ENGINES: SGLang and vLLM); generated text that was not captured is a leaf of its own.
    `output_tokens[i]` were generated. `start_us` and `end_us` are microseconds since the epoch, None
    unless every request has them. `order` lists the requests to replay; others are as if never sent.
    `builder`: what the forest was built by, where it was kept.
    """

    trace: Trace
    forest: Forest
    prompt: Int64
    prompt_tokens: Int64
    kept: Int64
    kept_tokens: Int64
    output_tokens: Int64
    priority: Int64
    start_us: Int64 | None
    first_token_us: Int64 | None
    end_us: Int64 | None
    order: Int64
    builder: ForestBuilder | None = None

    def __len__(self) -> int:
        """Requests in the trace, whether replayed or not."""
        return len(self.prompt)

    @cached_property
    def _paths(self) -> dict[int, Paths]:
        return {}

    def paths(self, page: int) -> Paths:
        """Page numbers of the forest, made once for each page size."""
        if page not in self._paths:
            self._paths[page] = Paths(self.forest, page)
        return self._paths[page]

    @cached_property
    def _runs(self) -> dict[tuple[int, bool], ReuseRuns]:
        return {}

    def runs(self, page: int = 1, keeps_output: bool = True) -> ReuseRuns:
        """Reuse runs of the requests in `order` (numbered by their place in it), made once."""
        key = (page, keeps_output)
        if key not in self._runs:
            prompts = self.prompt[self.order]
            touched = self.kept[self.order] if keeps_output else None
            self._runs[key] = reuse_runs(self.forest, prompts, touched, page)
        return self._runs[key]

    def touched_runs(self, page: int = 1, keeps_output: bool = True) -> ReuseRuns:
        """As `runs`, of requests that look up all they leave behind, generated text included."""
        if not keeps_output:
            return self.runs(page, False)
        return reuse_runs(self.forest, self.kept[self.order], None, page)

    def spread(self, values: Int64) -> Int64:
        """`values`, one per entry of `order`, as an array over all requests; 0 elsewhere."""
        whole = np.zeros(len(self), dtype=np.int64)
        whole[self.order] = values
        return whole

    def reusable(self, page: int = 1, keeps_output: bool = True) -> Int64:
        """Hit tokens of each request in an infinite cache with such pages."""
        return self.spread(infinite_hits(self.runs(page, keeps_output), len(self.order)))

    def working_set(self, keeps_output: bool = True) -> int:
        """Tokens that an infinite cache would hold at the end."""
        ends = self.kept if keeps_output else self.prompt
        parent = self.forest.parent.tolist()
        seen = set(ends[self.order].tolist())
        stack = list(seen)
        while stack:
            above = parent[stack.pop()]
            if above >= 0 and above not in seen:
                seen.add(above)
                stack.append(above)
        nodes = np.fromiter(seen, dtype=np.int64, count=len(seen))
        return int((self.forest.end[nodes] - self.forest.start[nodes]).sum())

    def only(self, requests: Int64) -> Workload:
        """The same workload with `requests` (ascending) alone replayed."""
        return replace(self, order=requests)


def workload(trace: Trace, like: Workload | None = None, keep_builder: bool = False) -> Workload:
    """The workload of a whole trace.

    `like`: that of a trace with the same contents, whose forest is built on where its builder was kept
    (`keep_builder`): tokens that both traces send are not compared again.
    """
    frame = trace.requests
    namespaces = frame["namespace"].to_list()
    kept_builder = like.builder if like is not None else None
    builder = ForestBuilder(trace.contents) if kept_builder is None else kept_builder.fork(trace.contents)
    forest, (prompt, output) = place(
        trace.segments, trace.contents, [trace.last_segment, trace.last_output], namespaces, builder
    )
    prompt_tokens = frame["prompt_tokens"].to_numpy().astype(np.int64)
    counted = frame["output_tokens"].fill_null(0).to_numpy().astype(np.int64)
    in_forest = forest.end[output] - prompt_tokens
    # Where only the number of generated tokens is known they fill the cache and match nothing.
    forest, output = hang(forest, output, np.where(in_forest > 0, 0, np.maximum(counted - 1, 0)))
    captured = in_forest > 0
    kept_tokens = np.where(captured, prompt_tokens + in_forest - 1, forest.end[output])
    forest, kept = cut(forest, output, kept_tokens)
    start, first, end = (_times(frame, name) for name in ("started_at", "first_token_at", "ended_at"))
    priority = frame["priority"].fill_null(0).to_numpy()
    return Workload(
        trace=trace,
        forest=forest,
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        kept=kept,
        kept_tokens=kept_tokens,
        output_tokens=np.where(captured, in_forest, counted),
        priority=priority.astype(np.int64),
        start_us=start,
        first_token_us=first,
        end_us=end,
        order=np.arange(len(prompt), dtype=np.int64),
        builder=builder if keep_builder else None,
    )


def _times(frame: pl.DataFrame, name: str) -> Int64 | None:
    """A column of times in microseconds, or None when some request has none."""
    column = frame[name]
    if len(column) == 0 or column.null_count():
        return None
    return column.to_physical().to_numpy().astype(np.int64)
