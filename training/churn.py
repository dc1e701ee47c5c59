"""Tier churn: how many of the open leads would change their grade if the challenger took the champion's place, and who."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data.dataset import Dataset
from features.tables import cohort_of
from features.timeline import Ints
from registry.bundle import Bundle
from registry.models import Floats
from training.matrix import asked, rows_of

LETTERS = ("D", "C", "B", "A")
MOST_MOVERS = 20

Grades = Mapping[str, float]


def churn_of(champion: Bundle, challenger: Bundle, read: Dataset, grades: Grades, as_of: int) -> dict[str, Any]:
    """The leads open at as_of (micros) under both: by stage how many stay, rise and fall; `matrix[before][after]` over all; and the `movers`, the
    farthest first: their ids, which belong to whoever holds the data and not into a record."""
    before, after = (scores_of(bundle, read, as_of) for bundle in (champion, challenger))
    ids = sorted(before.keys() & after.keys())
    stages = {stage: [id for id in ids if before[id][0] == stage] for stage in champion.path}
    then, now = (np.array([found[id][1] for id in ids]) for found in (before, after))
    return {
        "leads": len(ids),
        **_moves(then, now, grades),
        "matrix": _matrix(then, now, grades),
        "by_stage": {stage: {"leads": len(of)} | _stage_moves(of, before, after, grades) for stage, of in stages.items() if of},
        "movers": _movers(ids, then, now, grades),
    }


def scores_of(bundle: Bundle, read: Dataset, as_of: int) -> dict[str, tuple[str, float]]:
    """(stage, score 0-100 as it is told) of each lead that stands before a transition of the bundle."""
    cohort = cohort_of(read, bundle.schema)
    every = np.arange(cohort.timeline.leads, dtype=np.int64)
    code, _ = cohort.timeline.standing(every, np.full(every.size, as_of, np.int64))
    found: dict[str, tuple[str, float]] = {}
    for stage in bundle.path[:-1]:
        hops = bundle.hops_from(stage)
        lead = every[code == bundle.schema.stage_code(stage)]
        if hops:
            X = rows_of(bundle.schema, cohort, lead, np.full(lead.size, as_of, np.int64))
            scores = np.rint(hops[0].score(asked(hops[0].probability, X)))
            found |= {cohort.lead_ids[i]: (stage, score) for i, score in zip(lead.tolist(), scores.tolist(), strict=True)}
    return found


def tiers(scores: Floats, grades: Grades) -> Ints:
    """0 for D to 3 for A: a grade begins at its score."""
    return np.searchsorted(np.sort([grades[name] for name in ("A", "B", "C")]), scores, "right")


def _moves(then: Floats, now: Floats, grades: Grades) -> dict[str, float]:
    """Shares of the leads, 0 to 1."""
    step = tiers(now, grades) - tiers(then, grades)
    return {name: float(moved.mean()) if step.size else 0.0 for name, moved in (("moved", step != 0), ("up", step > 0), ("down", step < 0))}


def _stage_moves(
    ids: Sequence[str], before: Mapping[str, tuple[str, float]], after: Mapping[str, tuple[str, float]], grades: Grades
) -> dict[str, float]:
    then, now = (np.array([found[id][1] for id in ids]) for found in (before, after))
    return _moves(then, now, grades)


def _matrix(then: Floats, now: Floats, grades: Grades) -> dict[str, dict[str, int]]:
    counts = np.bincount(tiers(then, grades) * len(LETTERS) + tiers(now, grades), minlength=len(LETTERS) ** 2).reshape(len(LETTERS), -1)
    return {LETTERS[a]: {LETTERS[b]: int(counts[a, b]) for b in (3, 2, 1, 0)} for a in (3, 2, 1, 0)}


def _movers(ids: Sequence[str], then: Floats, now: Floats, grades: Grades) -> list[dict[str, Any]]:
    before, after = tiers(then, grades), tiers(now, grades)
    far = sorted(np.flatnonzero(before != after).tolist(), key=lambda i: (-abs(now[i] - then[i]), ids[i]))[:MOST_MOVERS]
    return [
        {"lead_id": ids[i], "score": [then[i], now[i]], "grade": [LETTERS[before[i]], LETTERS[after[i]]]} for i in far
    ]  # fmt: skip


def told(churn: Mapping[str, Any]) -> str:
    """One line for people, without anybody's id."""
    if not churn["leads"]:
        return "no open lead to compare grades on."
    stages = ", ".join(f"{stage} {moves['moved']:.0%} of {moves['leads']:,}" for stage, moves in churn["by_stage"].items())
    return (
        f"{churn['moved']:.0%} of {churn['leads']:,} open leads would change their grade ({churn['up']:.0%} up, {churn['down']:.0%} down): {stages}."
    )
