"""What is not known of a lead: rows with attributes blanked as the encoder would write them, and how much each one's absence leaves open."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from registry.models import Floats, Model, Rows

MEASURED_ROWS = 500


@dataclass(frozen=True)
class Blank:
    """One attribute's `columns` (k,) in the row and the `values` float32 (k,) that stand there when nothing is known of it."""

    columns: NDArray[np.int64]
    values: NDArray[np.float32]

    def put(self, X: Rows, rows: NDArray[np.bool_]) -> None:
        """Blanks the attribute in those rows (n,) of X, in place."""
        X[np.ix_(rows, self.columns)] = self.values

    def missing(self, X: Rows) -> NDArray[np.bool_]:
        """(n,) whether nothing is known of it. A value that nobody understands is not missing."""
        held = X[:, self.columns]
        return np.asarray(((held == self.values) | (np.isnan(held) & np.isnan(self.values))).all(axis=1))


def blanks_of(schema: Schema) -> tuple[Blank, ...]:
    """One blank for each attribute of the schema, in its order."""
    at, found = len(schema.features), []
    for attribute in schema.attributes:
        values = np.array(attribute.encode((None,) * len(attribute.inputs)), np.float32)
        found.append(Blank(np.arange(at, at + values.size), values))
        at += values.size
    return tuple(found)


def left_open(model: Model, X: Rows, blanks: Sequence[Blank]) -> Floats:
    """Variance in log-odds that the absence of each attribute leaves open, (blanks,): the mean square of what knowing it changed in the answers to X
    (n, p). A row that lacks it anyway counts as no change, so an attribute that hardly anybody has is hardly missed."""
    rows = X[:: max(1, len(X) // MEASURED_ROWS)]
    known = model.raw_score(rows)
    return np.array([np.mean((known - model.raw_score(_without(rows, blank))) ** 2) for blank in blanks])


def _without(X: Rows, blank: Blank) -> Rows:
    copy = X.copy()
    blank.put(copy, np.ones(len(copy), np.bool_))
    return copy


def with_gaps(X: Rows, blanks: Sequence[Blank], rng: np.random.Generator) -> Rows:
    """A copy of X (n, p) in which every second row lacks one attribute and each other row a random share of them, from none to all."""
    copy = X.copy()
    if not blanks:
        return copy
    one, share = rng.integers(0, len(blanks), len(X)), rng.random(len(X))
    several = np.arange(len(X)) % 2 == 1
    for place, blank in enumerate(blanks):
        blank.put(copy, np.where(several, rng.random(len(X)) < share, one == place))
    return copy
