"""The ways of leads through the funnel, column by column: what the reports on the funnel and on losses are made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.contract import RESERVED, is_placeholder
from data.funnel import Funnel
from data.journeys import DealRows, Rows, StageRows, Told, rows_of_store
from data.store import Store
from features.personal import is_personal
from features.sweep import NO_VALUE
from features.timeline import Codes, Ints, Timeline, build

if TYPE_CHECKING:
    from data.dataset import Dataset

Floats = NDArray[np.float64]
Objects = NDArray[np.object_]

NEVER = int(np.iinfo(np.int64).max)
AHEAD = 5 * 60 * 1_000_000
"""Rows up to five minutes ahead of the clock count as now; later ones are not known yet."""
_MEANT = {"customer": "won", "lost": "lost", "disqualified": "lost"}


@dataclass(frozen=True)
class Deals:
    """One row a deal (d,), by (lead, opened): with several leads it is the first one's. `outcome` `won`, `lost` or None while it is open; `closed`
    NEVER while it is open, and where nobody said when it closed. `amount` nan where it is not known; texts None."""

    lead: Ints
    opened: Ints
    closed: Ints
    outcome: Objects
    amount: Floats
    currency: Objects
    reason: Objects
    competitor: Objects
    stage: Objects


@dataclass(frozen=True)
class Journeys:
    """n leads in the order of their ids, and their k spells in a stage or exit, sorted by (lead, entered); instants are micros UTC.

    `attributes`: current texts (n,) of the fields of leads and (`account_...`) of their accounts; None where nothing is known, and without what says
    who a person is. A spell's `stage` is an index into `stages`, then `exits`; `left` is when the next one began, NEVER for the one a lead stands in,
    and equals `entered` where a stage was passed through within one instant. `reasons` (k,): why an exit was entered, None where nobody said.
    `as_of`: up to when these histories are told, the latest creation or entry in them.
    """

    lead_ids: Sequence[str]
    created: Ints
    attributes: Mapping[str, Objects]
    stages: tuple[str, ...]
    exits: tuple[str, ...]
    lead: Ints
    stage: Codes
    entered: Ints
    left: Ints
    reasons: Objects
    deals: Deals
    as_of: int

    @property
    def leads(self) -> int:
        return int(self.created.size)

    @property
    def names(self) -> tuple[str, ...]:
        """What the codes of stages and exits stand for."""
        return (*self.stages, *self.exits)


def journeys_of_store(store: Store, funnel: Funnel, now: int) -> Journeys:
    """What the store holds, as it is known at `now`. Blocking: about a second for 50,000 leads."""
    return journeys_of(rows_of_store(store, partial(_hidden, funnel)), funnel, now)


def journeys_of_dataset(dataset: "Dataset", funnel: Funnel) -> Journeys:
    """The same of a dataset, as it is known at its end."""
    return journeys_of(_rows_of_dataset(dataset, partial(_hidden, funnel)), funnel, dataset.data_end)


def journeys_of(rows: Rows, funnel: Funnel, now: int) -> Journeys:
    """The rows as journeys by the funnel's rules of stages (`features.timeline.build`); what lies after `now` is not known. Leads in the order of
    their ids, so that the order of rows changes nothing."""
    created = np.array(rows.created_at, np.int64)
    known = np.flatnonzero(created <= now + AHEAD)
    known = known[np.argsort(_objects([rows.lead_id[i] for i in known.tolist()]), kind="stable")]
    ids, created = [rows.lead_id[i] for i in known.tolist()], np.minimum(created[known], now)
    place = {id: i for i, id in enumerate(ids)}
    names = (*funnel.stages, *funnel.exits)
    lead, code, entered = _entries(rows.stages, place, {name: i for i, name in enumerate(names)}, funnel, now)
    timeline = build(created, _NO_EVENTS, (lead, code, entered), len(funnel.stages))
    spell, begun, left = _spells(timeline)
    reasons = _reasons(timeline, spell, rows.stages.reason, (lead, code, np.maximum(entered, created[lead]) if created.size else entered))
    shown = {name: _texts(column, known) for name, column in rows.attributes.items() if not _hidden(funnel, name)}
    return Journeys(
        ids, created, shown, funnel.stages, funnel.exits, spell, timeline.stage_code, begun, left, reasons, _deals(rows.deals, place, funnel, now),
        int(begun.max()) if begun.size else now,
    )  # fmt: skip


_NO_EVENTS = (np.empty(0, np.int64), np.empty(0, np.int16), np.empty(0, np.int64), np.full(0, NO_VALUE))


def _hidden(funnel: Funnel, name: str) -> bool:
    """Whether an attribute is personal, or funnel.toml leaves it out, under whatever name of the table."""
    field = name.removeprefix("account_")
    return any(is_personal(one) for one in (name, field)) or bool({name, field, f"lead.{name}", f"account.{field}"} & set(funnel.exclude))


def _texts(column: Sequence[str | None], rows: Ints) -> Objects:
    meaning: dict[str | None, str | None] = {text: None if text is None or is_placeholder(text) else text for text in set(column)}
    return _objects([meaning[column[i]] for i in rows.tolist()])


def _objects(values: Sequence[Any]) -> Objects:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _entries(rows: StageRows, place: Mapping[str, int], codes: Mapping[str, int], funnel: Funnel, now: int) -> tuple[Ints, Codes, Ints]:
    """(lead, code, entered) of each row; lead -1 for one of no known lead, of no stage, or that lies ahead."""
    meant = {name: codes.get(funnel.stage_of(name) or "", -1) if name is not None else -1 for name in set(rows.stage)}
    lead = np.array([place.get(id, -1) for id in rows.lead_id], np.int64)
    code = np.array([meant[name] for name in rows.stage], np.int16)
    entered = np.array(rows.entered_at, np.int64)
    lead[(code < 0) | (entered > now + AHEAD)] = -1
    return lead, code, np.minimum(entered, now)


def _spells(timeline: Timeline) -> tuple[Ints, Ints, Ints]:
    """(lead, entered, left) of every spell."""
    time = timeline.stage_time
    left = np.append(time[1:], NEVER)
    left[timeline.stage_start[1:] - 1] = NEVER
    return np.repeat(np.arange(timeline.leads, dtype=np.int64), np.diff(timeline.stage_start)), time, left[: time.size]


def _reasons(timeline: Timeline, spell: Ints, told: Sequence[str | None], rows: tuple[Ints, Codes, Ints]) -> Objects:
    """The reason of each spell in an exit: that of the row that began it."""
    lead, code, entered = (column.tolist() for column in rows)
    given = {(lead[i], code[i], entered[i]): text for i, text in enumerate(told) if text is not None and code[i] >= timeline.stages and lead[i] >= 0}
    begun = zip(spell.tolist(), timeline.stage_code.tolist(), timeline.stage_time.tolist(), strict=True)
    return _objects([given.get(one) for one in begun] if given else [None] * spell.size)


def _deals(rows: DealRows, place: Mapping[str, int], funnel: Funnel, now: int) -> Deals:
    lead = np.array([place.get(id, -1) for id in rows.lead_id], np.int64)
    opened = np.array(rows.opened_at, np.int64)
    first: dict[str, int] = {}
    for row in np.lexsort((lead, opened)).tolist():
        if lead[row] >= 0 and opened[row] <= now + AHEAD:
            first.setdefault(rows.deal_id[row], row)
    kept = np.array(sorted(first.values(), key=lambda row: (lead[row], opened[row], rows.deal_id[row])), np.int64)
    meant = {name: _MEANT.get(funnel.stage_of(name) or "") if name is not None else None for name in set(rows.outcome)}
    outcome = _objects([meant[rows.outcome[row]] for row in kept.tolist()])
    closed = [NEVER if outcome[i] is None or (at := rows.closed_at[row]) is None else min(at, now) for i, row in enumerate(kept.tolist())]
    texts = (_texts(column, kept) for column in (rows.currency, rows.reason, rows.competitor, rows.stage))
    amount = np.array([rows.amount[row] for row in kept.tolist()], np.float64)
    begun = np.minimum(opened[kept], now)
    return Deals(lead[kept], begun, np.maximum(np.array(closed, np.int64), begun), outcome, amount, *texts)


def _rows_of_dataset(dataset: "Dataset", hidden: Callable[[str], bool]) -> Rows:
    """The checked tables as the store's rows."""
    leads, stages, deals = (table.to_pydict() for table in (dataset.leads, dataset.stages, dataset.deals))
    accounts: dict[str, dict[str, str | None]] = {row["account_id"]: row for row in dataset.accounts.to_pylist()}
    fields = set(leads) - RESERVED["lead"]
    told, nothing = Told(hidden), dict[str, str | None]()
    told.add([dict(zip(fields, values, strict=True)) for values in zip(*(leads[name] for name in fields), strict=True)], "", frozenset())
    told.add([accounts.get(id, nothing) for id in leads["account_id"]], "account_", RESERVED["account"])
    told.end(len(leads["lead_id"]))
    return Rows(
        leads["lead_id"], leads["created_at"], told.columns,
        StageRows(*(stages[name] for name in StageRows.__dataclass_fields__)), DealRows(*(deals[name] for name in DealRows.__dataclass_fields__)),
    )  # fmt: skip
