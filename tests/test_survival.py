"""Shares of those who were followed for different times: the estimators beside lifelines', and their intervals beside the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from data.contract import DAY, TICK
from serving.reports.survival import LEAST_FOLLOWED, Curve, difference, incidence, kaplan_meier, wilson

Pairs = Sequence[tuple[int, int]]
"""(days until it happens, days that were watched) of each."""
PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=LEAST_FOLLOWED, max_size=80)


def curve_of(pairs: Pairs) -> Curve:
    takes, watched = (np.array(column, np.int64) * DAY for column in zip(*pairs, strict=True))
    return kaplan_meier(np.minimum(takes, watched), takes <= watched, watched)


def by_lifelines(pairs: Pairs) -> Any:
    takes, watched = (np.array(column) for column in zip(*pairs, strict=True))
    return KaplanMeierFitter(alpha=0.1).fit(np.minimum(takes, watched), takes <= watched)


@settings(max_examples=30, deadline=None)
@given(PAIRS, st.integers(0, 40))
def test_it_is_kaplan_meier_with_the_interval_that_lifelines_computes(pairs: Pairs, day: int) -> None:
    told, fitted = curve_of(pairs).at(day * DAY), by_lifelines(pairs)
    if told is None:
        assert sum(watched >= day for _, watched in pairs) < LEAST_FOLLOWED
        return
    assert told["share"] == pytest.approx(1 - float(fitted.predict(day)), abs=2e-6)
    assert 0 <= told["low"] <= told["share"] <= told["high"] <= 1
    if 0 < told["share"] < 1:
        ends = fitted.confidence_interval_cumulative_density_
        assert (told["low"], told["high"]) == pytest.approx(tuple(ends[ends.index <= day].iloc[-1]), abs=2e-6)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 10**6), st.sampled_from([-1, 0, 1, 2])), min_size=1, max_size=60, unique_by=lambda one: one[0]))
def test_ways_that_compete_share_what_has_ended_as_lifelines_computes_it(stays: Sequence[tuple[int, int]]) -> None:
    duration, cause = (np.array(column, np.int64) for column in zip(*stays, strict=True))
    until = int(np.median(duration))
    found = incidence(duration, cause, 3, until)
    for one in set(cause.tolist()) - {-1}:
        fitted = AalenJohansenFitter(calculate_variance=False).fit(duration, cause + 1, event_of_interest=one + 1)
        told = fitted.cumulative_density_
        assert found[one] == pytest.approx(float(told[told.index <= until].iloc[-1, 0]), abs=1e-9)


def test_ways_that_tie_share_their_risk() -> None:
    """Of four, one goes either way on day 1 and one on day 2; ties are counted at once, where lifelines shuffles them."""
    assert incidence(np.array([1, 1, 2, 3]), np.array([0, 1, 0, -1]), 2, 2).tolist() == [0.5, 0.25]


def test_a_share_is_told_at_its_time_and_up_to_the_last_that_enough_were_watched() -> None:
    curve = curve_of([(10, 20)] * 5 + [(99, 20)] * 5)
    assert [curve.at(at)["share"] for at in (10 * DAY - TICK, 10 * DAY, 20 * DAY) if curve.at(at) is not None] == [0.0, 0.5, 0.5]  # type: ignore[index]
    assert curve.at(20 * DAY + TICK) is None
    assert curve.at(-TICK) is None
    assert curve_of([(10, 20)] * (LEAST_FOLLOWED - 1)).limit == 0


def test_raw_ratios_would_blame_those_who_came_lately() -> None:
    """Everybody takes 30 days; half of them have been watched for 10."""
    curve = curve_of([(30, 10)] * 50 + [(30, 60)] * 25 + [(99, 60)] * 25)
    told = curve.at(30 * DAY)
    assert told is not None
    assert told["share"] == 0.5


def test_nobody_and_everybody_have_an_interval_too() -> None:
    nobody, everybody = curve_of([(99, 40)] * 20).at(40 * DAY), curve_of([(5, 40)] * 20).at(40 * DAY)
    assert nobody == {"share": 0.0, "low": 0.0, "high": round(1 - 0.05 ** (1 / 20), 6)}
    assert everybody == {"share": 1.0, "low": round(0.05 ** (1 / 20), 6), "high": 1.0}


def test_quantiles_are_of_those_who_get_there() -> None:
    curve = curve_of([(day, 50) for day in (1, 2, 3, 4)] + [(99, 50)] * 6)
    assert [curve.quantile(part, 50 * DAY) for part in (0.25, 0.5, 0.75, 1.0)] == [DAY, 2 * DAY, 3 * DAY, 4 * DAY]
    assert curve.quantile(0.5, DAY - TICK) is None


@pytest.mark.parametrize(("n", "rate"), [(40, 0.3), (40, 0.05), (200, 0.6)])
def test_intervals_hold_the_truth_nine_times_in_ten(n: int, rate: float) -> None:
    """Of `n` a share of `rate` get there evenly within 100 days; they were watched for 0 to 200."""
    rng, inside, rounds = np.random.default_rng(1), 0, 400
    for _ in range(rounds):
        takes = np.where(rng.random(n) < rate, rng.integers(0, 100, n), 999)
        told = curve_of(list(zip(takes.tolist(), rng.integers(0, 200, n).tolist(), strict=True))).at(80 * DAY)
        assert told is not None
        inside += told["low"] <= rate * 0.81 <= told["high"]
    assert 0.86 < inside / rounds < 0.975


def test_a_difference_is_in_standard_errors() -> None:
    rng = np.random.default_rng(2)

    def one(rate: float) -> Curve:
        return curve_of([(int(day), 60) for day in np.where(rng.random(200) < rate, rng.integers(1, 40, 200), 999)])

    found = [difference(one(0.3), one(0.3), 50 * DAY) for _ in range(300)]
    assert np.std([z for z in found if z is not None]) == pytest.approx(1.0, abs=0.15)
    assert (difference(one(0.6), one(0.3), 50 * DAY) or 0) > 3
    assert difference(one(0.0), one(0.3), 50 * DAY) is None
    assert difference(one(0.3), one(0.3), 61 * DAY) is None


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilsons_interval_solves_its_equation(part: int, more: int) -> None:
    whole = part + more
    told = wilson(part, whole)
    assert told is not None
    for end in ("low", "high"):
        if 0 < told[end] < 1:
            assert abs(told["share"] - told[end]) == pytest.approx(1.645 * np.sqrt(told[end] * (1 - told[end]) / whole), rel=2e-3, abs=1e-4)
    assert wilson(0, 0) is None
