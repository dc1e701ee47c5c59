"""What chance could have done, with leads resampled and never rows: the landmarks of one lead are not independent."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from training.metrics import Floats, Ints

Metric = Callable[[Floats, Floats, Floats], float]


def lead_bootstrap(lead: Ints, repeats: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Row weights (n,) of `repeats` bootstrap samples: how often the row's lead was drawn, leads drawn with replacement.

    `lead` (n,) names each row's lead by any integer. A sample has as many leads as the data, so its rows vary in number.
    """
    names, member = np.unique(lead, return_inverse=True)
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        yield np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))[member]


def interval(metric: Metric, y: Floats, p: Floats, lead: Ints, repeats: int = 200, seed: int = 0, level: float = 0.9) -> tuple[float, float]:
    """Percentile interval of metric(y, p, w); (nan, nan) where no sample has a value, such as an auc of one class."""
    order = np.argsort(p, kind="stable")
    y, p, lead = y[order], p[order], lead[order]
    values = np.array([metric(y, p, weights.astype(np.float64)) for weights in lead_bootstrap(lead, repeats, seed)])
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def difference_noise(loss_a: Floats, loss_b: Floats, lead: Ints) -> tuple[float, float]:
    """Mean of loss_a - loss_b over rows (n,), and its standard error with the rows of a lead summed first.

    Paired, so what is hard for both cancels. Above 0: b is better. With fewer than two leads the error is inf: nothing can be told.
    The error is that of a ratio of sums over leads, which vary in rows. [Cochran 1977, 6.4; Liang, Zeger 1986]
    """
    if not len(lead):
        return float("nan"), float("inf")
    difference = np.asarray(loss_a, np.float64) - loss_b
    mean = float(difference.mean())
    sums = np.bincount(np.unique(lead, return_inverse=True)[1], difference - mean)
    if len(sums) < 2:
        return mean, float("inf")
    return mean, float(np.sqrt(len(sums) / (len(sums) - 1) * (sums @ sums)) / len(difference))
