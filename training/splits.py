"""Forward folds in time with an embargo of one horizon: what chooses never sees what measures."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.timeline import Ints

Mask = NDArray[np.bool_]
TEST_SHARE = 0.2
FOLD_EDGES = (0.35, 0.5, 0.65)
"""Shares of the landmarks, by as_of, at which the folds that choose begin; the last one ends where the test begins."""


@dataclass(frozen=True)
class Fold:
    """Row masks (m,): a model fitted on `train` answers for `validate`."""

    train: Mask
    validate: Mask


@dataclass(frozen=True)
class Splits:
    """`folds` choose (candidate, size, calibration); `test` measures what was chosen, once; `cut` is the instant between them (micros)."""

    folds: tuple[Fold, ...]
    test: Fold
    cut: int


def forward_splits(as_of: Ints, horizon: int) -> Splits:
    """`as_of` (m,) of ripe landmarks, `horizon` in micros (all hops' together).

    The test is the last fifth by as_of. A row is trained on only if its label was known when the rows that it is judged on begin
    (as_of + horizon <= their start), and no label of a choosing fold reaches into the test.
    """
    cut = _quantile(as_of, 1 - TEST_SHARE)
    edges = [*(_quantile(as_of, share) for share in FOLD_EDGES), cut]
    known_before_test = as_of + horizon <= cut
    folds = [Fold(as_of + horizon <= low, (as_of >= low) & (as_of < high) & known_before_test) for low, high in pairwise(edges)]
    return Splits(tuple(folds), Fold(known_before_test, as_of >= cut), cut)


def _quantile(as_of: Ints, share: float) -> int:
    ordered = np.sort(as_of)
    return int(ordered[min(int(share * ordered.size), ordered.size - 1)]) if ordered.size else 0


DEALT = 5
"""Parts that the entities of a file without times are dealt into: one measures, the others choose, each answered for by the rest."""


def dealt_folds(splits: Splits, y: NDArray[np.int8], entity: Ints, seed: int) -> Splits:
    """The same test, and folds dealt at random among the entities known before it: for a history too short for folds that lie forward in time."""
    known = splits.test.train
    part = np.full(y.size, -1, np.int64)
    part[known] = _dealt(y[known], entity[known], seed)
    folds = tuple(Fold(known & (part != k), part == k) for k in range(DEALT))
    return Splits(folds, splits.test, splits.cut)


def dealt_splits(y: NDArray[np.int8], entity: Ints, seed: int) -> Splits:
    """For rows without times: `y` (m,) and `entity` (m,) of each; no entity is on both sides of anything, and every part has its share of both
    outcomes. `cut` is 0: there is no instant between what chooses and what measures."""
    part = _dealt(y, entity, seed)
    test = part == 0
    folds = tuple(Fold(~test & (part != k), part == k) for k in range(1, DEALT))
    return Splits(folds, Fold(~test, test), 0)


def ordered_splits(order: Ints, entity: Ints) -> Splits:
    """For rows whose order (m,) is that of time, and says nothing of when: forward folds, the last fifth measures. What a model is asked about, it
    has seen no row of the same entity."""
    found = forward_splits(order, 1)
    return Splits(tuple(_apart(fold, entity) for fold in found.folds), _apart(found.test, entity), found.cut)


def _apart(fold: Fold, entity: Ints) -> Fold:
    return Fold(fold.train & ~np.isin(entity, entity[fold.validate]), fold.validate)


def _dealt(y: NDArray[np.int8], entity: Ints, seed: int) -> Ints:
    """(m,) the part of each row, 0 to DEALT - 1. Entities are dealt in a random order, those with most conversions first, each to the part that lacks
    it most: with single rows both outcomes are spread evenly to one row."""
    names, member = np.unique(entity, return_inverse=True)
    ones, rows = np.bincount(member, y, names.size), np.bincount(member, minlength=names.size)
    order = np.lexsort((np.random.default_rng(seed).random(names.size), -rows, -ones))
    held = [[0.0, 0.0] for _ in range(DEALT)]
    of = np.zeros(names.size, np.int64)
    for i, one, row in zip(order.tolist(), ones[order].tolist(), rows[order].tolist(), strict=True):
        least = min(range(DEALT), key=held.__getitem__) if one else min(range(DEALT), key=lambda part: held[part][1])
        of[i] = least
        held[least][0] += one
        held[least][1] += row
    return of[member]


def random_split(lead: Ints, seed: int) -> Fold:
    """Rows dealt at random, the same lead on both sides: what many tools report, computed only to be shown as a warning."""
    validate = np.random.default_rng(seed).random(lead.size) < TEST_SHARE
    return Fold(~validate, validate)
