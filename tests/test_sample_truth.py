"""The truth of the sample world is exact: against every hidden path written out, against slow algebra, and against what then happened."""

from dataclasses import replace
from itertools import pairwise, product
from math import exp, factorial

import numpy as np
import pytest

from data.contract import DAY
from data.sample.parameters import ACTIVITY, DAYS, END, LATE_DAYS, LATE_SHARE, MEETING, STAGE_NAMES, Floats
from data.sample.world import Moment, World, simulate

MOODS, HABITS = range(3), range(2)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(12_000, seed=11)


def overnight_by_hand(world: World, lead: int) -> Floats:
    fit = world.people.fit[lead]
    chance = np.zeros((6, 3, 6))
    for origin, mood in product(range(6), MOODS):
        rates = world.laws.hazard[origin, mood] * np.exp(world.laws.push[origin] @ fit)
        total = rates.sum()
        for target in range(6):
            chance[origin, mood, target] = rates[target] / total * (1 - exp(-total)) if total else 0.0
        chance[origin, mood, origin] = exp(-total)
    return chance


def stage_by_hand(world: World, lead: int, day: int) -> int:
    """The stage during `day`, before its night; 6 while anonymous."""
    past, stage = world.histories, 0
    for row in range(past.change_start[lead], past.change_start[lead + 1]):
        stage = int(past.change_to[row]) if past.change_day[row] < day else stage
    return stage if day >= world.people.created_day[lead] else 6


def chance_of_a_day(world: World, chance: Floats, lead: int, day: int, last: int, mood: int, habit: int) -> float:
    """P(the inbound events of `day` recorded by the end of `last`, and the stage of the next morning | mood, habit): Poisson, type by type."""
    past, stage = world.histories, stage_by_hand(world, lead, day)
    mine = slice(past.event_start[lead], past.event_start[lead + 1])
    seen = (past.day[mine] == day) & (past.delay[mine] <= last - day)
    factor, result = world.people.inbound_factor[lead] * ACTIVITY[habit], 1.0
    for kind, rate in enumerate(world.laws.inbound[stage, mood]):
        if rate > 0:
            shown = 1 - LATE_SHARE * max(0, LATE_DAYS - (last - day)) / LATE_DAYS if kind == MEETING else 1.0
            count = int((seen & (past.kind[mine] == kind)).sum())
            result *= exp(-rate * factor * shown) * (rate * factor * shown) ** count / factorial(count)
    if stage == 6:
        return result
    return result * float(chance[stage, mood, stage_by_hand(world, lead, day + 1)])


def belief_by_enumeration(world: World, lead: int, as_of_day: int) -> Floats:
    """Weigh every hidden path from the first day on by its probability."""
    first, last, chance = int(world.people.first_day[lead]), as_of_day - 1, overnight_by_hand(world, lead)
    daily = np.array([[[chance_of_a_day(world, chance, lead, day, last, m, h) for h in HABITS] for m in MOODS] for day in range(first, last + 1)])
    total = np.zeros(3)
    for path in product(MOODS, repeat=last - first + 1):
        weight = world.people.intent_at_first[lead, path[0]] * np.prod([world.laws.intent[a, b] for a, b in pairwise(path)])
        for habit in HABITS:
            total[path[-1]] += 0.5 * weight * np.prod([daily[at, mood, habit] for at, mood in enumerate(path)])
    return np.asarray(total / total.sum())


def belief_by_hand(world: World, lead: int, as_of_day: int) -> Floats:
    """The same by the forward recursion over long histories, day by day from the definition."""
    first, last, chance = int(world.people.first_day[lead]), as_of_day - 1, overnight_by_hand(world, lead)
    state = np.outer(world.people.intent_at_first[lead], [0.5, 0.5])
    for day in range(first, last + 1):
        state = state if day == first else world.laws.intent.T @ state
        state = state * [[chance_of_a_day(world, chance, lead, day, last, mood, habit) for habit in HABITS] for mood in MOODS]
        state /= state.sum()
    return np.asarray(state.sum(axis=1))


def matrix_by_hand(world: World, lead: int) -> Floats:
    """(18, 18) one day of (stage, mood) -> (stage, mood): the mood moves first, then the night."""
    chance, matrix = overnight_by_hand(world, lead), np.zeros((6, 3, 6, 3))
    for s, m, t, n in product(range(6), MOODS, range(6), MOODS):
        matrix[s, m, t, n] = world.laws.intent[m, n] * chance[s, n, t]
    return matrix.reshape(18, 18)


def arrival_by_hand(world: World, lead: int, belief: Floats, stage: int, days: int) -> float:
    step, mass = matrix_by_hand(world, lead), np.zeros(18)
    above = np.array([stage < s <= 3 for s in range(6) for _ in MOODS])
    step[above] = np.eye(18)[above]
    mass[stage * 3 : stage * 3 + 3] = belief
    return float((mass @ np.linalg.matrix_power(step, days))[above].sum())


def reach_by_hand(world: World, lead: int, belief: Floats, first: int, second: int) -> float:
    """Sum over the day and the mood of the first entry into prospect or beyond."""
    step, mass, total = matrix_by_hand(world, lead), np.zeros(18), 0.0
    mass[:3] = belief
    for _ in range(first):
        mass = mass @ step
        total += mass[6:12].sum() + sum(mass[3 + mood] * arrival_by_hand(world, lead, np.eye(3)[mood], 1, second) for mood in MOODS)
        mass[3:12] = 0.0
    return float(total)


