"""Outcomes: the only code that looks past as_of. Who counts as 1, who as 0, and who as nothing because the horizon has not passed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from data.contract import DAY
from features.timeline import Codes, Ints, Timeline

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Hop:
    """One step of the funnel: from `stage` to `target` (codes) within `horizon_days`."""

    stage: int
    target: int
    horizon_days: int


@dataclass(frozen=True)
class Outcome:
    """Labels of one hop for m landmarks: `y` 0/1; `ripe` where the horizons have passed at data_end; `eligible` where the hops before were made
    in time. A row counts only where both hold: an unripe one is left out whatever happened."""

    y: NDArray[np.int8]
    ripe: NDArray[np.bool_]
    eligible: NDArray[np.bool_]

    @property
    def counts(self) -> NDArray[np.bool_]:
        return self.ripe & self.eligible


@njit(cache=True)
def _first_entry(start, time, code, stages, target, lead, after, strictly):  # type: ignore[no-untyped-def]
    """First entry of `target` or a later stage after the instant (at it too unless strictly), NEVER if there is none."""
    out = np.empty(lead.size, np.int64)
    for i in range(lead.size):
        out[i] = NEVER
        for row in range(start[lead[i]], start[lead[i] + 1]):
            late = time[row] > after[i] if strictly[i] else time[row] >= after[i]
            if late and target <= code[row] < stages:
                out[i] = time[row]
                break
    return out


def first_entry(timeline: Timeline, target: int, lead: Ints, after: Ints, strictly: bool = True) -> Ints:
    """(m,) micros of the first entry of `target` or a later stage in (after, ...), or in [after, ...) where not `strictly`; NEVER without one.
    An exit in between changes nothing: leads come back."""
    return np.asarray(
        _first_entry(
            timeline.stage_start, timeline.stage_time, timeline.stage_code, timeline.stages, target, lead, after,
            np.full(lead.size, strictly),
        )
    )  # fmt: skip


def outcome(timeline: Timeline, hops: Sequence[Hop], lead: Ints, as_of: Ints, data_end: int) -> Outcome:
    """Label of the last of `hops`, given that those before were made in time: each within its horizon of the instant the one before was made.

    The first looks at (as_of, as_of + horizon]: an entry at as_of is not in it, one at as_of + horizon is. Later hops may be made at the very
    instant of the one before (a stage reached by skipping). A landmark is ripe if as_of + all horizons <= data_end.
    """
    *before, last = hops
    at, eligible, horizons = as_of, np.ones(lead.size, bool), sum(h.horizon_days for h in hops) * DAY
    for number, hop in enumerate(before):
        entered = first_entry(timeline, hop.target, lead, at, strictly=number == 0)
        eligible &= _within(entered, at, hop.horizon_days)
        at = np.where(eligible, entered, at)
    entered = first_entry(timeline, last.target, lead, at, strictly=not before)
    y = _within(entered, at, last.horizon_days)
    return Outcome(y.astype(np.int8), as_of <= data_end - horizons, eligible)


def _within(entered: Ints, since: Ints, horizon_days: int) -> NDArray[np.bool_]:
    return np.asarray((entered != NEVER) & (entered - np.minimum(since, entered) <= horizon_days * DAY))


def time_to_leave(timeline: Timeline, stage: int, end: int, since: int = -NEVER) -> tuple[Ints, Ints]:
    """Each spell in `stage` that began in [since, end): (duration in micros, cause) with cause 1 for a later stage, 2 for an exit or a step back,
    0 for a spell that is still open at `end`: what Aalen-Johansen asks for."""
    stays = spells(timeline)
    mine = (stays.code == stage) & (stays.began >= since) & (stays.began < end)
    began, ended, after = stays.began[mine], stays.ended[mine], stays.after[mine]
    forward = (after > stage) & (after < timeline.stages)
    cause = np.where(ended <= end, np.where(forward, 1, 2), 0).astype(np.int64)
    return np.minimum(ended, end) - began, cause


@dataclass(frozen=True)
class Spells:
    """Every stay of non-zero length; `ended` NEVER and `after` -1 for the one a lead stands in last."""

    lead: Ints
    began: Ints
    ended: Ints
    code: Codes
    after: Codes


def spells(timeline: Timeline) -> Spells:
    """The stays of all leads, sorted by (lead, began)."""
    time, code = timeline.stage_time, timeline.stage_code
    ended, nxt = np.full(time.size, NEVER), np.full(time.size, -1, np.int16)
    ended[:-1], nxt[:-1] = time[1:], code[1:]
    last = timeline.stage_start[1:] - 1
    ended[last], nxt[last] = NEVER, -1
    stay = ended > time
    owner = np.repeat(np.arange(timeline.leads), np.diff(timeline.stage_start))
    return Spells(owner[stay], time[stay], ended[stay], code[stay], nxt[stay])


def path(timeline: Timeline) -> tuple[int, ...]:
    """The stages that anybody ever stands in, in order: a stage nobody stands in is skipped."""
    return tuple(int(c) for c in np.unique(spells(timeline).code) if 0 <= c < timeline.stages)
