"""Calibrators keep the order and never overflow; planted miscalibration is undone, a perfect model is left alone."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from registry.calibrator import Calibrator
from training.calibration import KINDS, LEAST_SLOPE, fit, fit_calibrator

SLOPES = st.floats(0.01, 100)
CALIBRATORS = st.builds(Calibrator, kind=st.just("beta"), low=SLOPES, high=SLOPES, shift=st.floats(-20, 20))


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def world(seed: int, leads: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """True log-odds, outcomes, lead and time of three weekly landmarks per lead, which share their luck."""
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), 3)
    truth = np.repeat(rng.normal(-1.5, 1.5, leads), 3) + rng.normal(0, 0.3, 3 * leads)
    y = (rng.random(leads)[lead] < sigmoid(truth)).astype(float)
    return truth, y, lead, rng.integers(0, 1000, leads)[lead] + 7 * np.tile(np.arange(3), leads)


@given(CALIBRATORS, st.lists(st.floats(-50, 50), min_size=2, max_size=20))
def test_calibrated_log_odds_are_finite_and_keep_the_order(calibrator: Calibrator, raw: list[float]) -> None:
    ranked = np.sort(raw)
    logit = calibrator.logit(ranked)
    assert np.isfinite(logit).all()
    gaps = np.diff(ranked)
    assert np.all(np.diff(logit)[gaps > 1e-6] > 0)
    assert np.all(np.diff(logit) >= -1e-9)


@given(CALIBRATORS, st.floats(-20, 20))
def test_it_is_kulls_beta_calibration(calibrator: Calibrator, raw: float) -> None:
    p = 1 / (1 + np.exp(-raw))
    by_hand = calibrator.low * np.log(p) - calibrator.high * np.log1p(-p) + calibrator.shift
    assert calibrator.logit(np.array(raw)) == pytest.approx(by_hand, rel=1e-5, abs=1e-5)


@given(st.lists(st.floats(-1e6, 1e6), max_size=10))
def test_none_changes_no_bit_and_equal_slopes_are_a_line(raw: list[float]) -> None:
    values = np.array(raw)
    assert np.array_equal(Calibrator().logit(values), values)
    line = Calibrator("sigmoid", 0.7, 0.7, -0.3).logit(values)
    np.testing.assert_allclose(line, 0.7 * values - 0.3, rtol=1e-12, atol=1e-12)


@given(CALIBRATORS)
def test_a_document_brings_the_same_calibrator_back(calibrator: Calibrator) -> None:
    assert Calibrator.from_document(json.loads(json.dumps(calibrator.to_document()))) == calibrator


@pytest.mark.parametrize(
    "change",
    [{"kind": "isotonic"}, {"low": 0.0}, {"high": -1.0}, {"shift": float("nan")}, {"high": float("inf")}, {"more": 1}, {"low": "x"}],
)
def test_a_changed_document_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"calibrator|could not convert"):
        Calibrator.from_document({**Calibrator("beta", 1.1, 0.9, 0.1).to_document(), **change})
    with pytest.raises(ValueError, match="must have"):
        Calibrator.from_document({"kind": "none"})


@pytest.mark.parametrize(
    ("planted", "kind"),
    [
        (Calibrator("intercept", 1, 1, 0.7), "intercept"),
        (Calibrator("sigmoid", 0.55, 0.55, -0.3), "sigmoid"),
        (Calibrator("beta", 0.5, 2.5, 0.4), "beta"),
    ],
)
def test_planted_miscalibration_is_recovered(planted: Calibrator, kind: str) -> None:
    """The raw score is such that the planted calibrator makes it true again."""
    truth, y, lead, time = world(1, leads=8000)
    grid = np.linspace(-60, 60, 200_001)
    raw = np.interp(truth, planted.logit(grid), grid)
    found, why, _ = fit_calibrator(raw, y, lead, time)
    assert found.kind == kind
    assert why.startswith(kind)
    assert np.abs(sigmoid(found.logit(raw)) - sigmoid(truth)).mean() < 0.015
    assert np.abs(sigmoid(raw) - sigmoid(truth)).mean() > 0.03


def test_a_perfect_model_is_left_alone() -> None:
    kinds = [fit_calibrator(*world(seed, leads=1000))[0].kind for seed in range(20)]
    assert kinds.count("none") >= 15


def test_too_little_to_tell_is_left_alone() -> None:
    truth, y, lead, time = world(2, leads=15)
    found, why, _ = fit_calibrator(truth + 2, y, lead, time)
    assert found == Calibrator()
    assert "too few" in why
    assert fit_calibrator(*np.zeros((4, 0)))[0] == Calibrator()
    assert fit_calibrator(truth, y, lead, np.zeros_like(time))[0] == Calibrator()


def test_the_order_of_rows_does_not_matter() -> None:
    truth, y, lead, time = world(3, leads=1000)
    order = np.random.default_rng(0).permutation(len(y))
    first, again = (fit_calibrator(*columns)[0] for columns in ((truth - 1, y, lead, time), [c[order] for c in (truth - 1, y, lead, time)]))
    assert first.kind == again.kind != "none"
    assert (first.low, first.high, first.shift) == pytest.approx((again.low, again.high, again.shift), abs=1e-6)


def test_the_sigmoid_is_a_logistic_regression() -> None:
    raw, y, _, _ = world(4)
    oracle = LogisticRegression(C=1.0, tol=1e-10).fit(raw[:, None], y)
    found = fit("sigmoid", raw, y)
    assert (found.low, found.shift) == pytest.approx((oracle.coef_[0, 0], oracle.intercept_[0]), abs=2e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_on_few_rows_the_prior_counts_and_no_values_nearby_are_likelier(kind: str) -> None:
    raw, y = np.array([-3.0, -2.0, -1.0, -1.0, 0.0, 0.5, 1.0, 2.0, 2.5]), np.array([1.0, 0, 0, 1, 1, 1, 1, 1, 0])
    found = fit(kind, raw, y)
    slopes = {"none": [], "intercept": [], "sigmoid": [found.low], "beta": [found.low, found.high]}[kind]

    def cost(*values: float) -> float:
        *given_slopes, shift = values
        low, high = (given_slopes * 2)[:2] if given_slopes else (1.0, 1.0)
        logit = Calibrator("beta", low, high, shift).logit(raw)
        return float(np.sum(np.logaddexp(0, logit) - y * logit) + sum((slope - 1) ** 2 for slope in given_slopes) / 2 + shift**2 / 2)

    least = cost(*slopes, found.shift)
    moved = np.array([*slopes, found.shift])
    steps = [step * unit for unit in np.eye(len(moved)) for step in (-0.02, 0.02)] if kind != "none" else []
    assert all(cost(*(moved + step)) > least for step in steps)
    assert kind == "none" or found.shift != 0


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(st.floats(-50, 50), st.integers(0, 1)), max_size=25))
def test_any_rows_give_a_calibrator(kind: str, rows: list[tuple[float, int]]) -> None:
    """Separable, one-sided, contradicting or no rows: finite values, slopes above 0."""
    raw, y = (np.array(column, dtype=float) for column in zip(*rows, strict=True)) if rows else np.zeros((2, 0))
    found = fit(kind, raw, y)
    assert min(found.low, found.high) >= LEAST_SLOPE
    assert np.isfinite(found.logit(np.array([-50.0, 0.0, 50.0]))).all()
