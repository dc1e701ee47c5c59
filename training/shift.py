"""Prior shift: whether the share that converts moves between periods, by how much models missed periods they had not seen, and what follows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from data.contract import DAY, format_instant
from registry.models import Floats
from training.calibration import Ahead, fit, periods_of
from training.choice import Sample
from training.metrics import Ints
from training.segments import luck

PERIODS = 8
MOVED = 1.5
"""The highest period's rate over the lowest, from which a shift is worth a word; it must be beyond noise as well."""
CERTAIN = 0.999
"""How unlikely a shift must be by chance: retraining is a habit, and a warning at each second run is read by nobody."""
_ROWS = 10_000 * DAY
"""No period ends before this (1997): numbers below are those of rows, in a file that is ordered by time and has no times."""


@dataclass(frozen=True)
class Period:
    """Rows from `begins` to `ends` (micros, both included): the share that converts and its standard error by lead; `said` is the mean of what a
    model and calibrator made before the period said, `off` the log-odds to add to that to make it true, `error` its standard error (nan where
    nothing was said)."""

    begins: int
    ends: int
    leads: int
    rate: float
    noise: float
    said: float = float("nan")
    off: float = float("nan")
    error: float = float("nan")

    @property
    def when(self) -> str:
        if self.ends < _ROWS:
            return f"rows {self.begins + 1:,} to {self.ends + 1:,}"
        return f"{format_instant(self.begins)[:10]} to {format_instant(self.ends)[:10]}"

    def document(self) -> dict[str, Any]:
        told = {"leads": self.leads, "rate": self.rate, "noise": self.noise}
        forward = {} if np.isnan(self.off) else {"said": self.said, "off": self.off, "error": self.error}
        return {"when": self.when} | {name: round(value, 6) for name, value in (told | forward).items()}


@dataclass(frozen=True)
class PriorShift:
    """`rates` of the sample by period; `forward`, the later periods as they were foretold; `drift`, the standard deviation in log-odds by which a
    period to come may be missed beyond what leads explain: 0 where nothing shows it."""

    rates: tuple[Period, ...]
    forward: tuple[Period, ...]
    drift: float

    @property
    def moved(self) -> bool:
        """Whether the share that converts moved between periods, beyond noise and enough to matter."""
        rate = np.array([p.rate for p in self.rates])
        if rate.size < 2 or rate.max() < MOVED * rate.min():
            return False
        noise, middle = np.array([p.noise for p in self.rates]), rate.mean()
        return bool((((rate - middle) / np.maximum(noise, 1e-9)) ** 2).sum() > chi2.ppf(CERTAIN, rate.size - 1))

    def document(self) -> dict[str, Any]:
        """Plain JSON for `train --json` and the report."""
        periods = {"rates": [p.document() for p in self.rates], "forward": [p.document() for p in self.forward]}
        return periods | {"drift": round(self.drift, 6), "moved": self.moved}

    def notes(self, calibrator: str) -> list[str]:
        """What a person must know, if anything; `calibrator` is the kind that is applied."""
        found = []
        if self.moved:
            low, high = min(self.rates, key=lambda p: p.rate), max(self.rates, key=lambda p: p.rate)
            found.append(f"the share that converts moves with time: {low.rate:.1%} in {low.when}, {high.rate:.1%} in {high.when}.")
        if self.drift:
            worst = max(self.forward, key=lambda p: abs(p.off))
            found.append(
                f"models made before a period missed its level: {worst.said:.1%} were foretold for {worst.when}, {worst.rate:.1%} came. "
                f"{_then(calibrator)} Trust the order of the leads more than the level: the intervals are widened by {self.drift:.2f} in log-odds "
                "for it. Retrain often, and watch calibration with `leadscore evaluate`."
            )
        return found


UNTIMED = PriorShift((), (), 0.0)
"""Of a file without times."""


def _then(calibrator: str) -> str:
    if calibrator == "none":
        return "No correction learned from one period held in the next, so none is applied."
    return f"A correction ({calibrator}) learned from earlier periods helped in the later ones and is applied, but does not remove it."


def prior_shift(sample: Sample, asked: Ints, ahead: Ahead) -> PriorShift:
    """Of all rows of `sample` that may be looked at, and of the forward predictions: `asked` (n,) are rows of the sample, `ahead` what the calibrator
    of those predictions would have said (training.calibration)."""
    rows = asked[ahead.rows]
    rates = tuple(_rate(sample, np.flatnonzero(part)) for part in _parts(sample.as_of))
    forward = tuple(_foretold(sample, rows[part], ahead.logit[part]) for part in _parts(sample.as_of[rows], PERIODS // 2))
    return PriorShift(rates, forward, _drift(forward))


def _drift(forward: tuple[Period, ...]) -> float:
    """Root mean square of what periods were off by, less the luck of their leads; 0 unless it is beyond it."""
    off, error = (np.array([getattr(p, name) for p in forward]) for name in ("off", "error"))
    known = np.isfinite(off) & (error > 0)
    if not known.any() or ((off[known] / error[known]) ** 2).sum() <= chi2.ppf(CERTAIN, known.sum()):
        return 0.0
    return float(np.sqrt(max(np.mean(off[known] ** 2 - error[known] ** 2), 0.0)))


def _parts(time: Ints, count: int = PERIODS) -> list[np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    period = periods_of(time, count)
    return [period == k for k in range(count) if (period == k).any()]


def _rate(sample: Sample, rows: Ints) -> Period:
    y, lead, as_of = sample.y[rows], sample.lead[rows], sample.as_of[rows]
    noise = luck(np.full(rows.size, (y.sum() + 0.5) / (rows.size + 1)), lead) / rows.size
    return Period(int(as_of.min()), int(as_of.max()), int(np.unique(lead).size), float(y.mean()), noise)


def _foretold(sample: Sample, rows: Ints, logit: Floats) -> Period:
    held = _rate(sample, rows)
    y = sample.y[rows].astype(np.float64)
    off = fit("intercept", logit, y).shift
    p = 1 / (1 + np.exp(-(logit + off)))
    error = luck(p, sample.lead[rows]) / float((p * (1 - p)).sum())
    return Period(held.begins, held.ends, held.leads, held.rate, held.noise, float((1 / (1 + np.exp(-logit))).mean()), off, error)
