"""One hop from its rows to its model and evaluation, where hardly anything can be learned or measured, and what is said of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data.contract import DAY
from registry.bundle import HopModel
from test_spread import SCHEMA, world
from training.choice import Sample
from training.hop import Task, train_hop
from training.splits import Splits, dealt_splits, forward_splits

LEADS = 300


def daily() -> Sample:
    """One landmark of one lead a day."""
    sample = world(LEADS, 0)
    return replace(sample, as_of=sample.as_of * DAY)


def trained(sample: Sample, splits: Splits, transition: str = "lead->prospect") -> HopModel:
    task = Task("lead", transition, 28, "", splits, sample, np.zeros(sample.y.size), 0, sample.X)
    return train_hop(task, SCHEMA, 0, lambda _: None)[0]


def forward(sample: Sample, days: int) -> Splits:
    return forward_splits(sample.as_of, days * DAY)


def in_bounds(hop: HopModel, sample: Sample) -> None:
    low, high = hop.interval(sample.X, hop.model.raw_score(sample.X))
    said = hop.probability(sample.X)
    assert np.all((low > 0) & (low <= said) & (said <= high) & (high < 1))


@pytest.mark.parametrize("days", [250, 10_000])
def test_a_horizon_that_leaves_nothing_before_the_test_gets_the_base_rate_and_no_check_of_its_intervals(days: int) -> None:
    sample = daily()
    hop = trained(sample, forward(sample, days))
    told: Mapping[str, Any] = hop.evaluation
    assert (told["candidate"], told["landmarks"]["train"]) == ("base_rate", 0)
    assert "interval_check" not in told
    in_bounds(hop, sample)


def test_all_landmarks_of_one_instant_are_no_accident() -> None:
    sample = replace(daily(), as_of=np.zeros(LEADS, np.int64))
    in_bounds(trained(sample, forward(sample, 28)), sample)


@pytest.mark.parametrize("converted", [slice(0, 100), slice(240, 300)])
def test_a_test_of_one_outcome_only_is_measured_as_far_as_it_goes(converted: slice) -> None:
    sample, y = daily(), np.zeros(LEADS, np.int8)
    y[converted] = 1
    sample = replace(sample, y=y)
    hop = trained(sample, forward(sample, 5))
    assert np.isnan(hop.evaluation["test"]["auc"])
    assert hop.evaluation["test"]["base_rate"] == float(y[240])
    in_bounds(hop, sample)


def test_intervals_are_checked_on_the_test_by_what_was_known_before_it() -> None:
    """Outcomes of the test can turn what is observed, never the intervals."""
    sample = daily()
    splits = forward(sample, 5)
    first = trained(sample, splits).evaluation["interval_check"]
    turned = replace(sample, y=np.where(splits.test.validate, 1 - sample.y, sample.y).astype(np.int8))
    second = trained(turned, splits).evaluation["interval_check"]
    assert [row["low"] for row in first["tenths"]] == [row["low"] for row in second["tenths"]]
    assert first["mean_width"] == second["mean_width"]
    assert first["inside_with_luck"] > second["inside_with_luck"]


def test_the_random_split_is_told_for_what_it_is() -> None:
    """Where the order is time it hides that; where there is none the test is as random."""
    sample = daily()
    assert "no time between" in trained(sample, forward(sample, 5)).evaluation["random_split"]["warning"]
    flat = trained(sample, dealt_splits(sample.y, sample.lead, 0), "outcome").evaluation["random_split"]["warning"]
    assert "time" not in flat
    assert "one lead or group" in flat
