"""Event types that are nothing but the echo of a stage: they come with it or after it, and to nobody else."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from data.contract import DAY
from data.funnel import EventType, Funnel
from features.schema import OTHER_TYPE, Schema
from features.timeline import Ints, Timeline
from training.labels import NEVER, first_entry
from training.leak_removal import Leak, is_kept

MIN_LEADS = 30
FOLLOWS = 0.95
STRAYS = 0.01
AT_ONCE = 0.9
"""Of an echo's events, the share that comes within a day of the entry."""


def event_leaks(schema: Schema, timeline: Timeline, path: Sequence[int], funnel: Funnel) -> tuple[Leak, ...]:
    """The event types ("event.contract_signed") of which at least FOLLOWS come at or after the entry of a stage (the very instant is after) and
    that leads which never reached it don't have, and that say nothing further: the stage is the last, or they come within a day of it.

    A type that follows an earlier stage for weeks, as proposals follow an opportunity, is what the next transition is learned from: it stays.
    """
    every = np.arange(timeline.leads, dtype=np.int64)
    owner = np.repeat(every, np.diff(timeline.event_start))
    found: dict[str, Leak] = {}
    for code in path[:0:-1]:
        entered = first_entry(timeline, code, every, np.full(timeline.leads, np.iinfo(np.int64).min))
        for name, why in _echoes(schema, timeline, owner, entered, last=code == path[-1]):
            column = f"event.{name}"
            why = f"{why} {funnel.stages[code]}: it follows the transition and can't announce it"
            found.setdefault(column, Leak(column, why, is_kept(column, funnel.keep)))
    return tuple(found[column] for column in sorted(found))


def _echoes(schema: Schema, timeline: Timeline, owner: Ints, entered: Ints, *, last: bool) -> Iterator[tuple[str, str]]:
    at = entered[owner]
    reached, size = at != NEVER, len(schema.types)
    kind = timeline.event_type.astype(np.int64) // schema.kinds_per_type
    known = kind >= 0
    follows = reached & (timeline.event_time >= at)
    since = timeline.event_time - np.where(follows, at, timeline.event_time)
    n, after, at_once = (np.bincount(kind[known & rows], minlength=size) for rows in (reached, follows, follows & (since <= DAY)))
    for code, declared in enumerate(schema.types):
        theirs = np.unique(owner[(kind == code) & ~reached]).size
        ours = np.unique(owner[(kind == code) & reached]).size
        only_after = declared.name != OTHER_TYPE and ours >= MIN_LEADS and after[code] >= FOLLOWS * n[code] and theirs <= STRAYS * ours
        if only_after and (last or at_once[code] >= AT_ONCE * n[code]):
            yield declared.name, f"{after[code] / n[code]:.0%} of its {n[code]:,} events come at or after the entry into"


def without_events(funnel: Funnel, schema: Schema, columns: Collection[str]) -> Funnel:
    """The funnel with the event types among the columns ("event.contract_signed") excluded, under every name that a CRM exports them by."""
    gone = {column.removeprefix("event.") for column in columns if column.startswith("event.")}
    names = sorted(gone | {name for name, counted in schema.renamed.items() if counted in gone})
    types = {name: funnel.event_types.get(name, EventType()).model_copy(update={"exclude": True}) for name in names}
    return funnel.model_copy(update={"event_types": {**funnel.event_types, **types}}) if types else funnel
