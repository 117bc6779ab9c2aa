"""What a plot drew on its sheet. In: a plot, a Result. Out: texts and rectangles in points, as they lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from cachelens.model.result import Result
from cachelens.report.plots.base import Plot, PlotOptions
from cachelens.report.plots.figure import save
from cachelens.report.plots.rect import Rect

DEFAULT = PlotOptions()


@dataclass(frozen=True)
class Drawn:
    """`texts` with the ink they take, `shapes` and `lines` by label, `images` by label."""

    size: tuple[float, float]
    texts: list[tuple[str, Rect]]
    shapes: dict[str, list[Rect]]
    colors: dict[str, list[str]]
    lines: dict[str, list[list[tuple[float, float]]]]
    images: dict[str, tuple[int, ...]]
    data: bytes

    def words(self) -> list[str]:
        return [text for text, _ in self.texts]

    def apart(self) -> None:
        """There are texts, and none runs into another, or out of the picture."""
        assert self.texts
        for (one, first), (other, second) in combinations(self.texts, 2):
            clear = (
                first.right <= second.x + 0.1
                or second.right <= first.x + 0.1
                or first.bottom <= second.y + 0.6
                or second.bottom <= first.y + 0.6
            )
            assert clear, (one, other, first, second)
        for text, box in self.texts:
            assert box.x >= 0, text
            assert box.y >= 0, text
            assert box.right <= self.size[0], text
            assert box.bottom <= self.size[1], text


def drawn(plot: Plot, result: Result, options: PlotOptions = DEFAULT, kind: str = "png") -> Drawn:
    found: list[Drawn] = []
    size = plot.size(result)

    def draw(figure: Figure) -> None:
        plot.draw(figure, result, options)
        found.append(_read(figure, size))

    data = save(draw, kind, size, options.theme)
    one = found[0]
    return Drawn(one.size, one.texts, one.shapes, one.colors, one.lines, one.images, data)


def _read(figure: Figure, size: tuple[float, float]) -> Drawn:
    (axes,) = figure.axes
    scale = 72 / figure.dpi
    high = size[1] * 72
    texts = []
    for text in axes.texts:
        box = text.get_window_extent()
        place = Rect(box.x0 * scale, high - box.y1 * scale, box.width * scale, box.height * scale)
        texts.append((text.get_text(), place))
    shapes: dict[str, list[Rect]] = {}
    colors: dict[str, list[str]] = {}
    lines: dict[str, list[list[tuple[float, float]]]] = {}
    for patch in axes.patches:
        assert isinstance(patch, PathPatch)
        label = str(patch.get_label())
        path: Any = patch.get_path()
        face: Any = patch.get_facecolor()
        if face[3] == 0:
            lines.setdefault(label, []).extend(
                [(float(x), float(y)) for x, y in part] for part in path.to_polygons(closed_only=False)
            )
            continue
        red, green, blue, _ = (round(255 * part) for part in face)
        for at in range(0, len(path.vertices), 5):
            (left, top), (right, low) = path.vertices[at], path.vertices[at + 2]
            shapes.setdefault(label, []).append(Rect(left, top, right - left, low - top))
            colors.setdefault(label, []).append(f"#{red:02x}{green:02x}{blue:02x}")
    pictures: Any = axes.images
    images = {str(image.get_label()): image.get_array().shape for image in pictures}
    return Drawn((size[0] * 72, high), texts, shapes, colors, lines, images, b"")
