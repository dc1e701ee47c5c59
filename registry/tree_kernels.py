"""Compiled loops over rows and trees, for one row and in blocks of rows.

All in this one file: numba renews a cached kernel when the file of that kernel changes, not when the file of one it calls does.

Each row's sums are made in the order of the trees in both, so one row and a million rows give the same bits. In a block the
outcomes of a split are found for all rows at once, and what a tree has to say is read from its small table while that is in
the nearest cache.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

TABLE_LEAVES = 8
MOST_LEAVES = 63

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Masks = NDArray[np.int64]
Longs = NDArray[np.int64]
Bits = NDArray[np.bool_]
Rows = NDArray[np.float32]

BLOCK = 256

# LightGBM reads anything this close to zero as zero.
_ZERO = float(np.float32(1e-35))


@njit(cache=True, nogil=True)
def _clean(X: Rows, columns: Longs, values: Floats) -> None:
    """Copies `columns` (p,) of rows (n, width) to (p, n) of float64, what LightGBM takes for zero made zero."""
    for row in range(len(X)):
        for place in range(len(columns)):
            value = np.float64(X[row, columns[place]])
            values[place, row] = 0.0 if abs(value) <= _ZERO else value


@njit(cache=True, nogil=True, inline="always")
def _goes_left(value: float, threshold: float, zero_left: bool, nan_left: bool) -> bool:
    """Which way a cleaned value goes at a split."""
    way = value <= threshold
    way = zero_left if value == 0.0 else way
    return nan_left if value != value else way


@njit(cache=True, nogil=True, inline="always")
def _pattern_of_one(values: Floats, feature: Ints, threshold: Floats, zero_left: Bits, nan_left: Bits, first: int, last: int) -> int:
    """`_find_patterns` for one row, without the call and the views that would cost more than its splits."""
    pattern = 0
    for node in range(first, last):
        way = _goes_left(values[feature[node], 0], threshold[node], zero_left[node], nan_left[node])
        pattern |= int(way) << int(node - first)
    return pattern


@njit(cache=True, nogil=True)
def _find_patterns(
    values: Floats,
    rows: int,
    feature: Ints,
    threshold: Floats,
    zero_left: Bits,
    nan_left: Bits,
    first: int,
    last: int,
    pattern: Masks,
) -> None:
    """Outcomes of the splits [first, last) of one tree for each row: bit j is set when split first + j goes left."""
    pattern[:rows] = 0
    for node in range(first, last):
        column, bit = values[feature[node]], np.int64(1) << np.int64(node - first)
        limit, by_zero, by_nan = threshold[node], zero_left[node], nan_left[node]
        for row in range(rows):
            pattern[row] |= bit if _goes_left(column[row], limit, by_zero, by_nan) else np.int64(0)


@njit(cache=True, nogil=True)
def score_cells(node_start: Ints, root: Ints, left: Ints, right: Ints, leaf_value: Floats) -> Floats:
    """Leaf value of each tree and pattern, (T, 2^(TABLE_LEAVES - 1)); a tree above TABLE_LEAVES leaves has none."""
    cells = np.zeros((len(root), 1 << (TABLE_LEAVES - 1)))
    for tree in range(len(root)):
        splits = node_start[tree + 1] - node_start[tree]
        for pattern in range(1 << splits if splits < TABLE_LEAVES else 0):
            node = root[tree]
            while node >= 0:
                node = left[node] if pattern >> (node - node_start[tree]) & 1 else right[node]
            cells[tree, pattern] = leaf_value[~node]
    return cells


@njit(cache=True, nogil=True)
def add_scores(
    X: Rows,
    columns: Longs,
    node_start: Ints,
    root: Ints,
    feature: Ints,
    threshold: Floats,
    zero_left: Bits,
    nan_left: Bits,
    left: Ints,
    right: Ints,
    leaf_value: Floats,
    cells: Floats,
    out: Floats,
) -> None:
    """Adds each tree's leaf to out (n,), in the order of the trees: from its cells, or walking down a tree without."""
    size = min(BLOCK, len(X))
    values, pattern = np.empty((len(columns), size)), np.empty(size, np.int64)
    for start in range(0, len(X), BLOCK):
        rows = min(BLOCK, len(X) - start)
        _clean(X[start : start + rows], columns, values)
        for tree in range(len(root)):
            first, last = node_start[tree], node_start[tree + 1]
            if rows == 1 and last - first < TABLE_LEAVES:
                one = _pattern_of_one(values, feature, threshold, zero_left, nan_left, first, last)
                out[start] += cells[tree, one]
                continue
            if last - first < TABLE_LEAVES:
                _find_patterns(values, rows, feature, threshold, zero_left, nan_left, first, last, pattern)
                for row in range(rows):
                    out[start + row] += cells[tree, pattern[row]]
                continue
            for row in range(rows):
                node = root[tree]
                while node >= 0:
                    way = _goes_left(values[feature[node], row], threshold[node], zero_left[node], nan_left[node])
                    node = left[node] if way else right[node]
                out[start + row] += leaf_value[~node]


@njit(cache=True, nogil=True)
def find_slots(node_start: Ints, feature: Ints) -> tuple[Ints, Ints, Ints]:
    """The different features of each tree, where each tree's begin, and the slot of each split in its tree."""
    slots, slot_of = np.empty(len(feature), np.int32), np.empty(len(feature), np.int32)
    slot_start = np.zeros(len(node_start), np.int32)
    used = 0
    for tree in range(len(node_start) - 1):
        for node in range(node_start[tree], node_start[tree + 1]):
            slot = slot_start[tree]
            while slot < used and slots[slot] != feature[node]:
                slot += 1
            if slot == used:
                slots[slot] = feature[node]
                used += 1
            slot_of[node] = slot - slot_start[tree]
        slot_start[tree + 1] = used
    return slots[:used].copy(), slot_start, slot_of


