"""Whether probabilities come true: those that do are left alone as often as the level says, those that don't are found, and how far off is told."""

import numpy as np
import pytest

from training.recalibration import LEAST_EACH, Recalibration, recalibrate


def asked(leads: int, seed: int, shift: float = 0.0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes of leads asked about on 1 to 9 Mondays, all rows of a lead with one luck; what was said; and whose each row is. The truth is
    shift + slope * what was said, in log-odds."""
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), rng.integers(1, 10, leads))
    said = -1.5 + rng.normal(size=leads)[lead] + 0.4 * rng.normal(size=lead.size)
    y = rng.random(leads)[lead] < 1 / (1 + np.exp(-(shift + slope * said)))
    return y.astype(float), 1 / (1 + np.exp(-said)), lead


def judged(leads: int, seed: int, **planted: float) -> Recalibration:
    found = recalibrate(*asked(leads, seed, **planted))
    assert found is not None
    return found


def test_probabilities_that_come_true_are_left_alone() -> None:
    found = [judged(300, seed) for seed in range(150)]
    assert np.mean([one.p < 0.05 for one in found]) < 0.11
    assert np.mean([one.off(0.01) for one in found]) <= 0.02


@pytest.mark.parametrize("planted", [{"shift": 0.7}, {"shift": -0.8}, {"slope": 0.6}])
def test_what_does_not_come_true_is_found_and_measured(planted: dict[str, float]) -> None:
    found = [judged(900, seed, **planted) for seed in range(10)]
    assert all(one.off(0.01) for one in found)
    shift, slope = planted.get("shift", 0.0), planted.get("slope", 1.0)
    assert np.mean([one.intercept for one in found]) == pytest.approx(shift, abs=0.08)
    assert np.mean([one.slope for one in found]) == pytest.approx(slope, abs=0.05)


def test_the_noise_told_is_the_noise_there_is() -> None:
    found = [judged(400, seed) for seed in range(120)]
    for real, told in (
        ([one.intercept for one in found], [one.noise[0] for one in found]),
        ([one.slope for one in found], [one.noise[1] for one in found]),
    ):
        assert np.mean(told) == pytest.approx(np.std(real), rel=0.2)


def test_one_answer_for_all_has_an_intercept_and_no_slope() -> None:
    y, _, lead = asked(500, 0)
    true = recalibrate(y, np.full(y.size, y.mean()), lead)
    wrong = recalibrate(y, np.full(y.size, y.mean() + 0.15), lead)
    assert true is not None
    assert wrong is not None
    assert (true.slope, true.noise[1], true.intercept) == (1.0, 0.0, pytest.approx(0, abs=1e-6))
    assert (true.off(0.01), wrong.off(0.01)) == (False, True)


@pytest.mark.parametrize(("leads", "told"), [(LEAST_EACH - 1, False), (LEAST_EACH, True)])
def test_too_few_leads_of_an_outcome_tell_nothing(leads: int, told: bool) -> None:
    """Ten rows each: it is leads that count."""
    lead = np.repeat(np.arange(200), 10)
    y = (lead < leads).astype(float)
    p = np.random.default_rng(0).uniform(0.05, 0.4, lead.size)
    assert (recalibrate(y, p, lead) is not None) is told
    assert (recalibrate(1 - y, p, lead) is not None) is told


def test_sure_misses_are_judged_and_not_an_error() -> None:
    lead = np.arange(100)
    found = recalibrate((lead % 2).astype(float), (lead % 3 == 0).astype(float), lead)
    assert found is not None
    assert found.off(0.01)
