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


def random_split(lead: Ints, seed: int) -> Fold:
    """Rows dealt at random, the same lead on both sides: what many tools report, computed only to be shown as a warning."""
    validate = np.random.default_rng(seed).random(lead.size) < TEST_SHARE
    return Fold(~validate, validate)
