"""How a file without times is divided: no entity on both sides, both outcomes in every part, and forward where the order is time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.contract import DAY
from training.choice import Sample
from training.short_history import splits_of
from training.splits import DEALT, Splits, dealt_splits, forward_splits, ordered_splits

Ints = NDArray[np.int64]


@st.composite
def files(draw: st.DrawFn) -> tuple[NDArray[np.int8], Ints]:
    """Outcomes and entities of up to 300 rows; few entities or one for each row."""
    rows = draw(st.integers(DEALT, 300))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    entities = draw(st.sampled_from([rows, max(rows // 3, 1), 7]))
    entity = rng.permutation(rows) if entities == rows else rng.integers(0, entities, rows)
    return (rng.random(rows) < draw(st.sampled_from([0.05, 0.4]))).astype(np.int8), entity.astype(np.int64)


def folds_of(splits: Splits) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    return [(f.train, f.validate) for f in (*splits.folds, splits.test)]


@given(files(), st.integers(0, 5))
def test_no_entity_is_on_both_sides_and_what_chooses_never_sees_the_test(file: tuple[NDArray[np.int8], Ints], seed: int) -> None:
    y, entity = file
    splits = dealt_splits(y, entity, seed)
    for train, validate in folds_of(splits):
        assert set(entity[train]).isdisjoint(entity[validate])
    asked = np.sum([f.validate for f in splits.folds], axis=0)
    assert (asked + splits.test.validate == 1).all()
    assert not any((f.train & splits.test.validate).any() for f in splits.folds)


@given(files(), st.integers(0, 5))
def test_of_single_rows_every_part_has_its_share_of_both_outcomes(file: tuple[NDArray[np.int8], Ints], seed: int) -> None:
    y, _ = file
    splits = dealt_splits(y, np.arange(y.size), seed)
    parts = [f.validate for f in (*splits.folds, splits.test)]
    for outcome in (0, 1):
        counts = [int((y[part] == outcome).sum()) for part in parts]
        assert max(counts) - min(counts) <= 2 - outcome


def test_the_seed_deals_and_deals_the_same_again() -> None:
    y, entity = (np.arange(200) % 3 == 0).astype(np.int8), np.arange(200)
    first, again, other = (dealt_splits(y, entity, seed).test.validate for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_rows_in_order_of_time_are_divided_forward_and_no_row_stands_on_an_edge() -> None:
    order = np.arange(1_000)
    splits = ordered_splits(order, order)
    for train, validate in folds_of(splits):
        assert order[train].max() + 1 == order[validate].min()
    assert (splits.test.validate == (order >= 800)).all()
    assert [int(f.train.sum()) for f in splits.folds] == [350, 500, 650]


def test_an_entity_of_the_test_is_not_learned_from_even_if_it_came_before() -> None:
    order, entity = np.arange(1_000), np.arange(1_000) % 400
    splits = ordered_splits(order, entity)
    assert set(entity[splits.test.train]).isdisjoint(entity[splits.test.validate])
    assert splits.test.train.sum() == 400
    every = ordered_splits(order, order % 5)
    assert not every.test.train.any()


def sample(days: int, rows: int, share: float = 0.3) -> Sample:
    """Landmarks spread evenly over so many days, a lead each."""
    rng = np.random.default_rng(0)
    as_of = np.linspace(0, days * DAY, rows).astype(np.int64)
    return Sample(rng.random((rows, 2)).astype(np.float32), (rng.random(rows) < share).astype(np.int8), np.arange(rows, dtype=np.int64), as_of)


def test_a_history_long_enough_is_chosen_on_forward() -> None:
    made = sample(360, 1_000)
    splits, forward = splits_of(made, 28 * DAY, 0), forward_splits(made.as_of, 28 * DAY)
    assert all((a == b).all() for a, b in zip(folds_of(splits)[0], folds_of(forward)[0], strict=True))


@pytest.mark.parametrize("horizon", [90, 120])
def test_a_history_too_short_is_chosen_on_leads_before_the_test_and_measured_forward(horizon: int) -> None:
    made = sample(200, 2_000)
    splits, forward = splits_of(made, horizon * DAY, 0), forward_splits(made.as_of, horizon * DAY)
    assert (splits.test.train == forward.test.train).all()
    assert (splits.test.validate == forward.test.validate).all()
    assert (np.sum([f.validate for f in splits.folds], axis=0) == splits.test.train).all()
    assert all(not (f.train & f.validate).any() and not (f.train & ~splits.test.train).any() for f in splits.folds)


def test_without_evidence_before_the_test_nothing_is_dealt() -> None:
    made = sample(200, 2_000, share=0.001)
    forward = forward_splits(made.as_of, 90 * DAY)
    assert len(splits_of(made, 90 * DAY, 0).folds) == len(forward.folds)