def test_beliefs_equal_the_sum_over_every_hidden_path(world: World) -> None:
    as_of = END - 10 * DAY
    day = DAYS - 10
    moment = world.at(as_of)[0]
    young = np.flatnonzero((world.people.first_day < day) & (world.people.first_day >= day - 6) & (moment.stage >= 0))
    assert len(young) >= 20
    for lead in young[:20]:
        assert moment.belief[lead] == pytest.approx(belief_by_enumeration(world, lead, day), abs=1e-12)


def test_beliefs_equal_the_slow_recursion_over_long_and_winding_histories(world: World) -> None:
    days = (DAYS - 60, DAYS - 3, DAYS)
    changes, events = np.diff(world.histories.change_start), np.diff(world.histories.event_start)
    late = np.unique(np.repeat(np.arange(len(events)), events)[(world.histories.delay > 0) & (world.histories.kind == MEETING)])
    young = world.people.first_day > DAYS - 90
    winding = [*np.flatnonzero(young & (changes >= 2))[:4], *late[young[late]][:4], *np.flatnonzero(young & world.people.tracked)[:4], 0]
    for moment, day in zip(world.at(*(END - (DAYS - day) * DAY for day in days)), days, strict=True):
        for lead in winding:
            if moment.stage[lead] >= 0:
                assert moment.stage[lead] == stage_by_hand(world, lead, day)
                assert moment.belief[lead] == pytest.approx(belief_by_hand(world, lead, day), abs=1e-10)


def test_an_event_not_yet_recorded_changes_nothing_known_before() -> None:
    world = simulate(3_000, seed=2)
    past = world.histories
    hidden = (past.day < DAYS - 30) & (past.day + past.delay >= DAYS - 30)
    assert hidden.any()
    kind = np.where(hidden, past.kind[past.delay == 0][0], past.kind)
    other = replace(world, histories=replace(past, kind=kind.astype(np.int8)))
    as_of = END - 30 * DAY
    assert np.array_equal(world.at(as_of)[0].belief, other.at(as_of)[0].belief)


def test_chances_equal_matrix_powers(world: World) -> None:
    moment = world.at(END)[0]
    truth = moment.truth((7, 35, 98))
    for stage in range(3):
        for row in np.flatnonzero(truth.transition == stage)[:5]:
            lead = truth.lead[row]
            by_hand = [arrival_by_hand(world, lead, moment.belief[lead], stage, days) for days in (7, 35, 98)]
            assert truth.probability[row] == pytest.approx(by_hand, abs=1e-12)


def test_reach_equals_the_sum_over_entries_and_stays_below_the_first_step(world: World) -> None:
    moment = world.at(END)[0]
    reach, truth = moment.reach((14, 42), (28, 56)), moment.truth((14, 42))
    assert np.array_equal(reach.lead, truth.lead[truth.transition == 0])
    assert (reach.probability <= truth.probability[truth.transition == 0][:, :, None]).all()
    for row in range(3):
        lead = reach.lead[row]
        assert reach.probability[row, 1, 0] == pytest.approx(reach_by_hand(world, lead, moment.belief[lead], 42, 28), abs=1e-12)


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    world = simulate(40_000, seed=17)
    return world.at(END - 320 * DAY, END - 240 * DAY, END - 160 * DAY, END - 80 * DAY)


@pytest.mark.parametrize("horizon", [14, 56])
@pytest.mark.parametrize("stage", range(3))
def test_what_was_likely_happened_as_often_as_told(moments: list[Moment], stage: int, horizon: int) -> None:
    chances, outcomes = [], []
    for moment in moments:
        truth = moment.truth((horizon,))
        rows = truth.transition == stage
        chances.append(truth.probability[rows, 0])
        outcomes.append(moment.entered(horizon)[truth.lead[rows]])
    chance, outcome = np.concatenate(chances), np.concatenate(outcomes)
    order = np.argsort(chance)
    for part in [order, *np.array_split(order, 5)]:
        spread = np.sqrt((chance[part] * (1 - chance[part])).sum())
        assert abs(outcome[part].sum() - chance[part].sum()) < 3.3 * spread, STAGE_NAMES[stage]


def test_reach_happened_as_often_as_told(moments: list[Moment]) -> None:
    first, second = 42, 28
    expected = happened = variance = 0.0
    for moment in moments:
        reach = moment.reach((first,), (second,))
        chance = reach.probability[:, 0, 0]
        day = DAYS - (END - moment.as_of) // DAY
        happened += sum(reached_by_hand(moment.world, lead, day, first, second) for lead in reach.lead)
        expected, variance = expected + chance.sum(), variance + (chance * (1 - chance)).sum()
    assert abs(happened - expected) < 3 * np.sqrt(variance)


def reached_by_hand(world: World, lead: int, day: int, first: int, second: int) -> bool:
    past = world.histories
    mine = range(past.change_start[lead], past.change_start[lead + 1])
    later = [(int(past.change_day[row]), int(past.change_to[row])) for row in mine if past.change_day[row] >= day]
    entry = next((on for on, stage in later if 1 <= stage <= 3), None)
    if entry is None or entry >= day + first:
        return False
    return any(2 <= stage <= 3 and entry <= on <= entry + second for on, stage in later)


def test_the_truth_is_worth_learning(world: World) -> None:
    """The expected AUC of the truth itself, for who stands open at the end."""
    truth = world.truth(END, (28,))
    for stage, low, high in ((0, 0.78, 0.90), (1, 0.78, 0.90)):
        chance = np.sort(truth.probability[truth.transition == stage, 0])
        auc = (chance * np.cumsum(1 - chance)).sum() / (chance.sum() * (1 - chance).sum())
        assert low < auc < high
