"""Rates of many small groups, each drawn towards what the groups have in common, with intervals that say how little a few leads prove."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

Floats = NDArray[np.float64]
_MEANS, _SPREADS = 41, 32
_WIDEST = 1.6
"""Standard deviation of ln rate between groups beyond which nothing is expected."""
_USUAL = 1.0
"""Half of all attributes are expected to spread less than this, half of them more (a half-Cauchy prior)."""


@dataclass(frozen=True)
class Shrunken:
    """`rate` (draws, v): draws of the groups' true rates from their posterior; `lift` (draws, v): the same over the mean rate of all members."""

    rate: Floats
    lift: Floats

    @property
    def median(self) -> Floats:
        """(v,) the lift as likely too low as too high."""
        return np.asarray(np.median(self.lift, axis=0))

    def interval(self, level: float = 0.9) -> tuple[Floats, Floats]:
        """(v,), (v,): the middle `level` of the draws of the lift."""
        low, high = np.quantile(self.lift, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high


def shrunken(reached: Floats, leads: Floats, share: Floats, draws: int, seed: int) -> Shrunken:
    """(v,) successes of (v,) trials of groups that hold (v,) of all members -> their rates.

    Each rate comes from one beta distribution, whose mean and spread are unknown themselves and averaged over; so a group of five leads says next to
    nothing of its own, and groups that differ no more than by luck are told alike. Successes and trials may be fractions (effective numbers). With
    one group alone its lift is 1. [Gelman et al., Bayesian Data Analysis, 5.3]
    """
    rng = np.random.default_rng(seed)
    mean, concentration, chance = _common(reached, leads)
    cell = rng.choice(chance.size, draws, p=chance)
    a, b = (mean * concentration)[cell][:, None], ((1 - mean) * concentration)[cell][:, None]
    rate = rng.beta(reached + a, leads - reached + b)
    return Shrunken(rate, rate / np.maximum(rate @ share, 1e-12)[:, None])


def _common(reached: Floats, leads: Floats) -> tuple[Floats, Floats, Floats]:
    """(cells,) mean and concentration of the beta distribution that the groups come from, and how likely each pair is."""
    pooled = (reached.sum() + 0.5) / (leads.sum() + 1.0)
    means = 1 / (1 + np.exp(-(np.log(pooled / (1 - pooled)) + np.linspace(-2.0, 2.0, _MEANS))))
    spreads = np.geomspace(0.02, _WIDEST, _SPREADS)
    mean, spread = (grid.ravel() for grid in np.meshgrid(means, spreads, indexing="ij"))
    concentration = (1 - mean) / (mean * spread**2)
    a, b = (mean * concentration)[:, None], ((1 - mean) * concentration)[:, None]
    told = (betaln(reached + a, leads - reached + b) - betaln(a, b)).sum(axis=1)
    told += np.log(spread) - np.log1p((spread / _USUAL) ** 2)  # cells are evenly spaced in ln spread
    chance = np.exp(told - told.max())
    return mean, concentration, chance / chance.sum()


def design_effect(reached: NDArray[np.int8], group: NDArray[np.int64], cluster: NDArray[np.int64]) -> float:
    """How many times less the rows (m,) of the groups tell than as many rows of their own clusters would, at least 1: colleagues at one account share
    its luck. [Kish 1965]"""
    if not reached.size:
        return 1.0
    rate = np.bincount(group, reached) / np.maximum(np.bincount(group), 1)
    off = reached - rate[group]
    alone = float((off**2).sum())
    _, member = np.unique(group * (int(cluster.max()) + 1) + cluster, return_inverse=True)
    together = float((np.bincount(member, off) ** 2).sum())
    return max(together / alone, 1.0) if alone > 0 else 1.0
