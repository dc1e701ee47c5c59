"""From a request's body to the columnar history of one lead: the same structure that a dataset's tables become."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from data.contract import DAY, RESERVED, canonical, format_instant
from data.funnel import Funnel
from features.rows import Known
from features.schema import Schema
from features.sweep import NO_VALUE
from features.timeline import Codes, Ints, Timeline, build
from serving.contract import EventRow, ScoreRequest, StageRow
from serving.errors import FutureAsOf, UnknownStage

CLOCK_SKEW = 5 * 60 * 1_000_000
"""Rows up to five minutes ahead of the clock count as now."""
_ONE = np.zeros(1, np.int64)


@dataclass
class History:
    """One lead as the sweep and the encoders take it, the instant of knowledge, and what the caller should be told."""

    timeline: Timeline
    known: Known
    as_of: int
    warnings: list[str] = field(default_factory=list)


def history_of(request: ScoreRequest, schema: Schema, funnel: Funnel, now: int) -> History:
    """Raises FutureAsOf for an as_of more than five minutes ahead of `now` (micros), UnknownStage for a stage that the funnel does not know."""
    if request.as_of is not None and request.as_of > now + CLOCK_SKEW:
        raise FutureAsOf(f"as_of must not be after now ({format_instant(now)}); got {format_instant(request.as_of)}. Nothing can be known then.")
    as_of = now if request.as_of is None else min(request.as_of, now)
    warnings: list[str] = []
    created = request.created_at
    if created is None:
        warnings.append("lead.created_at is not given: the lead counts as created at its first row, or at as_of.")
        created = min([as_of, *(_counted(e, now) for e in request.events), *(s["entered_at"] for s in request.stages)])
    created = _skewed(created, now)
    if as_of < created and created // DAY == as_of // DAY:
        warnings.append("lead.created_at is later on the day of as_of (a date alone counts from its end): the lead counts as created at as_of.")
        created = as_of
    stages = _stage_rows(request, funnel, schema, created, as_of, now, warnings)
    timeline = build(np.array([created], np.int64), _event_rows(request.events, schema, now, warnings), stages, len(schema.stages))
    warnings += _unused(request, schema)
    return History(timeline, _known(request, schema), as_of, warnings)


def _skewed(instant: int, now: int) -> int:
    return now if now < instant <= now + CLOCK_SKEW else instant


def _counted(event: EventRow, now: int) -> int:
    """When an event counted: when it was recorded, but never before it occurred."""
    occurred = event["occurred_at"]
    return _skewed(max(occurred, event.get("recorded_at") or occurred), now)


def _event_rows(events: Sequence[EventRow], schema: Schema, now: int, warnings: list[str]) -> tuple[Ints, Codes, Ints, Ints]:
    codes = [schema.type_code(e["type"]) for e in events]
    unknown = sorted({e["type"] for e in events if not schema.knows_type(e["type"])})
    if unknown:
        warnings.append(f"event types that this model does not know are not used: {_some(unknown)}.")
    values = [NO_VALUE if (v := e.get("value")) is None else round(v * 1_000_000) for e in events]
    times = [_counted(e, now) for e in events]
    return np.zeros(len(events), np.int64), np.array(codes, np.int16), np.array(times, np.int64), np.array(values, np.int64)


def _stage_rows(
    request: ScoreRequest, funnel: Funnel, schema: Schema, created: int, as_of: int, now: int, warnings: list[str]
) -> tuple[Ints, Codes, Ints]:
    rows: Sequence[StageRow] = [row for row in request.stages if _skewed(row["entered_at"], now) <= as_of]
    if not rows and request.stage is not None:
        rows = [StageRow(entered_at=created, stage=request.stage)]
        if _code(request.stage, funnel, schema) != 0:
            warnings.append("stage is given without stages: the time in the stage counts from the lead's creation.")
    codes = [_code(row["stage"], funnel, schema) for row in rows]
    times = [_skewed(row["entered_at"], now) for row in rows]
    return np.zeros(len(rows), np.int64), np.array(codes, np.int16), np.array(times, np.int64)


def _code(name: str, funnel: Funnel, schema: Schema) -> int:
    stage = funnel.stage_of(name)
    if stage is None:
        raise UnknownStage(
            f"stage must be one of {', '.join((*schema.stages, *schema.exits))}, or a name that funnel.toml gives to one of them; got {name[:80]!r}."
        )
    return schema.stage_code(stage)


def _known(request: ScoreRequest, schema: Schema) -> Known:
    of = {"lead": request.lead, "account": request.account}
    values: dict[str, tuple[str | None]] = {}
    for column in schema.inputs:
        table, name = column.split(".", 1)
        values[column] = (canonical(of[table].get(name)),)
    return Known(dict.fromkeys(schema.inputs, _ONE), values)


def _unused(request: ScoreRequest, schema: Schema) -> list[str]:
    """What was sent and is not used by this model, in words."""
    told = []
    for table, sent in (("lead", request.lead), ("account", request.account)):
        unknown = sorted(name for name in sent if f"{table}.{name}" not in schema.used and name not in RESERVED["lead"])
        if unknown:
            told.append(f"{table} attributes that this model does not use: {_some(unknown)}.")
    if request.account_events:
        told.append("account_events are not used by this model.")
    if request.deals:
        told.append("deals are not used by this model.")
    return told


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
