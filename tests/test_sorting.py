"""Sorting by lead against numpy's lexsort, for any rows, on every way through: few rows, blocks, digits, ties, instants that no digits hold."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import sorting, threads
from features.sorting import FEW, sort_by_lead, sort_each, sort_rows

FAR = 2**62
SPANS = (1, 3, 40, 10**6, 2**47, FAR)
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def rows(seed: int, size: int, leads: int, span: int) -> Columns:
    """Some without a lead, some of no kind; the narrower the span, the more ties."""
    draw = np.random.default_rng(seed)
    lead, kind = draw.integers(-1, leads, size), draw.integers(-1, 5, size).astype(np.int16)
    return lead, draw.integers(-span, span, size), kind, draw.integers(-2, 3, size)


def by_numpy(leads: int, lead: np.ndarray, time: np.ndarray, kind: np.ndarray, value: np.ndarray) -> Columns:
    kept = (lead >= 0) & (kind >= 0)
    lead, time, kind, value = lead[kept], time[kept], kind[kept], value[kept]
    order = np.lexsort((value, kind, time, lead))
    return np.searchsorted(lead[order], np.arange(leads + 1)), time[order], kind[order], value[order]


def assert_same(found: Columns, expected: Columns) -> None:
    for column, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(column, wanted)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 3 * FEW), st.integers(1, 2 * FEW), st.sampled_from(SPANS))
def test_few_rows_are_sorted_as_numpy_does(seed: int, size: int, leads: int, span: int) -> None:
    columns = rows(seed, size, leads, span)
    assert_same(sort_by_lead(leads, *columns), by_numpy(leads, *columns))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**9), st.integers(1, 5000), st.integers(1, 3000), st.sampled_from(SPANS), st.sampled_from((1, 100, 1000)), st.integers(1, 3))
def test_blocks_and_threads_change_nothing(
    monkeypatch: pytest.MonkeyPatch, seed: int, size: int, leads: int, span: int, block: int, cores: int
) -> None:
    monkeypatch.setattr(sorting, "BLOCK_ROWS", block)
    monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
    columns = rows(seed, size, leads, span)
    assert_same(sort_rows(leads, *columns), by_numpy(leads, *columns))


@pytest.mark.parametrize("span", SPANS)
def test_one_lead_may_have_most_of_the_rows(span: int) -> None:
    lead, time, kind, value = rows(7, 3 * sorting.BLOCK_ROWS, 500, span)
    lead[::3], lead[1::3] = 499, 499
    assert_same(sort_rows(500, lead, time, kind, value), by_numpy(500, lead, time, kind, value))


def test_the_ends_of_time_are_in_order() -> None:
    ends = np.array([2**63 - 1, 0, -(2**63), -1, 2**63 - 1, -(2**63) + 1])
    time = np.tile(ends, FEW)
    lead, kind, value = np.zeros(time.size, np.int64), np.zeros(time.size, np.int16), np.arange(time.size)
    assert_same(sort_by_lead(1, lead, time, kind, value), by_numpy(1, lead, time, kind, value))


def test_what_nobody_may_write_to_and_what_is_not_in_one_piece_is_sorted_too() -> None:
    columns = rows(3, 2000, 50, 1000)
    expected = by_numpy(50, *(column[::2] for column in columns))
    for column in columns:
        column.flags.writeable = False
    assert_same(sort_rows(50, *(column[::2] for column in columns)), expected)
    assert_same(sort_rows(50, *(column[::2].astype(kind) for column, kind in zip(columns, "iqiq", strict=True))), expected)


def test_nothing_is_sorted_to_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    assert [column.tolist() for column in sort_rows(0, nothing, nothing, nothing.astype(np.int16), nothing)] == [[0], [], [], []]
    many = np.full(2 * sorting.BLOCK_ROWS, -1, np.int64)
    assert sort_rows(0, many, many, many.astype(np.int16), many)[0].tolist() == [0]
    assert sort_rows(2, many, many, many.astype(np.int16), many)[0].tolist() == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.lists(st.integers(0, 150), max_size=4), st.sampled_from(SPANS))
def test_rows_told_lead_by_lead_are_sorted_within_each(seed: int, sizes: list[int], span: int) -> None:
    start = np.cumsum([0, *sizes])
    lead = np.repeat(np.arange(len(sizes)), sizes)
    _, time, kind, value = rows(seed, lead.size, 1, span)
    kind = np.abs(kind)
    found = sort_each(np.stack([time, value, kind], axis=1).astype(np.int64), start)
    assert_same((start, *found), by_numpy(len(sizes), lead, time, kind, value))


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_are_even_and_leave_nothing_out(parts: int) -> None:
    sizes = np.diff(threads.evenly(20, parts))
    assert sizes.sum() == 20
    assert sizes.max() - sizes.min() <= 1


def test_as_many_threads_as_told_or_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.cores() == 3
    for useless in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", useless)
        assert threads.cores() >= 1


@pytest.mark.parametrize("cores", ["1", "2"])
def test_shared_work_is_done_once_and_its_errors_are_told(monkeypatch: pytest.MonkeyPatch, cores: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", cores)
    done: list[tuple[int, int, int]] = []
    threads.share(lambda *part: done.append(part), [0, 2, 2, 5])
    assert sorted(done) == [(0, 0, 2), (2, 2, 5)]
    with pytest.raises(ZeroDivisionError):
        threads.share(lambda part, *_: 1 // part, [0, 1, 2])
