"""Cumulative incidence against a slow loop and planted hazards; the default horizon at each of its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import DAY
from training.horizon import CONVERTED, cumulative_incidence, default_horizon

YEAR = 365 * DAY
SPELLS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=30)


def incidence_by_hand(spells: list[tuple[int, int]]) -> list[tuple[int, float]]:
    """One time after the other: those still there, the share of them that converts or leaves."""
    chance, still_there, found = 0.0, 1.0, []
    for time in sorted({duration for duration, _ in spells}):
        at_risk = sum(duration >= time for duration, _ in spells)
        converted = sum(spell == (time, 1) for spell in spells)
        left = sum(spell in ((time, 1), (time, 2)) for spell in spells)
        chance += still_there * converted / at_risk
        still_there *= 1 - left / at_risk
        if converted:
            found.append((time, chance))
    return found


def arrays(spells: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([time for time, _ in spells], np.int64), np.array([cause for _, cause in spells], np.int64)


@given(SPELLS)
def test_incidence_matches_by_hand(spells: list[tuple[int, int]]) -> None:
    times, chance = cumulative_incidence(*arrays(spells))
    by_hand = incidence_by_hand(spells)
    assert times.tolist() == [time for time, _ in by_hand]
    assert chance.tolist() == pytest.approx([value for _, value in by_hand])


@given(SPELLS)
def test_incidence_rises_and_stays_a_chance(spells: list[tuple[int, int]]) -> None:
    _, chance = cumulative_incidence(*arrays(spells))
    assert np.all(np.diff(chance) > 0)
    assert np.all((chance > 0) & (chance <= 1 + 1e-12))


def test_without_censoring_it_is_the_share_converted() -> None:
    spells = [(1, 1), (2, 2), (3, 1), (3, 2), (9, 1)]
    assert cumulative_incidence(*arrays(spells))[1].tolist() == pytest.approx([0.2, 0.4, 0.6])


def test_planted_competing_hazards_are_recovered() -> None:
    """Exponential conversion (rate 1/40 a day) and exit (1/20), half of the spells cut off at random: CIF(t) is known."""
    rng = np.random.default_rng(1)
    convert, leave, cut = rng.exponential(40, 20_000), rng.exponential(20, 20_000), rng.uniform(0, 100, 20_000)
    duration = np.minimum(np.minimum(convert, leave), cut)
    cause = np.select([duration == cut, duration == convert], [0, 1], 2)
    times, chance = cumulative_incidence((duration * DAY).astype(np.int64), cause)
    rate = 1 / 40 + 1 / 20
    truth = (1 / 40) / rate * (1 - np.exp(-rate * times / DAY))
    assert np.abs(chance - truth)[times < 80 * DAY].max() < 0.01
    assert default_horizon((duration * DAY).astype(np.int64), cause, YEAR).days in (28, 35)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, 7), (1, 7), (7 - 1e-9, 7), (7, 7), (7 + 1e-9, 14), (14, 14), (55, 56), (56, 56), (57, 56), (300, 56)],
)
def test_weeks_are_rounded_up_between_seven_days_and_a_sixth_of_the_history(days: float, expected: int) -> None:
    duration = np.full(10, round(days * DAY))
    assert default_horizon(duration, np.full(10, CONVERTED), YEAR).days == expected


@pytest.mark.parametrize(("history", "expected"), [(6 * 56, 56), (6 * 56 - 1, 49), (6 * 14, 14), (6 * 14 - 1, 7), (20, 7), (0, 7)])
def test_one_sixth_of_the_history_is_rounded_down(history: int, expected: int) -> None:
    assert default_horizon(np.array([200 * DAY]), np.array([CONVERTED]), history * DAY).days == expected


def test_nine_of_ten_is_enough_and_eight_is_not() -> None:
    duration = np.array([5 * DAY] * 9 + [40 * DAY])
    assert default_horizon(duration, np.full(10, CONVERTED), YEAR).days == 7
    duration[8] = 12 * DAY
    assert default_horizon(duration, np.full(10, CONVERTED), YEAR).days == 14


@pytest.mark.parametrize(
    ("days", "reason"), [(3, "7 days is the least"), (20, "rounded up"), (90, "one sixth of the 365 days of history is the most (56 days)")]
)
def test_the_reason_says_which_limit_applied(days: int, reason: str) -> None:
    found = default_horizon(np.array([days * DAY]), np.array([CONVERTED]), YEAR)
    assert f"within {days}.0 days" in found.reason
    assert reason in found.reason


def test_nobody_converted() -> None:
    assert default_horizon(np.array([DAY, DAY]), np.array([0, 2]), YEAR) == (7, "Nobody converted, so 7 days, the least.")
    assert default_horizon(np.zeros(0, np.int64), np.zeros(0, np.int64), YEAR).days == 7
