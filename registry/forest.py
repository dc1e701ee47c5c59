"""Trees of one model, or of several that are asked about the same rows, in the order in which the kernel reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from registry.shap_tables import NO_TABLES, ShapTables
from registry.tree_kernels import MOST_LEAVES, add_up
from registry.tree_paths import Floats, Ints, Longs, Rows

if TYPE_CHECKING:
    from registry.trees import Trees

_ROWS_IN_ONE_GO = 4_096
"""Some 30 ms, after which other threads get their turn."""
_NO_ROWS = np.empty((0, 0))
_NATURAL, _LEFT, _RIGHT = range(3)
_ZERO_AS = np.array([0.0, -np.inf, np.nan])
"""What a zero is compared as; nan is below no threshold."""
_MISSING_AS = np.array([np.nan, -np.inf])


@dataclass(frozen=True, eq=False)
class Forest:
    """M models of T trees and N splits in all. A lane (L of them) is a column of the row, with what a zero and a missing value of it count as.

    `limit` and `split` (N,) are the thresholds in order of their lane and their size, `lane_start` (L + 1,) says where each lane's begin, and a
    split is its tree * 64 + its place there; those of trees above MOST_LEAVES are left out. `all_left` (T,) has a bit for each split of a tree.
    `node` (N, 3) are lane, left and right child of all splits, tree by tree. `tables` are those of the first model, or of none.
    """

    width: int
    base: float
    model_start: Longs
    lane_column: Longs
    lane_zero: Floats
    lane_missing: Floats
    lane_start: Longs
    limit: Floats
    split: Longs
    all_left: Longs
    score_start: Longs
    score_cells: Floats
    root: Ints
    node: Ints
    node_limit: Floats
    leaf_start: Ints
    leaf_value: Floats
    tables: ShapTables

    @classmethod
    def of(cls, models: Sequence["Trees"], tables: ShapTables = NO_TABLES) -> Self:
        """At least one model. `tables` are those of the first, if it is asked for its contributions."""
        column, zero_left, nan_left, threshold, tree, place = (np.concatenate(parts) for parts in zip(*map(_splits, models), strict=True))
        zero = np.where(zero_left == (threshold >= 0), _NATURAL, np.where(zero_left, _LEFT, _RIGHT))
        lanes, lane = np.unique(column * 6 + zero * 2 + nan_left, return_inverse=True)
        tree += np.repeat(_starts([len(m.root) for m in models])[:-1], [len(m.feature) for m in models])
        splits = np.concatenate([np.diff(m.node_start) for m in models]).astype(np.int64)
        order = np.lexsort((threshold, lane))
        order = order[splits[tree[order]] < MOST_LEAVES]
        nodes, leaves = (_starts([len(part) for part in parts])[:-1] for parts in zip(*((m.feature, m.leaf_value) for m in models), strict=True))
        shifts = list(zip(models, nodes.tolist(), leaves.tolist(), strict=True))
        left, right, root = (np.concatenate([_shifted(getattr(m, name), *by) for m, *by in shifts]) for name in ("left", "right", "root"))
        cells = [m.score_cells for m in models]
        return cls(
            width=models[0].width,
            base=models[0].expected,
            model_start=_starts([len(m.root) for m in models]),
            lane_column=lanes // 6,
            lane_zero=_ZERO_AS[lanes % 6 // 2],
            lane_missing=_MISSING_AS[lanes % 2],
            lane_start=np.searchsorted(lane[order], np.arange(len(lanes) + 1)),
            limit=threshold[order],
            split=(tree << 6 | place)[order],
            all_left=np.where(splits < MOST_LEAVES, (1 << np.minimum(splits, MOST_LEAVES)) - 1, 0),
            score_start=_behind([start for start, _ in cells]),
            score_cells=np.concatenate([values for _, values in cells]),
            root=root,
            node=np.stack([lane.astype(np.int32), left, right], axis=1),
            node_limit=threshold,
            leaf_start=_behind([m.leaf_start for m in models]),
            leaf_value=np.concatenate([m.leaf_value for m in models]),
            tables=tables,
        )

    def add(self, X: Rows, place: Longs, score: Floats, contributions: Floats = _NO_ROWS) -> None:
        """Raw scores of rows (n, width) float32 into score[place[model]] (n,), in the order of the trees, and the first model's contributions into
        `contributions` (n, width + 1), all zeros, if given: last is where they start from. NaN is missing."""
        rows, tables = self._checked(X), self.tables
        contributions[:, -1:] = self.base
        for first in range(0, len(rows), _ROWS_IN_ONE_GO):
            add_up(
                rows, first, min(first + _ROWS_IN_ONE_GO, len(rows)), place, self.model_start,
                self.lane_column, self.lane_zero, self.lane_missing, self.lane_start, self.limit, self.split, self.all_left,
                self.score_start, self.score_cells, self.root, self.node, self.node_limit, self.leaf_start, self.leaf_value,
                tables.slot_start, tables.slot_column, tables.entry_start, tables.entry_slot, tables.care, tables.want, tables.zero,
                tables.cell_start, tables.cells, score, contributions,
            )  # fmt: skip

    def _checked(self, X: Rows) -> Rows:
        """Rows as the kernel takes them; any other width is a mistake that must not be scored."""
        if X.ndim != 2 or X.shape[1] != self.width:
            raise ValueError(f"Rows must have {self.width} features (n, p); their shape is {X.shape}.")
        if X.dtype == np.float32 and X.flags.c_contiguous and X.flags.writeable:
            return X
        return np.require(X, np.float32, ["C", "W"])  # another layout would be compiled for anew, within a request


def _splits(model: "Trees") -> tuple[NDArray[Any], ...]:
    """Of each split: column, zero_left, nan_left, threshold, tree, place in its tree."""
    sizes = np.diff(model.node_start)
    tree = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(tree)) - model.node_start[:-1].astype(np.int64)[tree]
    return model.columns[model.feature], model.zero_left, model.nan_left, model.threshold, tree, place


def _shifted(children: Ints, nodes: int, leaves: int) -> Ints:
    """Children (c >= 0 a split, c < 0 the leaf ~c) counted behind so many splits and leaves of other models."""
    return np.where(children >= 0, children + nodes, children - leaves).astype(np.int32)


def _starts(sizes: Sequence[int]) -> Longs:
    return np.cumsum([0, *sizes]).astype(np.int64)


def _behind(starts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Several models' starts, (n + 1,) each, as those of all in one line."""
    ends = _starts([int(start[-1]) for start in starts])
    return np.concatenate([[0], *(start[1:] + end for start, end in zip(starts, ends[:-1], strict=True))]).astype(starts[0].dtype)
