"""What is said where there is too little to learn from, and what one closed lead may do to everybody's score."""

from dataclasses import replace

import numpy as np
import pytest

from bundles import bundle as small_bundle
from data.contract import DAY, parse_instant
from data.funnel import Funnel
from serving.contract import ScoreRequest
from serving.scorer import Scorer
from training.choice import MIN_CONVERTED_LEADS, Sample, choose, fit
from training.evidence import lacking
from training.splits import forward_splits


def sample_of(converted: int, others: int, days: int = 100) -> Sample:
    """Two landmarks a lead, evenly over so many days."""
    lead = np.repeat(np.arange(converted + others), 2)
    y = (lead < converted).astype(np.int8)
    at = np.linspace(0, days * DAY, lead.size).astype(np.int64)
    return Sample(np.random.default_rng(0).normal(size=(lead.size, 3)).astype(np.float32), y, lead, at)


@pytest.mark.parametrize(
    ("converted", "others", "needed"),
    [(0, 50, (20, 0, None)), (10, 50, (10, 0, 19)), (19, 50, (1, 0, 1)), (30, 5, (0, 15, 55)), (20, 20, (0, 0, None)), (0, 0, (20, 20, None))],
)
def test_what_is_missing_is_counted_and_timed(converted: int, others: int, needed: tuple[int, int, int | None]) -> None:
    told = lacking(sample_of(converted, others), 28, 7)
    assert (told["needed"]["converted"], told["needed"]["others"], told["needed"]["weeks"]) == needed
    assert f"{converted} leads made it within 28 days and {others} did not" in told["absent"]
    assert "7 landmarks are not counted yet, because their 28 days are not over" in told["absent"]
    if needed[2]:
        assert f"about {needed[2]} week{'s' if needed[2] > 1 else ''} at" in told["absent"]


def test_a_file_without_times_can_tell_no_pace() -> None:
    told = lacking(sample_of(10, 50), 0, 0)
    assert told["needed"] == {"converted": 10, "others": 0, "weeks": None}
    assert "within" not in told["absent"]
    assert "Missing: 10 more that make it." in told["absent"]


def little(leads: int, seed: int) -> Sample:
    """One landmark a lead, the first column says a lot."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(leads, 6)).astype(np.float32)
    y = (rng.random(leads) < 1 / (1 + np.exp(1.5 - 1.2 * X[:, 0]))).astype(np.int8)
    return Sample(X, y, np.arange(leads), np.arange(leads, dtype=np.int64))


@pytest.mark.parametrize("seed", range(4))
def test_one_closed_lead_never_makes_a_middling_one_a_sure_one(seed: int) -> None:
    """Whoever is closed next, from the least to the most likely: no lead's chance comes near to 90 % for it, nor does it move far."""
    sample = little(140, seed)
    assert MIN_CONVERTED_LEADS <= sample.y.sum() < 60
    open_ = np.flatnonzero(sample.y == 0)
    before = chances(sample)
    for one in open_[np.linspace(0, open_.size - 1, 4).astype(int)]:
        y = sample.y.copy()
        y[one] = 1
        after = chances(Sample(sample.X, y, sample.lead, sample.as_of))
        middling = before < 0.7
        assert after[middling].max() < 0.9
        assert np.median(np.abs(after - before)) < 0.15


def chances(sample: Sample) -> np.ndarray:
    choice = choose(sample, forward_splits(sample.as_of, 3), 0)
    return 1 / (1 + np.exp(-fit(choice.candidate, choice.size, sample, 0).raw_score(sample.X)))


def test_a_lead_before_a_step_that_could_not_be_learned_is_told_why() -> None:
    whole, why = small_bundle(), "not enough evidence: 3 leads made it"
    stage = whole.path[0]
    without = replace(whole, hops=tuple(hop for hop in whole.hops if hop.stage != stage), about={**whole.about, "absent": {stage: why}})
    request = ScoreRequest.model_validate({"lead": {"created_at": "2026-06-01T00:00:00Z"}})
    told = Scorer.of(without, "1", Funnel()).answer(request, parse_instant("2026-06-30T12:00:00Z"))
    assert (told["stage"], told["transitions"], told["probability"], told["score"]) == (stage, {}, None, None)
    assert told["recommendation"]["action"] == "hold"
    assert any(why in warning for warning in told["warnings"])
    assert not any(why in warning for warning in Scorer.of(whole, "1", Funnel()).answer(request, parse_instant("2026-06-30T12:00:00Z"))["warnings"])
