"""One trace under every cache layout. In: a trace and its workload. Out: rows to be read side by side."""

from __future__ import annotations

from cachelens.model.render import Render
from cachelens.model.result import LayoutRow
from cachelens.model.trace import Trace
from cachelens.pipeline.costs import cost_of
from cachelens.pipeline.facts import share
from cachelens.simulate.engine import Engine, Setup
from cachelens.simulate.engines import ENGINES
from cachelens.simulate.layout import reorder
from cachelens.simulate.workload import Workload, workload

#: Caches that most traffic meets, in the order shown.
LAYOUTS = ("anthropic", "openai", "gemini", "deepseek", "sglang", "vllm", "llamacpp")


def layouts(trace: Trace, work: Workload) -> tuple[LayoutRow, ...]:
    """`trace` under each of LAYOUTS, unlimited, each with its own order of prompts.

    Traces of token ids or block hashes have no parts to reorder and no provider: servers alone are shown.
    """
    textual = trace.encoding not in ("exact", "hashes")
    captured: str = Render.parse(trace.render).order or "as captured"
    works = {captured: work}
    rows: list[LayoutRow] = []
    for name in LAYOUTS:
        engine: type[Engine] = ENGINES.load(name)
        facts = engine.facts
        if facts.kind == "api" and not textual:
            continue
        order = facts.order if textual and facts.order else captured
        if order not in works:
            other = reorder(trace, order)  # type: ignore[arg-type]
            works[order] = work if other is trace else workload(other)
        mine = works[order]
        replay = engine(mine, Setup()).replay()
        prompt, hit = int(mine.prompt_tokens.sum()), int(replay.hit.sum())
        rows.append(
            LayoutRow(
                engine=name,
                order=order,
                prompt_tokens=prompt,
                hit_tokens=hit,
                prefilled_tokens=prompt - hit,
                hit_rate=share(hit, prompt),
                cost_usd=cost_of(mine, name, replay)[0] if facts.kind == "api" else None,
            )
        )
    return tuple(rows)
