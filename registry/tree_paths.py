"""Compiled loops that run once, when a model is loaded: which leaf each outcome of a tree's splits leads to, and the paths to its leaves."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

TABLE_LEAVES = 8
"""Leaves of a tree that gets tables, one cell for each outcome of its splits, at most."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bits = NDArray[np.bool_]
Rows = NDArray[np.float32]


@njit(cache=True)
def score_cells(node_start: Ints, root: Ints, left: Ints, right: Ints, leaf_value: Floats) -> tuple[Longs, Floats]:
    """Leaf value of each tree and pattern, one tree behind the other, and where each tree's begin, (T + 1,); a tree above TABLE_LEAVES has none."""
    start = np.zeros(len(root) + 1, np.int64)
    for tree in range(len(root)):
        splits = node_start[tree + 1] - node_start[tree]
        start[tree + 1] = start[tree] + (1 << np.int64(splits) if splits < TABLE_LEAVES else 0)
    cells = np.empty(start[len(root)])
    for tree in range(len(root)):
        for pattern in range(start[tree + 1] - start[tree]):
            node = root[tree]
            while node >= 0:
                node = left[node] if pattern >> (node - node_start[tree]) & 1 else right[node]
            cells[start[tree] + pattern] = leaf_value[~node]
    return start, cells


@njit(cache=True)
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


@njit(cache=True)
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
) -> tuple[Ints, Ints, Longs, Longs, Floats]:
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
