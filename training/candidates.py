"""The candidates, simplest first: base rate, points rule, logistic regression, LightGBM. Each is fitted on float32 rows with lead weights."""

from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from registry.models import Boosted, Constant, Floats, Linear, Model, Rows

Labels = NDArray[np.int8]
SIMPLEST_FIRST = ("base_rate", "points", "logistic", "lightgbm")
MAX_TREES = 600
PATIENCE = 100
TREE_PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 4,
    "learning_rate": 0.05,
    "lambda_l2": 50.0,
    "feature_fraction": 0.25,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
    "feature_pre_filter": False,
    "deterministic": True,
    "force_col_wise": True,
    "is_enable_sparse": False,
    "verbosity": -1,
}
MANY_ROWS = 50_000
"""From here on all cores grow the trees (`deterministic`: the same trees on any number); below, handing the work round costs more than it saves."""
LEAST_IN_LEAF, MOST_IN_LEAF = 20, 150
STRENGTHS = (0.0003, 0.001, 0.003, 0.01)
"""Inverses of the ridge penalty that a choice is made of: the landmarks of one lead are alike, so that all rows say less than they seem to."""


@dataclass(frozen=True)
class TreeShape:
    """How each tree is grown. Small ones, strongly regularised, score better on leads than deeper ones, and explain faster.

    `leaves` at most, each of at least `leaf_share` of the rows (within bounds: few rows are fewer leads still); shares of the `columns` and `rows`
    that a tree is offered; `shrinkage` is the L2 penalty of a leaf's value."""

    leaves: int = TREE_PARAMETERS["num_leaves"]
    leaf_share: float = 0.005
    columns: float = TREE_PARAMETERS["feature_fraction"]
    rows: float = TREE_PARAMETERS["bagging_fraction"]
    shrinkage: float = TREE_PARAMETERS["lambda_l2"]

    def parameters(self, rows: int) -> dict[str, Any]:
        """LightGBM's own names and values, for so many rows."""
        return {
            "num_leaves": self.leaves,
            "min_data_in_leaf": min(max(int(self.leaf_share * rows), LEAST_IN_LEAF), MOST_IN_LEAF),
            "feature_fraction": self.columns,
            "bagging_fraction": self.rows,
            "lambda_l2": self.shrinkage,
        }


