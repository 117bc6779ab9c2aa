"""A tool is defined in every request and never called.

What it detects
    Function tools that all requests of a lineage define and that no agent of the same harness calls anywhere in the
    trace. One finding per agent, that is per harness and set of tools, where one of its lineages has 5 requests or
    more (`tool_requests`): fewer say nothing about what is needed. Tools that run inside the provider's server (web
    search, code execution) are left out, and so is a harness of which no reply was captured: their calls cannot be
    seen.

Why it costs
    Definitions stand at the head of every prompt. A tool of 400 tokens costs 400 tokens of context and KV cache in
    every request, 400 computed tokens whenever the head is not in the cache, and the model's attention. Thirty MCP
    tools come to 10,000 tokens easily.

How it is measured
    Tokens of these definitions times the requests that send them. The trace is replayed without them from its first
    request on, so no prefix breaks.

How to fix
    Leave out the tools, or the MCP server they come from (`claude mcp remove NAME`, `"tools": {"NAME": false}` in
    opencode's configuration, `excludeTools` in Gemini CLI and Qwen Code), or defer their definitions behind a tool
    search (`defer_loading` in Anthropic's and OpenAI's APIs). Do it between sessions: in mid-session it breaks the
    prefix of everything that follows.

Example
    22 tools defined, 6 ever called: 16 definitions of 5,300 tokens in each of 40 requests are 212,000 tokens.

When to ignore
    A trace of a few sessions does not show what others need; a tool for emergencies is worth its tokens. The saving
    is an upper bound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cachelens.advise.candidate import Candidate, Place
from cachelens.advise.case import Case
from cachelens.advise.plan import Plan
from cachelens.advise.rules.outputs import counted
from cachelens.model.kinds import KIND_CODE

_TOOLS, _CALL = KIND_CODE["tools"], KIND_CODE["tool_call"]
#: What the definition of a function has, in one API or another; those of a provider's own tools have none of it.
_FUNCTION_MARKS = (
    '"parameters"',
    '"parametersJsonSchema"',
    '"input_schema"',
    '"inputSchema"',
    '"type":"function"',
    '"type":"custom"',
)
#: Tools named in a finding.
_NAMED = 10


@dataclass
class _Agent:
    """Lineages of one harness that define the same tools: their requests, and the rows that define each tool.

    `longest`: requests of the longest of them.
    """

    lineages: int = 0
    longest: int = 0
    requests: list[int] = field(default_factory=list)
    rows: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    tokens: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


class UnusedToolDefinition:
    """CL204."""

    code = "CL204"
    name = "unused-tool-definition"

    def find(self, case: Case) -> Iterable[Candidate]:
        """One candidate per agent."""
        called, captured = _called(case)
        for (harness, defined), agent in _agents(case).items():
            if harness not in captured or agent.longest < case.thresholds.tool_requests:
                continue
            whole = int(case.work.prompt_tokens[agent.requests].sum())
            unused = [
                name
                for name in defined
                if name not in called[harness]
                and agent.tokens[name] > case.thresholds.tool_share * whole
                and _is_function(case, agent.rows[name])
            ]
            if unused:
                unused.sort(key=lambda name: (-agent.tokens[name], name))
                yield self._candidate(case, harness, defined, agent, unused)

    def _candidate(
        self, case: Case, harness: str, defined: Sequence[str], agent: _Agent, unused: Sequence[str]
    ) -> Candidate:
        tokens = sum(agent.tokens[name] for name in unused)
        requests = len(agent.requests)
        each = {name: round(agent.tokens[name] / requests) for name in unused}
        named = ", ".join(f"{name} ({each[name]:,})" for name in unused[:_NAMED])
        more = len(unused) - _NAMED
        row = min(agent.rows[unused[0]])
        who = f"of {harness} " if harness else ""
        verb = "is" if len(unused) == 1 else "are"
        return Candidate(
            title=f"{len(unused)} of {counted(len(defined), 'tool', 'tools')} {who}{verb} never called:"
            f" {round(tokens / requests):,} tokens in each of {requests:,} requests",
            group=(harness, *defined),
            place=Place(int(case.tree.holders(row)[0]), row, None, case.tree.start[row]),
            requests=agent.requests,
            tokens=tokens,
            measure="carried",
            fix="leave these tools out from the start of a session, or defer them behind a tool search",
            plan=Plan(shorten={row: 0 for name in unused for row in sorted(agent.rows[name])}),
            changes_input=True,
            break_even="pays from the first request on when left out at the start of a session; left out in"
            " mid-session it breaks the prefix once",
            details={
                "unused": len(unused),
                "defined": len(defined),
                "tools": named + (f" and {more} more" if more > 0 else ""),
                "lineages": agent.lineages,
            },
        )


def _agents(case: Case) -> dict[tuple[str, tuple[str, ...]], _Agent]:
    """Agents by harness and the names of the tools that they define in all requests, sorted."""
    defining = _Definitions(case)
    harnesses = _harnesses(case)
    found: dict[tuple[str, tuple[str, ...]], _Agent] = {}
    for requests in case.requests_of_lineage.values():
        tops = [defining.last(request) for request in requests]
        always = set(defining.tools(tops[0]))
        for top in set(tops):
            always &= set(defining.tools(top))
        if not always:
            continue
        agent = found.setdefault((harnesses[requests[0]], tuple(sorted(always))), _Agent())
        agent.lineages += 1
        agent.longest = max(agent.longest, len(requests))
        agent.requests += requests
        for top in tops:
            for name, (rows, tokens) in defining.tools(top).items():
                if name in always:
                    agent.rows[name].update(rows)
                    agent.tokens[name] += tokens
    for agent in found.values():
        agent.requests.sort()
    return found


@dataclass
class _Definitions:
    """Tool definitions of prompts, looked up once for all prompts that share them."""

    case: Case

    def __post_init__(self) -> None:
        segments = self.case.trace.segments
        kind, parent = segments.kind.tolist(), segments.parent.tolist()
        self._parent: list[int] = parent
        # The last row on the way to each that defines a tool.
        self._last = [-1] * len(kind)
        for row, above in enumerate(parent):
            self._last[row] = row if kind[row] == _TOOLS else self._last[above] if above >= 0 else -1
        self._tools: dict[int, dict[str, tuple[list[int], int]]] = {}

    def last(self, request: int) -> int:
        """The last row of a prompt that defines a tool, -1 for none."""
        row = int(self.case.trace.last_segment[request])
        return self._last[row] if row >= 0 else -1

    def tools(self, last: int) -> dict[str, tuple[list[int], int]]:
        """By name: rows and tokens of the definitions of prompts whose last one is `last`."""
        found = self._tools.get(last)
        if found is None:
            found = self._tools[last] = {}
            row = last
            while row >= 0:
                name = self.case.name(row)
                if name is not None:
                    rows, tokens = found.get(name, ([], 0))
                    found[name] = [*rows, row], tokens + self.case.tokens(row)
                above = self._parent[row]
                row = self._last[above] if above >= 0 else -1
        return found


def _harnesses(case: Case) -> list[str]:
    return [harness or "" for harness in case.trace.requests["harness"].to_list()]


def _called(case: Case) -> tuple[defaultdict[str, set[str]], set[str]]:
    """By harness: the tools that it calls anywhere; and the harnesses of which replies or calls were captured."""
    segments, tree, harnesses = case.trace.segments, case.tree, _harnesses(case)
    captured = {
        harness
        for harness, last, end in zip(
            harnesses, case.trace.last_segment.tolist(), case.trace.last_output.tolist(), strict=True
        )
        if end != last
    }
    # A reply that was never sent back lies behind the prompt that asked for it.
    asked: dict[int, set[str]] = defaultdict(set)
    for request, (last, end) in enumerate(
        zip(case.trace.last_segment.tolist(), case.trace.last_output.tolist(), strict=True)
    ):
        row = end
        while row != last:
            asked[row].add(harnesses[request])
            row = int(segments.parent[row])
    called: defaultdict[str, set[str]] = defaultdict(set)
    spelled = case.content.calls.at
    for row in sorted({*(segments.kind == _CALL).nonzero()[0].tolist(), *spelled}):
        names = {case.name(row), spelled[row].deed.name if row in spelled else None}
        start, stop = tree.run(row)
        users = {harnesses[request] for request in tree.requests[start:stop].tolist()} | asked.get(row, set())
        for harness in users:
            called[harness] |= {name for name in names if name is not None}
            captured.add(harness)
    return called, captured


def _is_function(case: Case, rows: Iterable[int]) -> bool:
    """Whether calls of the tool can be seen: it is defined by the harness, and runs there."""
    texts = [case.text(row) for row in rows]
    return all(text is not None and any(mark in text for mark in _FUNCTION_MARKS) for text in texts)
