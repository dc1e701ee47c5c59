"""How good probabilities are: (n,) outcomes in {0, 1} and (n,) probabilities in [0, 1], censored landmarks left out by the caller.

Every metric takes optional weights `w` (n,) >= 0: how often a row counts, such as the draws of a lead bootstrap. A row of weight 0
is as good as absent. Rows with equal probabilities are never ordered by chance: each metric says how it treats them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TINY = 1e-15


class Curve(NamedTuple):
    """Share of rows contacted, most likely first, and share of all conversions found; both (k,), from 0 to 1."""

    contacted: Floats
    found: Floats


class Reliability(NamedTuple):
    """Bins of about equal count, lowest first, each (bins,): mean probability, share that converted, rows (sum of weights)."""

    predicted: Floats
    observed: Floats
    rows: Floats


def row_losses(y: Floats, p: Floats) -> Floats:
    """Log loss of each row in nats, (n,) -> (n,); p is kept 1e-15 away from 0 and 1, so a sure miss costs 34.5."""
    p = np.clip(np.asarray(p, np.float64), _TINY, 1 - _TINY)
    return -np.where(np.asarray(y) > 0, np.log(p), np.log1p(-p))


def log_loss(y: Floats, p: Floats, w: Floats | None = None) -> float:
    """Mean negative log likelihood in nats; nan without rows. [Good 1952]"""
    return _mean(row_losses(y, p), w)


def brier(y: Floats, p: Floats, w: Floats | None = None) -> float:
    """Mean squared difference, in [0, 1]; nan without rows. Censored rows counted as 0 would bias it down. [Brier 1950]"""
    return _mean((np.asarray(p, np.float64) - y) ** 2, w)


def auc(y: Floats, p: Floats, w: Floats | None = None) -> float:
    """Chance that a converter is above a non-converter, ties counting 1/2; nan with one class only. [Hanley, McNeil 1982]"""
    won, lost = _tied(y, p, w)
    pairs = won.sum() * lost.sum()
    below = np.cumsum(lost) - lost / 2
    return float(won @ below / pairs) if pairs else float("nan")


def average_precision(y: Floats, p: Floats, w: Floats | None = None) -> float:
    """Precision averaged over recall, tied rows taken together; its floor is the base rate; nan without a conversion."""
    won, lost = (side[::-1] for side in _tied(y, p, w))
    total, precision = won.sum(), np.cumsum(won) / np.cumsum(won + lost)
    return float(won @ precision / total) if total else float("nan")


def gain_curve(y: Floats, p: Floats, w: Floats | None = None) -> Curve:
    """Points after each distinct probability, highest first; the straight line between two is a random order of ties.

    Without a conversion `found` is nan from the second point on.
    """
    won, lost = (side[::-1] for side in _tied(y, p, w))
    rows, total = np.cumsum(won + lost), won.sum()
    return Curve(np.concatenate([[0.0], rows / rows[-1:]]), np.concatenate([[0.0], np.cumsum(won) / (total or np.nan)]))


def lift_top_decile(y: Floats, p: Floats, w: Floats | None = None) -> float:
    """Conversion rate in the most likely tenth over that of all: 1 is no better than chance, 10 the most; ties are shared out."""
    contacted, found = gain_curve(y, p, w)
    return float(np.interp(0.1, contacted, found) / 0.1) if len(found) > 1 else float("nan")


def reliability(y: Floats, p: Floats, bins: int = 10, w: Floats | None = None) -> Reliability:
    """Predicted beside observed in bins of equal count; tied rows stay in one bin, so bins can be fewer (never empty)."""
    weights = _weights(p, w)
    place = _bin_of(p, bins, weights)
    rows = _sums(place, weights, bins)
    kept = rows > 0
    predicted, observed = (_sums(place, weights * value, bins)[kept] / rows[kept] for value in (p, y))
    return Reliability(predicted, observed, rows[kept])


def ece(y: Floats, p: Floats, bins: int = 10, w: Floats | None = None) -> float:
    """Expected calibration error, in [0, 1]: mean |predicted - observed| over bins of equal count. [Naeini 2015]

    Above 0 for a perfect model too, by chance: read it beside `ece_of_perfect`. nan without rows.
    """
    bin_ = reliability(y, p, bins, w)
    return _mean(np.abs(bin_.predicted - bin_.observed), bin_.rows)


def ece_of_perfect(p: Floats, rng: np.random.Generator, repeats: int = 200, bins: int = 10, lead: Ints | None = None) -> tuple[float, float]:
    """(mean, 95 % quantile) of the ece that chance gives a perfectly calibrated model with these probabilities.

    Rows are drawn independently, or, where `lead` (n,) is given, with one luck per lead: each row still converts with its own p, but
    the rows of one lead go together, as the weekly landmarks of a lead that share their outcome do. nan without rows.
    """
    if not len(p):
        return float("nan"), float("nan")
    p = np.asarray(p, np.float64)
    place = _bin_of(p, bins, np.ones(len(p)))
    member = np.arange(len(p)) if lead is None else np.unique(lead, return_inverse=True)[1]
    people, predicted = int(member.max()) + 1, np.bincount(place, p, bins)
    errors = [np.abs(predicted - np.bincount(place, rng.random(people)[member] < p, bins)).sum() / len(p) for _ in range(repeats)]
    return float(np.mean(errors)), float(np.quantile(errors, 0.95))


def _weights(p: Floats, w: Floats | None) -> Floats:
    return np.ones(len(p)) if w is None else np.asarray(w, np.float64)


def _sums(place: Ints, values: Floats, size: int = 0) -> Floats:
    """Sum of the values at each place, (at least size,)."""
    return np.asarray(np.bincount(place, values, size), np.float64)


def _mean(values: Floats, w: Floats | None) -> float:
    weights = _weights(values, w)
    total = weights.sum()
    return float(weights @ values / total) if total else float("nan")


def _groups(p: Floats) -> tuple[Ints, Ints]:
    """Stable order by probability and, for each row in that order, the number of its run of equal probabilities."""
    order = np.argsort(p, kind="stable")  # linear on rows that are sorted already, as a bootstrap's are
    ranked = np.asarray(p)[order]
    return order, np.concatenate([[0], np.cumsum(ranked[1:] != ranked[:-1])])[: len(p)]


def _tied(y: Floats, p: Floats, w: Floats | None) -> tuple[Floats, Floats]:
    """Weight of the converters and of the others at each distinct probability, lowest first."""
    order, group = _groups(p)
    weights, won = _weights(p, w)[order], np.asarray(y)[order] > 0
    above, below = _sums(group, weights * won), _sums(group, weights * ~won)
    kept = above + below > 0
    return above[kept], below[kept]


def _bin_of(p: Floats, bins: int, weights: Floats) -> Ints:
    """Bin of each row: where the middle of its run of ties stands among all, by weight."""
    order, group = _groups(p)
    mass = np.bincount(group, weights[order])
    middle = (np.cumsum(mass) - mass / 2) / max(mass.sum(), _TINY)
    place = np.empty(len(p), np.int64)
    place[order] = np.minimum((middle * bins).astype(np.int64), bins - 1)[group]
    return place