@njit(cache=True, nogil=True)
def find_entries(
    node_start: Ints,
    leaf_start: Ints,
    slot_of: Ints,
    parent: Ints,
    is_left: Bits,
    leaf_parent: Ints,
    leaf_is_left: Bits,
    node_count: Floats,
    leaf_count: Floats,
) -> tuple[Ints, Ints, Masks, Masks, Floats]:
    """Entries of each leaf, found by walking up to the root: where they begin, slot, care, want, zero."""
    room = np.sum(np.diff(node_start) * np.diff(leaf_start))
    start, slot, zero = np.zeros(len(leaf_count) + 1, np.int32), np.empty(room, np.int32), np.ones(room)
    care, want = np.zeros(room, np.int64), np.zeros(room, np.int64)
    used = 0
    for tree in range(len(node_start) - 1):
        for leaf in range(leaf_start[tree], leaf_start[tree + 1]):
            node, left_way, count = leaf_parent[leaf], leaf_is_left[leaf], leaf_count[leaf]
            while node >= 0:
                entry = start[leaf]
                while entry < used and slot[entry] != slot_of[node]:
                    entry += 1
                slot[entry] = slot_of[node]
                used = max(used, entry + 1)
                bit = np.int64(1) << np.int64(node - node_start[tree])
                care[entry] |= bit
                want[entry] |= bit if left_way else np.int64(0)
                zero[entry] *= count / max(node_count[node], 1.0)
                left_way, count, node = is_left[node], node_count[node], parent[node]
            start[leaf + 1] = used
    return start, slot[:used].copy(), care[:used].copy(), want[:used].copy(), zero[:used].copy()


@njit(cache=True, nogil=True)
def _add_leaf(
    phi: Floats,
    base: int,
    pattern: int,
    first: int,
    last: int,
    slot: Ints,
    care: Masks,
    want: Masks,
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


@njit(cache=True, nogil=True)
def fill_cells(
    cells: Floats,
    cell_start: Masks,
    node_start: Ints,
    leaf_start: Ints,
    slot_start: Ints,
    entry_start: Ints,
    slot: Ints,
    care: Masks,
    want: Masks,
    zero: Floats,
    value: Floats,
    reached: Floats,
) -> None:
    """`reached` are the `score_cells`."""
    poly = np.empty(MOST_LEAVES + 1)
    for tree in range(len(node_start) - 1):
        if cell_start[tree] == cell_start[tree + 1]:
            continue
        width = slot_start[tree + 1] - slot_start[tree] + 1
        for pattern in range(1 << (node_start[tree + 1] - node_start[tree])):
            base = cell_start[tree] + pattern * width
            cells[base] = reached[tree, pattern]
            for leaf in range(leaf_start[tree], leaf_start[tree + 1]):
                first, last = entry_start[leaf], entry_start[leaf + 1]
                _add_leaf(cells, base + 1, pattern, first, last, slot, care, want, zero, value[leaf], poly)


@njit(cache=True, nogil=True)
def add_contributions(
    X: Rows,
    columns: Longs,
    node_start: Ints,
    leaf_start: Ints,
    root: Ints,
    feature: Ints,
    threshold: Floats,
    zero_left: Bits,
    nan_left: Bits,
    left: Ints,
    right: Ints,
    leaf_value: Floats,
    slot_start: Ints,
    slot_feature: Ints,
    entry_start: Ints,
    entry_slot: Ints,
    care: Masks,
    want: Masks,
    zero: Floats,
    cell_start: Masks,
    cells: Floats,
    score: Floats,
    out: Floats,
) -> None:
    """Adds each tree's leaf to score (n,), as `add_scores` does, and its contributions to out (n, width or more): from its cells, or leaf by leaf
    for a tree without. The outcomes of the splits are found once for both."""
    size = min(BLOCK, len(X))
    values, pattern = np.empty((len(columns), size)), np.empty(size, np.int64)
    phi, poly, no_base = np.empty(MOST_LEAVES + 1), np.empty(MOST_LEAVES + 1), int(np.int64(0))  # a bare 0 would be a type of its own
    for start in range(0, len(X), BLOCK):
        rows = min(BLOCK, len(X) - start)
        _clean(X[start : start + rows], columns, values)
        for tree in range(len(node_start) - 1):
            first, last = node_start[tree], node_start[tree + 1]
            if rows > 1:
                _find_patterns(values, rows, feature, threshold, zero_left, nan_left, first, last, pattern)
            else:
                pattern[0] = _pattern_of_one(values, feature, threshold, zero_left, nan_left, first, last)
            slots, width = slot_start[tree], slot_start[tree + 1] - slot_start[tree]
            for row in range(rows):
                if cell_start[tree] < cell_start[tree + 1]:
                    base = cell_start[tree] + pattern[row] * (width + 1)
                    score[start + row] += cells[base]
                    for slot in range(width):
                        out[start + row, columns[slot_feature[slots + slot]]] += cells[base + 1 + slot]
                    continue
                node = root[tree]
                while node >= 0:
                    node = left[node] if pattern[row] >> (node - first) & 1 else right[node]
                score[start + row] += leaf_value[~node]
                phi[:width] = 0.0
                for leaf in range(leaf_start[tree], leaf_start[tree + 1]):
                    begin, end = entry_start[leaf], entry_start[leaf + 1]
                    _add_leaf(phi, no_base, pattern[row], begin, end, entry_slot, care, want, zero, leaf_value[leaf], poly)
                for slot in range(width):
                    out[start + row, columns[slot_feature[slots + slot]]] += phi[slot]
