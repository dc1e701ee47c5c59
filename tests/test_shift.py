"""Prior shift: planted drifts are found and told, stationary worlds are left in peace; a correction is kept only if it holds period after period."""

from dataclasses import replace

import numpy as np
import pytest

from data.contract import DAY, parse_instant
from training.calibration import PERIODS, fit, fit_calibrator, fit_within, losses, periods_of
from training.choice import Sample
from training.shift import UNTIMED, PriorShift, prior_shift

START = parse_instant("2025-01-01T00:00:00Z")


def sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def world(seed: int, level, leads: int = 4_000) -> tuple[Sample, np.ndarray]:
    """One landmark a lead over a year; raw log-odds of a model that does not know of `level`, which is added at each share of the year."""
    rng = np.random.default_rng(seed)
    share = np.sort(rng.random(leads))
    raw = rng.normal(-2, 1, leads)
    y = (rng.random(leads) < sigmoid(raw + level(share))).astype(np.int8)
    as_of = START + (share * 364).astype(np.int64) * DAY
    return Sample(np.zeros((leads, 1), np.float32), y, np.arange(leads), as_of), raw


def judged(sample: Sample, raw: np.ndarray) -> tuple[str, str, PriorShift]:
    found = fit_calibrator(raw, sample.y.astype(float), sample.lead, sample.as_of)
    return found.calibrator.kind, found.why, prior_shift(sample, np.arange(raw.size), found.ahead)


def to_and_fro(share: np.ndarray) -> np.ndarray:
    return 1.2 * np.where((share * PERIODS).astype(int) % 2 == 0, 1, -1)


def test_a_level_that_comes_and_goes_is_told_and_not_corrected() -> None:
    """What one period teaches is wrong in the next."""
    kinds, drifts = [], []
    for seed in range(5):
        kind, _, shift = judged(*world(seed, to_and_fro))
        kinds.append(kind)
        drifts.append(shift.drift)
        assert shift.moved
        said = " ".join(shift.notes(kind))
        assert "moves with time" in said
        assert "missed its level" in said
        assert kind != "none" or "none is applied" in said
    assert kinds.count("none") >= 4, kinds
    assert all(0.7 < drift < 1.7 for drift in drifts), drifts


def test_what_helps_in_one_period_and_harms_in_another_is_no_correction() -> None:
    """On average the level learned from the first half helps, and leads are many enough to be sure of that; but it is one period that it helps."""
    offs = np.array([0.6, 0.6, 0.6, 1.8, -0.2, 0.4])
    sample, raw = world(0, lambda share: offs[np.minimum((share * PERIODS).astype(int), PERIODS - 1)], 30_000)
    kept = fit_calibrator(raw, sample.y.astype(float), sample.lead, sample.as_of)
    first = kept.why.split("intercept against none: later log loss lower by ")[1]
    mean, error = float(first.split()[0]), float(first.split("standard error ")[1].split(")")[0])
    ahead = periods_of(sample.as_of, PERIODS) >= PERIODS // 2
    shifted = fit("intercept", raw[~ahead], sample.y[~ahead].astype(float)).logit(raw)
    gain = losses(raw, sample.y)[ahead] - losses(shifted, sample.y)[ahead]
    by_lead = gain.std() / np.sqrt(gain.size)
    assert gain.mean() > 5 * by_lead
    assert 0 < mean < error
    assert error > 5 * by_lead
    assert not kept.why.startswith("intercept:")


def test_a_level_that_stays_off_is_corrected_and_leaves_no_drift() -> None:
    kind, why, shift = judged(*world(1, lambda share: np.full(share.size, 0.9)))
    assert kind == "intercept"
    assert "later log loss lower" in why
    assert shift.drift == 0.0
    assert not shift.moved
    assert shift.notes(kind) == []


def test_a_level_that_moves_once_is_learned_from_the_last_period() -> None:
    """The newest predictions are worth more than all: after a step up, the mean of the past is half wrong."""
    found = fit_calibrator(*(lambda s, raw: (raw, s.y.astype(float), s.lead, s.as_of))(*world(2, lambda share: 1.5 * (share > 0.55), 12_000)))
    assert found.calibrator.kind == "intercept"
    assert found.why.startswith("intercept of the last period")
    assert found.calibrator.shift == pytest.approx(1.5, abs=0.25)


