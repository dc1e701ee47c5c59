"""How sure a probability is: what refits, rivals, gaps and drifting periods leave open, distilled into one small model."""

from collections.abc import Iterator, Mapping, Sequence

import lightgbm
import numpy as np

from registry.models import Boosted, Constant, Floats, Model, Rows
from training.bootstrap import lead_bootstrap
from training.candidates import MOST_ROWS as MOST_FITTED
from training.candidates import SIMPLEST_FIRST, TREE_PARAMETERS, TreeSize, fit_base_rate, fit_logistic, grower_of
from training.choice import Choice, Sample, fit
from training.gaps import Blank, left_open, with_gaps
from training.matrix import useful_columns
from training.points import fit_points

REFITS, REFITS_TO_CHECK = 12, 5
"""Of the model that serves, and of its forward twin, of which only the mean of many intervals is asked."""
WIDENING = 1.33
"""What refits and rivals differ by is multiplied by: they share one penalty and one set of inputs, so they agree more than they should. Fixed on
sample worlds, where the true chances are known, so that 90 % intervals hold about 90 % of them (benchmarks/bench_truth.py; the figures are in
docs/decisions/0021)."""
EVIDENCE = 0.25
"""Nats of evidence against a rival for each nat of forward log loss and lead: the folds that compared them had but a part of the leads to learn from,
and few periods to be judged on. At 1 a rule that was merely chosen looks certain (up to .08 of the coverage at 2,000 leads and below)."""
UNLIKELY = 0.01
MOST_ROWS = 12_000
"""Rows that the spread is measured on: a smooth function of the row needs no more."""
MOST_COPIES, LEAST_COPIED = 5, 2_000
"""Copies with gaps of each row: one, or up to five where rows are few."""
LEAST_VARIANCE = 1e-6
_SMALL = TREE_PARAMETERS | {
    "objective": "regression",
    "num_leaves": 6,
    "learning_rate": 0.1,
    "lambda_l2": 1.0,
    "min_data_in_leaf": 50,
    "num_threads": 1,
}


def fit_spread(
    choice: Choice, sample: Sample, judged: int, seed: int, blanks: Sequence[Blank] = (), drift: float = 0.0, count: int = REFITS
) -> Model:
    """A model of ln(standard deviation of the log-odds) of what was chosen on so many `judged` leads, fitted on all of `sample`.

    Four variances are summed: of `count` lead-bootstrap refits of the candidate, and of the rivals that the evidence leaves standing, both widened;
    what the attributes left blank in the row leave open (training/gaps.py); `drift`, by which whole periods were missed (training/shift.py). The rows
    measured are the sample's and copies of them with attributes blanked, so that what is seldom missing in training widens the interval too. The
    refits' squares are divided by two less than there are refits: it is the logarithm that is learned, whose mean is then right for few and for many.
    """
    rng = np.random.default_rng(seed)
    rows = np.asarray(sample.X[rng.permutation(sample.y.size)[:MOST_ROWS]])
    copies = min(MOST_COPIES, -(-LEAST_COPIED // max(len(rows), 1))) if blanks else 0
    X = np.concatenate([rows, *(with_gaps(rows, blanks, rng) for _ in range(copies))])
    refits = list(_refits(choice.candidate, choice.size, sample, seed, count))
    said = np.stack([model.raw_score(X) for model in refits])
    variance = WIDENING**2 * (said.var(axis=0, ddof=2) + _rivalry(choice, judged, sample, X, said.mean(axis=0), seed)) + drift**2
    for blank, open_ in zip(blanks, np.mean([left_open(model, rows, blanks) for model in refits], axis=0), strict=True):
        variance += blank.missing(X) * open_
    log_deviation = np.log(np.maximum(variance, LEAST_VARIANCE)) / 2
    return Constant(float(log_deviation.mean())) if np.ptp(log_deviation) < 1e-9 else _distilled(X, log_deviation, seed)


def standing(losses: Mapping[str, float], leads: int) -> dict[str, float]:
    """How likely each candidate is still to be the best, summing to 1, from mean forward log losses on so many leads: weights as of pseudo
    Bayesian model averaging, with leads as the sample size. [Yao, Vehtari, Simpson, Gelman 2018]"""
    best = min(losses.values(), default=0.0)
    likely = {name: float(np.exp(-EVIDENCE * leads * (loss - best))) for name, loss in losses.items()}
    total = sum(likely.values())
    return {name: value / total for name, value in likely.items()}


def _rivalry(choice: Choice, judged: int, sample: Sample, X: Rows, own: Floats, seed: int) -> Floats:
    """Mean square (n,) of what the candidates still standing would have said instead of `own` (n,); where none could be compared, all but the trees
    stand alike."""
    losses = choice.losses or dict.fromkeys(SIMPLEST_FIRST[:-1], 0.0)
    share = standing(losses, judged)
    total = np.zeros(len(X))
    for name, likely in share.items():
        if name != choice.candidate and likely > UNLIKELY and (name != "lightgbm" or choice.size.trees):
            total += likely * (fit(name, choice.size.coarse(), sample, seed).raw_score(X) - own) ** 2
    return total


def _refits(candidate: str, size: TreeSize, sample: Sample, seed: int, count: int) -> Iterator[Model]:
    """Of trees on all rows; of a regression or rule on those that it learns from, so that the spread is theirs."""
    grower = grower_of(sample.X, sample.y, seed) if candidate == "lightgbm" else None
    some = sample.part(MOST_FITTED) if candidate in ("logistic", "points") else sample
    for i, weight in enumerate(lead_bootstrap(some.lead, count, seed)):
        drawn = weight > 0
        if grower is not None:
            yield grower.grow(weight.astype(np.float64), size.scaled(sample.y.size).coarse(), offset=i + 1)
        elif candidate == "logistic":
            yield fit_logistic(np.asarray(some.X[drawn]), some.y[drawn], weight[drawn].astype(np.float64), size.strength)
        elif candidate == "points":
            rows = np.repeat(np.arange(weight.size), weight)
            yield fit_points(np.asarray(some.X[rows]), some.y[rows])
        else:
            yield fit_base_rate(sample.y, weight.astype(np.float64))


def _distilled(X: np.ndarray[tuple[int, int], np.dtype[np.float32]], target: Floats, seed: int) -> Boosted:
    columns = useful_columns(X)
    data = lightgbm.Dataset(X[:, columns], target, feature_name=[f"f{i}" for i in columns], params=_SMALL)
    booster = lightgbm.train(_SMALL | {"seed": seed}, data, num_boost_round=60)
    return Boosted.from_text(booster.model_to_string(), [int(c) for c in columns], X.shape[1])
