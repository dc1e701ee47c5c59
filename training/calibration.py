"""Which calibrator a model needs, if any, and its values: fitted on forward predictions, kept only where it helps later ones, period after
period."""

from typing import NamedTuple, get_args

import numpy as np
from scipy.optimize import minimize

from registry.calibrator import Calibrator, Kind
from training.bootstrap import difference_noise
from training.metrics import Floats, Ints

LEAST_SLOPE = 0.01
NOISE = 1.0
LEAST_EACH = 10
PERIODS = 6
FEW_PERIODS = 1.32
"""A standard error from three periods is itself a guess: Student's t asks for this many of them where a normal asks for one."""

KINDS: tuple[Kind, ...] = get_args(Kind)


class Trial(NamedTuple):
    """A kind of calibrator, fitted on all earlier predictions or, where `recent`, on those of the last period alone."""

    kind: Kind
    recent: bool = False

    def __str__(self) -> str:
        return f"{self.kind} of the last period" if self.recent else self.kind


TRIALS = (Trial("intercept"), Trial("intercept", recent=True), Trial("sigmoid"), Trial("beta"))


class Ahead(NamedTuple):
    """What a calibrator fitted before each later period said of it: `rows` (k,) indices of the predictions, log-odds (k,)."""

    rows: Ints
    logit: Floats


class Calibration(NamedTuple):
    """A calibrator, why this one, and how it would have done: `ahead` are the later periods, each calibrated by what was known before it."""

    calibrator: Calibrator
    why: str
    ahead: Ahead


