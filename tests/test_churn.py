"""Tier churn: who would change grade, counted by hand on the sample world."""

import numpy as np
import pytest

from training.churn import LETTERS, MOST_MOVERS, churn_of, scores_of, tiers, told
from worlds import World, raised

GRADES = {"A": 90.0, "B": 70.0, "C": 40.0}


def grade_by_hand(score: float) -> str:
    return "A" if score >= 90 else "B" if score >= 70 else "C" if score >= 40 else "D"


def test_grades_begin_at_their_scores() -> None:
    scores = np.array([0, 39, 40, 69, 70, 89, 90, 100.0])
    assert [LETTERS[tier] for tier in tiers(scores, GRADES)] == [grade_by_hand(score) for score in scores] == list("DDCCBBAA")


def test_nobody_moves_where_nothing_changed(sample: World) -> None:
    found = churn_of(sample.bundle, sample.bundle, sample.dataset, GRADES, sample.dataset.data_end)
    assert (found["moved"], found["up"], found["down"], found["movers"]) == (0.0, 0.0, 0.0, [])
    assert found["leads"] == sum(found["matrix"][letter][letter] for letter in LETTERS) > 100


def test_who_moves_is_counted_as_by_hand(sample: World) -> None:
    """A challenger that has every lead of the first stage likelier, ranked among the same population: some rise, none falls."""
    challenger = raised(sample.bundle, "lead->prospect", 0.5)
    at = sample.dataset.data_end
    found = churn_of(sample.bundle, challenger, sample.dataset, GRADES, at)
    before, after = scores_of(sample.bundle, sample.dataset, at), scores_of(challenger, sample.dataset, at)
    pairs = {id: (grade_by_hand(before[id][1]), grade_by_hand(after[id][1])) for id in before}
    assert found["leads"] == len(pairs)
    assert found["moved"] == pytest.approx(np.mean([a != b for a, b in pairs.values()]))
    assert found["up"] == pytest.approx(np.mean([a > b for a, b in pairs.values()])), "A comes before B"
    assert found["down"] == 0
    assert {(a, b): n for a, row in found["matrix"].items() for b, n in row.items() if n} == {
        pair: list(pairs.values()).count(pair) for pair in set(pairs.values())
    }
    assert found["by_stage"]["prospect"]["moved"] == 0
    assert found["by_stage"]["lead"]["moved"] * found["by_stage"]["lead"]["leads"] == pytest.approx(found["moved"] * found["leads"])
    movers = found["movers"]
    assert 0 < len(movers) <= MOST_MOVERS
    far = [abs(one["score"][1] - one["score"][0]) for one in movers]
    assert far == sorted(far, reverse=True)
    assert all((one["grade"][0], one["grade"][1]) == pairs[one["lead_id"]] for one in movers)


def test_the_line_for_people_names_nobody(sample: World) -> None:
    found = churn_of(sample.bundle, raised(sample.bundle, "lead->prospect", 0.5), sample.dataset, GRADES, sample.dataset.data_end)
    line = told(found)
    assert line.startswith(f"{found['moved']:.0%} of {found['leads']:,} open leads would change their grade")
    assert not [one["lead_id"] for one in found["movers"] if one["lead_id"] in line]
    assert told({"leads": 0}) == "no open lead to compare grades on."
