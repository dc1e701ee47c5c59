"""The candidates, simplest first: base rate, points rule, logistic regression, LightGBM. Each is fitted on float32 rows with lead weights."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from registry.models import Boosted, Constant, Floats, Linear, Model, Rows
from training.matrix import BLOCK, AnyRows, Matrix, asked, blocks, useful_columns

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
MOST_ROWS = 200_000
"""Rows that may be in memory as they are. A points rule and a ridge regression need no more to learn from; trees see all of them, binned."""
LEAST_SHARED = 200_000
"""Rows from which trees grow on the cluster, where there is one. Fewer take minutes at most here, and give the same bundle as without a cluster."""
_FEW, _NARROW = 8_192, 16
"""Rows and columns that are in memory in double precision at once."""
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
    absent = np.isnan(X)
    some = np.asarray(absent.any(axis=0) & ~absent.all(axis=0))
    design, place, share = _merged(np.concatenate([_designed(frame, block, some) for block in blocks(X, _FEW)]))
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


def _designed(frame: Linear, X: Rows, some: NDArray[np.bool_]) -> Rows:
    """The columns standardised, 0 where nothing is known, and beside them which of `some` columns are not known."""
    z = frame.standardised(X)
    absent = np.isnan(z)
    return np.hstack([np.where(absent, 0.0, z), absent[:, some]]).astype(np.float32)


def _standardisation(X: Rows) -> Linear:
    width = X.shape[1]
    parts = [_moments(X[:, begin : begin + _NARROW].astype(np.float64)) for begin in range(0, width, _NARROW)]
    low, high, logged, center, scale = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Linear(0.0, np.zeros(width), np.zeros(width), low, high, logged > 0, center, scale)


def _moments(values: Floats) -> tuple[Floats, ...]:
    """(low, high, logged, center, scale) of each column; `values` are changed."""
    values[:, np.isnan(values).all(axis=0)] = 0.0
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    logged = (low >= 0) & (high > 2)
    values[:, logged] = np.log1p(values[:, logged])
    center, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    scale[scale < 1e-9] = 1.0  # a constant column: clipped to its one value, it standardises to 0
    return low, high, logged.astype(np.float64), center, scale


class TreeGrower:
    """Rows binned once, for fits that differ only in weights, size or seed."""

    def __init__(self, X: AnyRows, y: Labels, seed: int) -> None:
        """X float32 (m, p), y (m,). A byte for each value is held; the values themselves are not."""
        self.columns = useful_columns(X)
        self.width = X.shape[1]
        self.seed = seed
        self._rows = y.size
        self._data = lightgbm.Dataset(
            offered(X, self.columns),
            np.asarray(y, np.float64),
            feature_name=[f"f{i}" for i in self.columns],
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

    def curve(self, X: AnyRows, y: Labels, shape: TreeShape) -> "Curve":
        """Grows MAX_TREES of a shape on all rows and watches the log loss on others: X (n, p), y (n,)."""
        losses: dict[str, dict[str, list[float]]] = {}
        self._data.set_weight(np.ones(self._data.num_data()))
        other = self._data.create_valid(offered(X, self.columns), np.asarray(y, np.float64))
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

    def raw_score(self, X: AnyRows, trees: int) -> Floats:
        """Log-odds (n,) after that many trees."""
        return asked(lambda rows: np.asarray(self.booster.predict(rows[:, self.columns], num_iteration=trees, raw_score=True)), X)


class _InParts(lightgbm.Sequence):
    """Rows as LightGBM reads them to bin them: a sample of single ones first, then all of them block by block."""

    batch_size = BLOCK

    def __init__(self, X: AnyRows, columns: NDArray[np.int64]) -> None:
        self._rows, self._columns = X, columns

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, idx: int | slice | list[int]) -> NDArray[np.float64]:
        part = slice(idx, idx + 1) if isinstance(idx, int | np.integer) else idx
        found = np.asarray(self._rows[np.asarray(part) if isinstance(part, list) else part])[:, self._columns].astype(np.float64)
        return found[0] if part is not idx else found


class Grower(Protocol):
    """What grows trees on given rows: `TreeGrower` here, another one on a cluster."""

    def grow(self, weight: Floats, size: TreeSize, offset: int = 0) -> Boosted: ...

    def curve(self, X: AnyRows, y: Labels, shape: TreeShape) -> Curve: ...


def grower_of(X: AnyRows, y: Labels, seed: int) -> Grower:
    """On the cluster where the rows lie there, and are many enough for that to pay."""
    if isinstance(X, Matrix) and X.held.grower is not None and len(X) >= LEAST_SHARED:
        shared: Grower = X.held.grower(X, y, seed)
        return shared
    return TreeGrower(X, y, seed)


def offered(X: AnyRows, columns: NDArray[np.int64]) -> Any:
    """These columns of X as LightGBM takes them: at once where rows are few, else in parts. The bins are the same, but where there are more rows than
    LightGBM looks at to find their edges (200,000): it draws others."""
    return np.concatenate([block[:, columns] for block in blocks(X)]) if 0 < len(X) <= MOST_ROWS else _InParts(X, columns)
