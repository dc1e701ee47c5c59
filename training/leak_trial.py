"""A small model's answers with some fields and without others: forward in time, leads never on both sides."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import lightgbm
import numpy as np

from data.arrow import Mask
from features.schema import ACCOUNT, Schema
from features.timeline import Ints
from training.bootstrap import lead_bootstrap
from training.choice import Sample
from training.matrix import useful_columns
from training.metrics import Floats, auc

MOST_ROWS = 10_000
MIN_LEADS = 20
"""Converted leads, and others, that both sides of a fold need."""
FOLDS = 3
VALIDATED = 1 / 3
REPEATS = 60
TREES = 40
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 8,
    "learning_rate": 0.2,
    "lambda_l2": 10.0,
    "max_bin": 63,
    "min_data_in_leaf": 10,
    "deterministic": True,
    "force_col_wise": True,
    "is_enable_sparse": False,
    "num_threads": 1,
    "verbosity": -1,
}


def fields_of(schema: Schema) -> Mapping[str, Ints]:
    """Which columns of a row each field makes: attributes by what they read first ("lead.industry"), event types as "event.webinar", and what
    colleagues did, which is known of those who have an account, as "lead.account_id"."""
    found: dict[str, list[int]] = {}
    for i, feature in enumerate(schema.features):
        found.setdefault(f"event.{feature.slot}" if i < schema.swept else ACCOUNT, []).append(i)
    at = len(schema.features)
    for attribute in schema.attributes:
        width = len(attribute.columns)
        found.setdefault(attribute.inputs[0], []).extend(range(at, at + width))
        at += width
    types = {f"event.{t.name}" for t in schema.types}
    return {name: np.array(columns, np.int64) for name, columns in found.items() if name in types or not name.startswith("event.")}


class Trial:
    """Rows of up to MOST_ROWS landmarks, and how they are divided: a model of the earlier leads answers for the later ones, or, in a file
    without times, of two thirds of the leads for the last. What was asked once is remembered."""

    def __init__(self, schema: Schema, sample: Sample, train_rows: Mask, seed: int) -> None:
        """`train_rows` (m,): the rows before the test; no other is looked at."""
        before = sample.where(train_rows)
        self.sample = before.where(some_leads(before.lead, seed))
        self.X = np.asarray(self.sample.X)
        self.fields = fields_of(schema)
        self.seed = seed
        self._useful = frozenset(int(c) for c in useful_columns(self.X)) if self.sample.y.size else frozenset[int]()
        self._folds = list(_folds(self.sample, seed))
        self._answers: dict[frozenset[int], Floats] = {}
        self.asked = np.concatenate([np.flatnonzero(validate) for _, validate in self._folds]) if self._folds else np.zeros(0, np.int64)

    @property
    def enough(self) -> bool:
        """Whether there is evidence for a comparison at all."""
        return bool(self._folds)

    def columns(self, without: Collection[str] = ()) -> frozenset[int]:
        """All columns that differ between rows, but for those of the fields `without`."""
        return self._useful - {int(c) for name in without if name in self.fields for c in self.fields[name]}

    def of_field(self, name: str) -> frozenset[int]:
        """The columns of one field that differ between rows."""
        return self._useful & frozenset(self.fields[name].tolist())

    def answers(self, columns: frozenset[int]) -> Floats:
        """Log-odds of the rows asked, by a model that sees these columns alone."""
        if columns not in self._answers:
            self._answers[columns] = np.concatenate(
                [self._answered(np.array(sorted(columns), np.int64), train, validate) for train, validate in self._folds]
            )
        return self._answers[columns]

    def auc(self, columns: frozenset[int]) -> float:
        """Pooled AUC of those answers."""
        return auc(self.sample.y[self.asked].astype(np.float64), self.answers(columns))

    def _answered(self, columns: Ints, train: Mask, validate: Mask) -> Floats:
        if not columns.size:
            return np.zeros(int(validate.sum()))
        booster = _grown(self.X[np.ix_(train, columns)], self.sample.y[train], self.seed)
        return np.asarray(booster.predict(self.X[np.ix_(validate, columns)], raw_score=True), np.float64)

    def noise(self, more: frozenset[int], fewer: frozenset[int]) -> float:
        """Standard error of the difference between two AUCs, with leads resampled."""
        y, lead = self.sample.y[self.asked].astype(np.float64), self.sample.lead[self.asked]
        a, b = self.answers(more), self.answers(fewer)
        apart = [auc(y, a, w.astype(np.float64)) - auc(y, b, w.astype(np.float64)) for w in lead_bootstrap(lead, REPEATS, self.seed)]
        return float(np.nanstd(apart))

    def worth(self, without: Collection[str] = ()) -> dict[str, float]:
        """Share of the gain that each field has in a model of all fields but those `without`."""
        gain, columns = np.zeros(self.X.shape[1]), np.array(sorted(self.columns(without)), np.int64)
        for train, _ in self._folds:
            if columns.size:
                gain[columns] += _grown(self.X[np.ix_(train, columns)], self.sample.y[train], self.seed).feature_importance("gain")
        total = gain.sum() or 1.0
        return {name: float(gain[indices].sum() / total) for name, indices in self.fields.items()}


def _grown(X: Any, y: Any, seed: int) -> Any:
    data = lightgbm.Dataset(X, np.asarray(y, np.float64), params=PARAMETERS)
    return lightgbm.train(PARAMETERS | {"seed": seed}, data, num_boost_round=TREES)


def some_leads(lead: Ints, seed: int) -> Mask:
    """Which rows (m,) belong to a part of the leads, drawn at random, that together has at most MOST_ROWS."""
    names, member, rows = np.unique(lead, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(names.size)
    chosen = np.zeros(names.size, bool)
    chosen[order[np.cumsum(rows[order]) <= MOST_ROWS]] = True
    return chosen[member]


def _folds(sample: Sample, seed: int) -> Iterator[tuple[Mask, Mask]]:
    """(train, validate) masks; none without enough leads of both outcomes."""
    if not _both(sample, np.ones(sample.y.size, bool)):
        return
    names, member = np.unique(sample.lead, return_inverse=True)
    first = np.full(names.size, np.iinfo(np.int64).max)
    np.minimum.at(first, member, sample.as_of)
    cut = np.sort(first)[min(int(names.size * (1 - VALIDATED)), names.size - 1)]
    later, before = (first >= cut)[member], sample.as_of < cut
    if _both(sample, later) and _both(sample, before):
        yield before, later
        return
    dealt = np.random.default_rng(seed).integers(0, FOLDS, names.size)[member]
    yield from ((dealt != k, dealt == k) for k in range(FOLDS))


def _both(sample: Sample, rows: Mask) -> bool:
    y, lead = sample.y[rows], sample.lead[rows]
    return min(np.unique(lead[y == 1]).size, np.unique(lead[y == 0]).size) >= MIN_LEADS
