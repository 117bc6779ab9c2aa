"""The tree of prompts as flame graphs. In: an analysis with pictures. Out: a file that speedscope opens.

Frames are kinds of segments and tools, nested as prompts are: what stands below a frame comes behind it in some
prompt. Widths are tokens times the requests that sent them; so all three profiles sum to what the analysis counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cachelens.report.renderers.base import DocumentKind, RenderOptions, pictures_of

if TYPE_CHECKING:
    from cachelens.model.pictures import Stretch
    from cachelens.report.renderers.base import Document

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_NAME = 60


class Speedscope:
    """Three profiles of the same tree: tokens sent, computed, and served from cache."""

    name = "speedscope"
    suffixes: tuple[str, ...] = (".speedscope.json",)
    documents: frozenset[DocumentKind] = frozenset({"result"})
    binary = False
    pictures = True
    tabular = False

    def render(self, document: Document, options: RenderOptions) -> bytes:
        """UTF-8 JSON; `options` change nothing. Raises UsageError without pictures, TypeError for no analysis."""
        import msgspec

        from cachelens.model.result import Result
        from cachelens.report.untrusted import clean

        if not isinstance(document, Result):
            raise TypeError(f"{self.name} shows analyses only")
        tree = pictures_of(document, self.name).tree
        frames = [_frame(stretch) for stretch in tree]
        named = list(dict.fromkeys(frames))
        at = {name: number for number, name in enumerate(named)}
        nodes = [at[name] for name in frames]
        sources = document.trace.sources
        source = clean(sources[0].rstrip("/").rsplit("/", 1)[-1], _NAME, keep_end=True) if sources else ""
        file = {
            "$schema": _SCHEMA,
            "exporter": f"cachelens {document.cachelens}",
            "name": source + (f" and {len(sources) - 1:,} more" if len(sources) > 1 else ""),
            "activeProfileIndex": 0,
            "shared": {"frames": [{"name": name} for name in named]},
            "profiles": [
                _profile("tokens sent", tree, nodes, [stretch.sent_tokens for stretch in tree]),
                _profile(
                    "tokens computed",
                    tree,
                    nodes,
                    [stretch.sent_tokens - stretch.hit_tokens for stretch in tree],
                ),
                _profile("tokens from cache", tree, nodes, [stretch.hit_tokens for stretch in tree]),
            ],
        }
        return msgspec.json.encode(file) + b"\n"


def _frame(stretch: Stretch) -> str:
    from cachelens.report.untrusted import clean

    if stretch.folded:
        return "smaller ones, folded"
    return f"{stretch.kind} {clean(stretch.name, _NAME)}" if stretch.name else stretch.kind


def _profile(name: str, tree: Sequence[Stretch], frames: Sequence[int], own: Sequence[int]) -> dict[str, Any]:
    """Events that open and close each frame: its own tokens first, then those of the frames below it.

    A list of stacks would repeat everything above a frame for each frame: a tree as deep as it is large would not
    fit in memory.
    """
    below = list(own)
    children: list[list[int]] = [[] for _ in tree]
    roots: list[int] = []
    for node in range(len(tree) - 1, -1, -1):  # parents come before their children
        parent = tree[node].parent
        (children[parent] if parent >= 0 else roots).append(node)
        if parent >= 0:
            below[parent] += below[node]
    events: list[dict[str, Any]] = []
    at = 0
    # children and roots were collected last to first: the first is on top of the stack
    stack = [(node, False) for node in roots if below[node]]
    while stack:
        node, done = stack.pop()
        events.append({"type": "C" if done else "O", "frame": frames[node], "at": at})
        if not done:
            at += own[node]
            stack.append((node, True))
            stack += [(child, False) for child in children[node] if below[child]]
    return {
        "type": "evented",
        "name": name,
        "unit": "none",
        "startValue": 0,
        "endValue": at,
        "events": events,
    }
