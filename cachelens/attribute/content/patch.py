"""Patches as `apply_patch` takes them. In: the text of a patch. Out: the files it touches and how."""

from __future__ import annotations

import posixpath
import re

from cachelens.attribute.content.touch import Edit, Touch

_BEGIN, _END = "*** Begin Patch", "*** End Patch"
_FILE = re.compile(r"^\*\*\* (Update|Add|Delete) File: (.+)$")
_MOVE = "*** Move to: "


def patched(text: str) -> tuple[Touch, ...]:
    """What a patch does: `write` for added and deleted files, `edit` for updated ones; nothing for another text."""
    begin = text.find(_BEGIN)
    if begin < 0:
        return ()
    found: list[Touch] = []
    body: list[str] = []
    verb = path = ""

    def close() -> None:
        if verb == "Update":
            found.append(Touch("edit", path, edits=_hunks(body)))
        elif verb:
            found.append(Touch("write", path))

    for line in text[begin:].split("\n")[1:]:
        if line.rstrip() == _END:
            break
        header = _FILE.match(line.rstrip("\r"))
        if header:
            close()
            verb, path, body = header[1], posixpath.normpath(header[2].strip()), []
        elif line.startswith(_MOVE):
            found.append(Touch("write", posixpath.normpath(line[len(_MOVE) :].strip())))
        else:
            body.append(line)
    close()
    return tuple(found)


def _hunks(body: list[str]) -> tuple[Edit, ...] | None:
    """The passages that the hunks replace; None when one has no line by which to find its place."""
    found: list[Edit] = []
    old: list[str] = []
    new: list[str] = []
    for line in [*body, "@@"]:
        if line.startswith("@@"):
            if old:
                found.append(Edit("\n".join(old), "\n".join(new)))
            elif new:
                return None
            old, new = [], []
        elif line.startswith("+"):
            new.append(line[1:])
        elif line.startswith("-"):
            old.append(line[1:])
        elif not line.startswith("***"):
            old.append(line[1:])
            new.append(line[1:])
    return tuple(found)
