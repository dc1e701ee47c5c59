"""What the recommendation earns on a world whose true chances are known, with the capacity of everybody else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bench_policy import STAGES, Monday, earned, horizons_of, monday_of, policy_of, true_worth
from data.sample import simulate
from data.sample.parameters import END
from serving.scorer import Scorer
from worlds import World

LEADS, SEED = 1_200, 3
"""Those of the fixture `sample`."""


@pytest.fixture(scope="module")
def worth(sample: World) -> dict[int, float]:
    return dict(true_worth(simulate(LEADS, SEED), END, horizons_of(sample.bundle)))


@pytest.mark.parametrize("calls", [2, 4])
def test_it_earns_more_than_the_highest_score_the_newest_and_anybody(sample: World, worth: dict[int, float], calls: int) -> None:
    monday = monday_of(Scorer.of(sample.bundle, "1", policy_of(calls)), sample.cohort, worth, END)
    found = {rule: earned([monday], rule, 5 * calls) for rule in ("recommendation", "highest score", "newest", "anybody")}
    assert found["recommendation"] > max(found["highest score"], found["newest"], found["anybody"]), found


def test_about_a_weeks_capacity_is_to_be_worked_and_no_more_than_pays(sample: World, worth: dict[int, float]) -> None:
    """The bar comes from the weeks before: it leaves about as many to call as the team can, where a contact pays for so many."""
    few, many = (monday_of(Scorer.of(sample.bundle, "1", policy_of(calls)), sample.cohort, worth, END) for calls in (3, 1_000))
    assert 15 / 2 <= few.called.sum() <= 15 * 2
    assert few.called.sum() < many.called.sum() < many.lead.size, "with time for all, whoever is not worth the cost is still not called"
    assert not (few.called & ~many.called).any()


def test_every_open_lead_gets_exactly_one_answer(sample: World, worth: dict[int, float]) -> None:
    monday = monday_of(Scorer.of(sample.bundle, "1", policy_of(2)), sample.cohort, worth, END)
    codes = [sample.bundle.schema.stage_code(stage) for stage in STAGES]
    standing = sample.cohort.timeline.standing(monday.lead, np.full(monday.lead.size, END, np.int64))[0]
    assert set(standing.tolist()) == set(codes)
    assert len(set(monday.lead.tolist())) == monday.lead.size == len(worth)


def one_by_one(monday: Monday, calls: int, draws: int = 400) -> float:
    """Calls in order, those alike in a random one, many times."""
    rng, total = np.random.default_rng(0), 0.0
    for _ in range(draws):
        order = np.lexsort((rng.random(monday.lead.size), -monday.order["newest"]))
        total += float(monday.earns[order[:calls]].sum())
    return total / draws


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(-10, 100)), min_size=1, max_size=8), st.integers(1, 8))
def test_earnings_by_hand(leads: list[tuple[int, float]], calls: int) -> None:
    value, earns = np.array([float(v) for v, _ in leads]), np.array([e for _, e in leads])
    monday = Monday(np.arange(len(leads)), earns, np.ones(len(leads), bool), {"newest": value})
    assert earned([monday], "newest", calls) == pytest.approx(one_by_one(monday, calls), abs=0.15 * np.abs(earns).max() * np.sqrt(calls) + 1e-9)


def test_nobody_is_called_twice() -> None:
    monday = Monday(np.arange(3), np.array([5.0, 3.0, 1.0]), np.ones(3, bool), {"newest": np.array([3.0, 2.0, 1.0])})
    assert [earned([monday] * weeks, "newest", 1) * weeks for weeks in (1, 2, 3, 4)] == [5.0, 8.0, 9.0, 9.0]


def test_the_recommendation_calls_only_whom_it_says() -> None:
    order = {"recommendation": np.array([3.0, 2.0, 1.0])}
    monday = Monday(np.arange(3), np.array([5.0, 3.0, 1.0]), np.array([False, True, False]), order)
    assert earned([monday], "recommendation", 3) == 3.0
