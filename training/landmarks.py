"""Where the training rows stand: at stage entry, at ages 1 and 3 days, and at weekly calendar snapshots while in the stage."""

from dataclasses import dataclass

import numpy as np

from data.contract import DAY
from features.timeline import Ints, Timeline
from training.labels import spells

AGES_DAYS = (0, 1, 3)
WEEK = 7 * DAY
_MONDAY = 4 * DAY  # 1970-01-05, the first Monday of the epoch


@dataclass(frozen=True)
class Landmarks:
    """m rows sorted by (lead, as_of): one lead at one instant while it stands in the transition's first stage."""

    lead: Ints
    as_of: Ints

    @property
    def size(self) -> int:
        return int(self.lead.size)

    def where(self, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> "Landmarks":
        return Landmarks(self.lead[rows], self.as_of[rows])


def landmarks(timeline: Timeline, stage: int, data_end: int) -> Landmarks:
    """The landmarks of every spell in `stage`, up to data_end (included). A spell holds its entry and not the instant at which it ends."""
    lead, began, ended = _spells_of(timeline, stage, data_end)
    rows = [_at_age(lead, began, ended, days) for days in AGES_DAYS]
    rows.append(_weekly(lead, began, ended))
    found = np.unique(np.stack([np.concatenate(part) for part in zip(*rows, strict=True)]), axis=1)
    return Landmarks(found[0], found[1])


def is_monday(as_of: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each instant (m,) is one of the weekly calendar snapshots: a Monday, 00:00 UTC."""
    return np.asarray((as_of - _MONDAY) % WEEK == 0)


def weekly_snapshots(timeline: Timeline, stage: int, data_end: int, weeks: int) -> Landmarks:
    """The open leads of `stage` on each Monday of the last `weeks` weeks before data_end: the population a score is a percentile of."""
    lead, as_of = _weekly(*_spells_of(timeline, stage, data_end))
    recent = as_of > data_end - weeks * WEEK
    return Landmarks(lead[recent], as_of[recent])


def _spells_of(timeline: Timeline, stage: int, data_end: int) -> tuple[Ints, Ints, Ints]:
    stays = spells(timeline)
    mine = (stays.code == stage) & (stays.began <= data_end)
    return stays.lead[mine], stays.began[mine], np.minimum(stays.ended[mine], data_end + 1)


def _at_age(lead: Ints, began: Ints, ended: Ints, days: int) -> tuple[Ints, Ints]:
    as_of = began + days * DAY
    there = as_of < ended
    return lead[there], as_of[there]


def _weekly(lead: Ints, began: Ints, ended: Ints) -> tuple[Ints, Ints]:
    first = (began - _MONDAY) // WEEK + 1
    last = (ended - 1 - _MONDAY) // WEEK
    size = np.maximum(last - first + 1, 0)
    owner = np.repeat(np.arange(lead.size), size)
    within = np.arange(owner.size) - np.repeat(np.cumsum(size) - size, size)
    return lead[owner], _MONDAY + (first[owner] + within) * WEEK
