"""Metrics against sklearn, against slow obvious code, and against what weights mean: rows repeated."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from training.metrics import (
    auc,
    average_precision,
    brier,
    ece,
    ece_of_perfect,
    gain_curve,
    lift_top_decile,
    log_loss,
    reliability,
    row_losses,
)

PROBABILITIES = st.sampled_from([0.0, 0.1, 0.25, 0.25, 0.5, 0.7, 1.0]) | st.floats(0, 1)
ROWS = st.lists(st.tuples(st.integers(0, 1), PROBABILITIES, st.integers(0, 3)), min_size=1, max_size=40)
WEIGHTED = [log_loss, brier, auc, average_precision, ece, lift_top_decile]


def columns(rows: list[tuple[int, float, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, p, w = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return y, p, w


def auc_by_hand(y: np.ndarray, p: np.ndarray) -> float:
    pairs = [(a > b) + (a == b) / 2 for a in p[y == 1] for b in p[y == 0]]
    return float(np.mean(pairs)) if pairs else float("nan")


@given(ROWS)
def test_losses_are_sklearns(rows: list[tuple[int, float, int]]) -> None:
    y, p, _ = columns(rows)
    assert brier(y, p) == pytest.approx(float(np.mean((y - p) ** 2)))
    kept = np.clip(p, 1e-15, 1 - 1e-15)
    assert log_loss(y, p) == pytest.approx(oracle.log_loss(y, kept, labels=[0, 1]), rel=1e-6)
    assert np.all(row_losses(y, p) >= 0)


@given(ROWS)
def test_auc_counts_pairs_and_half_of_ties(rows: list[tuple[int, float, int]]) -> None:
    y, p, _ = columns(rows)
    assert auc(y, p) == pytest.approx(auc_by_hand(y, p), nan_ok=True)


@given(ROWS)
def test_average_precision_is_sklearns(rows: list[tuple[int, float, int]]) -> None:
    y, p, _ = columns(rows)
    if y.sum():
        assert average_precision(y, p) == pytest.approx(float(oracle.average_precision_score(y, p)))
    else:
        assert np.isnan(average_precision(y, p))


@pytest.mark.parametrize("metric", WEIGHTED)
@settings(max_examples=60)
@given(rows=ROWS)
def test_a_weight_is_a_row_repeated(metric: Callable[..., float], rows: list[tuple[int, float, int]]) -> None:
    y, p, w = columns(rows)
    times = w.astype(int)
    assert metric(y, p, w=w) == pytest.approx(metric(np.repeat(y, times), np.repeat(p, times)), nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("metric", WEIGHTED)
@settings(max_examples=60)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(metric: Callable[..., float], rows: list[tuple[int, float, int]], seed: int) -> None:
    y, p, _ = columns(rows)
    order = np.random.default_rng(seed).permutation(len(y))
    assert metric(y[order], p[order]) == pytest.approx(metric(y, p), nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("metric", WEIGHTED)
def test_nothing_and_one_class_give_nan_or_a_number_but_no_error(metric: Callable[..., float]) -> None:
    assert np.isnan(metric(np.array([]), np.array([])))
    lost = metric(np.zeros(3), np.array([0.1, 0.2, 0.2]))
    assert np.isnan(lost) == (metric in (auc, average_precision, lift_top_decile))


def test_a_sure_miss_is_dear_but_finite() -> None:
    assert log_loss(np.array([1.0]), np.array([0.0])) == pytest.approx(-np.log(1e-15))


@given(ROWS, st.integers(1, 12))
def test_bins_keep_ties_together_and_lose_nothing(rows: list[tuple[int, float, int]], bins: int) -> None:
    y, p, _ = columns(rows)
    found = reliability(y, p, bins)
    assert found.rows.sum() == len(y)
    assert found.rows @ found.observed == pytest.approx(y.sum())
    assert found.rows @ found.predicted == pytest.approx(p.sum())
    assert 1 <= len(found.rows) <= min(bins, len(np.unique(p)))
    assert np.all(np.diff(found.predicted) >= 0)


def test_bins_are_of_equal_count_without_ties() -> None:
    p = np.random.default_rng(0).permutation(np.arange(1, 101) / 101)
    assert reliability(np.zeros(100), p, 10).rows.tolist() == [10.0] * 10


def test_ece_of_a_known_case() -> None:
    y, p = np.array([0, 0, 0, 1, 1, 1, 1, 0]), np.array([0.1] * 4 + [0.9] * 4)
    assert ece(y, p, bins=2) == pytest.approx((abs(0.1 - 0.25) + abs(0.9 - 0.75)) / 2)


def test_a_perfect_model_shows_the_ece_of_a_perfect_model() -> None:
    """Of 200 perfect models about 5 % lie above the 95 % quantile, and their mean is the mean."""
    rng = np.random.default_rng(3)
    p = rng.beta(1, 8, 800)
    mean, high = ece_of_perfect(p, np.random.default_rng(4), repeats=400)
    seen = np.array([ece((rng.random(len(p)) < p).astype(float), p) for _ in range(200)])
    assert seen.mean() == pytest.approx(mean, rel=0.06)
    assert 0.01 <= np.mean(seen > high) <= 0.10


def test_landmarks_of_one_lead_make_a_perfect_model_look_worse() -> None:
    rng = np.random.default_rng(5)
    lead = np.repeat(np.arange(200), 5)
    p = np.repeat(rng.beta(1, 8, 200), 5)
    alone, together = (ece_of_perfect(p, np.random.default_rng(6), lead=who)[0] for who in (None, lead))
    seen = [ece(np.repeat(rng.random(200), 5) < p, p) for _ in range(200)]
    assert together > 1.8 * alone
    assert np.mean(seen) == pytest.approx(together, rel=0.08)


def test_ece_of_perfect_of_nothing_is_nan_and_of_certainty_zero() -> None:
    assert np.isnan(ece_of_perfect(np.array([]), np.random.default_rng(0))).all()
    assert ece_of_perfect(np.array([0.0, 1.0, 1.0]), np.random.default_rng(0)) == (0.0, 0.0)


def test_gain_finds_all_in_the_end_and_ties_make_a_straight_line() -> None:
    contacted, found = gain_curve(np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.2, 0.1]))
    assert contacted.tolist() == [0, 0.25, 0.75, 1]
    assert found.tolist() == [0, 0.5, 1, 1]


@given(ROWS)
def test_gain_rises_from_nothing_to_all_and_its_area_is_the_auc(rows: list[tuple[int, float, int]]) -> None:
    y, p, _ = columns(rows)
    contacted, found = gain_curve(y, p)
    if 0 < y.sum() < len(y):
        assert (contacted[0], found[0], contacted[-1], found[-1]) == (0, 0, pytest.approx(1), pytest.approx(1))
        assert np.all(np.diff(contacted) > 0)
        assert np.all(np.diff(found) >= 0)
        rate = y.mean()
        assert np.trapezoid(found, contacted) == pytest.approx(rate / 2 + (1 - rate) * auc(y, p))


def test_lift_of_the_top_tenth() -> None:
    y = np.r_[np.ones(8), np.zeros(2), np.ones(8), np.zeros(82)]
    assert lift_top_decile(y, np.linspace(1, 0, 100)) == pytest.approx(0.8 / 0.16)
    assert lift_top_decile(y, np.full(100, 0.3)) == pytest.approx(1)
