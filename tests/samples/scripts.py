"""What the scripted model does. In: nothing. Out: Scripts, the user's words and the model's steps for each.

A step with calls is answered by the tools and followed by another request; one without ends the turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.samples.project import CLOCK_AFTER, CLOCK_BEFORE, KIND_AFTER, KIND_BEFORE

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One reply of the model: what it thinks, what it says, and the tools it calls (in parallel)."""

    say: str
    calls: tuple[tuple[str, Arguments], ...] = ()
    think: str = ""


@dataclass(frozen=True)
class Script:
    """A conversation: pairs of a user prompt and the steps that answer it. `scouts`: task -> its script."""

    turns: tuple[tuple[str, tuple[Step, ...]], ...]
    scouts: tuple[tuple[str, Script], ...] = ()


def _read(*paths: str) -> tuple[tuple[str, Arguments], ...]:
    return tuple(("read_file", {"path": path}) for path in paths)


_TESTS = (("run_command", {"command": "python -m pytest -q", "timeout_s": 120}),)
_FIX_CLOCK = (("edit_file", {"path": "tidekit/units.py", "old": CLOCK_BEFORE, "new": CLOCK_AFTER}),)
_FIX_KIND = (("edit_file", {"path": "tidekit/table.py", "old": KIND_BEFORE, "new": KIND_AFTER}),)


FIX = Script(
    turns=(
        (
            "Two tests of tidekit fail since yesterday. Find out why and fix the library, not the tests.",
            (
                Step(
                    "I'll look at the layout and run the tests.",
                    (("list_files", {"folder": "."}), *_TESTS),
                    "Two failures are reported. See which, then read the code they touch.",
                ),
                Step(
                    "The clock and the kind of a turn are wrong. Reading both modules.",
                    _read("tidekit/units.py", "tidekit/table.py"),
                ),
                Step(
                    "format_clock rounds the minutes on their own, so 59.94 becomes 60 without a carry.",
                    _FIX_CLOCK,
                    "Round once, on minutes of the day, and the hour carries by itself.",
                ),
                Step(
                    "The sign decides the kind: water that rises before the turn is at its high after it. "
                    "Checking the sign of the slope before I change it.",
                    _read("tidekit/harmonics.py"),
                ),
                Step("slope_at is the plain derivative, so the comparison is inverted.", _FIX_KIND),
                Step("", _TESTS, "Both edits are in; run everything."),
                Step(
                    "All five tests pass. `format_clock` now rounds on minutes of the day, and "
                    "`turning_points` calls a turn high when the water rose before it.",
                ),
            ),
        ),
        (
            "Good. Is 05:60 printed anywhere else? Check every caller, and show me the diff.",
            (
                Step(
                    "Searching for the callers.",
                    (("grep", {"pattern": r"format_clock|\* 60"}),),
                ),
                Step("", (("run_command", {"command": "git diff"}),)),
                Step(
                    "`format_clock` has one caller, `render`, and nothing else splits hours into minutes. "
                    "The diff touches three lines in units.py and one in table.py.",
                ),
            ),
        ),
    )
)

FEET = Script(
    turns=(
        (
            "Let render() print feet beside meters. Keep the columns aligned.",
            (
                Step("Reading the table first.", _read("tidekit/table.py")),
                Step("And what units offers.", _read("tidekit/units.py")),
                Step(
                    "units.feet exists, so only render needs a column.",
                    (
                        (
                            "edit_file",
                            {
                                "path": "tidekit/table.py",
                                "old": "{turn.height_m:5.2f} m  {turn.kind}",
                                "new": "{turn.height_m:5.2f} m  {feet(turn.height_m):6.2f} ft  {turn.kind}",
                            },
                        ),
                        (
                            "edit_file",
                            {
                                "path": "tidekit/table.py",
                                "old": "from tidekit.units import format_clock",
                                "new": "from tidekit.units import feet, format_clock",
                            },
                        ),
                    ),
                ),
                Step("", (("read_file", {"path": "tidekit/table.py", "first": 58, "last": 64}),)),
                Step("", _TESTS, "The two known failures are not mine; check that there are no others."),
                Step(
                    "Checking that nothing parses the old layout.",
                    (("grep", {"pattern": r"render\("}),),
                ),
                Step("", (("run_command", {"command": "git diff"}),)),
                Step(
                    "render() now prints feet after meters, six columns wide. Two tests fail as they did "
                    "before my change: the clock carry and the kind of a turn."
                ),
            ),
        ),
    )
)

