"""Exact path-dependent TreeSHAP for small trees, by table look-up.

The contributions of one tree depend on a row only through the outcomes of its k splits. So a tree of at most
`TABLE_LEAVES` leaves gets a table: for each of the 2^k outcomes ("pattern", bit j set when split j goes left) the
contribution of each feature that it uses. Explaining a row is then k comparisons and one look-up per tree. Larger trees
are computed leaf by leaf with the same formula:

    phi_i += value * (o_i - z_i) * sum over S of the path's features but i: |S|!(d-|S|-1)! / d! * prod_S o * prod_rest z

where, on the path to a leaf with d different features, z is a feature's share of the cover and o is 1 when the row goes
the path's way at every split on it. [Lundberg, Erion, Lee 2018, path-dependent; the closed form is Shapley's own]
"""

from dataclasses import dataclass

import numpy as np

from registry.tree_kernels import fill_cells
from registry.tree_paths import TABLE_LEAVES, Bits, Floats, Ints, Longs, find_entries, find_slots


@dataclass(frozen=True)
class ShapTables:
    """Flat arrays over all trees. Slot: one feature of one tree, in `slot_column` of the row. Entry: one feature on the path to one leaf.

    From `cells[cell_start[t] + pattern * (slots + 1)]` on stand the leaf that the row reaches and the contribution of each
    slot, in the model's unit, side by side: they are read together. Trees above TABLE_LEAVES have no cells.
    An entry's condition holds when `pattern & care == want`.
    """

    slot_start: Ints
    slot_column: Longs
    entry_start: Ints
    entry_slot: Ints
    care: Longs
    want: Longs
    zero: Floats
    cell_start: Longs
    cells: Floats


def build_tables(
    node_start: Ints,
    leaf_start: Ints,
    feature: Ints,
    left: Ints,
    right: Ints,
    node_count: Floats,
    leaf_count: Floats,
    leaf_value: Floats,
    reached: tuple[Longs, Floats],
    columns: Longs,
) -> ShapTables:
    """Tables of all trees: some 0.2 ms and at most 8 KB a tree; `reached` are their `score_cells`, `columns` where the features
    stand in a row. The caller refuses trees above MOST_LEAVES."""
    slots, slot_start, slot_of = find_slots(node_start, feature)
    above = _parents(left, right, len(leaf_value))
    entry_start, entry_slot, care, want, zero = find_entries(node_start, leaf_start, slot_of, *above, node_count, leaf_count)
    width = np.diff(slot_start).astype(np.int64) + 1
    splits = np.diff(node_start).astype(np.int64)
    sizes = np.where(splits < TABLE_LEAVES, width << np.minimum(splits, TABLE_LEAVES), 0)
    cell_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    cells = np.zeros(cell_start[-1])
    fill_cells(cells, cell_start, node_start, leaf_start, slot_start, entry_start, entry_slot, care, want, zero, leaf_value, *reached)
    return ShapTables(slot_start, columns[slots], entry_start, entry_slot, care, want, zero, cell_start, cells)


def _parents(left: Ints, right: Ints, leaves: int) -> tuple[Ints, Bits, Ints, Bits]:
    """Of each split and each leaf: the split above it (-1: none) and whether it hangs on that split's left."""
    above = np.full(len(left) + leaves, -1, np.int32)  # leaf ~c lies at index c from the end
    is_left = np.zeros(len(above), np.bool_)
    above[left] = above[right] = np.arange(len(left), dtype=np.int32)
    is_left[left] = True
    return above[: len(left)], is_left[: len(left)], above[len(left) :][::-1].copy(), is_left[len(left) :][::-1].copy()


def _none() -> ShapTables:
    ints, longs, floats = np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0)
    return ShapTables(ints, longs, ints, ints, longs, longs, floats, longs, floats)


NO_TABLES = _none()
"""Of models that are only asked for their score."""
