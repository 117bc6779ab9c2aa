"""How prompts are put together, where servers differ. In: names of choices. Out: `Render`, and its canonical text.

Three choices, independent of each other: what stands before the messages, what becomes of thinking that is
sent back, and where system messages in mid-conversation stand. docs/dialects.md says which server does what.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from cachelens.errors import UsageError, unknown_name

Order = Literal["tools-first", "system-first"]
Thinking = Literal["thinking-kept", "thinking-stripped", "thinking-last-turn"]
System = Literal["system-in-place", "system-hoisted"]

#: Choice -> its names.
CHOICES: Final = {
    "order": ("tools-first", "system-first"),
    "thinking": ("thinking-kept", "thinking-stripped", "thinking-last-turn"),
    "system": ("system-in-place", "system-hoisted"),
}
NAMES: Final = tuple(name for names in CHOICES.values() for name in names)
#: Stands alone for all choices as they are by default.
DEFAULT: Final = "default"


@dataclass(frozen=True)
class Render:
    """A complete choice. `order` None: as the API that was called does, request by request.

    `str()` is the canonical text: the names in order of the choices, defaults left out, or `default`.
    """

    order: Order | None = None
    thinking: Thinking = "thinking-kept"
    system: System = "system-in-place"

    @classmethod
    def parse(cls, text: str | None) -> Render:
        """The choice that names with commas between stand for; None or `default`: the defaults.

        Raises UsageError for an unknown name, with a suggestion, for two names of one choice, and for none.
        """
        if text is None or text.strip() == DEFAULT:
            return cls()
        given = [name.strip() for name in text.split(",") if name.strip()]
        if not given:
            raise UsageError("a list of renderings is empty", f"known: {', '.join(NAMES)}")
        chosen: dict[str, str] = {}
        for name in given:
            choice = next((choice for choice, names in CHOICES.items() if name in names), None)
            if choice is None:
                if name == DEFAULT:
                    raise UsageError("the rendering 'default' stands alone")
                raise unknown_name("rendering", name, NAMES)
            if chosen.setdefault(choice, name) != name:
                raise UsageError(f"renderings {chosen[choice]!r} and {name!r} contradict each other")
        return replace(cls(), **chosen)  # type: ignore[arg-type]

    def __str__(self) -> str:
        defaults = Render()
        values = (
            getattr(self, choice) for choice in CHOICES if getattr(self, choice) != getattr(defaults, choice)
        )
        return ",".join(values) or DEFAULT