STATIONS_TEXT = """# Station files

A station file is TOML: a name, the mean level over chart datum, and one table per constituent.

    name = "Gull Harbor"
    mean_level_m = 2.10

    [M2]
    amplitude_m = 1.42
    speed_deg_h = 28.984104
    phase_deg = 112.0

Speeds are degrees an hour and never change; amplitudes and phases belong to the place.
"""

DOCUMENT = Script(
    turns=(
        (
            "Write docs/stations.md: how a station is described, with an example. Short.",
            (
                Step("", (("list_files", {"folder": "."}),)),
                Step("The model of a station is in two modules.", _read("tidekit/harmonics.py")),
                Step("", _read("tidekit/table.py")),
                Step("The tests hold an example to borrow.", _read("tests/test_table.py")),
                Step("", _read("README.md"), "Match the tone of the readme."),
                Step("", (("write_file", {"path": "docs/stations.md", "text": STATIONS_TEXT}),)),
                Step("", (("grep", {"pattern": "_m = |_h = |_deg = ", "folder": "docs"}),)),
                Step("I wrote docs/stations.md: the fields, their units and one complete example."),
            ),
        ),
    )
)

_CLOCK_TASK = (
    "In the Python library tidekit (root of the checkout), list every place that formats or parses a clock "
    "time and say which of them can print an impossible time such as 05:60. Do not change anything."
)
_SIGN_TASK = (
    "In the Python library tidekit (root of the checkout), explain how turning_points decides between a high "
    "and a low water, and whether the sign of slope_at agrees with it. Do not change anything."
)

SURVEY = Script(
    turns=(
        (
            "Before I touch anything: where do the two failing tests come from? Use scouts, both at once.",
            (
                Step("Running the tests to see the failures.", _TESTS),
                Step(
                    "Two separate questions, so two scouts.",
                    (("delegate", {"task": _CLOCK_TASK}), ("delegate", {"task": _SIGN_TASK})),
                ),
                Step("Confirming the line in question.", (("grep", {"pattern": "before < 0"}),)),
                Step(
                    "Both failures are faults of the library. The clock rounds minutes without a carry "
                    "(units.py), and the kind of a turn compares the slope the wrong way (table.py)."
                ),
            ),
        ),
        (
            "Then fix both.",
            (
                Step("", (*_FIX_CLOCK, *_FIX_KIND)),
                Step("", _TESTS),
                Step("Fixed: all five tests pass."),
            ),
        ),
    ),
    scouts=(
        (
            _CLOCK_TASK,
            Script(
                turns=(
                    (
                        _CLOCK_TASK,
                        (
                            Step("", (("grep", {"pattern": "clock"}),)),
                            Step("", _read("tidekit/units.py")),
                            Step("", (("grep", {"pattern": "format_clock", "folder": "tidekit"}),)),
                            Step(
                                "format_clock (units.py) and parse_clock (units.py) are the only two. "
                                "format_clock can print 60 minutes: it rounds the fraction of the hour alone. "
                                "Its one caller is render in table.py."
                            ),
                        ),
                    ),
                )
            ),
        ),
        (
            _SIGN_TASK,
            Script(
                turns=(
                    (
                        _SIGN_TASK,
                        (
                            Step("", _read("tidekit/table.py")),
                            Step("", _read("tidekit/harmonics.py")),
                            Step(
                                "turning_points looks at the slope before the change of sign and says high "
                                "when it is negative. slope_at is the derivative of height_at, negative while "
                                "the water falls, so the comparison is inverted."
                            ),
                        ),
                    ),
                )
            ),
        ),
    ),
)
