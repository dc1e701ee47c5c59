"""Which candidate answers for a hop: forward predictions of each, the simplest within noise of the best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.timeline import Ints
from registry.models import Floats, Model, Rows
from training.bootstrap import difference_noise
from training.candidates import SIMPLEST_FIRST, Curve, Labels, TreeGrower, TreeSize, fit_base_rate, fit_logistic, useful_columns
from training.metrics import row_losses
from training.points import fit_points
from training.splits import Fold, Splits

MIN_CONVERTED_LEADS = 20
"""Fewer converted leads than this, or fewer others, are no evidence for anything but a base rate."""
TREE_STEP = 25
FLAT = 0.0005
"""Nats of log loss a landmark within which two sizes do as well."""
NOISE = 2.0
"""Standard errors: at one, a few hundred rows crown a candidate by luck, and the base rate would have been better."""


@dataclass(frozen=True)
class Sample:
    """The rows of one hop that count: X float32 (m, p), y (m,), lead index and as_of (micros) of each."""

    X: Rows
    y: Labels
    lead: Ints
    as_of: Ints

    def where(self, rows: NDArray[np.bool_]) -> "Sample":
        return Sample(self.X[rows], self.y[rows], self.lead[rows], self.as_of[rows])

    @property
    def enough(self) -> bool:
        """Whether both outcomes were seen on MIN_CONVERTED_LEADS leads, and anything differs between rows."""
        converted, others = np.unique(self.lead[self.y == 1]).size, np.unique(self.lead[self.y == 0]).size
        return min(converted, others) >= MIN_CONVERTED_LEADS and useful_columns(self.X).size > 0


@dataclass(frozen=True)
class Choice:
    """What was chosen, from forward predictions `raw` on the rows `asked` (indices into the sample), and each candidate's mean log loss there."""

    candidate: str
    size: TreeSize
    why: str
    losses: dict[str, float]
    asked: NDArray[np.int64]
    raw: Floats


def fit(candidate: str, size: TreeSize, sample: Sample, seed: int) -> Model:
    """The candidate on all rows of the sample; the base rate where it has too little evidence for more."""
    weight = np.ones(sample.y.size)
    if candidate == "base_rate" or not sample.enough:
        return fit_base_rate(sample.y, weight)
    if candidate == "points":
        return fit_points(sample.X, sample.y)
    if candidate == "logistic":
        return fit_logistic(sample.X, sample.y, weight)
    return TreeGrower(sample.X, sample.y, seed).grow(weight, size.scaled(sample.y.size))


def choose(sample: Sample, splits: Splits, seed: int) -> Choice:
    """Compares the candidates on the choosing folds alone: never on the test. Leads, not rows, make the noise."""
    folds = [f for f in splits.folds if f.train.any() and f.validate.any()]
    asked = np.concatenate([np.flatnonzero(f.validate) for f in folds]) if folds else np.zeros(0, np.int64)
    if not folds or not sample.where(folds[-1].train).enough:
        why = f"fewer than {MIN_CONVERTED_LEADS} converted leads, or others, before the last fold: nothing but the base rate can be told."
        raw = [fit("base_rate", TreeSize(0), sample.where(f.train), seed).raw_score(sample.X[f.validate]) for f in folds]
        return Choice("base_rate", TreeSize(0), why, {}, asked, np.concatenate(raw) if raw else np.zeros(0))
    raw_of = {name: _forward(name, sample, folds, seed) for name in SIMPLEST_FIRST[:-1]}
    raw_of["lightgbm"], size = _forward_trees(sample, folds, seed)
    y, lead = sample.y[asked].astype(np.float64), sample.lead[asked]
    losses = {name: row_losses(y, 1 / (1 + np.exp(-raw))) for name, raw in raw_of.items()}
    chosen, why = _simplest_within_noise(losses, lead)
    return Choice(chosen, size, why, {name: float(loss.mean()) for name, loss in losses.items()}, asked, raw_of[chosen])


def _forward(name: str, sample: Sample, folds: Sequence[Fold], seed: int) -> Floats:
    return np.concatenate([fit(name, TreeSize(0), sample.where(f.train), seed).raw_score(sample.X[f.validate]) for f in folds])


def _forward_trees(sample: Sample, folds: Sequence[Fold], seed: int) -> tuple[Floats, TreeSize]:
    """Raw scores of the number of trees with the lowest log loss over all folds together."""
    curves: list[Curve | None] = []
    for f in folds:
        train, other = sample.where(f.train), sample.where(f.validate)
        curves.append(TreeGrower(train.X, train.y, seed).curve(other.X, other.y) if train.enough else None)
    grown = [(curve.losses, int(f.validate.sum()), int(f.train.sum())) for curve, f in zip(curves, folds, strict=True) if curve is not None]
    size = _best_size(grown)
    raw = [
        fit("base_rate", size, sample.where(f.train), seed).raw_score(sample.X[f.validate])
        if curve is None
        else curve.raw_score(sample.X[f.validate], size.trees)
        for f, curve in zip(folds, curves, strict=True)
    ]
    return np.concatenate(raw), size


def _best_size(curves: Sequence[tuple[Floats, int, int]]) -> TreeSize:
    """The number of trees with the lowest log loss over the rows asked of all folds: the middle (in ratio) of those that do as well, since the
    curve is flat there and its very lowest point is luck. A fold that stopped early had only got worse. `curves` holds (losses, rows asked, rows
    trained on) of each fold."""
    longest = max(losses.size for losses, _, _ in curves)
    asked_of_all = sum(asked for _, asked, _ in curves)
    total = sum((np.pad(losses, (0, longest - losses.size), "edge") * asked for losses, asked, _ in curves), np.zeros(longest))
    steps = np.arange(TREE_STEP, longest + 1, TREE_STEP)
    flat = steps[total[steps - 1] <= total[steps - 1].min() + FLAT * asked_of_all]
    trained = sum(asked * rows for _, asked, rows in curves) // max(asked_of_all, 1)
    return TreeSize(round(float(np.sqrt(flat[0] * flat[-1]))), trained)


def _simplest_within_noise(losses: dict[str, Floats], lead: Ints) -> tuple[str, str]:
    """The first candidate, simplest first, whose mean loss is at most NOISE standard errors above the best one's."""
    best = min(losses, key=lambda name: float(losses[name].mean()))
    for name in SIMPLEST_FIRST:
        worse, error = difference_noise(losses[name], losses[best], lead)
        if name == best or worse <= NOISE * error:
            told = "lowest forward log loss" if name == best else f"within noise of {best} ({worse:.5f} +- {error:.5f}) and simpler"
            return name, f"{name}: {told}"
    raise AssertionError("the best candidate is always within noise of itself")
