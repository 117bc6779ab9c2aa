"""For tests of programs that build prompts. In: request bodies, or calls of an SDK. Out: assertions, recorded pairs.

Names are imported when they are first used, so that `import cachelens.testing` costs nothing. The pytest plugin is
`cachelens.testing.plugin`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cachelens.testing.assertions import (
        assert_append_only,
        assert_hit_rate,
        assert_no_findings,
        assert_prefix_stable,
    )
    from cachelens.testing.recording import AsyncRecordingTransport, Recording, RecordingTransport

__all__ = [
    "AsyncRecordingTransport",
    "Recording",
    "RecordingTransport",
    "assert_append_only",
    "assert_hit_rate",
    "assert_no_findings",
    "assert_prefix_stable",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "assertions" if name.startswith("assert_") else "recording"
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
