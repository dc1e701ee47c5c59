"""Bands of a number that people can read: about equally many leads in each, edges as round as that allows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BANDS = 6
FEW = 6
"""Numbers of so few different values are told value by value."""
_DIGITS = 6
_NEXT_TO_NOTHING = 0.05
_THOUSAND, _LONG, _EXACT = 1e3, 1e4, 1e15
"""Numbers from _LONG on are told in thousands, millions or billions."""


class Band(NamedTuple):
    """From `begin` to `end` (None: open; the last of whole numbers, else the first of the next band; both the value where each is told by itself),
    and what it is called."""

    name: str
    begin: float | None
    end: float | None


def edges_of(values: Floats) -> tuple[float, ...]:
    """Where the bands after the first begin, rising; none where all values are alike. (n,) without nan."""
    distinct = np.unique(values)
    if distinct.size <= FEW:
        return tuple(distinct[1:].tolist())
    raw = np.unique(np.quantile(values, np.arange(1, BANDS) / BANDS, method="nearest"))
    raw = raw[raw > distinct[0]]
    if not raw.size:  # nearly all have the lowest value
        return (float(distinct[1]),)
    return next((edges for digits in range(1, _DIGITS) if _fair(edges := _rounded(raw, digits), raw, values)), tuple(raw.tolist()))


def _rounded(raw: Floats, digits: int) -> tuple[float, ...]:
    """To so many digits that count; what is next to nothing between losses and gains is nothing."""
    nothing = _NEXT_TO_NOTHING * float(np.ptp(raw)) if raw.size and raw[0] < 0 < raw[-1] else 0.0
    return tuple(0.0 if abs(edge) < nothing else float(f"{edge:.{digits}g}") for edge in raw.tolist())


def _fair(edges: Sequence[float], raw: Floats, values: Floats) -> bool:
    """Whether rounding left the bands apart, each with at least half of what it had."""
    if list(edges) != sorted(set(edges)):
        return False
    had, have = (np.bincount(np.searchsorted(e, values, side="right"), minlength=len(edges) + 1) for e in (raw, np.array(edges)))
    return bool(np.all(2 * have >= had))


def bands_of(values: Floats) -> tuple[Band, ...]:
    """The bands of these values (n,), from the lowest to the highest. Where most are whole numbers, a band ends at the one before the next, unless
    that would be a long number for nothing (`700k-3M`)."""
    distinct = np.unique(values)
    if distinct.size <= FEW:
        return tuple(Band(_text(value), value, value) for value in distinct.tolist())
    edges = edges_of(values)
    large = min(map(abs, edges)) >= _THOUSAND and max(map(abs, edges)) >= _LONG
    whole = 2 * int(np.sum(values == np.rint(values))) > values.size
    last = [edge - 1 if whole and not large and abs(edge) < _LONG else edge for edge in edges]
    first = Band(f"<{_text(edges[0], large)}", None, last[0])
    inner = [Band(_named(begin, end, large), begin, end) for begin, end in zip(edges[:-1], last[1:], strict=True)]
    return (first, *inner, Band(f"{_text(edges[-1], large)}+", edges[-1], None))


def _named(begin: float, end: float, large: bool) -> str:
    if begin == end:
        return _text(begin, large)
    return f"{_text(begin, large)}{'-' if begin >= 0 else '..'}{_text(end, large)}"


def _text(value: float, large: bool = False) -> str:
    """12, 0.5, 4999, 700k, 3M, as `features.numbers.number` reads it; `large`: among such as 700k, 1000 is 1k."""
    for size, sign in ((1e9, "B"), (1e6, "M"), (_THOUSAND, "k")):
        if abs(value) >= max(size, _THOUSAND if large else _LONG) and f"{value / size:.10g}" == f"{value / size:.3g}":
            return f"{value / size:g}{sign}"
    return str(int(value)) if value == int(value) and abs(value) < _EXACT else f"{value:g}"
