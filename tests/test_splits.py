"""Forward folds: the embargo holds for any landmarks, the test is the last fifth, and nothing is trained on what is measured."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.splits import FOLD_EDGES, TEST_SHARE, forward_splits, random_split

TIMES = st.lists(st.integers(0, 300), min_size=1, max_size=120)
HORIZONS = st.integers(1, 120)


@settings(max_examples=300, deadline=None)
@given(TIMES, HORIZONS)
def test_no_label_reaches_the_rows_that_it_is_judged_on(times: list[int], horizon: int) -> None:
    """The label of a row is known at as_of + horizon: for training rows before the judged rows begin, for choosing rows before the test does."""
    as_of = np.array(times, np.int64)
    splits = forward_splits(as_of, horizon)
    for fold in (*splits.folds, splits.test):
        if fold.train.any() and fold.validate.any():
            assert as_of[fold.train].max() + horizon <= as_of[fold.validate].min()
    for fold in splits.folds:
        assert np.all(as_of[fold.validate] + horizon <= splits.cut)
        assert not np.any(fold.train & splits.test.validate)
        assert not np.any(fold.validate & splits.test.validate)


@settings(max_examples=200, deadline=None)
@given(TIMES, HORIZONS)
def test_the_choosing_folds_are_disjoint_and_follow_each_other(times: list[int], horizon: int) -> None:
    splits = forward_splits(np.array(times, np.int64), horizon)
    assert np.all(sum(fold.validate.astype(int) for fold in splits.folds) <= 1)
    assert len(splits.folds) == len(FOLD_EDGES)


def test_the_test_is_the_last_fifth() -> None:
    as_of = np.random.default_rng(0).permutation(1_000).astype(np.int64)
    splits = forward_splits(as_of, 50)
    assert splits.cut == 800
    assert np.sort(as_of[splits.test.validate]).tolist() == list(range(800, 1_000))
    assert int(splits.test.validate.sum()) == TEST_SHARE * as_of.size


def test_both_ends_of_the_embargo() -> None:
    """A label known exactly when the test begins may be trained on; one tick later not."""
    as_of = np.arange(1_000, dtype=np.int64)
    splits = forward_splits(as_of, 50)
    assert as_of[splits.test.train].max() == 750
    assert as_of[splits.folds[-1].validate].max() == 750
    assert as_of[splits.folds[0].train].max() == 300
    assert as_of[splits.folds[0].validate].min() == 350


def test_of_equal_instants_all_are_on_one_side() -> None:
    splits = forward_splits(np.repeat(np.array([1, 5, 9], np.int64), 10), 2)
    assert splits.test.validate.sum() == 10
    assert splits.test.train.sum() == 20


def test_without_rows_every_mask_is_empty() -> None:
    splits = forward_splits(np.zeros(0, np.int64), 10)
    assert all(mask.size == 0 for fold in (*splits.folds, splits.test) for mask in (fold.train, fold.validate))


def test_the_random_split_deals_every_row_once() -> None:
    fold = random_split(np.repeat(np.arange(500), 4), seed=1)
    assert np.all(fold.train ^ fold.validate)
    assert 0.15 < fold.validate.mean() < 0.25
