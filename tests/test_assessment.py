"""What an answer says of its numbers: ties with the population, and of a group of levels the one that the lead has."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.attributes import Attribute
from features.declarations import EventType
from features.schema import Schema
from registry.bundle import Bundle, HopModel
from registry.calibrator import Calibrator
from registry.models import Constant, Points
from serving.answer_kernels import ranked
from serving.assessment import Effects, Teller, assess

TITLE = Attribute("job_title", "title", ("lead.job_title",), "stakeholder", "Job title")
SCHEMA = Schema(("lead", "prospect"), ("lost",), (EventType("visit", "Visited us", "interest", "inbound", False),), (TITLE,))
NAMES = [c.name for c in SCHEMA.columns]


def bundle_of(model: Constant | Points) -> Bundle:
    hop = HopModel("lead", "lead->prospect", 28, model, Calibrator("sigmoid", 0.7, 0.7, 0.1), Constant(-2.0, "spread"), np.zeros(0), {})
    with_population = replace(hop, population=hop.probability(np.zeros((9, len(NAMES)), np.float32)))
    return Bundle(SCHEMA, ("lead", "prospect"), (with_population,), {}, {})


@pytest.mark.parametrize("log_odds", [-3.0, -0.1, 0.0, 0.7, 2.345])
def test_who_is_like_everybody_stands_in_the_middle(log_odds: float) -> None:
    """The same chance computed for the population and for an answer is the same to the last bit."""
    answer = assess(bundle_of(Constant(log_odds)), "lead", np.ones((1, len(NAMES)), np.float32))[0]
    assert answer.score[0] == 50


@pytest.mark.parametrize(("missing", "said"), [(1.0, "Job title is not known"), (0.0, "Job title is known")])
def test_a_level_that_a_lead_has_not_is_not_said_of_it(missing: float, said: str) -> None:
    column = NAMES.index("job_title=(missing)")
    bundle = bundle_of(Points(-1.0, 1.0, np.array([column]), np.array([-1.0]), np.array([2.0])))
    X = np.zeros((1, len(NAMES)), np.float32)
    X[0, column] = missing
    answer = assess(bundle, "lead", X)[0]
    effects = Effects(answer.log_odds, *answer.hop.explain(X))
    (found,) = Teller(bundle.schema).reasons(effects, X, everything=False, sent=None)
    assert [r["text"] for r in found.listed] == [said]
    assert found.base + found.listed[0]["effect"] + found.other == pytest.approx(math.log(answer.probability[0] / (1 - answer.probability[0])))


def ranked_by_hand(effects: list[float], groups: list[list[int]], room: int) -> tuple[list[float], list[int]]:
    """Sums in the order of the columns; the strongest `room` each way, strongest first, the earlier of equals first."""
    sums = [sum((effects[i] for i in columns), 0.0) for columns in groups]
    order = sorted((place for place, effect in enumerate(sums) if effect != 0.0), key=lambda place: -abs(sums[place]))
    kept = [place for side in (False, True) for place in [p for p in order if (sums[p] > 0.0) == side][:room]]
    return sums, sorted(kept, key=order.index)


EFFECTS = st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0]) | st.floats(-3, 3), min_size=6, max_size=6)


@settings(deadline=None)
@given(
    effects=st.lists(EFFECTS, min_size=1, max_size=3),
    held=st.lists(st.sampled_from([0.0, 1.0, 2.5, math.nan]), min_size=6, max_size=6),
    cuts=st.sets(st.integers(1, 5)),
    room=st.integers(1, 6),
    order=st.permutations(range(6)),
)
def test_the_strongest_each_way_are_those_of_a_plain_sort(
    effects: list[list[float]], held: list[float], cuts: set[int], room: int, order: list[int]
) -> None:
    start = np.array([0, *sorted(cuts), 6])
    groups = [order[a:b] for a, b in pairwise(start.tolist())]
    of_firm, of_levels = np.arange(len(groups)) % 2 == 0, np.arange(len(groups)) % 3 == 0
    X = np.array([held] * len(effects), np.float32)
    summed, figures, kept = ranked(np.array(effects), X, np.array(order), start, of_firm, of_levels, room)
    for row, told in enumerate(effects):
        sums, places = ranked_by_hand(told, groups, room)
        columns = [next((c for c in groups[g] if held[c] == 1.0), -1) if of_levels[g] else groups[g][0] for g in places]
        assert summed[row].tolist() == sums
        assert [place for place in kept[row, 0].tolist() if place >= 0] == places
        assert kept[row, 1].tolist()[: len(places)] == columns
        assert figures[row, :2].tolist() == pytest.approx([sum(map(abs, sums)), sum(map(abs, sums[::2]))])
        assert figures[row, 2:].tolist() == pytest.approx(
            [*_padded([sums[g] for g in places], 2 * room), *_padded([held[c] if c >= 0 else 0.0 for c in columns], 2 * room)], nan_ok=True
        )


def _padded(values: list[float], size: int) -> list[float]:
    return [*values, *[0.0] * (size - len(values))]
