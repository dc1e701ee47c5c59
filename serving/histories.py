"""From requests' bodies to the columnar histories of their leads: the same structure that a dataset's tables become."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import NamedTuple, TypeVar

from data.contract import DAY, RESERVED, canonical, format_instant
from data.funnel import Funnel
from features.attributes import Values
from features.schema import Schema
from features.timeline import Past
from serving.colleagues import Around, StoredRequest, role_of
from serving.contract import DealRow, EventRow, ScoreRequest, StageRow
from serving.errors import FutureAsOf, UnknownStage
from serving.said import REMEMBERING
from serving.words import msgid

CLOCK_SKEW = 5 * 60 * 1_000_000
"""Rows up to five minutes ahead of the clock count as now."""
_NAMES_KEPT = 1_000
_MOST_NAMES_KEPT = 200
_UNKNOWN = -2
"""A type of event that training never saw; -1 is one that it left out."""

Sent = TypeVar("Sent")


class History(NamedTuple):
    """One lead as the sweep and the encoders take it (`values` in the order of `schema.inputs`), what the caller should be told, the deals that the
    policy looks at, and, of a lead that the store holds, what others at its account did."""

    past: Past
    values: Values
    warnings: list[str]
    deals: Sequence[DealRow]
    around: Around | None


@dataclass(frozen=True)
class Reader:
    """Reads requests as one bundle understands them: `schema` and `funnel` are those that it was trained with."""

    schema: Schema
    funnel: Funnel

    def read(self, request: ScoreRequest, now: int) -> History:
        """Raises FutureAsOf for an as_of more than five minutes ahead of `now` (micros), UnknownStage for a stage that the funnel does not know."""
        if request.as_of is not None and request.as_of > now + CLOCK_SKEW:
            raise FutureAsOf(f"as_of must not be after now ({format_instant(now)}); got {format_instant(request.as_of)}. Nothing can be known then.")
        as_of = now if request.as_of is None else min(request.as_of, now)
        warnings: list[str] = []
        created = _created(request, as_of, now, warnings)
        entered, codes = self._entries(request, created, as_of, now, warnings)
        events = self._events(request.events, now)
        others = self._colleagues(request.account_events, now)
        if _UNKNOWN in events[1] or _UNKNOWN in others[1]:
            used = (*request.events, *request.account_events) if self.schema.colleagues else request.events
            unknown = sorted({row["type"] for row in used if self._kinds[row["type"]] == _UNKNOWN})
            warnings.append(REMEMBERING.text("event types that this model does not know are not used: {names}.", names=_some(unknown)))
        around = request.around if isinstance(request, StoredRequest) else None
        self._unused(request, around is not None, warnings)
        return History(Past(created, as_of, *events, entered, codes, *others), self._values(request), warnings, request.deals, around)

    def _events(self, rows: Sequence[EventRow], now: int) -> tuple[list[int], list[int], list[float]]:
        """When each counted, its kind and its value: list by list, which costs a third of what going row by row does."""
        if self.schema.channels:
            through = self._kinds_through
            kinds = [through[row["type"], row.get("channel")] for row in rows]
        else:
            kind_of = self._kinds
            kinds = [kind_of[row["type"]] for row in rows]
        values = [nan if (value := row.get("value")) is None else value for row in rows]
        times = [row["occurred_at"] for row in rows]
        recorded = [row.get("recorded_at") for row in rows]
        if recorded.count(None) < len(rows) or max(times, default=now) > now:
            if self.schema.late:
                late = [at is not None and at - time > DAY and _is_late(time, at, now) for time, at in zip(times, recorded, strict=True)]
                kinds = [kind + 1 if is_late and kind >= 0 else kind for kind, is_late in zip(kinds, late, strict=True)]
            times = [_counted(row, now) for row in rows]
        return times, kinds, values

    @cached_property
    def _kinds(self) -> "_Found[str]":
        """Of each type as exported, that of an event without a channel, recorded in time."""
        return _Found(lambda name: self.schema.kind_code(name, None, False) if self.schema.knows_type(name) else _UNKNOWN)

    @cached_property
    def _kinds_through(self) -> "_Found[tuple[str, str | None]]":
        """The same of each type and channel."""
        kind_of = self.schema.kind_code
        return _Found(lambda sent: self._kinds[sent[0]] if self._kinds[sent[0]] < 0 else kind_of(sent[0], canonical(sent[1]), False))

    def _colleagues(self, rows: Sequence[EventRow], now: int) -> tuple[list[int], list[int]]:
        """When each event of others at the account counted, and what it is in a conversation."""
        if not (rows and self.schema.colleagues):
            return [], []
        role = self._roles
        return [_counted(row, now) for row in rows], [role[row["type"]] for row in rows]

    @cached_property
    def _roles(self) -> "_Found[str]":
        return _Found(lambda name: self._kinds[name] if self._kinds[name] < 0 else role_of(self.schema, name))

    def _entries(self, request: ScoreRequest, created: int, as_of: int, now: int, warnings: list[str]) -> tuple[list[int], list[int]]:
        rows: Sequence[StageRow] = [row for row in request.stages if _skewed(row["entered_at"], now) <= as_of]
        if not rows and request.stage is not None:
            rows = [StageRow(entered_at=created, stage=request.stage)]
            if self._stage_codes[request.stage] != 0:
                warnings.append(REMEMBERING.text("stage is given without stages: the time in the stage counts from the lead's creation."))
        return [_skewed(row["entered_at"], now) for row in rows], [self._stage_codes[row["stage"]] for row in rows]

    @cached_property
    def _stage_codes(self) -> "_StageCodes":
        return _StageCodes(self.schema, self.funnel)

    def _values(self, request: ScoreRequest) -> Values:
        lead, account = request.lead.get, request.account.get
        return tuple([canonical((lead if of_lead else account)(name)) for of_lead, name in self._inputs])

    @cached_property
    def _inputs(self) -> tuple[tuple[bool, str], ...]:
        parts = (column.split(".", 1) for column in self.schema.inputs)
        return tuple((table == "lead", name) for table, name in parts)

    def _unused(self, request: ScoreRequest, held: bool, warnings: list[str]) -> None:
        """What was sent and is not used by this model, or not sent and would be, in words. `held`: the store knows what others did."""
        for sent, said in ((request.lead, self._of_lead), (request.account, self._of_account)):
            if (unused := said[tuple(sent)]) is not None:
                warnings.append(unused)
        if not self.schema.colleagues:
            if request.account_events:
                warnings.append(REMEMBERING.text("account_events are not used by this model."))
        elif not (held or request.account_events) and (request.account or canonical(request.lead.get("account_id")) is not None):
            warnings.append(REMEMBERING.text("account_events are not given: the score assumes that nothing happened with others at the account."))
        if request.deals:
            warnings.append(REMEMBERING.text("deals change no chance, only the recommended next step."))

    @cached_property
    def _of_lead(self) -> "_Unused":
        return _Unused(
            msgid("lead attributes that this model does not use: {names}."), RESERVED["lead"] | {name for of_lead, name in self._inputs if of_lead}
        )

    @cached_property
    def _of_account(self) -> "_Unused":
        return _Unused(
            msgid("account attributes that this model does not use: {names}."),
            RESERVED["lead"] | {name for of_lead, name in self._inputs if not of_lead},
        )


class _Unused(dict[tuple[str, ...], str | None]):
    """What is said of the attributes that are not used, by the names that were sent: a system sends the same ones each time."""

    def __init__(self, pattern: str, used: frozenset[str]) -> None:
        super().__init__()
        self._pattern, self._used = pattern, used

    def __missing__(self, names: tuple[str, ...]) -> str | None:
        unused = sorted(set(names) - self._used)
        said = REMEMBERING.text(self._pattern, names=_some(unused)) if unused else None
        if len(self) < _NAMES_KEPT and len(names) <= _MOST_NAMES_KEPT:
            self[names] = said
        return said


class _Found(dict[Sent, int]):
    """What `look` finds of what was sent: a system sends the same few names each time."""

    def __init__(self, look: Callable[[Sent], int]) -> None:
        super().__init__()
        self._look = look

    def __missing__(self, sent: Sent) -> int:
        found = self._look(sent)
        if len(self) < _NAMES_KEPT:
            self[sent] = found
        return found


class _StageCodes(dict[str, int]):
    """Codes by the name that was sent. A name is looked up in the funnel once: folding and comparing it costs more than all else of a stage row."""

    def __init__(self, schema: Schema, funnel: Funnel) -> None:
        super().__init__()
        self._schema, self._funnel = schema, funnel

    def __missing__(self, name: str) -> int:
        stage = self._funnel.stage_of(name)
        if stage is None:
            known = ", ".join((*self._schema.stages, *self._schema.exits))
            raise UnknownStage(f"stage must be one of {known}, or a name that funnel.toml gives to one of them; got {name[:80]!r}.")
        code = self._schema.stage_code(stage)
        if len(self) < _NAMES_KEPT:
            self[name] = code
        return code


def _created(request: ScoreRequest, as_of: int, now: int, warnings: list[str]) -> int:
    created = request.created_at
    if created is None:
        warnings.append(REMEMBERING.text("lead.created_at is not given: the lead counts as created at its first row, or at as_of."))
        created = min([as_of, *(_counted(e, now) for e in request.events), *(s["entered_at"] for s in request.stages)])
    created = _skewed(created, now)
    if as_of < created and created // DAY == as_of // DAY:
        warnings.append(
            REMEMBERING.text("lead.created_at is later on the day of as_of (a date alone counts from its end): the lead counts as created at as_of.")
        )
        created = as_of
    return created


def _skewed(instant: int, now: int) -> int:
    return now if now < instant <= now + CLOCK_SKEW else instant


def _counted(event: EventRow, now: int) -> int:
    """When an event counted: when it was recorded, but never before it occurred."""
    counted, recorded = event["occurred_at"], event.get("recorded_at")
    if recorded is not None and recorded > counted:
        counted = recorded
    return counted if counted <= now else _skewed(counted, now)


def _is_late(occurred: int, recorded: int, now: int) -> bool:
    """Whether it was recorded more than a day after it occurred: a day after to the microsecond is not late."""
    return _skewed(recorded, now) - _skewed(occurred, now) > DAY


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:5])
    return shown if len(names) <= 5 else REMEMBERING.text("{names} and {n} more", names=shown, n=len(names) - 5)
