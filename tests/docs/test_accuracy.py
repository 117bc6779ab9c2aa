"""docs/accuracy.md holds what the engines give today on the public traffic."""

from __future__ import annotations

from tests.docs.make_accuracy import COMMAND, PAGE, page
from tests.shared import needs_shared


@needs_shared
def test_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        f"a simulated figure has moved; if it should: {COMMAND}"
    )
