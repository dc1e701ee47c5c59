"""What was known when: the histories of many leads as columnar arrays sorted by (lead, time), and the only door to the future."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features import sweep
from features.lanes import LANES
from features.sorting import plain, sort_rows
from features.threads import PARTS_A_CORE, cores, evenly, share

Ints = NDArray[np.int64]
Codes = NDArray[np.int16]
PART_ROWS = 4096
"""Fewer rows than this are not worth a thread."""


@dataclass(frozen=True)
class Timeline:
    """Events and stage entries of n leads. Instants are int64 microseconds UTC; rows are sorted by (lead, time).

    An event's time is when it counted: `recorded_at` where given (never before it occurred), else `occurred_at`. A stage code below `stages` is a
    stage of the funnel in order, any other an exit. The first stage row of a lead is its creation.
    """

    created: Ints  # (n,)
    event_start: Ints  # (n + 1,)
    event_time: Ints  # (events,)
    event_type: Codes  # (events,), its kind: `Schema.kind_code` of its type, channel, and whether it was recorded late
    event_value: Ints  # (events,), millionths; sweep.NO_VALUE for none
    stage_start: Ints  # (n + 1,)
    stage_time: Ints  # (stage rows,)
    stage_code: Codes  # (stage rows,)
    stages: int

    @property
    def leads(self) -> int:
        return int(self.created.size)

    def standing(self, lead: Ints, as_of: Ints) -> tuple[Codes, Ints]:
        """Stage code and its entry for each (lead, as_of); code -1 before creation."""
        row = sweep.standing(self.stage_start, self.stage_time, plain(lead), plain(as_of))
        found = row >= 0
        code = np.where(found, self.stage_code[np.maximum(row, 0)], -1).astype(np.int16)
        return code, np.where(found, self.stage_time[np.maximum(row, 0)], self.created[lead])


def build(
    created: Ints,
    events: tuple[Ints, Codes, Ints, Ints],
    stage_rows: tuple[Ints, Codes, Ints],
    stages: int,
) -> Timeline:
    """Rows in any order -> Timeline. `events` is (lead, kind, time, value), `stage_rows` is (lead, code, time); rows with a negative lead or
    code are left out. Each lead gets its creation as a first row in stage 0; a stage entered before the creation counts from the creation;
    a repeated row of the stage a lead already stands in is dropped."""
    created, (lead, code, time) = plain(created), stage_rows
    known = lead >= 0
    time = np.where(known, np.maximum(time, created[np.where(known, lead, 0)] if created.size else time), time)
    every = np.arange(created.size, dtype=np.int64)
    lead = np.concatenate([every, lead])
    code = np.concatenate([np.zeros(created.size, np.int16), code.astype(np.int16)])
    time = np.concatenate([created, time])
    start, time, code, _ = sort_rows(created.size, lead, time, code, np.zeros(lead.size, np.int64))
    start, time, code = _without_repeats(start, time, code)
    event_start, event_time, event_type, event_value = sort_rows(created.size, events[0], events[2], events[1], events[3])
    return Timeline(created, event_start, event_time, event_type, event_value, start, time, code, stages)


class Past(NamedTuple):
    """The history of one lead as a request tells it, rows in any order, and the instant of knowledge."""

    created: int
    as_of: int
    event_time: list[int]
    """When each event counted."""
    event_type: list[int]
    """Its kind (`Schema.kind_code`); below 0: left out."""
    event_value: list[float]
    """nan for none."""
    stage_time: list[int]
    stage_code: list[int]
    colleague_time: list[int]
    """When each event of others at the account counted."""
    colleague_role: list[int]
    """What it is (`schema.ROLES`); below 0: left out."""


def _without_repeats(start: Ints, time: Ints, code: Codes) -> tuple[Ints, Ints, Codes]:
    keep = np.ones(code.size, bool)
    keep[1:] = code[1:] != code[:-1]
    keep[start[:-1]] = True
    kept = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
    return kept[start], time[keep], code[keep]


@dataclass(frozen=True)
class Program:
    """Declared features compiled for the sweep: one entry per feature, indices into `slots` and `windows`. Window -1 is everything so far, window w
    that of the current stage."""

    member: Codes  # (kinds, k): the slots an event of this kind counts in, -1 for none; its type's first
    role: NDArray[np.int8]  # (kinds,): sweep.OUTREACH, sweep.ANSWER, or 0 for neither
    slots: int
    windows: Ints  # (w,) microseconds
    op: Codes
    slot: Codes
    window: Codes
    other: Codes

    @cached_property
    def plan(self) -> "Plan":
        """What the sweep reads. Features of one op are computed together, wherever their columns are."""
        slots, ever = (self.slots // LANES + 1) * LANES, self.windows.size + 1  # whole lanes, and one at least that nobody reads
        order, member = np.argsort(self.op, kind="stable"), np.where(self.member < 0, slots - 1, self.member)
        op, slot, other = self.op[order], self.slot[order].astype(np.int64), self.other[order].astype(np.int64)
        window = np.where(self.window[order] < 0, ever, self.window[order])
        place, trends, sums = window * slots + slot, op == sweep.OP["trend"], np.isin(op, sweep.WORTH)
        place[trends] = np.unique(window[trends] * ever + other[trends], return_inverse=True)[1]
        valued, rhythmic = np.unique(slot[sums]), np.unique(slot[np.isin(op, sweep.RHYTHM)])
        other[sums] = np.searchsorted(valued, slot[sums])
        adds = np.zeros((len(member), slots), np.int32)
        np.put_along_axis(adds, member, 1, axis=1)
        return Plan(
            np.column_stack([self.role.astype(np.int16), member]).astype(np.uint16),
            adds,
            np.searchsorted(valued, _only(member, valued, slots - 1)).astype(np.uint16),
            _only(member, rhythmic, slots - 1).astype(np.uint16),
            self.windows,
            np.searchsorted(op, np.arange(len(sweep.OPS) + 1)).astype(np.uint32),
            np.stack([order, slot, window, other, place], axis=1).astype(np.uint32),
        )


class Plan(NamedTuple):
    """The arguments of `sweep.sweep`, where they are told."""

    kinds: NDArray[np.uint16]
    adds: NDArray[np.int32]
    worths: NDArray[np.uint16]
    rhythms: NDArray[np.uint16]
    windows: Ints
    bounds: NDArray[np.uint32]
    steps: NDArray[np.uint32]


def _only(member: Codes, wanted: Ints, nobody: int) -> Ints:
    """(kinds, j): those of each kind's slots that are wanted, filled up with the one that nobody reads."""
    found = np.where(np.isin(member, wanted), member, nobody)
    return np.sort(found, axis=1)[:, : int((found != nobody).sum(axis=1).max(initial=0))].astype(np.int64)


