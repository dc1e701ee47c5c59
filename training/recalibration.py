"""Whether probabilities still come true: the line that outcomes ask to be put through their log-odds, and what chance would have made of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from registry.models import Floats
from training.metrics import Ints, ece, ece_of_perfect

LEAST_EACH = 20
"""Leads of each outcome below which nothing is told."""
_TINY = 1e-9


@dataclass(frozen=True)
class Recalibration:
    """logit(observed) = intercept + slope * logit(predicted): 0 and 1 for probabilities that come true. `noise` are the standard errors of both, by
    lead; `p` the chance of a line as far off where they do. `slope` is 1, without noise, where all probabilities are about the same. `ece` is beside
    the 95 % quantile of what chance gives a perfect model."""

    intercept: float
    slope: float
    noise: tuple[float, float]
    p: float
    ece: float
    ece_of_perfect: float

    def off(self, p_value: float) -> bool:
        """Whether the probabilities don't come true: two witnesses, the line and the calibration error, both beyond what chance does."""
        return self.p < p_value and self.ece > self.ece_of_perfect

    @property
    def told(self) -> str:
        """One line for people."""
        return (
            f"intercept {self.intercept:+.2f} +- {self.noise[0]:.2f}, slope {self.slope:.2f} +- {self.noise[1]:.2f}, "
            f"calibration error {self.ece:.3f} (a perfect model: up to {self.ece_of_perfect:.3f})"
        )

    def document(self) -> dict[str, Any]:
        return {
            "intercept": self.intercept,
            "slope": self.slope,
            "noise": list(self.noise),
            "p": self.p,
            "ece": self.ece,
            "ece_of_perfect": self.ece_of_perfect,
        }


def recalibrate(y: Floats, p: Floats, lead: Ints, seed: int = 0) -> Recalibration | None:
    """Outcomes (n,), probabilities (n,), the lead of each row. None with fewer than LEAST_EACH leads of either outcome: too few to tell.

    The test is Wald's, of intercept and slope together, with the sandwich covariance in which a lead's rows are summed first.
    [Cox 1958; Liang, Zeger 1986]
    """
    y, p = np.asarray(y, np.float64), np.clip(np.asarray(p, np.float64), _TINY, 1 - _TINY)
    if min(np.unique(lead[y == 1]).size, np.unique(lead[y == 0]).size) < LEAST_EACH:
        return None
    logit = np.log(p / (1 - p))
    varies = bool(np.std(logit) > 1e-3)
    turn = np.column_stack([np.ones_like(logit), logit]) if varies else np.ones((p.size, 1))
    offset = np.zeros_like(logit) if varies else logit
    values = _fitted(turn, offset, y)
    covariance = _sandwich(turn, y, _sigmoid(offset + turn @ values), lead)
    off = values - np.array([0.0, 1.0])[: values.size]
    chance = float(chi2.sf(off @ np.linalg.solve(covariance, off), off.size))
    noise = np.sqrt(np.diag(covariance))
    perfect = ece_of_perfect(p, np.random.default_rng(seed), lead=lead)[1]
    slope, slope_noise = (float(values[1]), float(noise[1])) if varies else (1.0, 0.0)
    return Recalibration(float(values[0]), slope, (float(noise[0]), slope_noise), chance, ece(y, p), perfect)


def _fitted(turn: Floats, offset: Floats, y: Floats) -> Floats:
    def cost(values: Floats) -> tuple[float, Floats]:
        logit = offset + turn @ values
        return float((np.logaddexp(0, logit) - y * logit).mean()), turn.T @ (_sigmoid(logit) - y) / y.size

    start = np.array([0.0, 1.0])[: turn.shape[1]]
    return np.asarray(minimize(cost, start, jac=True, method="BFGS", options={"gtol": 1e-8}).x)


def _sandwich(turn: Floats, y: Floats, p: Floats, lead: Ints) -> Floats:
    member = np.unique(lead, return_inverse=True)[1]
    leads = int(member.max()) + 1
    sums = np.stack([np.bincount(member, column * (y - p), leads) for column in turn.T])
    bread = np.linalg.inv((turn * (p * (1 - p))[:, None]).T @ turn)
    return np.asarray(bread @ (sums @ sums.T) @ bread * leads / (leads - 1))


def _sigmoid(logit: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -logit)))
