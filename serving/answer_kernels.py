"""Compiled steps between a model's raw scores and an answer. Exponentials are numpy's, between the steps: a chance that is equal to one of a
population, which training computed, must be equal to the last bit.

Each row is dealt with by itself and in the same order, so that one row and many give the same bits. The interpreter's lock is kept: for
microseconds' work, giving it up would mean waiting for it behind a busy thread.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Rows = NDArray[np.float32]
Bits = NDArray[np.bool_]
_Index = np.uintp
"""Of an index that is never negative: numba leaves out the turn that Python gives to those."""


@njit(cache=True)
def laid_out(raw: Floats, deviation: Floats, half_width: float, base: Floats, moved: Floats) -> Floats:
    """(2, 3hn + 2m): points and -|points|. The points are raw scores (h, n) of h hops, both ends of their intervals, then `base` (m,), and that with
    all that has `moved` it (m,), in one line."""
    hops, rows = raw.shape
    n, m = hops * rows, len(base)
    out = np.empty((2, 3 * n + 2 * m))
    for hop in range(hops):
        for row in range(rows):
            i, half = hop * rows + row, half_width * deviation[hop, row]
            out[0, i], out[0, n + i], out[0, 2 * n + i] = raw[hop, row], raw[hop, row] - half, raw[hop, row] + half
    for row in range(m):
        out[0, 3 * n + row], out[0, 3 * n + m + row] = base[row], base[row] + moved[row]
    for i in range(out.shape[1]):
        out[1, i] = -abs(out[0, i])
    return out


@njit(cache=True)
def bend(points: Floats, rows: int, low: Floats, high: Floats, shift: Floats) -> None:
    """`registry.calibrator.bent` of points[0] in place, each hop's `rows` points by its own calibrator, what lies behind the hops by the first;
    points[1] is log(1 + exp(-|points|)) and becomes -|log-odds|."""
    n = len(low) * rows
    for i in range(points.shape[1]):
        hop = (i % n) // rows if i < 3 * n else 0
        x = points[0, i]
        points[0, i] = shift[hop] + high[hop] * max(x, 0.0) + low[hop] * min(x, 0.0) + (high[hop] - low[hop]) * points[1, i]
        points[1, i] = -abs(points[0, i])


@njit(cache=True)
def judged(points: Floats, rows: int, start: Longs, population: Floats) -> Floats:
    """(4, hn): probability, low, high, and mid-rank percentile among the hop's population, which lies in `population` from its `start` on.
    points[0] are log-odds, points[1] exp(-|log-odds|)."""
    n = (len(start) - 1) * rows
    out = np.empty((4, n))
    for i in range(3 * n):
        above = 1.0 if points[0, i] >= 0.0 else points[1, i]
        out[i // n, i % n] = above / (1.0 + points[1, i])
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
def ranked(effects: Floats, X: Rows, order: Longs, start: Longs, of_firm: Bits, of_levels: Bits, room: int) -> tuple[Floats, Floats, Longs]:
    """Effects (n, p) of rows X (n, p), summed within each of g groups (the columns order[start[i]:start[i + 1]]) -> (n, g).

    Of the strongest `room` groups each way, strongest first: (n, 2, 2 * room) their place, -1 behind the last, and the column that tells it, the
    first one or, of levels, the one that is 1.0, -1 for none. And (n, 2 + 4 * room): all that the groups weigh and what the firm's weigh, then of
    each of those groups its effect, then of each the value in its column.
    """
    rows, groups = len(effects), len(of_firm)
    summed, figures, kept = np.zeros((rows, groups)), np.zeros((rows, 2 + 4 * room)), np.full((rows, 2, 2 * room), -1)
    best, strength = np.empty((2, room), np.int64), np.empty((2, room))
    for row in range(rows):
        strength[:] = 0.0
        all_, firm = 0.0, 0.0
        for group in range(groups):
            total = 0.0
            for i in range(start[group], start[group + 1]):
                total += effects[row, _Index(order[_Index(i)])]
            summed[row, group] = total
            all_ += abs(total)
            firm += abs(total) if of_firm[group] else 0.0
            if total > strength[1, room - 1]:
                _enter(best, strength, 1, group, total)
            elif -total > strength[0, room - 1]:
                _enter(best, strength, 0, group, -total)
        figures[row, 0], figures[row, 1] = all_, firm
        for i in range(_merge(best, strength, kept, row)):
            group = kept[row, 0, i]
            column = order[start[group]]
            if of_levels[group]:
                column = _level(X, row, order, start[group], start[group + 1])
            kept[row, 1, i], figures[row, 2 + i] = column, summed[row, group]
            figures[row, 2 + 2 * room + i] = X[row, column] if column >= 0 else 0.0
    return summed, figures, kept


@njit(cache=True, inline="always")
def _level(X: Rows, row: int, order: Longs, first: int, last: int) -> int:
    """The first of the columns order[first:last] that holds 1.0, -1 if none does."""
    found = -1
    for i in range(last - 1, first - 1, -1):
        found = order[i] if X[row, order[i]] == 1.0 else found
    return found


@njit(cache=True, inline="always")
def _enter(best: Longs, strength: Floats, side: int, group: int, force: float) -> None:
    """Puts a group that is stronger than the last one among the strongest of its side, behind its equals; 0.0 is the strength of an empty place."""
    at = best.shape[1] - 1
    while at > 0 and strength[side, at - 1] < force:
        best[side, at], strength[side, at] = best[side, at - 1], strength[side, at - 1]
        at -= 1
    best[side, at], strength[side, at] = group, force


@njit(cache=True, inline="always")
def _merge(best: Longs, strength: Floats, kept: Longs, row: int) -> int:
    """Both sides in one line by strength, of equals the one that comes first; how many there are."""
    room, against, for_ = best.shape[1], 0, 0
    while True:
        a = strength[0, against] if against < room else 0.0
        b = strength[1, for_] if for_ < room else 0.0
        if a == 0.0 and b == 0.0:
            return against + for_
        if b > a or (b == a and best[1, for_] < best[0, against]):
            kept[row, 0, against + for_] = best[1, for_]
            for_ += 1
        else:
            kept[row, 0, against + for_] = best[0, against]
            against += 1


def warm() -> None:
    """Runs each kernel once: microseconds where the cache is warm, seconds where it is not."""
    one, rows, first = np.ones(1), np.ones((1, 2)), np.array([0])
    points = laid_out(rows[:, :1].copy(), rows[:, :1].copy(), 1.0, one, one)
    bend(points, 1, one, one, one)
    judged(np.exp(points), 1, np.array([0, 1]), one)
    effects = stretched(rows, one, points[0, 3:])
    ranked(effects, rows.astype(np.float32), first, np.array([0, 1]), np.array([True]), np.array([True]), 1)


if __name__ == "__main__":
    warm()
