"""What could be known: a Bayes filter over a lead's hidden intent and habit, and the chances that follow from it.

The filter sees the attributes, the stages, and the events recorded by `as_of`. An event of day s that is logged late is visible with a known
chance that depends on the days gone by, so its rate is thinned by exactly that: what is not there yet says no more than it should.
"""

import numpy as np
from numba import njit

from data.sample.lives import Histories, overnight
from data.sample.parameters import ANONYMOUS, CUSTOMER, LATE_DAYS, LATE_SHARE, LEAD, MEETING, PROSPECT, Floats, Ints, Laws
from data.sample.people import People


def beliefs(crowd: People, histories: Histories, laws: Laws, as_of_days: Ints) -> tuple[Floats, Ints]:
    """-> (k, n, 3) chances of the three intents and (k, n) stage, -1 where not yet created.

    `as_of_days` (k,) ascending: what is known at the midnight that begins each of these days.
    """
    belief, stage = _filter(
        as_of_days, crowd.created_day, crowd.first_day, crowd.intent_at_first, crowd.inbound_factor, crowd.fit,
        laws.inbound, laws.intent, laws.hazard, laws.push, laws.activity,
        histories.event_start, histories.day, histories.kind, histories.delay,
        histories.change_start, histories.change_day, histories.change_to,
    )  # fmt: skip
    return belief, stage


def arrival_chances(belief: Floats, stage: Ints, fit: Floats, laws: Laws, days: int) -> Floats:
    """(m, 3), (m,), (m, 2) -> (m, days + 1): P(the next or a later stage is entered within 0, 1, .. days nights), also after an exit."""
    return np.asarray(_arrivals(belief, stage, fit, laws.intent, laws.hazard, laws.push, days))


def reach_chances(belief: Floats, fit: Floats, laws: Laws, first: Ints, second: Ints) -> Floats:
    """(m, 3), (m, 2) of leads standing in `lead` -> (m, len(first), len(second)):
    P(prospect within `first` days and opportunity within `second` days of that moment)."""
    return np.asarray(_reach(belief, fit, laws.intent, laws.hazard, laws.push, first, second))


@njit(cache=True)
def _visible(days_gone):  # type: ignore[no-untyped-def]
    """P(an event that may be logged late is recorded by the end of the day `days_gone` days after it)."""
    return 1.0 - LATE_SHARE * (1.0 - min(days_gone, LATE_DAYS) / LATE_DAYS)


@njit(cache=True)
def _quiet(inbound, activity, factor, hidden, out):  # type: ignore[no-untyped-def]
    """Fill `out` (7, 3, 2): P(nothing seen all day) if a share `hidden` of the late type is not recorded yet."""
    for stage in range(7):
        for mood in range(3):
            rate = inbound[stage, mood].sum() - hidden * inbound[stage, mood, MEETING]
            for habit in range(2):
                out[stage, mood, habit] = np.exp(-rate * factor * activity[habit])


@njit(cache=True)
def _predict(belief, intent):  # type: ignore[no-untyped-def]
    for habit in range(2):
        a, b, c = belief[0, habit], belief[1, habit], belief[2, habit]
        for mood in range(3):
            belief[mood, habit] = a * intent[0, mood] + b * intent[1, mood] + c * intent[2, mood]


@njit(cache=True)
def _watch(  # type: ignore[no-untyped-def]
           belief, start, until, last, first, created, at_first, quiet, chance, inbound, intent, activity,
           days, kinds, delays, event, event_end, change_days, change_to, change, change_end, stage,
):  # fmt: skip
    """Take `belief` (3, 2) over the days start..until with what is recorded by the end of `last`; -> next event, next change, stage.
    `quiet` (LATE_DAYS + 1, 7, 3, 2) is by the days from the day to `last`."""
    for day in range(max(start, first), until + 1):
        if day == first:
            for mood in range(3):
                belief[mood, :] = 0.5 * at_first[mood]
        else:
            _predict(belief, intent)
        if day == created:
            stage = LEAD
        seen = ANONYMOUS if stage < 0 else stage
        nothing = quiet[min(last - day, LATE_DAYS), seen]
        for mood in range(3):
            for habit in range(2):
                belief[mood, habit] *= nothing[mood, habit]
        while event < event_end and days[event] == day:
            if day + delays[event] <= last and inbound[seen, 0, kinds[event]] > 0.0:
                for mood in range(3):
                    for habit in range(2):
                        belief[mood, habit] *= inbound[seen, mood, kinds[event]] * activity[habit]
            event += 1
        if stage >= 0:
            after = stage
            if change < change_end and change_days[change] == day:
                after = change_to[change]
                change += 1
            for mood in range(3):
                for habit in range(2):
                    belief[mood, habit] *= chance[stage, mood, after]
            stage = after
        belief /= belief.sum()
    return event, change, stage


