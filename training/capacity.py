"""What a team gets that calls the K most likely leads a day: replayed on the test's Mondays, each lead called at most once."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from features.timeline import Ints
from training.bootstrap import lead_bootstrap
from training.landmarks import WEEK, is_monday
from training.metrics import Floats

DAYS_A_WEEK = 5
CALLS_A_DAY = tuple(digit * 10**zeros for zeros in range(7) for digit in (1, 2, 5))
MOST_CHOICES = 5
SHARES = (0.05, 0.1, 0.2, 0.5)
"""Of the rows of a file without times, where there are no days: the shares that are called."""
REPEATS, AT_ONCE = 200, 2_000_000
"""Bootstrap samples, and how many weights (samples times rows) are held at once."""
RANDOM = "random"


def weeks(as_of: Ints) -> Ints:
    """(m,) which Monday a landmark stands on, counted from the first; -1 for those that stand between two."""
    found = np.full(as_of.size, -1, np.int64)
    on = is_monday(as_of)
    if on.any():
        found[on] = (as_of[on] - as_of[on].min()) // WEEK
    return found


def capacity(y: Floats, said: Mapping[str, Floats], lead: Ints, as_of: Ints, horizon_days: int, seed: int) -> list[dict[str, Any]]:
    """One row for each of the MOST_CHOICES largest of CALLS_A_DAY that do not reach everyone, or of SHARES where `horizon_days` is 0 (a file
    without times): see `row`. Empty without a Monday."""
    if horizon_days:
        return [found for calls in _choices(lead, as_of) if (found := row(y, said, lead, as_of, calls, seed)) is not None]
    return [_called_once(y, said, lead, share, seed) for share in SHARES]


def _choices(lead: Ints, as_of: Ints) -> list[int]:
    """Calls a day that make a difference: fewer than there are leads to call. At least one."""
    period = weeks(as_of)
    supply = np.unique(lead[period >= 0]).size / (DAYS_A_WEEK * (int(period.max(initial=-1)) + 1 or 1))
    return [calls for calls in CALLS_A_DAY if calls < supply][-MOST_CHOICES:] or [CALLS_A_DAY[0]]


def row(y: Floats, said: Mapping[str, Floats], lead: Ints, as_of: Ints, calls_per_day: int, seed: int) -> dict[str, Any] | None:
    """What K calls on each of five days a week bring, per day: `calls` made (fewer where nobody is left), `expected` = what the model promised,
    and the converted among the called with a 90 % lead-bootstrap interval: for each rule in `said` (name -> probabilities (m,), the model's
    first), and at random. A landmark that was called counts as converted if its own label says so, so a call on a Monday that came to nothing
    within the horizon is 0. None where the test holds no Monday."""
    period = weeks(as_of)
    if not (period >= 0).any():
        return None
    days = DAYS_A_WEEK * (int(period.max()) + 1)
    return {"calls_per_day": calls_per_day, "days": days} | _row(y, said, lead, period, float(DAYS_A_WEEK * calls_per_day), days, seed)


def _called_once(y: Floats, said: Mapping[str, Floats], lead: Ints, share: float, seed: int) -> dict[str, Any]:
    """The same for rows that all stand at one time: of everyone, the most likely `share` are called; numbers are totals."""
    calls = max(round(share * y.size), 1)
    return {"share": share, "days": 1} | _row(y, said, lead, np.zeros(y.size, np.int64), float(calls), 1, seed)


def _row(y: Floats, said: Mapping[str, Floats], lead: Ints, period: Ints, calls: float, days: int, seed: int) -> dict[str, Any]:
    there = period >= 0
    rules = {name: p[there] for name, p in said.items()} | {RANDOM: np.zeros(int(there.sum()))}
    y, lead, period = y[there], lead[there], period[there]
    model, told = next(iter(rules)), dict[str, Any]()
    for name, p in rules.items():
        once = called(p, lead, period, calls, np.ones((y.size, 1)))[:, 0]
        totals = np.concatenate([y @ called(p, lead, period, calls, weights) for weights in _draws(lead, seed)]) / days
        low, high = np.quantile(totals, [0.05, 0.95])
        told[name] = {"converted": _round(float(once @ y) / days), "low": _round(low), "high": _round(high)}
        if name == model:
            told[name] |= {"calls": _round(float(once.sum()) / days), "expected": _round(float(once @ p) / days)}
    first: dict[str, Any] = told.pop(model)
    return first | told


def _draws(lead: Ints, seed: int) -> Iterator[Floats]:
    """Lead-bootstrap weights, several samples (m, k) at a time."""
    samples = lead_bootstrap(lead, REPEATS, seed)
    size = max(AT_ONCE // max(lead.size, 1), 1)
    while held := list(islice(samples, size)):
        yield np.stack(held, axis=1).astype(np.float64)


def called(p: Floats, lead: Ints, period: Ints, calls: float, weights: Floats) -> Floats:
    """How much of each row (m, k) is called under each of k samples' weights (m, k): in each period the likeliest of the leads there that were not
    called before, `calls` of them. Rows alike share what is left, each the same part (the mean of any order)."""
    member = np.unique(lead, return_inverse=True)[1]
    left = np.ones((int(member.max(initial=-1)) + 1, weights.shape[1]))
    out = np.zeros(weights.shape)
    order = np.lexsort((-p, period))
    for there in np.split(order, np.flatnonzero(np.diff(period[order])) + 1):
        for rows in _within_reach(p, there, calls):
            uncalled = left[member[rows]]
            open_ = weights[rows] * uncalled
            if rows.size == there.size or open_.sum(axis=0).min() >= calls:
                break
        part = _part(p[rows], open_, calls)
        out[rows] = open_ * part
        left[member[rows]] = uncalled * (1 - part)
    return out


def _within_reach(p: Floats, rows: Ints, calls: float) -> Iterator[Ints]:
    """The likeliest of the rows, more each time until they are all: whom no sample's calls reach need not be looked at. Rows alike stay together."""
    size = int(2 * calls) + 16
    while size < rows.size:
        size = int(np.searchsorted(-p[rows], -p[rows[size]], "right"))
        if size < rows.size:
            yield rows[:size]
        size = 2 * size
    yield rows


def _part(p: Floats, open_: Floats, calls: float) -> Floats:
    """Which part (r, k) of each of the rows, likeliest first, `calls` reach to."""
    first = np.flatnonzero(np.diff(p, prepend=np.inf))
    alike = np.add.reduceat(open_, first, axis=0)
    before = np.cumsum(alike, axis=0) - alike
    part = np.divide(np.maximum(calls - before, 0), alike, out=np.ones(alike.shape), where=alike > 0)
    return np.repeat(np.minimum(part, 1.0), np.diff(first, append=p.size), axis=0)


def _round(value: float) -> float:
    return float(round(float(value), 10))
