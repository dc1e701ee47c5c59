"""Living through the days: intent moves, events happen, and overnight the stage may change."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from data.sample.draws import address, uniform
from data.sample.parameters import ANONYMOUS, DAYS, LATE_DAYS, LATE_SHARE, LEAD, Floats, Ints, Laws
from data.sample.people import People, stream


@dataclass(frozen=True)
class Histories:
    """What became of the leads: the events of lead i are rows `event_start[i]:event_start[i + 1]`, by day; so are its stage changes.

    `delay` counts the days until an event was recorded, 0 if at once. Events not recorded by the end are not here. A change on
    day d takes effect at the midnight that ends d, after all events of d.
    """

    event_start: Ints
    day: npt.NDArray[np.int32]
    second: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    delay: npt.NDArray[np.int8]
    change_start: Ints
    change_day: npt.NDArray[np.int32]
    change_to: npt.NDArray[np.int8]


def live(crowd: People, laws: Laws, seed: int) -> Histories:
    """Simulate every lead from its first day to the end; deterministic, each lead on its own draws."""
    world: tuple[Any, ...] = (
        crowd.created_day, crowd.first_day, crowd.intent_at_first, crowd.inbound_factor, crowd.fit,
        laws.inbound, laws.outbound, laws.intent, laws.hazard, laws.push, laws.activity, laws.late, seed, stream("life"),
    )  # fmt: skip
    events, changes = _live(*(*world, *_room(np.zeros(1, np.int64), np.zeros(1, np.int64)), False))
    event_start, change_start = (np.concatenate([[0], np.cumsum(counts)]) for counts in (events, changes))
    room = _room(event_start, change_start)
    _live(*(*world, *room, True))
    return Histories(*room)


def _room(event_start: Ints, change_start: Ints) -> tuple[Any, ...]:
    events, changes = int(event_start[-1]), int(change_start[-1])
    return (event_start, np.empty(events, np.int32), np.empty(events, np.int32), np.empty(events, np.int8), np.empty(events, np.int8),
            change_start, np.empty(changes, np.int32), np.empty(changes, np.int8))  # fmt: skip


@njit(cache=True)
def overnight(hazard: Floats, push: Floats, fit: Floats) -> Floats:
    """(6, 3, 6) chance of each stage tomorrow, given today's stage and intent and a lead's fit (2,). Hazards compete within the night."""
    chance = np.zeros((6, 3, 6))
    for origin in range(6):
        for mood in range(3):
            total = 0.0
            for target in range(6):
                rate = hazard[origin, mood, target]
                if rate > 0.0:
                    rate *= np.exp(push[origin, target, 0] * fit[0] + push[origin, target, 1] * fit[1])
                    chance[origin, mood, target] = rate
                    total += rate
            if total > 0.0:
                for target in range(6):
                    chance[origin, mood, target] *= -np.expm1(-total) / total
            chance[origin, mood, origin] = np.exp(-total)
    return chance


@njit(cache=True)
def pick(weights: Floats, draw: float) -> int:
    """An index drawn in proportion to `weights`; `draw` is in [0, 1)."""
    left = draw * weights.sum()
    last = 0
    for index in range(len(weights)):
        if weights[index] > 0.0:
            last = index
            left -= weights[index]
            if left < 0.0:
                return index
    return last


@njit(cache=True)
def _live(  # type: ignore[no-untyped-def]
    created, first, intent_at_first, factor, fit, inbound, outbound, intent, hazard, push, activity, late, seed, life,
    event_start, day_out, second_out, kind_out, delay_out, change_start, change_day, change_to, fill,
):  # fmt: skip
    leads = len(created)
    events, changes = np.zeros(leads, np.int64), np.zeros(leads, np.int64)
    state = np.empty(1, np.uint64)
    inbound_total, outbound_total = inbound.sum(axis=2), outbound.sum(axis=1)
    for lead in range(leads):
        state[0] = address(seed, life, lead)
        habit = factor[lead] * activity[0 if uniform(state) < 0.5 else 1]
        none = np.exp(-habit * inbound_total - outbound_total.reshape(-1, 1))
        chance = overnight(hazard, push, fit[lead])
        mood = pick(intent_at_first[lead], uniform(state))
        stage = ANONYMOUS if first[lead] < created[lead] else LEAD
        for day in range(first[lead], DAYS):
            if day > first[lead]:
                mood = pick(intent[mood], uniform(state))
            if day == created[lead]:
                stage = LEAD
            product = uniform(state)
            while product > none[stage, mood]:
                by_us = outbound_total[stage]
                if uniform(state) * (by_us + habit * inbound_total[stage, mood]) < by_us:
                    kind = pick(outbound[stage], uniform(state))
                else:
                    kind = pick(inbound[stage, mood], uniform(state))
                second = int((6.0 + 7.0 * (uniform(state) + uniform(state))) * 3600)
                delay = 0
                if late[kind] and uniform(state) < LATE_SHARE:
                    delay = 1 + int(uniform(state) * LATE_DAYS)
                if day + delay < DAYS:
                    if fill:
                        row = event_start[lead] + events[lead]
                        day_out[row], second_out[row], kind_out[row], delay_out[row] = day, second, kind, delay
                    events[lead] += 1
                product *= uniform(state)
            if stage != ANONYMOUS:
                after = pick(chance[stage, mood], uniform(state))
                if after != stage:
                    if fill:
                        row = change_start[lead] + changes[lead]
                        change_day[row], change_to[row] = day, after
                    changes[lead] += 1
                    stage = after
    return events, changes