@njit(cache=True)
def _filter(  # type: ignore[no-untyped-def]
            as_of, created, first, at_first, factor, fit, inbound, intent, hazard, push, activity,
            event_start, days, kinds, delays, change_start, change_days, change_to,
):  # fmt: skip
    beliefs = np.zeros((len(as_of), len(created), 3))
    stages = np.full((len(as_of), len(created)), -1)
    quiet = np.empty((LATE_DAYS + 1, 7, 3, 2))
    trunk, branch = np.empty((3, 2)), np.empty((3, 2))
    for lead in range(len(created)):
        chance = overnight(hazard, push, fit[lead])
        for gone in range(LATE_DAYS + 1):
            _quiet(inbound, activity, factor[lead], 1.0 - _visible(gone), quiet[gone])
        for mood in range(3):
            trunk[mood, :] = 0.5 * at_first[lead, mood]
        day, event, change, stage = first[lead], event_start[lead], change_start[lead], -1
        for moment in range(len(as_of)):
            if as_of[moment] < created[lead]:
                continue
            last = as_of[moment] - 1
            settled = last - LATE_DAYS
            event, change, stage = _watch(
                trunk, day, settled, last, first[lead], created[lead], at_first[lead], quiet, chance, inbound, intent, activity,
                days, kinds, delays, event, event_start[lead + 1], change_days, change_to, change, change_start[lead + 1], stage,
            )  # fmt: skip
            day = max(day, settled + 1)
            branch[:] = trunk
            _, _, now = _watch(
                branch, day, last, last, first[lead], created[lead], at_first[lead], quiet, chance, inbound, intent, activity,
                days, kinds, delays, event, event_start[lead + 1], change_days, change_to, change, change_start[lead + 1], stage,
            )  # fmt: skip
            beliefs[moment, lead] = branch.sum(axis=1)
            stages[moment, lead] = max(now, LEAD)
    return beliefs, stages


@njit(cache=True)
def _within(days, origin, reward, intent, chance):  # type: ignore[no-untyped-def]
    """(days + 1, 6, 3): expected reward of the first entry above `origin` within so many nights, by stage and intent now.

    `reward` (6, 3) is by the stage and the intent at that entry: all ones give its probability.
    """
    out = np.zeros((days + 1, 6, 3))
    tonight = np.empty(3)
    for day in range(1, days + 1):
        for stage in range(6):
            if origin < stage <= CUSTOMER:
                continue
            for mood in range(3):
                tonight[mood] = 0.0
                for target in range(6):
                    if chance[stage, mood, target] > 0.0:
                        hit = origin < target <= CUSTOMER
                        tonight[mood] += chance[stage, mood, target] * (reward[target, mood] if hit else out[day - 1, target, mood])
            for mood in range(3):
                out[day, stage, mood] = intent[mood, 0] * tonight[0] + intent[mood, 1] * tonight[1] + intent[mood, 2] * tonight[2]
    return out


@njit(cache=True)
def _arrivals(belief, stage, fit, intent, hazard, push, days):  # type: ignore[no-untyped-def]
    out = np.zeros((len(stage), days + 1))
    one = np.ones((6, 3))
    for row in range(len(stage)):
        within = _within(days, stage[row], one, intent, overnight(hazard, push, fit[row]))
        for mood in range(3):
            out[row] += belief[row, mood] * within[:, stage[row], mood]
    return out


@njit(cache=True)
def _reach(belief, fit, intent, hazard, push, first, second):  # type: ignore[no-untyped-def]
    out = np.zeros((len(belief), len(first), len(second)))
    reward = np.ones((6, 3))
    for row in range(len(belief)):
        chance = overnight(hazard, push, fit[row])
        as_prospect = _within(second.max(), PROSPECT, np.ones((6, 3)), intent, chance)
        for j in range(len(second)):
            reward[PROSPECT] = as_prospect[second[j], PROSPECT]
            both = _within(first.max(), LEAD, reward, intent, chance)
            for i in range(len(first)):
                for mood in range(3):
                    out[row, i, j] += belief[row, mood] * both[first[i], LEAD, mood]
    return out
