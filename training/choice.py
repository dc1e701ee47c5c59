"""Which candidate answers for a hop: forward predictions of each, the simplest within noise of the best."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from features.timeline import Ints
from registry.models import Floats, Model
from training.bootstrap import difference_noise
from training.candidates import (
    MOST_ROWS,
    SIMPLEST_FIRST,
    STRENGTHS,
    TREE_PARAMETERS,
    Curve,
    Labels,
    TreeShape,
    TreeSize,
    fit_base_rate,
    fit_logistic,
    grower_of,
)
from training.matrix import AnyRows, asked, blocks, differ
from training.metrics import row_losses
from training.points import fit_points
from training.splits import Fold, Splits
from training.tuning import NO_TUNING, Tuning, digest, tune

MIN_CONVERTED_LEADS = 20
"""Fewer converted leads than this, or fewer others, are no evidence for anything but a base rate."""
TREE_STEP = 25
FLAT = 0.002
"""Nats of log loss a landmark within which two sizes do as well."""
ENOUGH_ROWS = 20_000
"""A ridge penalty says how large effects are, however many rows show them."""
PROOF = 2.0
"""Standard errors by which the base rate, or the default shape of trees, must be beaten: at one, a few hundred rows crown anything by luck."""
NOISE = 1.0
"""Standard errors within which a simpler candidate that has beaten the base rate is as good as the best: at two, a points rule answers for leads of
which trees know a quarter more (sample worlds of 2,000 leads)."""


@dataclass(frozen=True)
class Sample:
    """The rows of one hop that count: X float32 (m, p), y (m,), lead index and as_of (micros) of each."""

    X: AnyRows
    y: Labels
    lead: Ints
    as_of: Ints

    def where(self, rows: NDArray[np.bool_]) -> "Sample":
        return Sample(self.X[rows], self.y[rows], self.lead[rows], self.as_of[rows])

    def part(self, rows: int) -> "Sample":
        """Every k-th lead with all its rows: about so many rows at most."""
        every = -(-self.y.size // rows)
        return self if every <= 1 else self.where(np.unique(self.lead, return_inverse=True)[1] % every == 0)

    @property
    def enough(self) -> bool:
        """Whether both outcomes were seen on MIN_CONVERTED_LEADS leads, and anything differs between rows."""
        converted, others = np.unique(self.lead[self.y == 1]).size, np.unique(self.lead[self.y == 0]).size
        return min(converted, others) >= MIN_CONVERTED_LEADS and differ(self.X)


@dataclass(frozen=True)
class Choice:
    """What was chosen, from forward predictions `raw` on the rows `asked` (indices into the sample), and each candidate's mean log loss there;
    `trials` shapes of trees were tried beyond the default; `noise` is the standard error, by lead, of how far each candidate is behind the best."""

    candidate: str
    size: TreeSize
    why: str
    losses: dict[str, float]
    asked: NDArray[np.int64]
    raw: Floats
    trials: int = 0
    noise: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Grown:
    """A fold, and the curve of trees grown before it: None where too little was known by then."""

    fold: Fold
    curve: Curve | None

    def raw_score(self, sample: Sample, trees: int) -> Floats:
        """What is said of the rows asked: by so many trees, or by the base rate."""
        X = sample.X[self.fold.validate]
        if self.curve is not None:
            return self.curve.raw_score(X, trees)
        known = sample.y[self.fold.train]
        return asked(fit_base_rate(known, np.ones(known.size)).raw_score, X)


def fit(candidate: str, size: TreeSize, sample: Sample, seed: int) -> Model:
    """The candidate on all rows of the sample (a rule or a regression on MOST_ROWS of them); the base rate where it has too little evidence."""
    if candidate == "base_rate" or not sample.enough:
        return fit_base_rate(sample.y, np.ones(sample.y.size))
    if candidate == "lightgbm":
        return grower_of(sample.X, sample.y, seed).grow(np.ones(sample.y.size), size.scaled(sample.y.size))
    some = sample.part(MOST_ROWS)
    if candidate == "points":
        return fit_points(np.asarray(some.X), some.y)
    return fit_logistic(np.asarray(some.X), some.y, np.ones(some.y.size), size.strength)


def choose(sample: Sample, splits: Splits, seed: int, tuning: Tuning = NO_TUNING) -> Choice:
    """Compares the candidates on the choosing folds alone: never on the test. Leads, not rows, make the noise."""
    folds = [f for f in splits.folds if f.train.any() and f.validate.any()]
    rows = np.concatenate([np.flatnonzero(f.validate) for f in folds]) if folds else np.zeros(0, np.int64)
    if not folds or not sample.where(folds[-1].train).enough:
        why = f"fewer than {MIN_CONVERTED_LEADS} converted leads, or others, before the last fold: nothing but the base rate can be told."
        raw = [asked(fit("base_rate", TreeSize(0), sample.where(f.train), seed).raw_score, sample.X[f.validate]) for f in folds]
        return Choice("base_rate", TreeSize(0), why, {}, rows, np.concatenate(raw) if raw else np.zeros(0))
    strength = TreeSize(0, strength=_strength(sample, folds[-1], seed))
    raw_of = {name: _forward(name, strength, sample, folds, seed) for name in SIMPLEST_FIRST[:-1]}
    raw_of["lightgbm"], shaped, trials = _tuned_trees(sample, folds, seed, tuning)
    size = replace(shaped, strength=strength.strength)
    y, lead = sample.y[rows].astype(np.float64), sample.lead[rows]
    losses = {name: _losses(y, raw) for name, raw in raw_of.items()}
    chosen, why = simplest_within_noise(losses, lead)
    return Choice(chosen, size, why, {name: float(loss.mean()) for name, loss in losses.items()}, rows, raw_of[chosen], trials, _noise(losses, lead))


def _forward(name: str, size: TreeSize, sample: Sample, folds: Sequence[Fold], seed: int) -> Floats:
    return np.concatenate([asked(fit(name, size, sample.where(f.train), seed).raw_score, sample.X[f.validate]) for f in folds])


def _strength(sample: Sample, last: Fold, seed: int) -> float:
    """Of the logistic regression that has the lowest log loss on the last fold, which has most to learn from: as much of it as is needed to tell."""
    y, train = sample.y[last.validate].astype(np.float64), sample.where(last.train).part(ENOUGH_ROWS)
    raw = [asked(fit("logistic", TreeSize(0, strength=strength), train, seed).raw_score, sample.X[last.validate]) for strength in STRENGTHS]
    return STRENGTHS[int(np.argmin([_losses(y, said).mean() for said in raw]))]


def _losses(y: Floats, raw: Floats) -> Floats:
    return row_losses(y, 1 / (1 + np.exp(-raw)))


def _tuned_trees(sample: Sample, folds: Sequence[Fold], seed: int, tuning: Tuning) -> tuple[Floats, TreeSize, int]:
    """(raw scores, size, shapes tried) of the default shape, or of the best of those tried where that is better beyond noise."""
    default = list(_growing(sample, folds, seed, TreeShape()))
    raw, size = _at_best(sample, default, TreeShape())
    if tuning == NO_TUNING:
        return raw, size, 0
    running = [_lowest(default[: i + 1]) for i in range(len(default))]
    shape, trials = tune(lambda tried: _running(sample, folds, seed, tried), running, tuning, _key(sample, folds, seed), seed)
    if shape == TreeShape():
        return raw, size, trials
    tuned, tuned_size = _at_best(sample, list(_growing(sample, folds, seed, shape)), shape)
    rows = np.concatenate([np.flatnonzero(f.validate) for f in folds])
    y = sample.y[rows].astype(np.float64)
    better, error = difference_noise(_losses(y, raw), _losses(y, tuned), sample.lead[rows])
    return (tuned, tuned_size, trials) if better > PROOF * error else (raw, size, trials)


def _at_best(sample: Sample, grown: Sequence[Grown], shape: TreeShape) -> tuple[Floats, TreeSize]:
    """Raw scores on the rows asked of all folds, by the number of trees that is best over all of them."""
    size = _best_size(grown, shape)
    return np.concatenate([g.raw_score(sample, size.trees) for g in grown]), size


def _key(sample: Sample, folds: Sequence[Fold], seed: int) -> str:
    masks = [np.ascontiguousarray(mask).data for f in folds for mask in (f.train, f.validate)]
    values = (np.ascontiguousarray(block).data for block in blocks(sample.X))
    rest = [np.ascontiguousarray(part).data for part in (sample.y, sample.lead, sample.as_of)]
    return digest(itertools.chain(values, rest, masks, [repr((seed, TREE_PARAMETERS, TreeShape())).encode()]))


def _growing(sample: Sample, folds: Sequence[Fold], seed: int, shape: TreeShape) -> Iterator[Grown]:
    for f in folds:
        train, other = sample.where(f.train), sample.where(f.validate)
        yield Grown(f, grower_of(train.X, train.y, seed).curve(other.X, other.y, shape) if train.enough else None)


def _running(sample: Sample, folds: Sequence[Fold], seed: int, shape: TreeShape) -> Iterator[float]:
    """Mean log loss at the best size over the folds up to each."""
    so_far: list[Grown] = []
    for grown in _growing(sample, folds, seed, shape):
        so_far.append(grown)
        yield _lowest(so_far)


def _summed(grown: Sequence[Grown]) -> tuple[Floats, int]:
    """(log loss summed over the rows asked of all folds (trees,), how many those are). A fold that stopped early had only got worse."""
    curves = [(g.curve.losses, int(g.fold.validate.sum())) for g in grown if g.curve is not None]
    longest = max((losses.size for losses, _ in curves), default=0)
    total = sum((np.pad(losses, (0, longest - losses.size), "edge") * asked for losses, asked in curves), np.zeros(longest))
    return total, sum(asked for _, asked in curves)


def _lowest(grown: Sequence[Grown]) -> float:
    total, asked = _summed(grown)
    return float(total.min(initial=np.inf)) / max(asked, 1)


def _best_size(grown: Sequence[Grown], shape: TreeShape) -> TreeSize:
    """The number of trees with the lowest log loss: the middle (in ratio) of those that do as well, since the curve is flat there and its very lowest
    point is luck."""
    total, asked = _summed(grown)
    steps = np.arange(TREE_STEP, total.size + 1, TREE_STEP)
    flat = steps[total[steps - 1] <= total[steps - 1].min() + FLAT * asked]
    rows = sum(int(g.fold.validate.sum()) * int(g.fold.train.sum()) for g in grown if g.curve is not None)
    return TreeSize(round(float(np.sqrt(flat[0] * flat[-1]))), rows // max(asked, 1), shape=shape)


def _noise(losses: dict[str, Floats], lead: Ints) -> dict[str, float]:
    best = min(losses.values(), key=lambda loss: float(loss.mean()))
    return {name: difference_noise(loss, best, lead)[1] for name, loss in losses.items()}


def simplest_within_noise(losses: Mapping[str, Floats], lead: Ints) -> tuple[str, str]:
    """Of log losses (n,) of each candidate: the base rate if the best is not better by more than PROOF standard errors, else the first, simplest
    first, that is better than the base rate by as much and at most NOISE standard errors worse than the best. And why, in words."""
    best = min(losses, key=lambda name: float(losses[name].mean()))
    for name in SIMPLEST_FIRST:
        worse, error = difference_noise(losses[name], losses[best], lead)
        better, doubt = difference_noise(losses["base_rate"], losses[name], lead)
        near = worse <= PROOF * error if name == "base_rate" else worse <= NOISE * error and better > PROOF * doubt
        if name == best or near:
            told = "lowest forward log loss" if name == best else f"within noise of {best} ({worse:.5f} +- {error:.5f}) and simpler"
            return name, f"{name}: {told}"
    raise AssertionError("the best candidate is always within noise of itself")
