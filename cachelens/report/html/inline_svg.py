"""A plot as part of a page. In: the SVG that matplotlib wrote. Out: an `<svg>` element in the page's own colors.

A page that admits no inline style cannot take the picture as it is: styles become attributes, stand-ins for the
colors of text and ground become variables of the page, and the size becomes a shape that fits the width it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

from markupsafe import Markup

from cachelens.report.html.colors import known, variable
from cachelens.report.plots.theme import PAGE_COLORS

_XLINK: Final = "{http://www.w3.org/1999/xlink}href"
#: Properties of a style that are kept, as attributes of the same name.
_KEPT: Final = frozenset(
    (
        "clip-path",
        "fill",
        "fill-opacity",
        "fill-rule",
        "font-size",
        "font-style",
        "font-weight",
        "image-rendering",
        "opacity",
        "stroke",
        "stroke-dasharray",
        "stroke-dashoffset",
        "stroke-linecap",
        "stroke-linejoin",
        "stroke-miterlimit",
        "stroke-opacity",
        "stroke-width",
        "text-anchor",
    )
)
#: `font: bold 10px 'DejaVu Sans'`; the family is left to the page.
_FONT: Final = re.compile(
    r"^(?:(?P<style>italic|oblique)\s+)?(?:(?P<weight>\d{3}|bold|normal)\s+)?(?P<size>[\d.]+)px\b"
)
_COORDINATE: Final = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE: Final = re.compile(r"url\(#([^)]+)\)")
#: Attributes whose numbers are places in the picture, of which two decimals are more than a screen shows.
_PLACES: Final = ("d", "x", "y", "width", "height", "points", "cx", "cy", "r", "x1", "x2", "y1", "y2")


def inline(svg: bytes, name: str, title: str, description: str) -> Markup:
    """The picture as an element, said in words by `title` and `description`; its ids begin with `name`.

    Raises xml.etree.ElementTree.ParseError when it is no XML.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314  our own plot; neither entities nor DTD are fetched
    _prune(root)
    referenced = set(_references(root))
    for element in root.iter():
        element.tag = _local(element.tag)
        _restyle(element)
        _rename(element, name, referenced)
    shape = root.get("viewBox") or ""
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": shape,
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
            "stroke-linejoin": "round",
            "stroke-linecap": "butt",
        }
    )
    said = [
        ElementTree.Element("title", {"id": f"{name}-title"}),
        ElementTree.Element("desc", {"id": f"{name}-desc"}),
    ]
    said[0].text, said[1].text = title, description
    for at, element in enumerate(said):
        root.insert(at, element)
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    return Markup(text)  # noqa: S704  written by ElementTree, which escapes


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _prune(root: ElementTree.Element) -> None:
    """Take out metadata and style elements, and white space that only indents."""
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or _local(child.tag) in ("metadata", "style", "script"):
                parent.remove(child)
        if _local(str(parent.tag)) not in ("text", "tspan"):
            parent.text = None
            for child in parent:
                child.tail = None


def _references(root: ElementTree.Element) -> Iterator[str]:
    """Ids that something in the picture refers to."""
    for element in root.iter():
        for key, value in element.attrib.items():
            if _local(key) == "href" and value.startswith("#"):
                yield value[1:]
            yield from _REFERENCE.findall(value)


def _restyle(element: ElementTree.Element) -> None:
    """The style as attributes, colors as variables, places with two decimals."""
    style = element.attrib.pop("style", "")
    for declaration in style.split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font" and (font := _FONT.match(value)):
            for attribute, group in (
                ("font-style", "style"),
                ("font-weight", "weight"),
                ("font-size", "size"),
            ):
                if font[group]:
                    element.set(attribute, font[group])
        elif key in _KEPT and value:
            element.set(key, value.removesuffix("px") if key == "font-size" else value)
    for key in ("fill", "stroke"):
        color = element.get(key, "").lower()
        if color in PAGE_COLORS:
            element.set(key, PAGE_COLORS[color])
        elif color in _DATA:
            element.set(key, variable(color))
    for key in _PLACES:
        if place := element.get(key):
            element.set(key, _COORDINATE.sub(_rounded, place))


_DATA: Final = frozenset(known())


def _rounded(found: re.Match[str]) -> str:
    text = f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _rename(element: ElementTree.Element, name: str, referenced: set[str]) -> None:
    """Ids and references get the prefix; ids that nothing refers to go. Links out of the page are cut."""
    own = element.attrib.pop("id", None)
    if own in referenced:
        element.set("id", f"{name}-{own}")
    target = element.attrib.pop(_XLINK, element.attrib.pop("href", ""))
    if target.startswith("#"):
        element.set("href", f"#{name}-{target[1:]}")
    elif target.startswith("data:image/png;base64,"):
        element.set("href", target)
    for key in list(element.attrib):
        if "}" in key or key.lower().startswith("on"):
            del element.attrib[key]
        else:
            element.set(key, _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", element.attrib[key]))
