"""What can stand behind a probability: a constant, a points rule, a linear model, trees. Each is a document, gives log-odds and explains itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from registry import trees as lightgbm_trees
from registry.trees import Trees

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]


class Model(Protocol):
    """A function of a row of the schema. `raw_score`: (n, p) float32 -> (n,). `contributions`: (n, p) -> (n, p + 1), the last column the
    base; each row sums to the raw score."""

    @property
    def kind(self) -> str: ...

    def raw_score(self, X: Rows) -> Floats: ...

    def contributions(self, X: Rows) -> Floats: ...

    def explained(self, X: Rows) -> tuple[Floats, Floats]:
        """`raw_score` and `contributions`, to the bit, for the price of the latter."""
        ...

    def document(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Constant:
    """The same answer for every row: the base rate's log-odds, or a spread that doesn't depend on the lead."""

    value: float
    kind: str = "base_rate"

    def raw_score(self, X: Rows) -> Floats:
        out = np.empty(len(X))
        out.fill(self.value)  # np.full takes several times as long for one row
        return out

    def contributions(self, X: Rows) -> Floats:
        out = np.zeros((len(X), X.shape[1] + 1))
        out[:, -1] = self.value
        return out

    def explained(self, X: Rows) -> tuple[Floats, Floats]:
        return self.raw_score(X), self.contributions(X)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "value": self.value}


@dataclass(frozen=True)
class Linear:
    """Log-odds linear in standardised columns. A value is clipped to [low, high] (the range trained on: a lead older than any trained on counts
    as the oldest), passed through log1p where `logged`, centred and scaled; a missing one adds `missing` instead. All arrays are (p,)."""

    intercept: float
    coefficient: Floats
    missing: Floats
    low: Floats
    high: Floats
    logged: NDArray[np.bool_]
    center: Floats
    scale: Floats
    kind: str = "logistic"

    def standardised(self, X: Rows) -> Floats:
        """(n, p) -> (n, p) float64; nan stays nan."""
        z = X.astype(np.float64)
        np.clip(z, self.low, self.high, out=z)
        z[:, self.logged] = np.log1p(z[:, self.logged])
        z -= self.center
        z /= self.scale
        return z

    def raw_score(self, X: Rows) -> Floats:
        return np.asarray(self.contributions(X).sum(axis=1))

    def contributions(self, X: Rows) -> Floats:
        z = self.standardised(X)
        out = np.empty((len(X), X.shape[1] + 1))
        effects = np.multiply(z, self.coefficient, out=out[:, :-1])
        np.copyto(effects, self.missing, where=np.isnan(z))
        out[:, -1] = self.intercept
        return out

    def explained(self, X: Rows) -> tuple[Floats, Floats]:
        found = self.contributions(X)
        return np.asarray(found.sum(axis=1)), found

    def document(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return {"kind": self.kind, "intercept": self.intercept} | arrays

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        arrays: dict[str, Any] = {name: np.array(document[name], bool if name == "logged" else np.float64) for name in _ARRAYS}
        return cls(float(document["intercept"]), **arrays)


_ARRAYS = ("coefficient", "missing", "low", "high", "logged", "center", "scale")


@dataclass(frozen=True)
class Points:
    """What a marketing tool does: whole points for each thing that is so, summed. Log-odds = intercept + scale * sum of points over the `column`s
    (k,) whose value is above `threshold`; a missing value is not above."""

    intercept: float
    scale: float
    column: NDArray[np.int64]
    threshold: Floats
    points: Floats
    kind: str = "points"

    def raw_score(self, X: Rows) -> Floats:
        return np.asarray(self.intercept + self.scale * ((X[:, self.column] > self.threshold) @ self.points))

    def contributions(self, X: Rows) -> Floats:
        out = np.zeros((len(X), X.shape[1] + 1))
        out[:, self.column] = self.scale * self.points * (X[:, self.column] > self.threshold)
        out[:, -1] = self.intercept
        return out

    def explained(self, X: Rows) -> tuple[Floats, Floats]:
        return self.raw_score(X), self.contributions(X)

    def document(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("column", "threshold", "points")}
        return {"kind": self.kind, "intercept": self.intercept, "scale": self.scale} | arrays

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            float(document["intercept"]),
            float(document["scale"]),
            np.array(document["column"], np.int64),
            np.array(document["threshold"], np.float64),
            np.array(document["points"], np.float64),
        )


@dataclass(frozen=True)
class Boosted:
    """Gradient-boosted trees in LightGBM's own text, over `columns` (indices into the schema's row: those the trees were offered)."""

    text: str
    columns: NDArray[np.int64]
    trees: Trees
    width: int
    kind: str = "lightgbm"

    @classmethod
    def from_text(cls, text: str, columns: Sequence[int], width: int) -> Self:
        places = np.asarray(columns, np.int64)
        return cls(text, places, lightgbm_trees.parse_trees(text, places, width), width)

    def raw_score(self, X: Rows) -> Floats:
        return lightgbm_trees.raw_score(self.trees, X)

    def contributions(self, X: Rows) -> Floats:
        return self.explained(X)[1]

    def explained(self, X: Rows) -> tuple[Floats, Floats]:
        return lightgbm_trees.explained(self.trees, X)

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "columns": self.columns.tolist(), "width": self.width}


def model_from_document(document: Mapping[str, Any], text: str | None) -> Model:
    """Inverse of `Model.document`; `text` holds the trees of a boosted model."""
    kind = document["kind"]
    if kind == "lightgbm" and text is not None:
        return Boosted.from_text(text, document["columns"], int(document["width"]))
    if kind == "logistic":
        return Linear.from_document(document)
    if kind == "points":
        return Points.from_document(document)
    if kind == "base_rate":
        return Constant(float(document["value"]))
    raise ValueError(
        f"a model must be base_rate, points, logistic or lightgbm with its trees; got {kind!r}. The bundle is damaged or newer than this program."
    )
