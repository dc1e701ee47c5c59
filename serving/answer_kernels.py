"""Compiled steps between a model's raw scores and an answer. Exponentials are numpy's, between the steps: a chance that is equal to one of a
population, which training computed, must be equal to the last bit.

Each row is dealt with by itself and in the same order, so that one row and many give the same bits. The interpreter's lock is kept: for
microseconds' work, giving it up would mean waiting for it behind a busy thread.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]


@njit(cache=True)
def laid_out(raw: Floats, deviation: Floats, half_width: float, ends: Floats) -> tuple[Floats, Floats]:
    """(points, -|points|), (3n + m,): raw scores (n,), both ends of their intervals, and `ends` (m,), in one line."""
    n, m = len(raw), len(ends)
    points, nearness = np.empty(3 * n + m), np.empty(3 * n + m)
    for i in range(n):
        half = half_width * deviation[i]
        points[i], points[n + i], points[2 * n + i] = raw[i], raw[i] - half, raw[i] + half
    points[3 * n :] = ends
    for i in range(len(points)):
        nearness[i] = -abs(points[i])
    return points, nearness


@njit(cache=True)
def bend(points: Floats, softened: Floats, rows: int, low: Floats, high: Floats, shift: Floats) -> None:
    """`registry.calibrator.bent` in place, each hop's `rows` points by its own calibrator, what lies behind the hops by the first; `softened` is
    log(1 + exp(-|points|)) and becomes -|log-odds|."""
    n = len(low) * rows
    for i in range(len(points)):
        hop = (i % n) // rows if i < 3 * n else 0
        x = points[i]
        points[i] = shift[hop] + high[hop] * max(x, 0.0) + low[hop] * min(x, 0.0) + (high[hop] - low[hop]) * softened[i]
        softened[i] = -abs(points[i])


@njit(cache=True)
def judged(log_odds: Floats, shrunk: Floats, rows: int, start: Ints, population: Floats) -> Floats:
    """(4, n): probability, low, high, and mid-rank percentile among the hop's population, which lies in `population` from its `start` on.
    `shrunk` is exp(-|log-odds|)."""
    n = (len(start) - 1) * rows
    out = np.empty((4, n))
    for i in range(3 * n):
        above = 1.0 if log_odds[i] >= 0.0 else shrunk[i]
        out[i // n, i % n] = above / (1.0 + shrunk[i])
    for i in range(n):
        first, last = start[i // rows], start[i // rows + 1]
        below, upto = _place(population, first, last, out[0, i], False), _place(population, first, last, out[0, i], True)
        out[3, i] = 50.0 if first == last else 100.0 * (below + upto) / (2 * (last - first))
    return out


@njit(cache=True, inline="always")
def _place(ordered: Floats, first: int, last: int, value: float, equal_too: bool) -> int:
    """How many of ordered[first:last] are below the value, or equal to it as well."""
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value or (equal_too and ordered[middle] == value):
            low = middle + 1
        else:
            high = middle
    return low - first


@njit(cache=True)
def ends_of(base: Floats, moved: Floats) -> Floats:
    """(n,), (n,) -> (2n,): the bases, and the bases with all that moves them."""
    rows = len(moved)
    ends = np.empty(2 * rows)
    for row in range(rows):
        ends[row], ends[rows + row] = base[row], base[row] + moved[row]
    return ends


@njit(cache=True)
def stretched(contributions: Floats, moved: Floats, calibrated: Floats) -> Floats:
    """Contributions (n, p + 1), which sum to `moved` (n,) beside their base -> effects (n, p) that lead from the calibrated base to the calibrated
    end, each row's by one factor; `calibrated` (2n,) holds the bases, then the ends."""
    rows, columns = len(contributions), contributions.shape[1] - 1
    out = np.empty((rows, columns))
    for row in range(rows):
        factor = 1.0 if abs(moved[row]) < 1e-12 else (calibrated[rows + row] - calibrated[row]) / moved[row]
        for column in range(columns):
            out[row, column] = contributions[row, column] * factor
    return out


@njit(cache=True)
def ranked(effects: Floats, order: Ints, start: Ints, of_firm: Bits, room: int) -> tuple[Floats, Floats, Ints]:
    """Effects (n, p) summed within each of g groups (the columns order[start[i]:start[i + 1]]) -> (n, g); all they weigh and what the firm's
    weigh, (n, 2); and the places of the strongest `room` each way, strongest first, (n, 2 * room), -1 behind the last."""
    rows, groups = len(effects), len(of_firm)
    summed, weight, kept = np.zeros((rows, groups)), np.zeros((rows, 2)), np.full((rows, 2 * room), -1)
    best, found = np.empty((2, room), np.int64), np.empty(2, np.int64)
    for row in range(rows):
        found[:] = 0
        for group in range(groups):
            total = 0.0
            for i in range(start[group], start[group + 1]):
                total += effects[row, order[i]]
            summed[row, group] = total
            weight[row, 0] += abs(total)
            weight[row, 1] += abs(total) if of_firm[group] else 0.0
            if total != 0.0:
                _enter(best[int(total > 0.0)], found, int(total > 0.0), group, summed[row])
        _merge(best, found, summed[row], kept[row])
    return summed, weight, kept


@njit(cache=True, inline="always")
def _enter(best: Ints, found: Ints, side: int, group: int, summed: Floats) -> None:
    """Puts the group among the strongest of its side, behind its equals."""
    strength, at = abs(summed[group]), found[side]
    if at == len(best):
        if abs(summed[best[at - 1]]) >= strength:
            return
        at -= 1
    else:
        found[side] += 1
    while at > 0 and abs(summed[best[at - 1]]) < strength:
        best[at] = best[at - 1]
        at -= 1
    best[at] = group


@njit(cache=True, inline="always")
def _merge(best: Ints, found: Ints, summed: Floats, kept: Ints) -> None:
    """Both sides in one line by strength; of equals the one that comes first."""
    against, for_ = 0, 0
    for place in range(found[0] + found[1]):
        takes_for = against == found[0]
        if against < found[0] and for_ < found[1]:
            a, b = best[0, against], best[1, for_]
            takes_for = abs(summed[b]) > abs(summed[a]) or (abs(summed[b]) == abs(summed[a]) and b < a)
        if takes_for:
            kept[place] = best[1, for_]
            for_ += 1
        else:
            kept[place] = best[0, against]
            against += 1


def warm() -> None:
    """Runs each kernel once: microseconds where the cache is warm, seconds where it is not."""
    one, rows = np.ones(1), np.ones((1, 2))
    points, near = laid_out(one, one, 1.0, ends_of(rows[:, -1], one))
    bend(points, np.exp(near), 1, one, one, one)
    judged(points, np.exp(near), 1, np.array([0, 1]), one)
    effects = stretched(rows, one, points)
    ranked(effects, np.array([0]), np.array([0, 1]), np.array([True]), 1)


if __name__ == "__main__":
    warm()
