"""Rows in any order -> rows sorted by (lead, time, kind, value), at a few times the cost of moving them: dealt into blocks of leads that fit a core's
own cache, and there sorted digit by digit. The same answer for any order and any number of threads; time and memory linear in rows."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.threads import PARTS_A_CORE, cores, evenly, share

Ints = NDArray[np.int64]
Codes = NDArray[np.int16]

BLOCK_ROWS = 1 << 15
"""So many rows, of 24 bytes each, are sorted within a core's own cache."""
MOST_BLOCKS = 1 << 10
"""Rows are dealt into as many blocks at least, where there are enough, and into twice as many at most: more streams than that are no longer written
at the speed of memory."""
DIGIT, PASSES = 11, 3
RADIX = 1 << DIGIT
FEW = 200
"""Up to here, comparing rows is faster than counting digits."""
SHORT = 64
"""Up to here, insertion is faster than a heap."""


def sort_rows(leads: int, lead: Ints, time: Ints, kind: Codes, value: Ints) -> tuple[Ints, Ints, Codes, Ints]:
    """Rows in any order -> (start (leads + 1,), time, kind, value), sorted by (lead, time, kind, value); `start` delimits the leads. Rows whose lead
    or kind is negative are left out. In as many threads as there are cores to use; memory: the rows once more while it runs."""
    lead, time, value, kind = plain(lead), plain(time), plain(value), plain(kind, np.int16)
    if lead.size <= BLOCK_ROWS or not leads:
        return sort_by_lead(leads, lead, time, kind, value)  # type: ignore[no-any-return]
    shift = max(0, int(leads - 1).bit_length() - int(min(lead.size // BLOCK_ROWS, MOST_BLOCKS)).bit_length())
    blocks = ((leads - 1) >> shift) + 1
    cuts = evenly(lead.size, cores())
    counts = np.zeros((cuts.size - 1, blocks), np.int64)
    share(lambda part, low, high: _count(lead, kind, low, high, shift, counts[part]), cuts)
    ends = np.cumsum(counts.T.ravel()).reshape(blocks, -1).T  # block by block, and within each thread by thread
    place, begins = np.ascontiguousarray(ends - counts), np.append(0, ends[-1])
    staged = np.empty((int(begins[-1]), 3), np.int64)
    share(lambda part, low, high: _deal(lead, time, kind, value, low, high, shift, place[part], staged), cuts)
    start, columns = (
        np.zeros(leads + 1, np.int64),
        (np.empty(len(staged), np.int64), np.empty(len(staged), np.int16), np.empty(len(staged), np.int64)),
    )
    cuts = np.searchsorted(begins, evenly(len(staged), PARTS_A_CORE * cores()))
    cuts[-1] = blocks
    share(lambda _, low, high: _sort_blocks(staged, begins, low, high, shift, start, *columns), cuts)
    return start, *columns


def plain(column: NDArray[Any], dtype: type = np.int64) -> NDArray[Any]:
    """The column as the kernels are compiled for, and only then a copy: a view of a column that nobody may write to would be compiled for anew."""
    return np.require(column, dtype, ["C", "W"])


@njit(cache=True, nogil=True)
def sort_by_lead(leads, lead, time, kind, value):  # type: ignore[no-untyped-def]
    """`sort_rows` of few rows, in one thread."""
    place = np.zeros(1, np.int64)
    # not plain 0 and 1: numba would compile all that is called once more for these very numbers
    none, one, shift = np.int64(0), np.int64(1), np.int64(63)
    _count(lead, kind, none, lead.size, shift, place)
    rows, begins = np.empty((place[0], 3), np.int64), np.array([0, place[0]])
    place[0] = 0
    _deal(lead, time, kind, value, none, lead.size, shift, place, rows)
    start, times, kinds, values = (
        np.zeros(leads + 1, np.int64),
        np.empty(len(rows), np.int64),
        np.empty(len(rows), np.int16),
        np.empty(len(rows), np.int64),
    )
    if leads:
        _sort_blocks(rows, begins, none, one, shift, start, times, kinds, values)
    return start, times, kinds, values


@njit(cache=True, nogil=True)
def sort_each(rows, start):  # type: ignore[no-untyped-def]
    """The few rows (n, 3) of each lead, (time, value, kind), which `start` (leads + 1,) delimits -> (time, kind, value), sorted within the lead."""
    order, size = np.arange(len(rows)), start[-1]
    for lead in range(start.size - 1):
        _sort_apart(rows, order, start[lead], start[lead + 1])
    time, kind, value = np.empty(size, np.int64), np.empty(size, np.int16), np.empty(size, np.int64)
    for i in range(size):
        time[i], value[i], kind[i] = rows[order[i], 0], rows[order[i], 1], rows[order[i], 2]
    return time, kind, value


@njit(cache=True, nogil=True)
def _count(lead, kind, low, high, shift, counts):  # type: ignore[no-untyped-def]
    """How many rows of [low, high) belong to each block of 2**shift leads."""
    for i in range(low, high):
        if lead[i] >= 0 and kind[i] >= 0:
            counts[lead[i] >> shift] += 1


@njit(cache=True, nogil=True)
def _deal(lead, time, kind, value, low, high, shift, place, staged):  # type: ignore[no-untyped-def]
    """Rows of [low, high) to their blocks, as (time, value, lead and kind)."""
    for i in range(low, high):
        if lead[i] >= 0 and kind[i] >= 0:
            block = lead[i] >> shift
            at = place[block]
            staged[at, 0], staged[at, 1], staged[at, 2] = time[i], value[i], lead[i] << 16 | kind[i]
            place[block] = at + 1


@njit(cache=True, nogil=True)
def _sort_blocks(staged, begins, low, high, shift, start, time, kind, value):  # type: ignore[no-untyped-def]
    """Blocks [low, high) of `staged`, which `begins` (blocks + 1,) delimits, sorted into time, kind and value. `start` (leads + 1,), empty at first,
    gets where each of their leads ends."""
    most = 0
    for block in range(low, high):
        most = max(most, begins[block + 1] - begins[block])
    order, spare, digits = np.empty(most, np.int64), np.empty(most, np.int64), np.empty((PASSES, RADIX), np.int32)
    for block in range(low, high):
        begin, size, first = begins[block], begins[block + 1] - begins[block], block << shift
        rows = staged[begin : begin + size]
        place = start[first + 1 : min(first + (1 << min(shift, 62)), start.size - 1) + 1]
        for i in range(size):
            place[(rows[i, 2] >> 16) - first] += 1
        ended = begin
        for lead in range(place.size):
            ended += place[lead]
            place[lead] = ended
        if size <= FEW:
            for i in range(size):
                order[i] = i
            _sort_apart(rows, order, np.int64(0), size)
        else:
            _sort_block(rows, first, order, spare, digits)
        for i in range(size):
            row = order[i]
            time[begin + i], value[begin + i], kind[begin + i] = rows[row, 0], rows[row, 1], rows[row, 2] & 0xFFFF


@njit(cache=True, nogil=True)
def _sort_block(rows, first, order, spare, digits):  # type: ignore[no-untyped-def]
    """order[:rows] of one block: by lead and by as many leading bits of time as three passes of a radix sort hold; the few rows that are still equal
    one by one."""
    size = len(rows)
    early = late = rows[0, 0]
    most = 0
    for i in range(size):
        early, late, most = min(early, rows[i, 0]), max(late, rows[i, 0]), max(most, (rows[i, 2] >> 16) - first)
    index, lead_bits, time_bits = _bits(size), _bits(most), _bits(late - early) if late - early >= 0 else 64
    dropped = max(0, time_bits - (PASSES * DIGIT - lead_bits))
    digits[:] = 0
    for i in range(size):
        coarse = ((rows[i, 2] >> 16) - first) << (time_bits - dropped) | np.int64((np.uint64(rows[i, 0]) - np.uint64(early)) >> np.uint64(dropped))
        order[i] = coarse << index | i
        for p in range(PASSES):
            digits[p, (coarse >> (p * DIGIT)) & (RADIX - 1)] += 1
    given, made = order, spare
    for p in range(PASSES):
        at = 0
        for digit in range(RADIX):
            at, digits[p, digit] = at + digits[p, digit], at
        for i in range(size):
            digit = (given[i] >> (index + p * DIGIT)) & (RADIX - 1)
            made[digits[p, digit]] = given[i]
            digits[p, digit] += 1
        given, made = made, given
    tied = 0
    for i in range(size):
        if given[i] >> index != given[tied] >> index:
            if i - tied > 1:
                _sort_apart(rows, order, tied, i)
            tied = i
        order[i] = given[i] & ((1 << index) - 1)
    if size - tied > 1:
        _sort_apart(rows, order, tied, size)


@njit(cache=True, nogil=True)
def _bits(number):  # type: ignore[no-untyped-def]
    bits = 0
    while number >> bits:
        bits += 1
    return bits


@njit(cache=True, nogil=True)
def _later(rows, i, j):  # type: ignore[no-untyped-def]
    lead, other = rows[i, 2] >> 16, rows[j, 2] >> 16
    if lead != other:
        return lead > other
    if rows[i, 0] != rows[j, 0]:
        return rows[i, 0] > rows[j, 0]
    if rows[i, 2] != rows[j, 2]:
        return rows[i, 2] > rows[j, 2]
    return rows[i, 1] > rows[j, 1]


@njit(cache=True, nogil=True)
def _sort_apart(rows, order, low, high):  # type: ignore[no-untyped-def]
    """order[low:high] by all that rows are sorted by: by insertion if few or sorted already, by a heap if many."""
    if high - low <= SHORT or _is_sorted(rows, order, low, high):
        for i in range(low + 1, high):
            row, j = order[i], i - 1
            while j >= low and _later(rows, order[j], row):
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = row
        return
    size = high - low
    for root in range(size // 2 - 1, -1, -1):
        _sift(rows, order, low, root, size)
    for end in range(size - 1, 0, -1):
        order[low], order[low + end] = order[low + end], order[low]
        _sift(rows, order, low, np.int64(0), end)


@njit(cache=True, nogil=True)
def _is_sorted(rows, order, low, high):  # type: ignore[no-untyped-def]
    i = low + 1
    while i < high and not _later(rows, order[i - 1], order[i]):
        i += 1
    return i >= high


@njit(cache=True, nogil=True)
def _sift(rows, order, low, root, size):  # type: ignore[no-untyped-def]
    while True:
        child = 2 * root + 1
        if child >= size:
            return
        if child + 1 < size and _later(rows, order[low + child + 1], order[low + child]):
            child += 1
        if not _later(rows, order[low + child], order[low + root]):
            return
        order[low + root], order[low + child] = order[low + child], order[low + root]
        root = child