def run(program: Program, timeline: Timeline, lead: Ints, as_of: Ints, out: NDArray[np.float32]) -> None:
    """Writes the program's features for a spine (m,) sorted by (lead, as_of) into out[:, :features], float32. A long spine is shared by the cores;
    the rows are the same for any number of them: a lead that is cut apart is swept once for each part."""
    lead, as_of = plain(lead), plain(as_of)
    parts = min(PARTS_A_CORE * cores(), lead.size // PART_ROWS) or 1

    def part(_: int, begin: int, end: int) -> None:
        sweep.sweep(
            timeline.created, timeline.event_start, timeline.event_time, timeline.event_type, timeline.event_value,
            timeline.stage_start, timeline.stage_time, timeline.stage_code, timeline.stages, *program.plan, lead, as_of, begin, end, out,
        )  # fmt: skip

    share(part, evenly(lead.size, parts))


def run_told(program: Program, leads: Sequence[Past], stages: int, out: NDArray[np.float32]) -> list[int]:
    """What `build` and `run` make of the same histories, each lead at its own instant, in out[:, :features]. Returns the code of each lead's stage
    (`Timeline.standing`), -1 before its creation. All in one line: what numpy asks for an array is paid twice a call, not twenty times."""
    line: list[int] = []
    for one in leads:
        line += (one.created, one.as_of, len(one.event_time), len(one.stage_time))
        line += one.event_time
        line += one.event_type
        line += one.stage_time
        line += one.stage_code
    values = leads[0].event_value if len(leads) == 1 else [value for one in leads for value in one.event_value]
    found = sweep.sweep_told(np.array(line, np.int64), np.array(values, np.float64), stages, *program.plan, out)
    return [int(code) for code in found.tolist()]


def latest(start: Ints, time: Ints, lead: Ints, as_of: Ints) -> Ints:
    """Index of each lead's last change at or before as_of, -1 if none. `start` (leads + 1,) delimits the leads in `time`, sorted within."""
    return np.asarray(sweep.standing(start, time, plain(lead), plain(as_of)))


def in_order(lead: Ints, as_of: Ints) -> Ints | None:
    """The permutation that sorts a spine by (lead, as_of), or None if it is sorted already."""
    if lead.size < 2 or bool(np.all((lead[1:] > lead[:-1]) | ((lead[1:] == lead[:-1]) & (as_of[1:] >= as_of[:-1])))):
        return None
    return np.lexsort((as_of, lead))
