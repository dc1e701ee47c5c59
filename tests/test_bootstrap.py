"""The bootstrap resamples leads: intervals cover, and do not shrink when rows of the same leads are added."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.bootstrap import difference_noise, interval, lead_bootstrap
from training.metrics import auc, brier

LEADS = st.lists(st.integers(-5, 12), min_size=1, max_size=40)


def noise_by_hand(difference: np.ndarray, lead: np.ndarray) -> float:
    mean, names = difference.mean(), np.unique(lead)
    squares = [sum(d - mean for d, who in zip(difference, lead, strict=True) if who == name) ** 2 for name in names]
    return float(np.sqrt(len(names) / (len(names) - 1) * sum(squares)) / len(difference))


@given(LEADS, st.integers(0, 1000))
def test_rows_of_a_lead_come_together_and_as_many_leads_as_there_are(lead: list[int], seed: int) -> None:
    names, first = np.unique(lead, return_index=True)
    for weights in lead_bootstrap(np.array(lead), 5, seed):
        assert weights.shape == (len(lead),)
        assert all(len(set(weights[np.array(lead) == name])) == 1 for name in names)
        assert weights[first].sum() == len(names)


def test_the_same_seed_draws_the_same_leads() -> None:
    lead = np.array([3, 3, 1, 7, 9])
    first, again, other = (np.array(list(lead_bootstrap(lead, 4, seed))) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def share(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> float:
    return float(w @ y / w.sum())


def test_intervals_cover_the_truth_at_about_their_level() -> None:
    """The mean outcome of leads with five rows that share it; rows alone would cover far less than 90 %."""
    covered, rows_alone = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        lead = np.repeat(np.arange(120), 5)
        y = (rng.random(120) < 0.3).astype(float)[lead]
        for who, found in ((lead, covered), (np.arange(len(lead)), rows_alone)):
            low, high = interval(share, y, np.zeros_like(y), who, repeats=120, seed=seed)
            found.append(low <= 0.3 <= high)
    assert 0.83 <= np.mean(covered) <= 0.96
    assert np.mean(rows_alone) < 0.7


def test_an_interval_holds_its_metric_and_widens_with_its_level() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(300)
    y, lead = (rng.random(300) < p).astype(float), rng.integers(0, 100, 300)
    low, high = interval(auc, y, p, lead)
    wide_low, wide_high = interval(auc, y, p, lead, level=0.99)
    assert wide_low < low < auc(y, p) < high < wide_high
    assert interval(auc, y, p, lead) == (low, high)
    order = rng.permutation(300)
    assert interval(auc, y[order], p[order], lead[order]) == pytest.approx((low, high), abs=1e-12)


def test_an_interval_of_a_metric_without_a_value_is_nan() -> None:
    assert np.isnan(interval(auc, np.zeros(5), np.linspace(0, 1, 5), np.arange(5))).all()
    assert np.isnan(interval(brier, np.zeros(0), np.zeros(0), np.zeros(0, int))).all()


@given(LEADS, st.integers(0, 1000))
def test_noise_matches_by_hand(lead: list[int], seed: int) -> None:
    a, b = np.random.default_rng(seed).random((2, len(lead)))
    mean, error = difference_noise(a, b, np.array(lead))
    assert mean == pytest.approx((a - b).mean())
    assert error == (pytest.approx(noise_by_hand(a - b, np.array(lead))) if len(set(lead)) > 1 else np.inf)


def test_noise_is_that_of_a_lead_bootstrap_and_repeated_rows_tell_nothing_new() -> None:
    rng = np.random.default_rng(4)
    lead = np.repeat(np.arange(400), rng.integers(1, 6, 400))
    a = rng.normal(0.1, 1, 400)[lead] + rng.normal(0, 0.3, len(lead))
    _, error = difference_noise(a, np.zeros(len(a)), lead)
    means = [weights @ a / weights.sum() for weights in lead_bootstrap(lead, 400, 5)]
    assert np.std(means) == pytest.approx(error, rel=0.1)
    _, repeated = difference_noise(np.repeat(a, 3), np.zeros(3 * len(a)), np.repeat(lead, 3))
    assert repeated == pytest.approx(error)


def test_noise_of_nothing_says_that_nothing_can_be_told() -> None:
    mean, error = difference_noise(np.zeros(0), np.zeros(0), np.zeros(0, int))
    assert np.isnan(mean)
    assert error == np.inf
