"""System messages in mid-conversation are moved to the front of the prompt.

What it detects
    Messages of the role system or developer that stand behind a message of another role. Some servers collect
    all of them and put them in front: the bodies only grow at their end, and yet the beginning of the prompt
    changes. No comparison of bodies shows it.

Why it costs
    Caches match from the first token on. Whatever stands behind the leading system prompt, tools and the whole
    conversation, is computed again with every new system message, however short it is.

How it is measured
    In a trace that was read with `--render system-hoisted`: tokens computed again in requests whose first change
    is a system message that came to the front. The remedy is replayed: every system message stays where the body
    has it. In a trace that was read in place, which is the default: the same requests are replayed on the same
    cache with system messages moved to the front, and the finding is diagnostic: it says how many tokens more
    would be computed there. Nothing is said for caches of provider APIs, which read messages where they stand,
    nor where there are no such messages.

How to fix
    Send reminders as user messages, or inside the latest one. Or render on a server that keeps the order: chat
    templates of Qwen3, GLM and Kimi do; those of DeepSeek-V3 and R1 join all system messages in front. Ollama
    collects them in its template code (ollama#18431), oMLX did unless `preserve_mid_system_cache` applied
    (omlx#2483), the Messages endpoint of SGLang (sglang#28883) and gateways to APIs with a single system
    prompt did or do: LiteLLM to Gemini (litellm#42126).

Example
    After 20 steps a harness sends `{"role": "system", "content": "Plan mode is on."}` behind a prompt of 40,000
    tokens, of which the system prompt takes 2,000. On a server that hoists, 38,000 tokens are computed again.

When to ignore
    The server renders system messages where they stand. The finding about a trace that was read in place is
    about other servers then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cachelens.advise.candidate import Candidate, Place, Verdict
from cachelens.advise.case import Case
from cachelens.advise.edit_rule import Claim, EditRule, View, broken_first, place_of
from cachelens.advise.plan import Plan
from cachelens.model.edits import Edit
from cachelens.model.render import Render
from cachelens.simulate.system_messages import hoisted_rows, late_system_rows, system_hoisted
from cachelens.simulate.workload import workload

_FIX = "send it as a user message or inside the latest one, or render on a server that keeps system messages in place"


class HoistedSystem(EditRule):
    """CL106."""

    code = "CL106"
    name = "hoisted-system"
    precedence = 15

    def claim(self, view: View) -> Claim | None:
        """A system message that came to the front, or went from there, in a hoisted rendering."""
        case, edit = view.case, view.edit
        if edit.kind not in ("inserted", "removed", "moved") or not _hoists(case):
            return None
        pair = case.past.pairs[edit.request]
        path = pair.now if edit.now_row >= 0 else pair.then
        return Claim(("hoisted",)) if edit.row in hoisted_rows(case.trace, path) else None

    def find(self, case: Case) -> Iterable[Candidate]:
        """What hoisting costs, or what it would cost."""
        if _hoists(case):
            yield from super().find(case)
        elif case.engine.facts.kind != "api" and (found := _elsewhere(case)) is not None:
            yield found

    def candidate(self, case: Case, edits: Sequence[Edit], claims: Sequence[Claim]) -> Candidate | None:
        """One finding about all of them."""
        costly = [edit for edit in edits if case.costly(edit)]
        if not costly:
            return None
        worst = max(costly, key=lambda edit: (edit.after_tokens, -edit.number))
        requests = sorted({edit.request for edit in costly})
        return Candidate(
            title=f"system messages in mid-conversation are moved to the front of {_requests(requests)}",
            group=claims[0].key,
            place=place_of(case, worst),
            requests=requests,
            tokens=broken_first(case, costly),
            measure="computed again",
            fix=_FIX,
            plan=Plan(system_in_place=True),
            details={"system messages": len({edit.row for edit in edits})},
        )


def _hoists(case: Case) -> bool:
    return Render.parse(case.trace.render).system == "system-hoisted"


def _requests(requests: Sequence[int]) -> str:
    return f"{len(requests):,} prompt{'' if len(requests) == 1 else 's'}"


def _elsewhere(case: Case) -> Candidate | None:
    """What the trace would compute more where system messages are moved to the front; None when it is not much."""
    late = late_system_rows(case.trace).tolist()
    if not late:
        return None
    replay = case.engine(workload(system_hoisted(case.trace)), case.setup).replay()
    less = case.replay.hit - replay.hit
    more = int(less.sum())
    if more <= case.thresholds.min_tokens:
        return None
    requests = np.flatnonzero(less > 0).tolist()
    first, held = requests[0], set(late)
    row = next((row for row in reversed(case.path(first).tolist()) if row in held), -1)
    return Candidate(
        title=f"a server that moves system messages to the front would compute {more:,} tokens more",
        group=("elsewhere",),
        place=Place(first, row),
        requests=requests,
        tokens=more,
        measure="computed more where system messages are moved to the front",
        fix=_FIX,
        verdict=Verdict.DIAGNOSTIC,
        details={
            "system messages": len(late),
            "servers that do": "Ollama, oMLX; chat templates that join system messages, such as DeepSeek-V3's",
        },
    )
