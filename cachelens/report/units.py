"""Numbers for people. In: exact counts. Out: short strings that never claim more than is true.

Rounding never turns a share below all into "100 %", nor anything above nothing into "0": such values
are written as bounds (`>99.9 %`, `<0.1 %`).
"""

from __future__ import annotations

from fractions import Fraction

_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def count(number: int) -> str:
    """Three significant digits with a unit of thousands: `999`, `82.4 k`, `6.10 M`. Below 1000 exact."""
    if number < 0:
        return "-" + count(-number)
    if number < 1000:
        return str(number)
    scale, unit = next((scale, unit) for scale, unit in _UNITS if number >= scale)
    text = _three_digits(Fraction(number, scale))
    if text == "1000" and scale < _UNITS[0][0]:  # 999,950 is 1.00 M, not 1000 k
        return f"1.00 {_UNITS[_UNITS.index((scale, unit)) - 1][1]}"
    return f"{text} {unit}"


def size(number: int) -> str:
    """A chosen size, without digits that say nothing: `200 k`, `1.5 M`; otherwise as `count`."""
    for scale, unit in _UNITS:
        if number >= scale:
            if number % (scale // 100):
                break
            return f"{_decimal(number // (scale // 100), 2).rstrip('0').rstrip('.')} {unit}"
    return count(number)


def exact(number: int) -> str:
    """All digits, grouped: `10,214`."""
    return f"{number:,}"


def share(part: int, whole: int, digits: int = 1) -> str:
    """`part` of `whole` in percent with `digits` decimals: `41.5 %`. A dash when `whole` is 0."""
    return "-" if whole == 0 else percent(Fraction(part, whole), digits)


def percent(ratio: float | Fraction, digits: int = 1) -> str:
    """A ratio in percent: `41.5 %`, `<0.1 %`, `>99.9 %`; exactly 0 and 1 are `0 %` and `100 %`."""
    ratio, scale = Fraction(ratio), 10**digits
    if ratio < 0:
        return f"-{percent(-ratio, digits)}"
    if ratio in (0, 1):
        return f"{int(ratio * 100)} %"
    scaled = _round(ratio * 100 * scale)
    if ratio > 0 and scaled == 0:
        return f"<{_decimal(1, digits)} %"
    if ratio < 1 and scaled >= 100 * scale:
        return f">{_decimal(100 * scale - 1, digits)} %"
    return f"{_decimal(scaled, digits)} %"


def points(difference: Fraction) -> str:
    """A difference of two ratios in percentage points: `0.6 pp`, `<0.1 pp`. The sign is left out."""
    difference = abs(difference)
    tenths = _round(difference * 1000)
    if difference and not tenths:
        return "<0.1 pp"
    return f"{_decimal(tenths, 1)} pp"


def factor(part: int, whole: int) -> str:
    """How many times `whole` is in `part`: `4.36x`, `>1.00x`, exactly 1 is `1x`. A dash when `whole` is 0."""
    if whole == 0:
        return "-"
    ratio = Fraction(part, whole)
    if ratio == 1:
        return "1x"
    hundredths = _round(ratio * 100)
    if hundredths == 100:
        return ">1.00x" if ratio > 1 else "<1.00x"
    if ratio and not hundredths:
        return "<0.01x"
    return f"{_three_digits(ratio)}x" if ratio >= 1 else f"{_decimal(hundredths, 2)}x"


def money(amount: float) -> str:
    """US dollars with cents, more digits below a dollar: `12.40`, `0.0312`; never 0 for something."""
    if amount == 0:
        return "0"
    if amount < 0:
        return f"-{money(-amount)}"
    if amount >= 1:
        return f"{amount:,.2f}"
    return f"{amount:.4f}" if amount >= 0.0001 else "<0.0001"


def flops(amount: float) -> str:
    """Floating-point operations: `1.2e15`."""
    return f"{amount:.1e}".replace("e+", "e")


def gib(amount: float) -> str:
    """Bytes as memory is sold: `12.4 GiB`, `310 MiB`, `1.5 TiB`."""
    for scale, unit in ((2**40, "TiB"), (2**30, "GiB")):
        if amount >= scale:
            return (
                f"{amount / scale:.3g} {unit}" if amount < 1000 * scale else f"{amount / scale:,.0f} {unit}"
            )
    return f"{amount / 2**20:.3g} MiB"


def duration(seconds: float) -> str:
    """A time span: `0.4 s`, `12.0 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. Negative ones keep their sign."""
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for scale, unit, below, smaller in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= scale:
            return f"{whole // scale:,} {unit} {whole % scale // below} {smaller}"
    return f"{seconds:.1f} s"


def plural(number: int, noun: str) -> str:
    """`1 request`, `84 requests`, `12,040 requests`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _round(value: Fraction) -> int:
    """Nearest integer, halves up: the same on every platform and for every sum of exact counts."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _decimal(scaled: int, digits: int) -> str:
    """`scaled` / 10**digits, written out."""
    whole, rest = divmod(scaled, 10**digits)
    if not digits:
        return f"{whole:,}"
    return f"{whole:,}.{rest:0{digits}d}"


def _three_digits(value: Fraction) -> str:
    """At least 1: `6.10`, `82.4`, `415`, more digits above 1000. Never rounds up into a fourth digit."""
    for digits in (2, 1):
        scaled = _round(value * 10**digits)
        if scaled < 1000:
            return _decimal(scaled, digits)
    return str(_round(value))
