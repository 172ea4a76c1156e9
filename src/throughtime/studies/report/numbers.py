"""Numbers as people read them."""

from __future__ import annotations

import math

MINUS = "−"
DAY, HOUR, MINUTE = 86_400, 3_600, 60


def number(value: float, digits: int = 3, *, whole: bool = False) -> str:
    """A number with ``digits`` significant digits; a dash where there is none.

    Args:
        value: the number. digits: how many. whole: whether zeros at the end are written too.

    Example:
        >>> number(0.9), number(0.9, whole=True)
        ('0.9', '0.900')
        >>> [number(value) for value in (0.98765, 1.5e-7, -0.5, 0.0, float("nan"))]
        ['0.988', '1.5e−7', '−0.5', '0', '–']
    """
    value = float(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    size = abs(value)
    if size >= 1e7 or 0 < size < 1e-3:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    if size >= 1000:
        return count(round(value))
    return f"{value:{'#' if whole else ''}.{digits}g}".rstrip(".").replace("-", MINUS)


def count(value: int) -> str:
    """An integer with thin spaces between thousands.

    Example:
        >>> count(1234567).split(), count(-4)
        (['1', '234', '567'], '−4')
    """
    return f"{value:,}".replace(",", "\u2009").replace("-", MINUS)


def plural(value: int, what: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "task"), plural(2, "task"), plural(0, "seed")
        ('1 task', '2 tasks', '0 seeds')
    """
    return f"{count(value)} {what}{'' if value == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time span in the two largest units that it has.

    Example:
        >>> [duration(value) for value in (0.42, 75, 3600 * 5 + 120, 86400 * 3 + 7200)]
        ['0.4 s', '1 min 15 s', '5 h 2 min', '3 d 2 h']
    """
    if not math.isfinite(seconds):
        return "–"
    if seconds < MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    for size, name, smaller, other in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller
            return f"{count(whole // size)} {name}" + (f" {rest} {other}" if rest else "")
    return f"{whole} s"