def fit_calibrator(raw: Floats, y: Floats, lead: Ints, time: Ints) -> Calibration:
    """Calibrator of forward predictions, and why this one. (n,) raw log-odds, (n,) outcomes, lead and as_of (micros) of each row.

    The rows are cut into PERIODS of equal size; each trial answers for every period of the later half, fitted on what is before it. From the
    simplest on, a trial takes the place of the one kept so far if its log loss there is lower by more than one standard error of the paired
    difference: the larger of that by lead and of that between periods. A miscalibration that comes and goes is no calibrator's business: what was
    learned from one period harms in the next, and no number of leads shows that. (By lead alone, simulated on 600 and 3,000 leads: at two standard
    errors a perfect model is touched in 2 % instead of 5-17 % of cases, which saves 1e-4 nats, but real miscalibration is left alone so often that
    it costs 3e-4 to 3e-3.) The one kept is refitted on all rows, or on the last period.
    """
    period = periods_of(time, PERIODS)
    later = np.flatnonzero(period >= PERIODS // 2)
    kept, ahead = Trial("none"), Ahead(later, np.asarray(raw, np.float64)[later])
    if min(_fewest(y[period < PERIODS // 2]), _fewest(y[later])) < LEAST_EACH:
        return Calibration(Calibrator(), f"none: fewer than {LEAST_EACH} of each outcome before or after the middle, too few to tell.", ahead)
    told = []
    for trial in TRIALS:
        tried = Ahead(later, _rolled(trial, raw, y, period)[later])
        mean, error = _gain(losses(ahead.logit, y[later]), losses(tried.logit, y[later]), lead[later], period[later])
        told.append(f"{trial} against {kept}: later log loss lower by {mean:.5f} (standard error {error:.5f})")
        kept, ahead = (trial, tried) if mean > NOISE * error else (kept, ahead)
    fitted = period == PERIODS - 1 if kept.recent else np.ones(len(y), bool)
    return Calibration(fit_within(kept.kind, raw[fitted], y[fitted], period[fitted]), f"{kept}: " + "; ".join(told) + ".", ahead)


def periods_of(time: Ints, count: int) -> Ints:
    """The number (n,) of each row's period, 0 to count - 1: of about equal size by time, rows of one instant in the same; empty ones are possible."""
    if not len(time):
        return np.zeros(0, np.int64)
    ordered = np.sort(time)
    edges = ordered[[len(time) * k // count for k in range(1, count)]]
    return np.searchsorted(edges, time, "right").astype(np.int64)


def losses(logit: Floats, y: Floats) -> Floats:
    """Log loss of each row in nats, from log-odds."""
    return np.asarray(np.logaddexp(0, logit) - y * logit)


def _rolled(trial: Trial, raw: Floats, y: Floats, period: Ints) -> Floats:
    """Log-odds (n,) of the later half's periods, each by a calibrator fitted before it; raw in the earlier half."""
    out = np.array(raw, np.float64)
    for now in range(PERIODS // 2, PERIODS):
        known, asked = period == now - 1 if trial.recent else period < now, period == now
        out[asked] = fit_within(trial.kind, raw[known], y[known], period[known]).logit(out[asked])
    return out


def _gain(before: Floats, after: Floats, lead: Ints, period: Ints) -> tuple[float, float]:
    """By how much the mean loss falls, and its standard error: by lead or between periods, whichever is larger."""
    mean, error = difference_noise(before, after, lead)
    rows = np.bincount(period)
    means = np.bincount(period, before - after)[rows > 0] / rows[rows > 0]
    between = float(means.std(ddof=1) / np.sqrt(means.size) * FEW_PERIODS) if means.size > 1 else 0.0
    return mean, max(error, between)


def fit(kind: Kind, raw: Floats, y: Floats) -> Calibrator:
    """Most likely calibrator of one kind, (n,) raw log-odds and (n,) outcomes.

    A normal prior of unit width around "no change" keeps it finite where the outcomes are few or all the same; a thousand rows
    outweigh it. Slopes stay at or above LEAST_SLOPE. The loss is convex in the values, so the answer is the only one.
    """
    raw = np.asarray(raw, np.float64)
    turn = _turn(kind, raw)
    if not turn.shape[1]:
        return Calibrator()
    offset = raw if kind == "intercept" else np.zeros_like(raw)
    *slopes, shift = _likeliest(turn, offset, y, _start(kind), turn.shape[1] - 1)
    low, high = (slopes * 2)[:2] if slopes else (1.0, 1.0)
    return Calibrator(kind, low, high, shift)


def fit_within(kind: Kind, raw: Floats, y: Floats, period: Ints) -> Calibrator:
    """The same, but slopes are those within periods (n,), each of which has a level of its own, and the shift is then that of all rows.

    Where the level moves, a slope through all periods together compares periods and not leads: it can be flat though the model orders the leads of
    every period well. [Simpson 1951]
    """
    raw = np.asarray(raw, np.float64)
    turn = _turn(kind, raw)
    count = turn.shape[1] - 1
    if count < 1:
        return fit(kind, raw, y)
    levels = (period[:, None] == np.unique(period)).astype(np.float64)
    start = np.concatenate([_start(kind)[:count], np.zeros(levels.shape[1])])
    slopes = _likeliest(np.column_stack([turn[:, :count], levels]), np.zeros_like(raw), y, start, count)[:count]
    low, high = (slopes * 2)[:2]
    return Calibrator(kind, low, high, fit("intercept", Calibrator(kind, low, high).logit(raw), y).shift)


def _likeliest(turn: Floats, offset: Floats, y: Floats, start: Floats, slopes: int) -> list[float]:
    """The values (v,) that multiply the columns of `turn` (n, v), the first `slopes` of them kept at or above LEAST_SLOPE."""

    def cost(values: Floats) -> tuple[float, Floats]:
        logit = offset + turn @ values
        loss = np.logaddexp(0, logit).sum() - y @ logit + ((values - start) ** 2).sum() / 2
        return float(loss), turn.T @ (_sigmoid(logit) - y) + values - start

    bounds = [(LEAST_SLOPE, None)] * slopes + [(None, None)] * (len(start) - slopes)
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-8})
    values: list[float] = found.x.tolist()
    return values


def _turn(kind: Kind, raw: Floats) -> Floats:
    """Columns that a kind's slopes and shift multiply, (n, values)."""
    softplus = np.logaddexp(0, raw)
    columns = {"none": [], "intercept": [], "sigmoid": [raw], "beta": [raw - softplus, softplus]}[kind]
    ones = [] if kind == "none" else [np.ones_like(raw)]
    return np.column_stack([*columns, *ones]) if ones else np.empty((len(raw), 0))


def _start(kind: Kind) -> Floats:
    return np.array({"none": [], "intercept": [0.0], "sigmoid": [1.0, 0.0], "beta": [1.0, 1.0, 0.0]}[kind])


def _sigmoid(logit: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -logit)))


def _fewest(y: Floats) -> int:
    """Rows of the rarer outcome."""
    return int(min(y.sum(), len(y) - y.sum()))
