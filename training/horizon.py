"""How long to wait for a conversion: the default horizon of a transition, from the training period's spells."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.contract import DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CENSORED, CONVERTED, EXITED = 0, 1, 2
WEEK_DAYS = 7
WEEK = WEEK_DAYS * DAY
MOST_OF_HISTORY = 6
SHARE = 0.9


class Horizon(NamedTuple):
    """Days that a label looks ahead, and which rule set them, in words."""

    days: int
    reason: str


def cumulative_incidence(duration: Ints, cause: Ints) -> tuple[Ints, Floats]:
    """Chance to have converted by each time, while exits compete: distinct times of conversion (k,), chances (k,).

    `duration` (n,) micros from stage entry to the first of: conversion (cause 1), exit (2), end of the data (0, censored).
    Somebody censored at t was still at risk at t. No conversion: both empty. [Aalen, Johansen 1978]
    """
    times, place = np.unique(np.asarray(duration, np.int64), return_inverse=True)
    counts = np.array([np.bincount(place[cause == kind], minlength=len(times)) for kind in (CENSORED, CONVERTED, EXITED)])
    at_risk = counts.sum() - np.concatenate([[0], np.cumsum(counts.sum(axis=0))[:-1]]) if len(times) else np.ones(0)
    left = counts[CONVERTED] + counts[EXITED]
    still_there = np.concatenate([[1.0], np.cumprod(1 - left / at_risk)[:-1]])[: len(times)]
    chance = np.cumsum(still_there * counts[CONVERTED] / at_risk)
    converted = counts[CONVERTED] > 0
    return times[converted], chance[converted]


def default_horizon(duration: Ints, cause: Ints, history_micros: int) -> Horizon:
    """The time by which 90 % of those who ever convert have converted, in whole weeks.

    Rounded up, at least 7 days, at most one sixth of the history rounded down (but never below 7 days). "Ever" is the cumulative
    incidence at its end; the arguments are those of `cumulative_incidence` and the length of the training period.
    """
    times, chance = cumulative_incidence(duration, cause)
    if not len(times):
        return Horizon(WEEK_DAYS, "Nobody converted, so 7 days, the least.")
    micros = int(times[np.searchsorted(chance, SHARE * chance[-1] * (1 - 1e-12))])
    wanted = -(-micros // WEEK) * WEEK_DAYS
    most = max(history_micros // (MOST_OF_HISTORY * WEEK), 1) * WEEK_DAYS
    seen = f"90 % of those who ever convert do so within {micros / DAY:.1f} days"
    if micros <= WEEK:
        return Horizon(WEEK_DAYS, f"{seen}; 7 days is the least.")
    if wanted > most:
        return Horizon(most, f"{seen}, but one sixth of the {history_micros / DAY:.0f} days of history is the most ({most} days).")
    return Horizon(wanted, f"{seen}, rounded up to weeks.")
