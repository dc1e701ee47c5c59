"""Whether a chain of hops says the truth: P(prospect, then opportunity in time) as the product of the hops, beside what came of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from features.timeline import Ints
from training.bootstrap import interval
from training.hop import ForwardTwin
from training.labels import Outcome
from training.landmarks import Landmarks
from training.matrix import AnyRows


def reached(twins: Sequence[ForwardTwin], X: AnyRows, labels: Outcome, marks: Landmarks, since: int, seed: int) -> dict[str, Any] | None:
    """Mean of the product of the twins' answers, nearest hop first, beside the share that made every hop in time: of all landmarks from `since`
    (micros; the latest instant at which one of the twins' tests begins) whose horizons are all over. `labels` are those of the last hop. `observed`
    has a 90 % lead-bootstrap interval. None where nothing is ripe."""
    rows = np.flatnonzero(labels.ripe & (marks.as_of >= since))
    if not rows.size:
        return None
    p = np.prod([twin.answer(X[rows]) for twin in twins], axis=0)
    y = (labels.eligible & (labels.y == 1))[rows].astype(np.float64)
    lead: Ints = marks.lead[rows]
    low, high = interval(lambda told, _, w: float(told @ w / w.sum()), y, p, lead, seed=seed)
    numbers = {"predicted": p.mean(), "observed": y.mean(), "low": low, "high": high}
    return {"leads": int(np.unique(lead).size), "landmarks": int(rows.size)} | {name: round(float(value), 10) for name, value in numbers.items()}
