"""The product of the hops beside what came of it: right where the twins are, off where one of them is, over all leads of the test."""

import numpy as np
import pytest

from data.contract import DAY
from registry.models import Rows
from training.hop import ForwardTwin
from training.labels import Outcome
from training.landmarks import Landmarks
from training.reach import reached

LEADS, EACH = 3_000, 2
START = 20_000 * DAY


def twin(column: int, factor: float = 1.0) -> ForwardTwin:
    """One that answers with a column of the row."""

    def answer(X: Rows) -> np.ndarray:
        return factor * X[:, column].astype(np.float64)

    return ForwardTwin(np.zeros(0, np.int64), np.zeros(0), {}, answer)


def world() -> tuple[Rows, Outcome, Landmarks]:
    """Leads that make the first hop with the chance in column 0, and then the second with that in column 1; the last tenth isn't ripe."""
    rng = np.random.default_rng(4)
    lead = np.repeat(np.arange(LEADS), EACH)
    X = rng.uniform(0.1, 0.9, (LEADS, 2)).astype(np.float32)
    first, second = (rng.random((2, LEADS)) < X.T)[:, lead]
    as_of = START + np.arange(LEADS)[lead] * DAY // 10
    ripe = np.arange(LEADS)[lead] < 0.9 * LEADS
    return X[lead], Outcome((first & second).astype(np.int8), ripe, first), Landmarks(lead, as_of)


def test_what_was_said_is_what_came_true() -> None:
    X, labels, marks = world()
    told = reached([twin(0), twin(1)], X, labels, marks, START, 0)
    assert told is not None
    assert told["landmarks"] == int(labels.ripe.sum())
    assert told["leads"] == 0.9 * LEADS
    assert told["predicted"] == pytest.approx((X[:, 0] * X[:, 1])[labels.ripe].mean())
    assert told["observed"] == pytest.approx((labels.eligible & (labels.y == 1))[labels.ripe].mean())
    assert told["low"] < told["predicted"] < told["high"]


def test_a_twin_that_says_too_much_is_found_out() -> None:
    X, labels, marks = world()
    told = reached([twin(0), twin(1, 1.3)], X, labels, marks, START, 0)
    assert told is not None
    assert told["predicted"] > told["high"]


def test_only_landmarks_from_the_tests_beginning_count() -> None:
    X, labels, marks = world()
    begins = int(marks.as_of[LEADS])
    told = reached([twin(0), twin(1)], X, labels, marks, begins, 0)
    after = reached([twin(0), twin(1)], X, labels, marks, begins + 1, 0)
    assert told is not None
    assert after is not None
    assert told["landmarks"] == int((labels.ripe & (marks.as_of >= begins)).sum())
    assert after["landmarks"] == told["landmarks"] - EACH, "one that stands at the beginning counts, one before it does not"
    assert reached([twin(0)], X, labels, marks, int(marks.as_of.max()) + 1, 0) is None
