"""Drift: an alarm where the population moved, none where it did not, as often as the level says; the rows of a lead count once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2_contingency

from bundles import SCHEMA, hop, linear
from data.contract import DataError
from data.funnel import Drift, Funnel
from training.drift import LEAST_LEADS, Spread, chance, input_shifts, psi, reference, score_shifts, shifts, spread_of
from training.populations import weights_of

LIMITS = Drift()
NAMES = [column.name for column in SCHEMA.columns]
VIEWS, IT = NAMES.index("pricing_page_view_count_7d"), NAMES.index("industry=it")


def people(leads: int, seed: int, mean: float = 0.0, alike: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Values (n, 1) of leads that are seen on 1 to 13 Mondays each, the rows of a lead alike; and whose each row is."""
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), rng.integers(1, 14, leads))
    own = rng.normal(size=leads)[lead]
    return (mean + np.sqrt(alike) * own + np.sqrt(1 - alike) * rng.normal(size=lead.size))[:, None], lead


def pair(leads: tuple[int, int], seed: int, mean: float = 0.0, as_counts: bool = False) -> tuple[Spread, Spread]:
    (a, lead_a), (b, lead_b) = people(leads[0], 2 * seed), people(leads[1], 2 * seed + 1, mean)
    if as_counts:
        a, b = (np.floor(np.exp(values) - 0.5).clip(0) for values in (a, b))
    before = spread_of(a, lead_a)
    return before, before.of(b, lead_b)


@pytest.mark.parametrize("as_counts", [False, True])
def test_no_drift_is_called_drift_as_often_as_the_level_says(as_counts: bool) -> None:
    """Rows of a lead are as alike as they get: taken for independent, one in two would be called drift."""
    p = np.array([chance(*pair((300, 120), seed, as_counts=as_counts)) for seed in range(400)])
    assert 0.02 < (p < 0.05).mean() < 0.085
    assert (p < 0.01).mean() < 0.03


def test_a_small_sample_has_a_large_index_and_no_alarm() -> None:
    pairs = [pair((60, 60), seed) for seed in range(100)]
    assert np.mean([psi(*one) > LIMITS.psi_warn for one in pairs]) > 0.3, "so the index alone would be a false alarm every third time"
    assert np.mean([shifts([("x", *one)], LIMITS)[0].state != "same" for one in pairs]) <= 0.04


@pytest.mark.parametrize(("mean", "state"), [(0.0, "same"), (0.4, "watch"), (0.8, "drifted")])
def test_a_shift_is_found_and_told_by_its_size(mean: float, state: str) -> None:
    found = [shifts([("x", *pair((2_500, 2_000), seed, mean))], LIMITS)[0] for seed in range(8)]
    assert [shift.state for shift in found] == [state] * 8


def test_of_many_inputs_that_did_not_move_none_is_called() -> None:
    """A hundred inputs, twenty times: at one in a hundred each, two thirds of the times something would be."""
    found = [shifts([(str(i), *pair((300, 80), 100 * round_ + i)) for i in range(100)], Drift(psi_warn=1e-6)) for round_ in range(6)]
    assert sum(any(shift.state != "same" for shift in one) for one in found) <= 1


def test_leads_are_told_apart_only_from_the_least_on() -> None:
    states = [shifts([("x", *pair((leads, 900), 0, 2.0))], LIMITS)[0].state for leads in (LEAST_LEADS - 1, LEAST_LEADS)]
    assert states == ["unknown", "drifted"]


def test_one_row_a_lead_is_the_test_that_everybody_knows() -> None:
    rng = np.random.default_rng(0)
    levels = np.eye(3)[rng.integers(0, 3, 400)], np.eye(3)[rng.choice(3, 300, p=[0.5, 0.3, 0.2])]
    before = spread_of(levels[0], np.arange(400))
    known = chi2_contingency([levels[0].sum(axis=0), levels[1].sum(axis=0)], correction=False).pvalue
    assert chance(before, before.of(levels[1], np.arange(300))) == pytest.approx(known, rel=0.15)


