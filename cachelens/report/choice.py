"""Which format an output is in. In: the name of a format or a file, a kind of document. Out: a renderer, a table."""

from __future__ import annotations

from cachelens.errors import UsageError
from cachelens.report.renderers import RENDERERS
from cachelens.report.renderers.base import DocumentKind, Renderer
from cachelens.report.tables.names import table_named


def renderer_for(name: str, kind: DocumentKind) -> Renderer:
    """The renderer of that name. Raises UsageError for one that there is not, or that does not show such documents."""
    renderer: Renderer = RENDERERS.load(name)()
    if kind not in renderer.documents:
        able = [one.name for one in _showing(kind)]
        raise UsageError(f"{name} does not show this kind of report", f"formats: {', '.join(able)}")
    return renderer


def suffixes(kind: DocumentKind) -> list[str]:
    """Suffixes of the formats that show such documents."""
    return [suffix for renderer in _showing(kind) for suffix in renderer.suffixes]


def by_suffix(file_name: str) -> tuple[str, str]:
    """The format with the longest suffix that ends the name, and that suffix; both empty when there is none."""
    lower = file_name.lower()
    found = [
        (name, suffix)
        for name in RENDERERS
        for suffix in RENDERERS.load(name).suffixes
        if lower.endswith(suffix)
    ]
    return max(found, key=lambda item: len(item[1]), default=("", ""))


def table_in(file_name: str, kind: DocumentKind, renderer: Renderer) -> str:
    """The table that a file of a format of tables holds: the one named before its suffix; empty for the main one."""
    if not getattr(renderer, "tabular", False):
        return ""
    stem = file_name.lower().removesuffix(by_suffix(file_name)[1])
    return table_named(kind, stem.rpartition(".")[2])


def _showing(kind: DocumentKind) -> list[Renderer]:
    loaded: list[Renderer] = [RENDERERS.load(name)() for name in RENDERERS]
    return [renderer for renderer in loaded if kind in renderer.documents]
