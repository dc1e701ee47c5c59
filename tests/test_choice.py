"""Planted truths: noise gets the base rate, a straight truth a straight model, too little evidence says so; the test period has no say."""

from dataclasses import replace

import numpy as np
import pytest

from training.candidates import SIMPLEST_FIRST, STRENGTHS, TreeSize
from training.choice import MIN_CONVERTED_LEADS, Choice, Sample, choose, fit, simplest_within_noise
from training.splits import Fold, Splits, forward_splits

HORIZON = 20


def planted(rows: int, log_odds, seed: int, columns: int = 8) -> Sample:
    """`rows` landmarks, two a lead, one every tick; outcomes drawn from `log_odds` of standard normal columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)).astype(np.float32)
    y = (rng.random(rows) < 1 / (1 + np.exp(-log_odds(X.astype(np.float64))))).astype(np.int8)
    return Sample(X, y, np.arange(rows) // 2, np.arange(rows, dtype=np.int64))


def noise(X: np.ndarray) -> np.ndarray:
    return np.full(len(X), -1.5)


def straight(X: np.ndarray) -> np.ndarray:
    return -1.0 + X[:, 0] - 0.8 * X[:, 1]


def crossed(X: np.ndarray) -> np.ndarray:
    return -0.5 + 2.5 * np.sign(X[:, 0] * X[:, 1])


def splits_of(sample: Sample) -> Splits:
    return forward_splits(sample.as_of, HORIZON)


def chosen(sample: Sample) -> Choice:
    return choose(sample, splits_of(sample), seed=0)


def test_pure_noise_gets_the_base_rate() -> None:
    found = [chosen(planted(1_500, noise, seed)).candidate for seed in range(20)]
    assert found.count("base_rate") >= 16, found
    assert found.count("lightgbm") <= 1, found


@pytest.mark.parametrize("seed", range(3))
def test_a_straight_truth_gets_trees_only_where_they_are_better_beyond_noise(seed: int) -> None:
    """Told anew: each fold's straight model, its losses against the chosen one's, and what chance could do by resampling leads."""
    sample = planted(900, straight, seed)
    found, folds = chosen(sample), [f for f in splits_of(sample).folds if f.validate.any()]
    line = np.concatenate([fit("logistic", TreeSize(0), sample.where(f.train), 0).raw_score(sample.X[f.validate]) for f in folds])
    y = sample.y[found.asked]
    better = np.logaddexp(0, np.where(y == 1, -line, line)) - np.logaddexp(0, np.where(y == 1, -found.raw, found.raw))
    leads, member = np.unique(sample.lead[found.asked], return_inverse=True)
    rng = np.random.default_rng(0)
    drawn = [np.bincount(rng.integers(0, leads.size, leads.size), minlength=leads.size)[member] for _ in range(300)]
    by_chance = np.std([weight @ better / weight.sum() for weight in drawn])
    assert found.candidate != "base_rate"
    assert found.candidate == "logistic" or better.mean() > 0.9 * by_chance


def test_a_truth_that_no_line_can_hold_gets_trees() -> None:
    found = chosen(planted(4_000, crossed, 0))
    assert found.candidate == "lightgbm"
    assert found.losses["lightgbm"] < found.losses["logistic"] - 0.05
    assert found.size.trees > 0


def test_the_penalty_is_the_one_that_the_future_bears() -> None:
    """Noise bears no effects at all; a straight truth of which much is seen bears them at their full size, and of a hundred columns fewer."""
    assert chosen(planted(900, noise, 0)).size.strength == STRENGTHS[0]
    assert chosen(planted(900, straight, 0)).size.strength == STRENGTHS[-1]
    assert chosen(planted(600, lambda X: 0.3 * straight(X), 0, columns=100)).size.strength < STRENGTHS[-1]


def test_a_simpler_candidate_within_noise_of_the_best_wins() -> None:
    """The best by a hair is not the best: wherever a simpler one was chosen, the reason says within noise of which."""
    found = [chosen(planted(700, straight, seed)) for seed in range(4)]
    for choice in found:
        best = min(choice.losses, key=lambda name: choice.losses[name])
        told = "lowest forward log loss" if best == choice.candidate else f"within noise of {best}"
        assert choice.why.startswith(f"{choice.candidate}: {told}")


@pytest.mark.parametrize(("points", "varied", "expected"), [(0.72, 5.0, "logistic"), (0.51, 0.5, "points")])
def test_who_is_chosen_has_beaten_the_base_rate_and_not_only_come_near_the_best(points: float, varied: float, expected: str) -> None:
    """A points rule whose losses vary much is within its wide noise of the best, whatever it is worth."""
    luck = np.random.default_rng(0).normal(0, 1, 400)
    luck -= luck.mean()
    losses = {"base_rate": np.full(400, 0.7), "points": points + varied * luck}
    losses |= {"logistic": np.full(400, 0.5), "lightgbm": np.full(400, 0.4999) + 0.01 * luck}
    found, why = simplest_within_noise(losses, np.arange(400))
    assert found == expected
    assert "within noise of lightgbm" in why


def with_converted(leads: int) -> Sample:
    """1,000 leads of two rows each; so many of them, all in the earliest rows, converted."""
    sample = planted(2_000, noise, 0)
    y = np.zeros(2_000, np.int8)
    y[: 2 * leads] = 1
    return replace(sample, y=y)


@pytest.mark.parametrize(("leads", "told"), [(MIN_CONVERTED_LEADS - 1, True), (MIN_CONVERTED_LEADS, False)])
def test_too_few_converted_leads_are_no_evidence(leads: int, told: bool) -> None:
    """Rows don't count, leads do: 19 leads with two converted rows each are too few, 20 are enough to compare."""
    sample = with_converted(leads)
    choice = chosen(sample)
    assert choice.why.startswith(f"fewer than {MIN_CONVERTED_LEADS} converted leads") == told
    assert sample.enough != told
    if told:
        assert choice.candidate == "base_rate"
        assert choice.losses == {}


