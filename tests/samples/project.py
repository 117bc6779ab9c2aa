"""The made-up project the agent works on. In: nothing. Out: FILES, path -> text, as a fresh checkout.

Two faults are planted: `format_clock` can print 60 minutes, and `turning_points` names highs "low".
"""

from __future__ import annotations

UNITS = '''"""Lengths and clock times as tide tables print them."""

FEET_PER_METER = 3.280839895


def feet(meters: float) -> float:
    """Meters to international feet, to the centimeter a table can show."""
    return round(meters * FEET_PER_METER, 2)


def parse_clock(text: str) -> float:
    """Hours since midnight from "HH:MM". Raises ValueError on anything else."""
    hours, _, minutes = text.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and int(minutes) < 60):
        raise ValueError(f"not a clock time: {text!r}")
    return int(hours) + int(minutes) / 60


def format_clock(hours: float) -> str:
    """ "HH:MM" for hours since midnight; times after the first day wrap around."""
    whole = int(hours % 24)
    minutes = round((hours % 24 - whole) * 60)
    return f"{whole:02d}:{minutes:02d}"
'''

HARMONICS = '''"""Tide height as a sum of harmonic constituents.

Each constituent is a cosine with an amplitude in meters, a speed in degrees an hour and a phase in
degrees. The sum is smooth, so its slope is known in closed form and turning points need no table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Constituent:
    """One cosine of the tide, such as M2, the moon's half-daily pull."""

    name: str
    amplitude_m: float
    speed_deg_h: float
    phase_deg: float

    def angle(self, hours: float) -> float:
        """Angle in radians, `hours` after the epoch of the station."""
        return math.radians(self.speed_deg_h * hours - self.phase_deg)


def height_at(parts: Sequence[Constituent], hours: float, mean_level_m: float = 0.0) -> float:
    """Height over chart datum in meters."""
    return mean_level_m + sum(p.amplitude_m * math.cos(p.angle(hours)) for p in parts)


def slope_at(parts: Sequence[Constituent], hours: float) -> float:
    """Change of height in meters an hour; zero at high and low water."""
    return -sum(p.amplitude_m * math.radians(p.speed_deg_h) * math.sin(p.angle(hours)) for p in parts)


def strongest(parts: Sequence[Constituent], count: int = 4) -> list[Constituent]:
    """The `count` constituents of largest amplitude, ties in the order given."""
    return sorted(parts, key=lambda p: -p.amplitude_m)[:count]
'''

TABLE = '''"""High and low waters of a station, and the table that prints them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tidekit.harmonics import Constituent, height_at, slope_at
from tidekit.units import format_clock


@dataclass(frozen=True)
class Station:
    """A place with known constituents. `mean_level_m` is mean sea level over chart datum."""

    name: str
    mean_level_m: float
    parts: tuple[Constituent, ...]


@dataclass(frozen=True)
class Turn:
    """One high or low water."""

    hours: float
    height_m: float
    kind: str


def turning_points(station: Station, start_h: float, end_h: float, step_h: float = 0.25) -> Iterator[Turn]:
    """Highs and lows in [start_h, end_h), in order of time.

    The slope is sampled every `step_h` hours; a change of sign is bisected to half a minute.
    """
    left, before = start_h, slope_at(station.parts, start_h)
    while left < end_h:
        right = min(left + step_h, end_h)
        after = slope_at(station.parts, right)
        if before * after < 0:
            low, high = left, right
            while high - low > 1 / 120:
                middle = (low + high) / 2
                if slope_at(station.parts, middle) * before > 0:
                    low = middle
                else:
                    high = middle
            kind = "high" if before < 0 else "low"
            yield Turn(low, height_at(station.parts, low, station.mean_level_m), kind)
        left, before = right, after


def render(station: Station, day: int) -> str:
    """The table of one day (0: the day of the epoch), a line a turn."""
    rows = [f"{station.name}, day {day}"]
    for turn in turning_points(station, day * 24.0, day * 24.0 + 24.0):
        rows.append(f"  {format_clock(turn.hours)}  {turn.height_m:5.2f} m  {turn.kind}")
    return "\\n".join(rows)
'''

TEST_TABLE = """from tidekit.harmonics import Constituent
from tidekit.table import Station, render, turning_points
from tidekit.units import format_clock, parse_clock

HARBOR = Station(
    "Gull Harbor",
    2.10,
    (Constituent("M2", 1.42, 28.984104, 112.0), Constituent("S2", 0.46, 30.0, 145.0)),
)


def test_highs_are_above_lows():
    turns = list(turning_points(HARBOR, 0.0, 48.0))
    highs = [t.height_m for t in turns if t.kind == "high"]
    lows = [t.height_m for t in turns if t.kind == "low"]
    assert min(highs) > max(lows)


def test_turns_alternate():
    kinds = [t.kind for t in turning_points(HARBOR, 0.0, 96.0)]
    assert all(a != b for a, b in zip(kinds, kinds[1:]))


def test_clock_round_trip():
    assert format_clock(parse_clock("06:40")) == "06:40"


def test_clock_carries_the_hour():
    assert format_clock(5.999) == "06:00"


def test_render_names_the_station():
    assert render(HARBOR, 0).startswith("Gull Harbor, day 0")
"""

README = """# tidekit

High and low water from harmonic constituents, in pure Python.

    from tidekit.table import render
    print(render(station, day=0))

Heights are meters over chart datum. Times are hours since the epoch of the station, printed in the
station's own standard time; tidekit knows nothing of time zones or daylight saving.

Run the tests with `python -m pytest -q`.
"""

#: Paths of the checkout in listing order.
FILES: dict[str, str] = {
    "README.md": README,
    "tests/test_table.py": TEST_TABLE,
    "tidekit/__init__.py": '"""Tide tables from harmonic constituents."""\n\n__version__ = "0.4.2"\n',
    "tidekit/harmonics.py": HARMONICS,
    "tidekit/table.py": TABLE,
    "tidekit/units.py": UNITS,
}

CLOCK_BEFORE = """    whole = int(hours % 24)
    minutes = round((hours % 24 - whole) * 60)
    return f"{whole:02d}:{minutes:02d}"
"""
CLOCK_AFTER = """    minutes = round(hours * 60) % (24 * 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
"""
KIND_BEFORE = 'kind = "high" if before < 0 else "low"'
KIND_AFTER = 'kind = "high" if before > 0 else "low"'
