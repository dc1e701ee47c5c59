"""What K calls a day bring: against a slow replay, one lead at a time, and against what chance must give."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import DAY
from training.capacity import CALLS_A_DAY, SHARES, called, capacity, row, weeks

MONDAY = 4 * DAY + 2_600 * 7 * DAY
TICK = 1


def called_by_hand(p: np.ndarray, lead: np.ndarray, period: np.ndarray, calls: int) -> np.ndarray:
    """Week by week, the likeliest first, nobody twice."""
    done: set[int] = set()
    out = np.zeros(p.size)
    for week in sorted(set(period.tolist())):
        there = [i for i in np.flatnonzero(period == week) if lead[i] not in done]
        for i in sorted(there, key=lambda i: -p[i])[:calls]:
            out[i] = 1
            done.add(lead[i])
    return out


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Probabilities that differ, leads, weeks (a lead at most once in each), calls a week."""
    places = draw(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), min_size=1, max_size=30, unique=True))
    p = draw(st.permutations(range(len(places))))
    lead, period = (np.array(part) for part in zip(*places, strict=True))
    return np.array(p) / len(places), lead, period, draw(st.integers(1, 6))


@given(pools())
def test_called_matches_a_slow_replay(pool: tuple[np.ndarray, np.ndarray, np.ndarray, int]) -> None:
    p, lead, period, calls = pool
    assert np.allclose(called(p, lead, period, calls, np.ones((p.size, 1)))[:, 0], called_by_hand(p, lead, period, calls))


@given(pools(), st.integers(0, 100))
def test_a_lead_drawn_twice_is_two_leads(pool: tuple[np.ndarray, np.ndarray, np.ndarray, int], seed: int) -> None:
    p, lead, period, calls = pool
    times = np.random.default_rng(seed).integers(0, 3, 9)
    rows = np.concatenate([np.flatnonzero(times[lead] > n) for n in range(2)]).astype(np.int64)
    twin = np.concatenate([lead[times[lead] > n] + 100 * n for n in range(2)]).astype(np.int64)
    weighted = called(p, lead, period, calls, times[lead][:, None].astype(float))[:, 0]
    if rows.size:
        literal = called(p[rows], twin, period[rows], calls, np.ones((rows.size, 1)))[:, 0]
        assert np.allclose(weighted, np.bincount(rows, literal, p.size))
    assert weighted.sum() == pytest.approx(literal.sum() if rows.size else 0)


@given(pools(), st.integers(0, 3))
def test_nobody_is_called_twice_and_no_week_holds_more_than_its_calls(pool: tuple[np.ndarray, np.ndarray, np.ndarray, int], kinds: int) -> None:
    p, lead, period, calls = pool
    alike = np.floor(p * kinds)
    made = called(alike, lead, period, calls, np.ones((p.size, 1)))[:, 0]
    assert np.bincount(lead, made).max() <= 1 + 1e-9
    assert np.bincount(period, made).max() <= calls + 1e-9


def test_rows_alike_get_the_mean_of_any_order() -> None:
    rng = np.random.default_rng(0)
    lead, period = np.repeat(np.arange(60), 3), np.tile(np.arange(3), 60)
    p, y = np.round(rng.random(60)[lead], 1), (rng.random(180) < 0.3).astype(float)
    shared = called(p, lead, period, 7, np.ones((180, 1)))[:, 0]
    broken = [called_by_hand(p + rng.random(180) * 1e-6, lead, period, 7) @ y for _ in range(2_000)]
    assert shared @ y == pytest.approx(np.mean(broken), abs=3 * np.std(broken) / np.sqrt(2_000) + 0.02)


def test_a_landmark_stands_on_a_monday_or_between_two() -> None:
    as_of = np.array([MONDAY, MONDAY + TICK, MONDAY - TICK, MONDAY + 7 * DAY, MONDAY + 14 * DAY])
    assert weeks(as_of).tolist() == [0, -1, -1, 1, 2]
    assert weeks(as_of[1:3]).tolist() == [-1, -1]


def pool_of(leads: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes true to their chances, chances, leads, and four Mondays on which all are there."""
    rng = np.random.default_rng(seed)
    lead, as_of = np.repeat(np.arange(leads), 4), MONDAY + np.tile(np.arange(4), leads) * 7 * DAY
    p = rng.beta(1, 4, leads)[lead]
    return (rng.random(leads)[lead] < p).astype(float), p, lead, as_of


def test_enough_calls_reach_everyone_whatever_the_order() -> None:
    y, p, lead, as_of = pool_of(40)
    told = row(y, {"model": p, "points": 1 - p}, lead, as_of, 8, 0)
    assert told is not None
    first = as_of == MONDAY
    assert told["days"] == 20
    assert told["calls"] * 20 == pytest.approx(40)
    assert told["converted"] * 20 == pytest.approx(y[first].sum())
    assert told["converted"] == pytest.approx(told["points"]["converted"]) == pytest.approx(told["random"]["converted"])
    assert told["expected"] * 20 == pytest.approx(p[first].sum())


def test_few_calls_find_the_likeliest_and_chance_finds_the_base_rate() -> None:
    y, p, lead, as_of = pool_of(400)
    told = row(y, {"model": p, "points": np.round(p, 1)}, lead, as_of, 2, 0)
    assert told is not None
    best = np.sort(p[as_of == MONDAY])[::-1][:40]
    assert told["expected"] * 20 == pytest.approx(best.sum())
    assert told["random"]["converted"] == pytest.approx(2 * y.mean(), rel=1e-6)
    assert told["converted"] > told["random"]["high"]
    assert all(part["low"] <= part["converted"] <= part["high"] for part in (told, told["points"], told["random"]))


def test_the_choices_are_fewer_calls_than_there_are_leads() -> None:
    y, p, lead, as_of = pool_of(400)
    told = [found["calls_per_day"] for found in capacity(y, {"model": p}, lead, as_of, 28, 0)]
    assert told == [1, 2, 5, 10]
    assert set(told) <= set(CALLS_A_DAY)
    assert all(a < b for a, b in pairwise(told))


def test_without_a_monday_nothing_is_told() -> None:
    y, p, lead, as_of = pool_of(10)
    assert capacity(y, {"model": p}, lead, as_of + DAY, 28, 0) == []
    assert row(y, {"model": p}, lead, as_of + DAY, 3, 0) is None


def test_a_file_without_times_is_called_once() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(200)
    y = (rng.random(200) < p).astype(float)
    told = capacity(y, {"model": p, "points": np.round(p)}, np.arange(200), np.zeros(200, np.int64), 0, 0)
    assert [found["share"] for found in told] == list(SHARES)
    for found, share in zip(told, SHARES, strict=True):
        likeliest = np.argsort(-p)[: round(share * 200)]
        assert found["converted"] == pytest.approx(y[likeliest].sum())
        assert found["calls"] == len(likeliest)
        assert found["random"]["converted"] == pytest.approx(share * y.sum())


@pytest.mark.slow
def test_intervals_hold_what_another_sample_of_leads_finds() -> None:
    """90 % intervals of the converted among the called, over worlds that differ by chance alone, hold the worlds' mean in about 90 %."""
    worlds = [row(y, {"model": p}, lead, as_of, 3, seed) for seed in range(60) for y, p, lead, as_of in [pool_of(150, seed)]]
    found = [world for world in worlds if world is not None]
    truth = np.mean([world["converted"] for world in found])
    assert 0.78 <= np.mean([world["low"] <= truth <= world["high"] for world in found]) <= 0.99