@dataclass(frozen=True)
class TreeSize:
    """What was best for `rows` rows: how many trees of which shape at which learning rate, and the `strength` of the logistic regression."""

    trees: int
    rows: int = 1
    learning_rate: float = TREE_PARAMETERS["learning_rate"]
    shape: TreeShape = field(default_factory=TreeShape)
    strength: float = STRENGTHS[1]

    def scaled(self, rows: int) -> "TreeSize":
        """More rows bear more trees: by the square root of their ratio (measured on sample worlds), in both directions."""
        trees = max(round(self.trees * (rows / self.rows) ** 0.5), 1) if self.trees else 0
        return replace(self, trees=min(trees, 2 * MAX_TREES), rows=rows)

    def coarse(self) -> "TreeSize":
        """A third of the trees with three times the step: as much fitted in a third of the time, for refits that only show a spread."""
        return replace(self, trees=max(self.trees // 3, 1), learning_rate=self.learning_rate * 3)


def fit_base_rate(y: Labels, weight: Floats) -> Constant:
    """The share that converts, as log-odds; half a lead is added to each side, so that none in a hundred is not never."""
    converted, all_ = float(weight[y == 1].sum()) + 0.5, float(weight.sum()) + 1.0
    return Constant(float(np.log(converted / (all_ - converted))))


def fit_logistic(X: Rows, y: Labels, weight: Floats, strength: float = STRENGTHS[1]) -> Model:
    """Ridge logistic regression on standardised columns, each with a part for being missing. `strength` is the inverse of the penalty."""
    if y.min() == y.max():
        return fit_base_rate(y, weight)
    frame = _standardisation(X)
    z = frame.standardised(X)
    absent = np.isnan(z)
    some = absent.any(axis=0) & ~absent.all(axis=0)
    design, place, share = _merged(np.hstack([np.where(absent, 0.0, z), absent[:, some]]).astype(np.float32))
    fitted = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=60).fit(design, np.asarray(y, np.int64), sample_weight=weight)
    each = fitted.coef_[0].astype(np.float64)[place] * share
    coefficient, missing = each[: X.shape[1]], np.zeros(X.shape[1])
    missing[some] = each[X.shape[1] :]
    return Linear(float(fitted.intercept_[0]), coefficient, missing, frame.low, frame.high, frame.logged, frame.center, frame.scale)


def _merged(design: Rows) -> tuple[Rows, NDArray[np.int64], Floats]:
    """(design with one column for all that are alike, which of them each column went into, by what to multiply its coefficient). Under a ridge
    penalty k equal columns share their effect evenly, as one column does that is sqrt(k) times as large: the same fit, from less work."""
    first: dict[bytes, int] = {}
    place = np.array([first.setdefault(column.tobytes(), len(first)) for column in np.ascontiguousarray(design.T)], np.int64)
    size = np.sqrt(np.bincount(place))
    kept = np.unique(place, return_index=True)[1]
    return np.ascontiguousarray(design[:, kept] * size.astype(np.float32)), place, 1 / size[place]


def _standardisation(X: Rows) -> Linear:
    width = X.shape[1]
    values = X.astype(np.float64)
    values[:, np.isnan(values).all(axis=0)] = 0.0
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    logged = (low >= 0) & (high > 2)
    values[:, logged] = np.log1p(values[:, logged])
    center, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    scale[scale < 1e-9] = 1.0  # a constant column: clipped to its one value, it standardises to 0
    return Linear(0.0, np.zeros(width), np.zeros(width), low, high, logged, center, scale)


def useful_columns(X: Rows) -> NDArray[np.int64]:
    """Indices of the columns that are not the same in every row."""
    first = X[:1]
    same = ((first == X) | (np.isnan(X) & np.isnan(first))).all(axis=0)
    return np.flatnonzero(~same)


class TreeGrower:
    """Rows binned once, for fits that differ only in weights, size or seed."""

    def __init__(self, X: Rows, y: Labels, seed: int) -> None:
        """X float32 (m, p), y (m,)."""
        self.columns = useful_columns(X)
        self.width = X.shape[1]
        self.seed = seed
        self._rows = y.size
        chosen = X[:, self.columns]
        self._data = lightgbm.Dataset(
            chosen,
            np.asarray(y, np.float64),
            feature_name=[f"f{i}" for i in self.columns],
            free_raw_data=False,
            params=self._parameters(TreeSize(1), 0),
        ).construct()

    def _parameters(self, size: TreeSize, offset: int) -> dict[str, Any]:
        threads = 0 if self._rows >= MANY_ROWS else 1
        own = {"learning_rate": size.learning_rate, "num_threads": threads, "seed": self.seed + offset}
        return TREE_PARAMETERS | size.shape.parameters(self._rows) | own

    def grow(self, weight: Floats, size: TreeSize, offset: int = 0) -> Boosted:
        """`weight` (m,): lead-bootstrap counts or ones; rows of weight 0 are as good as absent."""
        self._data.set_weight(weight)
        booster = lightgbm.train(self._parameters(size, offset), self._data, num_boost_round=size.trees)
        return Boosted.from_text(booster.model_to_string(), [int(c) for c in self.columns], self.width)

    def curve(self, X: Rows, y: Labels, shape: TreeShape) -> "Curve":
        """Grows MAX_TREES of a shape on all rows and watches the log loss on others: X (n, p), y (n,)."""
        losses: dict[str, dict[str, list[float]]] = {}
        self._data.set_weight(np.ones(self._data.num_data()))
        other = self._data.create_valid(X[:, self.columns], np.asarray(y, np.float64))
        booster = lightgbm.train(
            self._parameters(TreeSize(MAX_TREES, shape=shape), 0) | {"metric": "binary_logloss"},
            self._data,
            num_boost_round=MAX_TREES,
            valid_sets=[other],
            valid_names=["other"],
            callbacks=[lightgbm.record_evaluation(losses), lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        return Curve(booster, self.columns, np.array(losses["other"]["binary_logloss"]))


@dataclass(frozen=True)
class Curve:
    """A boosted model grown until PATIENCE trees in a row did not help, and its log loss (trees,) on other rows after each tree."""

    booster: Any
    columns: NDArray[np.int64]
    losses: Floats

    def raw_score(self, X: Rows, trees: int) -> Floats:
        """Log-odds (n,) after that many trees."""
        return np.asarray(self.booster.predict(X[:, self.columns], num_iteration=trees, raw_score=True))
