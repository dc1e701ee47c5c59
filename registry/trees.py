"""LightGBM models evaluated and explained from their text, without LightGBM.

A score is the same as the booster's own, added up in the same order; contributions are its `pred_contrib`.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from registry.forest import Forest
from registry.shap_tables import ShapTables, build_tables
from registry.tree_kernels import MOST_LEAVES
from registry.tree_paths import Bits, Floats, Ints, Longs, Rows, score_cells
from registry.tree_text import UnsupportedModel, read_text

__all__ = ["Trees", "UnsupportedModel", "contributions", "expected_value", "explained", "parse_trees", "raw_score"]

_FIRST = np.zeros(1, np.int64)


@dataclass(frozen=True, eq=False)
class Trees:
    """All trees of a model as flat arrays: T trees, N splits, L leaves, p features, which stand in `columns` (p,) of rows of `width`.

    A child c >= 0 is split c, c < 0 is leaf ~c, both counted over all trees; `root` (T,) is written likewise.
    A value x goes left when x <= threshold, except that a zero goes by `zero_left` and a NaN by `nan_left`: LightGBM's
    three missing types and its default direction come down to these two.
    """

    feature_names: tuple[str, ...]
    objective: str
    node_start: Ints
    leaf_start: Ints
    root: Ints
    feature: Ints
    threshold: Floats
    zero_left: Bits
    nan_left: Bits
    left: Ints
    right: Ints
    node_count: Floats
    leaf_value: Floats
    leaf_count: Floats
    columns: Longs
    width: int

    @cached_property
    def score_cells(self) -> tuple[Longs, Floats]:
        """The leaf that each outcome of a tree's splits leads to, at most 1 KB a tree, and where each tree's begin."""
        return score_cells(self.node_start, self.root, self.left, self.right, self.leaf_value)

    @cached_property
    def shap_tables(self) -> ShapTables:
        """Built at the first use, 20 ms per hundred trees: ask for it at load, not in the first request."""
        leaves = int(np.diff(self.leaf_start).max(initial=1))
        if leaves > MOST_LEAVES:
            raise UnsupportedModel(f"Trees of at most {MOST_LEAVES} leaves can be explained, one has {leaves}. Lower num_leaves.")
        return build_tables(
            self.node_start,
            self.leaf_start,
            self.feature,
            self.left,
            self.right,
            self.node_count,
            self.leaf_count,
            self.leaf_value,
            self.score_cells,
            self.columns,
        )

    @cached_property
    def forest(self) -> Forest:
        """These trees alone, for scores."""
        return Forest.of([self])

    @cached_property
    def explained_forest(self) -> Forest:
        """The same, for contributions as well."""
        return replace(self.forest, tables=self.shap_tables)

    @cached_property
    def expected(self) -> float:
        """Mean raw score over the rows that the trees were grown on."""
        splits = np.diff(self.node_start) > 0
        covers = np.ones(len(splits))
        covers[splits] = self.node_count[self.node_start[:-1][splits]]
        share = self.leaf_count / np.repeat(np.maximum(covers, 1.0), np.diff(self.leaf_start))
        return float(np.sum(share * self.leaf_value))


def parse_trees(text: str, columns: Longs | None = None, width: int | None = None) -> Trees:
    """Trees of `booster.model_to_string()`, grown on `columns` of rows of `width`; None: on all of them. UnsupportedModel: damaged, categorical,
    linear, many classes, or columns that are not one for each feature within the width."""
    names, objective, trees = read_text(text)
    places, width = _placed(len(names), columns, width)
    node_start = _starts([len(tree.feature) for tree in trees])
    leaf_start = _starts([len(tree.leaf_value) for tree in trees])
    threshold = np.array([value for tree in trees for value in tree.threshold], np.float64)
    decision = np.array([value for tree in trees for value in tree.decision], np.int32)
    default_left, missing = (decision & 2) > 0, decision >> 2
    zero_left = np.where(missing == 1, default_left, threshold >= 0)
    return Trees(
        feature_names=names,
        objective=objective,
        node_start=node_start,
        leaf_start=leaf_start,
        root=np.where(np.diff(node_start) > 0, node_start[:-1], ~leaf_start[:-1]).astype(np.int32),
        feature=np.array([value for tree in trees for value in tree.feature], np.int32),
        threshold=threshold,
        zero_left=zero_left,
        nan_left=np.where(missing == 2, default_left, zero_left),
        left=_children([tree.left for tree in trees], node_start, leaf_start),
        right=_children([tree.right for tree in trees], node_start, leaf_start),
        node_count=np.array([value for tree in trees for value in tree.split_count], np.float64),
        leaf_value=np.array([value for tree in trees for value in tree.leaf_value], np.float64),
        leaf_count=np.array([value for tree in trees for value in tree.leaf_count], np.float64),
        columns=places,
        width=width,
    )


def _placed(features: int, columns: Longs | None, width: int | None) -> tuple[Longs, int]:
    """The kernels read the columns unchecked, so they are checked here."""
    places = np.arange(features, dtype=np.int64) if columns is None else columns
    width = len(places) if width is None else width
    if len(places) != features or not np.all((places >= 0) & (places < width)):
        raise UnsupportedModel(f"Trees of {features} features need as many columns, each from 0 to {width - 1}; there are {len(places)}.")
    return places, width


def raw_score(trees: Trees, X: Rows) -> Floats:
    """The booster's `raw_score=True`, (n, width) float32 -> (n,): log-odds for a binary objective. NaN is missing."""
    score = np.empty((1, len(X)))
    trees.forest.add(X, _FIRST, score)
    return np.asarray(score[0])


def explained(trees: Trees, X: Rows) -> tuple[Floats, Floats]:
    """`raw_score` and `contributions` for little more than the latter."""
    score, out = np.empty((1, len(X))), np.zeros((len(X), trees.width + 1))
    trees.explained_forest.add(X, _FIRST, score, out)
    return score[0], out


def contributions(trees: Trees, X: Rows) -> Floats:
    """What each column adds, (n, width) float32 -> (n, width + 1); last is `expected_value`. Rows sum to the score."""
    return explained(trees, X)[1]


def expected_value(trees: Trees) -> float:
    """Mean raw score over the rows that the trees were grown on: where `contributions` start from."""
    return trees.expected


def _starts(sizes: list[int]) -> Ints:
    return np.cumsum([0, *sizes]).astype(np.int32)


def _children(sides: list[list[int]], node_start: Ints, leaf_start: Ints) -> Ints:
    """Children of one side, counted over all trees instead of within their own."""
    places = [
        child + nodes if child >= 0 else child - leaves
        for side, nodes, leaves in zip(sides, node_start.tolist(), leaf_start.tolist(), strict=False)
        for child in side
    ]
    return np.array(places, np.int32)