def test_too_few_that_did_not_convert_are_no_evidence_either() -> None:
    sample = with_converted(MIN_CONVERTED_LEADS - 1)
    assert chosen(replace(sample, y=(1 - sample.y).astype(np.int8))).candidate == "base_rate"


def test_landmarks_of_one_instant_leave_nothing_to_choose_on() -> None:
    sample = replace(planted(400, straight, 0), as_of=np.zeros(400, np.int64))
    choice = chosen(sample)
    assert choice.candidate == "base_rate"
    assert choice.asked.size == choice.raw.size == 0


def test_the_test_period_has_no_say() -> None:
    sample = planted(1_200, crossed, 3)
    test = splits_of(sample).test.validate
    changed = replace(sample, y=np.where(test, 1 - sample.y, sample.y).astype(np.int8), X=np.where(test[:, None], np.float32(9), sample.X))
    first, second = chosen(sample), chosen(changed)
    assert (first.candidate, first.size, first.why, first.losses) == (second.candidate, second.size, second.why, second.losses)
    np.testing.assert_array_equal(first.raw, second.raw)
    np.testing.assert_array_equal(first.asked, second.asked)


def test_forward_predictions_are_made_of_the_rows_asked_and_before_their_outcomes_were_known() -> None:
    """What was predicted for a fold is what a model fitted on that fold's past says."""
    sample = planted(900, straight, 1)
    choice, fold = chosen(sample), splits_of(sample).folds[-1]
    rows = np.flatnonzero(fold.validate)
    alone = fit(choice.candidate, choice.size, sample.where(fold.train), seed=0).raw_score(sample.X[rows])
    np.testing.assert_allclose(choice.raw[np.isin(choice.asked, rows)], alone, atol=1e-12)


def test_the_base_rate_gives_half_a_lead_to_each_side() -> None:
    nobody = Sample(np.zeros((99, 1), np.float32), np.zeros(99, np.int8), np.arange(99), np.arange(99))
    for candidate in SIMPLEST_FIRST:
        made = fit(candidate, TreeSize(0), nobody, 0)
        assert made.kind == "base_rate"
        assert made.raw_score(nobody.X)[0] == pytest.approx(np.log(0.5 / 99.5))


def test_a_last_fold_without_rows_is_no_accident() -> None:
    """Where horizons leave nothing to judge in the last fold, what is before must be enough, or the base rate answers."""
    sample = with_converted(MIN_CONVERTED_LEADS)
    few, rows = np.arange(2_000) < 30, np.arange(2_000)
    folds = (Fold(few, (rows >= 30) & (rows < 900)), Fold(rows < 900, np.zeros(2_000, bool)))
    choice = choose(sample, Splits(folds, Fold(rows < 900, rows >= 900), 900), seed=0)
    assert choice.candidate == "base_rate"
    assert choice.asked.size == choice.raw.size == 870
