"""LightGBM models evaluated and explained from their text, without LightGBM.

A score is the same as the booster's own, added up in the same order; contributions are its `pred_contrib`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from registry.shap_tables import ShapTables, build_tables
from registry.tree_kernels import MOST_LEAVES, Bits, Floats, Ints, Longs, Rows, add_contributions, add_scores, score_cells
from registry.tree_text import UnsupportedModel, read_text

__all__ = ["Trees", "UnsupportedModel", "contributions", "expected_value", "explained", "parse_trees", "raw_score"]


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
    def score_cells(self) -> Floats:
        """The leaf that each outcome of a tree's splits leads to: 1 KB a tree."""
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
        )

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
    rows = _checked(trees, X)
    out = np.zeros(len(rows))
    add_scores(
        rows,
        trees.columns,
        trees.node_start,
        trees.root,
        trees.feature,
        trees.threshold,
        trees.zero_left,
        trees.nan_left,
        trees.left,
        trees.right,
        trees.leaf_value,
        trees.score_cells,
        out,
    )
    return out


def explained(trees: Trees, X: Rows) -> tuple[Floats, Floats]:
    """`raw_score` and `contributions` for little more than the latter."""
    rows, tables = _checked(trees, X), trees.shap_tables
    score, out = np.zeros(len(rows)), np.zeros((len(rows), rows.shape[1] + 1))
    out[:, -1] = trees.expected
    add_contributions(
        rows,
        trees.columns,
        trees.node_start,
        trees.leaf_start,
        trees.root,
        trees.feature,
        trees.threshold,
        trees.zero_left,
        trees.nan_left,
        trees.left,
        trees.right,
        trees.leaf_value,
        tables.slot_start,
        tables.slot_feature,
        tables.entry_start,
        tables.entry_slot,
        tables.care,
        tables.want,
        tables.zero,
        tables.cell_start,
        tables.cells,
        score,
        out,
    )
    return score, out


def contributions(trees: Trees, X: Rows) -> Floats:
    """What each column adds, (n, width) float32 -> (n, width + 1); last is `expected_value`. Rows sum to the score."""
    return explained(trees, X)[1]


def expected_value(trees: Trees) -> float:
    """Mean raw score over the rows that the trees were grown on: where `contributions` start from."""
    return trees.expected


def _checked(trees: Trees, X: Rows) -> Rows:
    """Rows as the kernels take them; any other width is a mistake that must not be scored."""
    if X.ndim != 2 or X.shape[1] != trees.width:
        raise ValueError(f"Rows must have {trees.width} features (n, p); their shape is {X.shape}.")
    if X.dtype == np.float32 and X.flags.c_contiguous and X.flags.writeable:
        return X
    return np.require(X, np.float32, ["C", "W"])  # another layout would be compiled for anew, within a request


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
