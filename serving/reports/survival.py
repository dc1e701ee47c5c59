"""How many got there by when, of whom some were followed for longer than others: Kaplan-Meier and Aalen-Johansen in numpy.

Who has not been followed long enough is neither a success nor a failure: a month's newest leads don't lower its share, as raw ratios would have it.
[Kaplan and Meier 1958; Greenwood 1926; Kalbfleisch and Prentice 1980 for the interval; Aalen and Johansen 1978]
"""

from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.contract import DAY

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Z = 1.6448536269514722
"""Intervals are 90 %."""
BEYOND = 0.05
"""The chance on either side of an interval."""
LEAST_FOLLOWED = 10
"""A share is told for as long as so many have been followed."""


@dataclass(frozen=True)
class Curve:
    """The share of n that had reached something so long after they could: it rises at `times` (k,), micros, to `reached` (k,), with the ends of its
    90 % interval and `spread`, the standard error of log(-log(1 - reached)). `followed` (n,), sorted, is for how long each could be watched."""

    times: Ints
    reached: Floats
    low: Floats
    high: Floats
    spread: Floats
    followed: Ints

    @property
    def limit(self) -> int:
        """Micros up to which `LEAST_FOLLOWED` were watched; 0 where there are fewer."""
        return int(self.followed[-LEAST_FOLLOWED]) if self.followed.size >= LEAST_FOLLOWED else 0

    def row(self, time: int) -> int:
        """Index of the last rise at or before that time, -1 before the first."""
        return int(np.searchsorted(self.times, time, "right")) - 1

    def at(self, time: int) -> dict[str, float] | None:
        """`share`, `low` and `high` at that time, one that is reached at it counted; None beyond the limit."""
        if not 0 <= time <= self.limit:
            return None
        row = self.row(time)
        if row < 0:
            watched = self.followed.size - int(np.searchsorted(self.followed, time, "left"))
            return {"share": 0.0, "low": 0.0, "high": _told(1.0 - BEYOND ** (1.0 / watched))}
        return {"share": _told(self.reached[row]), "low": _told(self.low[row]), "high": _told(self.high[row])}

    def quantile(self, part: float, until: int) -> int | None:
        """When that part of those who get there by `until` have got there, micros; None if nobody has."""
        row = self.row(until)
        if row < 0:
            return None
        return int(self.times[np.searchsorted(self.reached, part * self.reached[row] * (1 - 1e-12), "left")])


def kaplan_meier(duration: Ints, happened: Mask, followed: Ints) -> Curve:
    """(n,) micros until it happened, or until the watching ended where it has not `happened`; `followed` (n,) until the watching ended for everybody.

    The interval is that of log(-log), which stays within 0 and 1; where all have got there its lower end is what n of n tell."""
    times, risk, counts = _steps(duration, happened)
    survival = np.asarray(np.cumprod(1.0 - counts / risk), np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(counts / (risk * (risk - counts)))
        spread: Floats = np.sqrt(greenwood) / np.abs(np.log(survival))
        low, high = (1.0 - survival ** np.exp(sign * Z * spread) for sign in (-1.0, 1.0))
    if survival.size and survival[-1] == 0.0:
        before = low[-2] if low.size > 1 else 0.0
        spread[-1], low[-1], high[-1] = np.inf, max(before, BEYOND ** (1.0 / risk[-1])), 1.0
    return Curve(times, 1.0 - survival, low, high, spread, np.sort(followed))


def _steps(duration: Ints, happened: Mask) -> tuple[Ints, Floats, Floats]:
    """The distinct times at which it happened, how many were still at risk (one that leaves then is), and to how many it happened."""
    times, counts = np.unique(duration[happened], return_counts=True)
    ordered = np.sort(duration)
    risk = duration.size - np.searchsorted(ordered, times, "left")
    return times, risk.astype(np.float64), counts.astype(np.float64)


def incidence(duration: Ints, cause: Ints, causes: int, until: int) -> Floats:
    """(causes,) share of stays that had ended by `until` for each cause 0, 1, ...; causes compete, and -1 is a stay that still lasts."""
    times, risk, counts = _steps(duration, cause >= 0)
    times, risk, counts = times[times <= until], risk[: np.sum(times <= until)], counts[: np.sum(times <= until)]
    lasting = np.concatenate([[1.0], np.cumprod(1.0 - counts / risk)])[:-1] if times.size else np.empty(0)
    found = np.zeros(causes)
    for one in range(causes):
        ended = duration[(cause == one) & (duration <= until)]
        found[one] = float((lasting / risk)[np.searchsorted(times, ended)].sum())
    return found


def difference(one: Curve, other: Curve, time: int) -> float | None:
    """Standard errors by which more of `one` than of `other` have got there by that time; None where nobody or everybody has, of either."""
    rows = [(curve, curve.row(time)) for curve in (one, other)]
    if any(row < 0 or not np.isfinite(curve.spread[row]) for curve, row in rows) or time > min(one.limit, other.limit):
        return None
    (a, variance_a), (b, variance_b) = ((log(-log(1.0 - curve.reached[row])), curve.spread[row] ** 2) for curve, row in rows)
    return (a - b) / sqrt(variance_a + variance_b)


def wilson(part: int, whole: int) -> dict[str, float] | None:
    """`share` of a whole that is all known, with the 90 % interval of Wilson 1927; None of nothing."""
    if whole == 0:
        return None
    rate, z2 = part / whole, Z * Z / whole
    middle, half = rate + z2 / 2, Z * sqrt(rate * (1 - rate) / whole + z2 / (4 * whole))
    return {"share": _told(rate), "low": _told(max((middle - half) / (1 + z2), 0.0)), "high": _told(min((middle + half) / (1 + z2), 1.0))}


def days(micros: Any) -> float:
    """Micros in days, as a document tells them."""
    return round(float(micros) / DAY, 2)


def _told(share: float) -> float:
    return round(float(share), 6)