def test_seeing_each_lead_ten_times_tells_nothing_more() -> None:
    values, lead = np.random.default_rng(1).normal(size=(200, 1)), np.arange(200)
    once, often = spread_of(values, lead), spread_of(np.repeat(values, 10, axis=0), np.repeat(lead, 10))
    assert often.effective == pytest.approx(once.effective, rel=0.02)
    assert often.shares == pytest.approx(once.shares)


values_of_people = arrays(np.float64, st.tuples(st.integers(1, 60), st.just(1)), elements=st.one_of(st.just(np.nan), st.integers(-5, 5).map(float)))


@settings(max_examples=40)
@given(values_of_people, values_of_people)
def test_a_spread_counts_every_row_once_and_comes_back_from_its_document(then: np.ndarray, now: np.ndarray) -> None:
    before = spread_of(then, np.arange(len(then)) // 2)
    after = before.of(now, np.arange(len(now)) // 2)
    for spread, values in ((before, then), (after, now)):
        assert spread.shares.sum() == pytest.approx(1)
        assert spread.shares[-1] == pytest.approx(np.isnan(values).mean())
        assert 0 < spread.effective <= len(values)
    again = Spread.from_document(before.document())
    assert psi(again, after) == pytest.approx(psi(before, after), abs=1e-6)
    assert psi(before, before) == pytest.approx(0)
    assert psi(before, after) >= 0
    assert 0 <= chance(before, after) <= 1


def rows(leads: int, seed: int, views: float = 1.0, it: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Two rows a lead of the hand-made schema: so many page views on average, that share from IT."""
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), 2)
    X = np.zeros((2 * leads, len(NAMES)), np.float32)
    X[:, VIEWS] = rng.poisson(views, leads)[lead]
    X[:, IT] = (rng.random(leads) < it)[lead]
    return X, lead


HOP = hop(
    "lead",
    "lead->prospect",
    linear(-1.0, {"pricing_page_view_count_7d": 0.5, "industry=it": 0.3}),
    importance=[{"feature": "pricing_page_view_count_7d", "effect": 0.6}, {"feature": "industry", "effect": 0.2}],
)


def test_what_the_model_weighs_is_kept_and_what_moved_is_named() -> None:
    kept = reference(SCHEMA, [HOP], *rows(600, 0))
    assert set(kept["inputs"]) == {"pricing_page_view_count_7d", "industry"}, "what no hop weighs is not kept"
    same = input_shifts(kept, SCHEMA, *rows(500, 1), LIMITS)
    assert {shift.state for shift in same} == {"same"}
    moved = input_shifts(kept, SCHEMA, *rows(500, 1, it=0.1), LIMITS)
    assert [(shift.name, shift.state) for shift in moved] == [("industry", "drifted"), ("pricing_page_view_count_7d", "same")]
    assert score_shifts(kept, [HOP], *rows(500, 1, it=0.5), LIMITS)[0].state == "same"
    assert score_shifts(kept, [HOP], *rows(500, 1, views=4.0), LIMITS)[0].state == "drifted"
    assert weights_of([HOP, replace(HOP, evaluation={})]) == pytest.approx({"pricing_page_view_count_7d": 0.75, "industry": 0.25})


def test_no_rows_at_all_are_unknown_not_an_error() -> None:
    kept = reference(SCHEMA, [HOP], *rows(600, 0))
    nobody = np.zeros((0, len(NAMES)), np.float32), np.zeros(0, np.int64)
    assert {shift.state for shift in input_shifts(kept, SCHEMA, *nobody, LIMITS)} == {"unknown"}
    assert {shift.state for shift in input_shifts(reference(SCHEMA, [HOP], *nobody), SCHEMA, *rows(600, 0), LIMITS)} == {"unknown"}


def test_the_thresholds_are_the_team_s() -> None:
    one = pair((900, 700), 0, 0.4)
    assert shifts([("x", *one)], Drift(psi_warn=0.02, psi_alarm=0.05))[0].state == "drifted"
    assert shifts([("x", *one)], Drift(psi_warn=0.9, psi_alarm=0.95))[0].state == "same"
    with pytest.raises(DataError, match=r"psi_warn \(0.5\) must not be above psi_alarm \(0.25\)"):
        Funnel.from_document({"drift": {"psi_warn": 0.5}})
