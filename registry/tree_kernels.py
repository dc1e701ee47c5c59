"""Compiled loops over trees: what they say of rows, for one row and for many, and the tables that explain them.

All in this one file: numba renews a cached kernel when the file of that kernel changes, not when the file of one it calls does.

A row is not led down each tree. The splits of all trees stand in order of what they ask ("lane": a column and its two rules for zero and for
missing) and of their threshold; a value goes right at those below it, so that going through these alone finds the outcome of every split, at
unit stride. What a tree has to say to its outcomes is then one look-up. [Lucchese et al. 2015, QuickScorer]

Each row's sums are made in the order of the trees, so one row and a million rows give the same bits. The interpreter's lock is kept: for
microseconds' work, giving it up would mean waiting for it behind a busy thread.
"""

import numpy as np
from numba import njit

from registry.tree_paths import Floats, Ints, Longs, Rows

MOST_LEAVES = 63
"""Leaves of a tree that can be explained: the outcomes of its splits fit into one number."""

# LightGBM reads anything this close to zero as zero.
_ZERO = float(np.float32(1e-35))
_Index = np.uintp
"""Of an index that is never negative: numba leaves out the turn that Python gives to those."""


@njit(cache=True)
def _add_leaf(
    phi: Floats,
    base: int,
    pattern: int,
    first: int,
    last: int,
    slot: Ints,
    care: Longs,
    want: Longs,
    zero: Floats,
    value: float,
    poly: Floats,
) -> None:
    """Adds one leaf's contributions to phi[base + slot]; entries [first, last) are its path; poly is scratch."""
    size = last - first
    for entry in range(first, last):
        poly[0], degree = 1.0, 0
        for other in range(first, last):
            if other == entry:
                continue
            one = 1.0 if (pattern & care[other]) == want[other] else 0.0
            poly[degree + 1] = poly[degree] * one
            for power in range(degree, 0, -1):
                poly[power] = poly[power] * zero[other] + poly[power - 1] * one
            poly[0] *= zero[other]
            degree += 1
        weight, total = 1.0 / size, 0.0
        for power in range(size):
            total += weight * poly[power]
            weight *= (power + 1.0) / max(size - power - 1.0, 1.0)
        one = 1.0 if (pattern & care[entry]) == want[entry] else 0.0
        phi[base + slot[entry]] += value * (one - zero[entry]) * total


@njit(cache=True)
def fill_cells(
    cells: Floats,
    cell_start: Longs,
    node_start: Ints,
    leaf_start: Ints,
    slot_start: Ints,
    entry_start: Ints,
    slot: Ints,
    care: Longs,
    want: Longs,
    zero: Floats,
    value: Floats,
    reached_start: Longs,
    reached: Floats,
) -> None:
    """`reached` and where each tree's begin are the `score_cells`."""
    poly = np.empty(MOST_LEAVES + 1)
    for tree in range(len(node_start) - 1):
        if cell_start[tree] == cell_start[tree + 1]:
            continue
        width = slot_start[tree + 1] - slot_start[tree] + 1
        for pattern in range(1 << (node_start[tree + 1] - node_start[tree])):
            base = cell_start[tree] + pattern * width
            cells[base] = reached[reached_start[tree] + pattern]
            for leaf in range(leaf_start[tree], leaf_start[tree + 1]):
                first, last = entry_start[leaf], entry_start[leaf + 1]
                _add_leaf(cells, base + 1, pattern, first, last, slot, care, want, zero, value[leaf], poly)


@njit(cache=True, inline="always")
def _find_patterns(
    X: Rows,
    row: int,
    lane_column: Longs,
    lane_zero: Floats,
    lane_nan: Floats,
    lane_start: Longs,
    limit: Floats,
    split: Longs,
    lanes: Floats,
    pattern: Longs,
) -> None:
    """Outcomes of the splits for one row: bit j of a tree's pattern stays set where its split j goes left. Also what each lane holds."""
    for lane in range(len(lane_column)):
        value = np.float64(X[row, _Index(lane_column[lane])])
        value = lane_zero[lane] if abs(value) <= _ZERO else value
        value = lane_nan[lane] if value != value else value
        lanes[lane] = value
        at, end = _Index(lane_start[lane]), _Index(lane_start[lane + 1])
        while at < end and not value <= limit[at]:
            pattern[_Index(split[at] >> 6)] ^= np.int64(1) << (split[at] & 63)
            at += _Index(1)


@njit(cache=True, inline="always")
def _leaf(lanes: Floats, root: int, node: Ints, limit: Floats) -> int:
    """The leaf that a row reaches by walking down a tree."""
    at = root
    while at >= 0:
        at = node[at, 1] if lanes[node[at, 0]] <= limit[at] else node[at, 2]
    return ~at


@njit(cache=True)
def add_up(
    X: Rows,
    first: int,
    last: int,
    place: Longs,
    model_start: Longs,
    lane_column: Longs,
    lane_zero: Floats,
    lane_nan: Floats,
    lane_start: Longs,
    limit: Floats,
    split: Longs,
    all_left: Longs,
    score_start: Longs,
    score_cells: Floats,
    root: Ints,
    node: Ints,
    node_limit: Floats,
    leaf_start: Ints,
    leaf_value: Floats,
    slot_start: Ints,
    slot_column: Longs,
    entry_start: Ints,
    entry_slot: Ints,
    care: Longs,
    want: Longs,
    zero: Floats,
    cell_start: Longs,
    cells: Floats,
    score: Floats,
    out: Floats,
) -> None:
    """Writes each model's raw score of the rows [first, last) of X (n, width) into score[place[model]] (n,), and adds the first model's contributions
    to out (n, width or more) unless that has no rows: from a tree's cells, or walking down and leaf by leaf in a tree without."""
    lanes, pattern = np.empty(len(lane_column)), np.empty(len(all_left), np.int64)
    phi, poly, no_base = np.empty(MOST_LEAVES + 1), np.empty(MOST_LEAVES + 1), int(np.int64(0))  # a bare 0 would be a type of its own
    for row in range(first, last):
        pattern[:] = all_left
        _find_patterns(X, row, lane_column, lane_zero, lane_nan, lane_start, limit, split, lanes, pattern)
        for model in range(len(place)):
            total, first_tree, last_tree = 0.0, model_start[model], model_start[model + 1]
            if model > 0 or len(out) == 0:
                for tree in range(first_tree, last_tree):
                    cell = score_start[tree]
                    if cell < score_start[tree + 1]:
                        total += score_cells[_Index(cell + pattern[tree])]
                    else:
                        total += leaf_value[_leaf(lanes, root[tree], node, node_limit)]
                score[place[model], row] = total
                continue
            for tree in range(first_tree, last_tree):
                slots = slot_start[tree]
                width = slot_start[tree + 1] - slots
                if cell_start[tree] < cell_start[tree + 1]:
                    cell = cell_start[tree] + pattern[tree] * (width + 1)
                    total += cells[_Index(cell)]
                    for slot in range(width):
                        out[row, _Index(slot_column[_Index(slots + slot)])] += cells[_Index(cell + 1 + slot)]
                    continue
                total += leaf_value[_leaf(lanes, root[tree], node, node_limit)]
                phi[:width] = 0.0
                for leaf in range(leaf_start[tree], leaf_start[tree + 1]):
                    begin, end = entry_start[leaf], entry_start[leaf + 1]
                    _add_leaf(phi, no_base, pattern[tree], begin, end, entry_slot, care, want, zero, leaf_value[leaf], poly)
                for slot in range(width):
                    out[row, slot_column[slots + slot]] += phi[slot]
            score[place[model], row] = total
