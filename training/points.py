"""The points rule, learned from data: what a marketing tool's score would be at its best, as a baseline and a candidate."""

import numpy as np

from registry.models import Floats, Points, Rows
from training.calibration import fit

MOST_RULES = 10
MOST_POINTS = 10
ALIKE = 0.6
"""Two rules whose answers correlate more than this are one rule said twice."""


def fit_points(X: Rows, y: np.ndarray[tuple[int], np.dtype[np.int8]]) -> Points:
    """Up to ten yes-or-no rules ("any in the last 7 days", "above the median"), strongest first, with whole points from -10 to 10 by their
    difference in log-odds; the sum is then fitted to the outcomes. X float32 (m, p), y (m,)."""
    threshold = _thresholds(X)
    above = (threshold < X).astype(np.float64)
    difference, strength = _difference(above, y)
    chosen = _unlike(above, np.argsort(-strength, kind="stable"))
    largest = np.abs(difference[chosen]).max(initial=0.0)
    points = np.rint(MOST_POINTS * difference[chosen] / largest) if largest > 0 else np.zeros(len(chosen))
    fitted = fit("sigmoid", above[:, chosen] @ points / MOST_POINTS, y.astype(np.float64))
    return Points(fitted.shift, fitted.low / MOST_POINTS, np.array(chosen, np.int64), threshold[chosen], points)


def _thresholds(X: Rows) -> Floats:
    """Above nothing where half of the rows have nothing, else above the median."""
    values = np.where(np.isnan(X), -np.inf, X)
    middle = np.median(values, axis=0).astype(np.float64)
    return np.where(np.isfinite(middle) & (middle > 0), middle, 0.0)


def _difference(above: Floats, y: np.ndarray[tuple[int], np.dtype[np.int8]]) -> tuple[Floats, Floats]:
    """(log-odds ratio (p,), its size in standard errors (p,)) of each rule, half a row added to each cell."""
    won = y == 1
    a, b = above[won].sum(axis=0) + 0.5, above[~won].sum(axis=0) + 0.5
    c, d = won.sum() - a + 1.0, (~won).sum() - b + 1.0
    ratio = np.log(a * d / (b * c))
    return ratio, np.abs(ratio) / np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)


def _unlike(above: Floats, ranked: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    """The strongest rules that are not alike."""
    chosen: list[int] = []
    for column in ranked[: 20 * MOST_RULES]:
        spread = above[:, column].std()
        if spread > 0 and all(abs(np.corrcoef(above[:, column], above[:, other])[0, 1]) < ALIKE for other in chosen):
            chosen.append(int(column))
        if len(chosen) == MOST_RULES:
            break
    return chosen
