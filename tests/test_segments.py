"""Reliability in parts: planted miscalibration is flagged where it is and nowhere else; tables count leads, not rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import parse_instant
from training.choice import Sample
from training.segments import LEAST_LEADS, SMALL, by_month, by_segment, deciles_inside, luck


def world(leads: int, seed: int, each: int = 3) -> tuple[Sample, np.ndarray]:
    """A sample of `each` landmarks a lead, which share their luck, and the true chances of its rows."""
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), each)
    p = 1 / (1 + np.exp(-rng.normal(-1, 1, lead.size)))
    y = (rng.random(leads)[lead] < p).astype(np.int8)
    as_of = np.full(lead.size, parse_instant("2026-03-31T23:59:59Z"), np.int64)
    return Sample(np.zeros((lead.size, 1), np.float32), y, lead, as_of), p


def labels(sample: Sample, names: int) -> np.ndarray:
    return np.array([f"s{i % names}" for i in sample.lead], dtype=object)


def test_a_segment_that_is_off_is_flagged_and_no_other() -> None:
    sample, p = world(3_000, 0)
    named = labels(sample, 6)
    said = np.where(named == "s2", p * 0.6, p)
    rows = by_segment(sample, said, named, seed=0)
    assert {row["name"] for row in rows if row["off"]} == {"s2"}
    assert all(row["low"] <= row["observed"] <= row["high"] for row in rows)
    assert sum(row["landmarks"] for row in rows) == sample.y.size
    off = next(row for row in rows if row["name"] == "s2")
    assert off["predicted"] < off["low"]


def test_a_perfect_model_is_seldom_flagged() -> None:
    """At most one table in twenty, by construction; rows counted as if they were leads would flag a third of them."""
    flagged = [any(row["off"] for row in by_segment(*(world(300, seed)), labels(world(300, seed)[0], 6), seed=0)) for seed in range(30)]
    assert sum(flagged) <= 5


@pytest.mark.parametrize(("leads", "kept"), [(LEAST_LEADS - 1, False), (LEAST_LEADS, True)])
def test_small_segments_are_told_together(leads: int, kept: bool) -> None:
    sample, p = world(200, 1)
    named = np.where(sample.lead < leads, "rare", np.where(sample.lead < 30, None, "common"))
    names = [row["name"] for row in by_segment(sample, p, named, seed=0)]
    assert ("rare" in names) == kept
    assert SMALL in names
    assert names[-1] == SMALL


def test_months_are_those_of_utc_in_order() -> None:
    sample, p = world(40, 2)
    as_of = np.where(sample.lead < 20, parse_instant("2026-04-01T00:00:00Z"), sample.as_of)
    rows = by_month(Sample(sample.X, sample.y, sample.lead, as_of), p, seed=0)
    assert [(row["name"], row["leads"], row["landmarks"]) for row in rows] == [("2026-03", 20, 60), ("2026-04", 20, 60)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0.01, 0.99)), min_size=1, max_size=12))
def test_luck_is_that_of_one_draw_a_lead(rows: list[tuple[int, float]]) -> None:
    lead, p = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    by_hand = sum(
        min(p[i], p[j]) - p[i] * p[j] for i in range(len(rows)) for j in range(len(rows)) if lead[i] == lead[j]
    )  # covariance of 1{u < p_i} and 1{u < p_j}
    assert luck(p, lead) ** 2 == pytest.approx(by_hand, abs=1e-9)


def test_a_slice_where_nobody_converted_has_an_interval_all_the_same() -> None:
    sample, p = world(50, 3)
    none = Sample(sample.X, np.zeros_like(sample.y), sample.lead, sample.as_of)
    row = by_month(none, p, seed=0)[0]
    assert row["observed"] == row["low"] == 0.0
    assert 0.03 < row["high"] < 0.08  # 1.645 ** 2 / (50 + 1.645 ** 2)


def test_tenths_lie_in_intervals_that_hold_the_truth_and_not_in_others() -> None:
    sample, p = world(6_000, 4)
    y = sample.y.astype(float)
    right = deciles_inside(y, p, p * 0.85, np.minimum(p * 1.15, 1), sample.lead)
    wrong = deciles_inside(y, p, p * 1.3, np.minimum(p * 1.4, 1), sample.lead)
    assert right["of"] == wrong["of"] == 10
    assert right["inside"] >= 8
    assert right["inside_with_luck"] == 10
    assert wrong["inside"] <= 3
    few = deciles_inside(y[:4], p[:4], p[:4], p[:4], sample.lead[:4])
    assert few["of"] == 4
    assert deciles_inside(y[:0], p[:0], p[:0], p[:0], sample.lead[:0])["of"] == 0
