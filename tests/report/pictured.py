"""Results with pictures, made by hand. In: nothing. Out: model objects whose parts sum to their totals."""

from __future__ import annotations

import msgspec

from cachelens.model.pictures import Group, Pictures, Stretch
from cachelens.model.result import Result
from tests.report import builders


def stretch(
    parent: int, kind: str, sent: int, hit: int, name: str | None = None, folded: int = 0, requests: int = 1
) -> Stretch:
    return Stretch(
        parent=parent,
        kind=kind,
        name=name,
        depth=0,
        segments=1,
        tokens=sent // requests,
        requests=requests,
        sent_tokens=sent,
        hit_tokens=hit,
        repeated_tokens=hit,
        folded=folded,
    )


def tree() -> tuple[Stretch, ...]:
    """Two kinds of prompts: one forks behind its user message, the other ends in small ones that were folded."""
    return (
        stretch(-1, "tools", 400, 300, requests=4),
        stretch(0, "user", 40, 20, requests=4),
        stretch(1, "tool_result", 200, 0, name="read_file"),
        stretch(1, "tool_result", 100, 50, name="read_file"),
        stretch(1, "assistant", 10, 0),
        stretch(-1, "system", 30, 0),
        stretch(5, "other", 20, 0, folded=7),
    )


def one_group(kind: str, sent: int, hit: int, repeated: int) -> Group:
    """All that was sent, as one content of this kind."""
    return Group(
        kind=kind,
        name=None,
        item=None,
        contents=1,
        tokens=1,
        sends=1,
        sent_tokens=sent,
        hit_tokens=hit,
        repeated_tokens=repeated,
    )


def pictured(stretches: tuple[Stretch, ...] | None = None) -> Result:
    """Four requests, and the tree that their prompts are."""
    made = tree() if stretches is None else stretches
    sent, hit = sum(item.sent_tokens for item in made), sum(item.hit_tokens for item in made)
    row = builders.row(1, {"hit": hit, "fresh": sent - hit})
    group = one_group("user", sent, hit, repeated=hit)
    pictures = Pictures(curve=builders.curve(), tree=made, groups=(group,), bridge=(), views=())
    return msgspec.structs.replace(builders.result([row]), pictures=pictures)
