"""What the fixture `cachelens_recorder` gives. In: calls of SDK clients. Out: a recording with assertions on it."""

from __future__ import annotations

from cachelens.api.traces import Trace, load
from cachelens.testing.assertions import (
    assert_append_only,
    assert_hit_rate,
    assert_no_findings,
    assert_prefix_stable,
)
from cachelens.testing.recording import Recording


class Recorder(Recording):
    """A recording that can be judged: the assertions of `cachelens.testing`, on what was recorded so far."""

    assert_append_only = assert_append_only
    assert_hit_rate = assert_hit_rate
    assert_no_findings = assert_no_findings
    assert_prefix_stable = assert_prefix_stable

    @property
    def trace(self) -> Trace:
        """What was recorded so far. Raises UsageError when that is nothing, InputError when it holds no prompt."""
        return load(self)