def test_slopes_compare_leads_and_not_periods() -> None:
    """The model orders each period's leads rightly and its levels the wrong way round: a slope through all of them would be far too flat."""
    rng = np.random.default_rng(5)
    period = np.repeat(np.arange(5), 2_000)
    within = rng.normal(0, 1, period.size)
    y = (rng.random(period.size) < sigmoid(within - 1 + 0.8 * (period - 2))).astype(float)
    raw = within - 1 - 0.8 * (period - 2)
    assert fit("sigmoid", raw, y).low < 0.3
    assert fit_within("sigmoid", raw, y, period).low == pytest.approx(1.0, abs=0.1)
    alone = fit_within("beta", raw[:2_000], y[:2_000], period[:2_000])
    assert (alone.low, alone.high) == pytest.approx((fit("beta", raw[:2_000], y[:2_000]).low, fit("beta", raw[:2_000], y[:2_000]).high), abs=0.05)


def test_stationary_worlds_are_left_in_peace() -> None:
    shifts = [judged(*world(seed, np.zeros_like, 1_500))[2] for seed in range(40)]
    assert sum(shift.drift > 0 for shift in shifts) <= 1
    assert sum(shift.moved for shift in shifts) <= 1


def test_rows_of_one_lead_are_no_evidence_of_their_own() -> None:
    """Each lead told twenty times over: the noise is that of the leads, and so is the verdict."""
    sample, raw = world(3, np.zeros_like, 400)
    many = np.repeat(np.arange(400), 20)
    again = Sample(sample.X[many], sample.y[many], sample.lead[many], sample.as_of[many])
    once, often = judged(sample, raw)[2], judged(again, raw[many])[2]
    assert often.drift == once.drift == 0.0
    assert not often.moved
    assert often.rates[0].noise == pytest.approx(once.rates[0].noise, rel=0.3)


def test_periods_hold_whole_instants_from_first_to_last() -> None:
    time = np.array([5, 1, 1, 1, 9, 7, 1, 8], np.int64)
    period = periods_of(time, 4)
    assert period.min() >= 0
    assert period.max() == 3
    assert len(set(period[time == 1])) == 1
    assert np.all(np.diff(period[np.argsort(time, kind="stable")]) >= 0)
    assert periods_of(time[:0], 4).size == 0


def test_a_file_without_times_says_nothing_and_one_in_order_speaks_of_rows() -> None:
    assert UNTIMED.notes("none") == []
    assert UNTIMED.document() == {"rates": [], "forward": [], "drift": 0.0, "moved": False}
    sample, raw = world(0, to_and_fro)
    ordered = replace(sample, as_of=np.arange(sample.y.size, dtype=np.int64))
    assert "rows 1 to" in judged(ordered, raw)[2].rates[0].when
    assert judged(sample, raw)[2].rates[0].when.startswith("2025-01-01 to 2025-02-")


def test_one_lead_from_long_ago_does_not_turn_days_into_rows() -> None:
    sample, raw = world(0, np.zeros_like, 400)
    old = replace(sample, as_of=np.where(np.arange(400) == 0, 0, sample.as_of))
    assert judged(old, raw)[2].rates[0].when.startswith("1970-01-01 to 2025-")


def test_the_later_periods_alone_are_foretold_by_what_was_before_them() -> None:
    """Outcomes of the last period can't move what is said of it."""
    sample, raw = world(4, to_and_fro)
    y = sample.y.astype(float)
    last = periods_of(sample.as_of, PERIODS) == PERIODS - 1
    first = fit_calibrator(raw, y, sample.lead, sample.as_of)
    again = fit_calibrator(raw, np.where(last, 1 - y, y), sample.lead, sample.as_of)
    if first.why.split(":")[0] == again.why.split(":")[0]:
        np.testing.assert_array_equal(first.ahead.logit, again.ahead.logit)
    assert set(first.ahead.rows) == set(np.flatnonzero(periods_of(sample.as_of, PERIODS) >= PERIODS // 2))
