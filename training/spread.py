"""How sure a probability is: refits on resampled leads, their spread distilled into one small model."""

from collections.abc import Iterator

import lightgbm
import numpy as np

from registry.models import Boosted, Constant, Floats, Model
from training.bootstrap import lead_bootstrap
from training.candidates import TREE_PARAMETERS, TreeGrower, TreeSize, fit_base_rate, fit_logistic, useful_columns
from training.choice import Sample
from training.points import fit_points

REFITS = 12
WIDENING = 1.85
"""What the refits' spread is multiplied by: they share one choice of size and one penalty, so they agree more than they should. Fixed on sample
worlds, where the true chances are known, so that 90 % intervals hold about 90 % of them."""
MOST_ROWS = 20_000
"""Rows that the spread is measured on: a smooth function of the row needs no more."""
_SMALL = TREE_PARAMETERS | {"objective": "regression", "learning_rate": 0.1, "lambda_l2": 1.0, "min_data_in_leaf": 50, "num_threads": 1}


def fit_spread(candidate: str, size: TreeSize, sample: Sample, seed: int) -> Model:
    """A model of ln(standard deviation of the log-odds), from REFITS lead-bootstrap refits of the candidate."""
    rows = np.random.default_rng(seed).permutation(sample.y.size)[:MOST_ROWS]
    raw = np.stack([model.raw_score(sample.X[rows]) for model in _refits(candidate, size, sample, seed)])
    log_deviation = np.log(np.maximum(raw.std(axis=0, ddof=1), 1e-3) * WIDENING)
    if candidate == "base_rate" or np.ptp(log_deviation) < 1e-9:
        return Constant(float(log_deviation.mean()))
    return _distilled(sample.X[rows], log_deviation, seed)


def _refits(candidate: str, size: TreeSize, sample: Sample, seed: int) -> Iterator[Model]:
    grower = TreeGrower(sample.X, sample.y, seed) if candidate == "lightgbm" else None
    for i, weight in enumerate(lead_bootstrap(sample.lead, REFITS, seed)):
        drawn = weight > 0
        if grower is not None:
            yield grower.grow(weight.astype(np.float64), size.scaled(sample.y.size).coarse(), offset=i + 1)
        elif candidate == "logistic":
            yield fit_logistic(sample.X[drawn], sample.y[drawn], weight[drawn].astype(np.float64))
        elif candidate == "points":
            rows = np.repeat(np.arange(weight.size), weight)
            yield fit_points(sample.X[rows], sample.y[rows])
        else:
            yield fit_base_rate(sample.y, weight.astype(np.float64))


def _distilled(X: np.ndarray[tuple[int, int], np.dtype[np.float32]], target: Floats, seed: int) -> Boosted:
    columns = useful_columns(X)
    data = lightgbm.Dataset(X[:, columns], target, feature_name=[f"f{i}" for i in columns], params=_SMALL)
    booster = lightgbm.train(_SMALL | {"seed": seed}, data, num_boost_round=60)
    return Boosted.from_text(booster.model_to_string(), [int(c) for c in columns], X.shape[1])
