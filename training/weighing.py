"""What each attribute's values are worth, and how much each attribute counts beside the others that say the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from features.timeline import Ints
from registry.bundle import sigmoid
from training.metrics import auc
from training.shrinkage import Shrunken, design_effect, shrunken

Floats = NDArray[np.float64]
DRAWS, FOLD_DRAWS = 4_000, 1_000
FOLDS = 5
UNSURE = 0.5
"""How far from 1 a weight is expected to be."""
_DIGITS = 6
_NO_LESS = 1e-3
"""A lift of nothing would forbid a value for ever: no few leads prove that."""


@dataclass(frozen=True)
class Told:
    """One attribute: the value `code` (m,) of each lead, below `values`, -1 where it is not known."""

    code: Ints
    values: int


@dataclass(frozen=True)
class Lifts:
    """Of each value (v,) of one attribute: leads, how many of them reached the target, the shrunken lift and its 90 % interval."""

    weight: float
    leads: tuple[int, ...]
    reached: tuple[int, ...]
    lift: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def columns(self) -> tuple[tuple[float, ...], ...]:
        return self.leads, self.reached, self.lift, self.low, self.high


@dataclass(frozen=True)
class Weighed:
    """`auc`: how well the sum of weighed ln lifts tells leads apart that neither the lifts nor the weights were learned from; None without both
    outcomes, or without attributes."""

    lifts: tuple[Lifts, ...]
    auc: float | None


def weighed(told: Sequence[Told], y: NDArray[np.int8], cluster: Ints, seed: int) -> Weighed:
    """The attributes of m leads, of which y (m,) reached the target; leads of one cluster (m,) share their luck, and are never on both sides of a
    fold."""
    if not told or not 0 < y.sum() < y.size:
        return Weighed(tuple(_unproven(one, y) for one in told), None)
    spread = [design_effect(y[one.code >= 0], one.code[one.code >= 0], cluster[one.code >= 0]) for one in told]
    fold = _dealt(cluster, seed)
    points = np.zeros((y.size, len(told)))
    for number in range(FOLDS):
        mine = fold == number
        for at, (one, effect) in enumerate(zip(told, spread, strict=True)):
            points[mine, at] = _learned(one, ~mine, y, effect, FOLD_DRAWS, seed)[0][one.code[mine]]
    weights = weights_of(points, y)
    lifts = tuple(_lifts(one, y, effect, weight, seed) for one, effect, weight in zip(told, spread, weights.tolist(), strict=True))
    held = np.zeros(y.size)
    for number in range(FOLDS):
        mine = fold == number
        held[mine] = points[mine] @ weights_of(points[~mine], y[~mine])
    return Weighed(lifts, round(float(auc(y.astype(np.float64), held)), _DIGITS))


def weights_of(points: Floats, y: NDArray[np.int8]) -> Floats:
    """(m, attributes) ln lifts -> (attributes,) weights from 0 to 1: all count in full unless together they say too much, as attributes do of which
    one follows from the other. The most likely weights under a normal prior around 1."""
    m, n = points.shape
    odds = float(np.log((y.sum() + 0.5) / (m - y.sum() + 0.5)))

    def loss(at: Floats) -> tuple[float, Floats]:
        score, off = at[0] + points @ at[1:], (at[1:] - 1) / UNSURE**2
        error = sigmoid(score) - y
        value = float((np.logaddexp(0, score) - y * score).sum() + ((at[1:] - 1) * off).sum() / 2)
        return value, np.concatenate([[error.sum()], error @ points + off])

    start = np.concatenate([[odds], np.ones(n)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(None, None), *[(0.0, 1.0)] * n])
    return np.asarray(np.round(found.x[1:], 4))


def _dealt(cluster: Ints, seed: int) -> Ints:
    """(m,) the fold of each lead, whole clusters together."""
    distinct, member = np.unique(cluster, return_inverse=True)
    return np.asarray(np.random.default_rng(seed).permutation(distinct.size) % FOLDS)[member]


def _learned(one: Told, rows: NDArray[np.bool_], y: NDArray[np.int8], effect: float, draws: int, seed: int) -> tuple[Floats, Shrunken | None]:
    """(values + 1,) ln lifts from these rows, the last 0 for a value that is not known; and what they are made of."""
    code, got = one.code[rows & (one.code >= 0)], y[rows & (one.code >= 0)]
    if not code.size:
        return np.zeros(one.values + 1), None
    leads, reached = np.bincount(code, minlength=one.values).astype(np.float64), np.bincount(code, got, one.values)
    found = shrunken(reached / effect, leads / effect, leads / leads.sum(), draws, seed)
    return np.append(np.log(np.maximum(found.median, _NO_LESS)), 0.0), found


def _lifts(one: Told, y: NDArray[np.int8], effect: float, weight: float, seed: int) -> Lifts:
    there = one.code >= 0
    _, found = _learned(one, there, y, effect, DRAWS, seed)
    if found is None:
        return _unproven(one, y)
    (low, high), middle = found.interval(), np.maximum(found.median, _NO_LESS)
    leads, reached = np.bincount(one.code[there], minlength=one.values), np.bincount(one.code[there], y[there], one.values)
    return Lifts(weight, _whole(leads), _whole(reached), *(tuple(of.round(_DIGITS).tolist()) for of in (middle, low, high)))


def _unproven(one: Told, y: NDArray[np.int8]) -> Lifts:
    there = one.code >= 0
    leads, reached = np.bincount(one.code[there], minlength=one.values), np.bincount(one.code[there], y[there], one.values)
    ones = (1.0,) * one.values
    return Lifts(0.0, _whole(leads), _whole(reached), ones, ones, ones)


def _whole(counts: NDArray[np.float64] | NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(count) for count in counts.tolist())
