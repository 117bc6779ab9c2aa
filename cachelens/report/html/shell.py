"""What every page shares: head, style, script, and the environment of its templates. In: view data. Out: bytes.

Nothing that a trace holds can run. Templates escape whatever they show, `scrub` takes out what reorders or hides
text, and the page's own policy admits no style and no script but the two that are part of it, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from cachelens.report.html.colors import palette_css

_FOLDER = "cachelens.report.html"
#: Characters that would end a script element, or that JSON allows and a script does not.
_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def assemble(template: str, view: Mapping[str, object]) -> bytes:
    """The page that `template` makes of `view`, as UTF-8. The same view gives the same bytes."""
    style, script = _text("style.css"), _text("page.js")
    style = palette_css() + style
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    text = (
        environment()
        .get_template(template)
        .render(
            **view,
            policy=policy,
            style=Markup(style),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
        )
    )
    return text.encode("utf-8")


def scrub(value: object) -> object:
    """What an expression of a template shows: text without control, bidirectional, unassigned or lone code points.

    Names out of traces are cleaned and cut before they come here; this holds for whatever was forgotten.
    """
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    if value.isascii() and value.isprintable():
        return value
    return "".join(char if _shows(char) else "�" for char in value)


def _shows(char: str) -> bool:
    return char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def embedded(data: object) -> Markup:
    """`data` as JSON that can stand inside a script element."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_IN_SCRIPT))  # noqa: S704  neither tag nor entity is left in it


def coded(text: str) -> Markup:
    """`text` with what stands between backquotes as code."""
    parts = str(scrub(text)).split("`")
    if len(parts) % 2 == 0:  # a backquote without its fellow
        return Markup("{}").format(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


@cache
def environment() -> jinja2.Environment:
    """Where templates are found, and what is done to whatever they show."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(_FOLDER, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=scrub,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["coded"] = coded
    return environment


@cache
def _text(name: str) -> str:
    return files(_FOLDER).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
