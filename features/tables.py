"""From a dataset's tables to columnar histories and attribute codes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from data.arrow import Column, Mask, pc
from data.contract import DAY
from data.dataset import Dataset
from features.colleagues import ALWAYS, Stays, colleagues_of
from features.rows import Cohort, Dated, Known
from features.schema import Schema
from features.sorting import sort_rows
from features.sweep import NO_VALUE
from features.timeline import Codes, Ints, build

MICRO = 1_000_000
FOREVER = 2**63 - 1
MOST_VALUE = 1e12
"""Above this, millionths would no longer be exact in 64 bits: such a value counts as none."""


def cohort_of(dataset: Dataset, schema: Schema) -> Cohort:
    """Leads in order of their id, so that the order of rows in the tables changes nothing."""
    leads = dataset.leads.take(pc.sort_indices(dataset.leads, sort_keys=[("lead_id", "ascending")]))
    ids = leads["lead_id"]
    timeline = build(
        ints(leads["created_at"]),
        _events(dataset.events, ids, schema),
        _stages(dataset.stages, ids, schema),
        len(schema.stages),
    )
    colleagues = colleagues_of(timeline, schema.program.role, stays_of(dataset, leads)) if schema.colleagues else None
    return Cohort([str(i) for i in ids.to_pylist()], timeline, _known(dataset, leads, schema), colleagues)


def ints(column: Any) -> Ints:
    return np.asarray(column, dtype=np.int64)


def positions(values: Column, within: Column) -> Ints:
    """Index of each value in `within`, -1 where it is not there."""
    return ints(pc.fill_null(pc.index_in(values, value_set=within.combine_chunks()), -1))


def event_instants(events: pa.Table) -> Ints:
    """When each event counted: `recorded_at` where given, never before it occurred; else `occurred_at`."""
    return ints(pc.max_element_wise(events["occurred_at"], events["recorded_at"], skip_nulls=True))


def _events(events: pa.Table, ids: Column, schema: Schema) -> tuple[Ints, Codes, Ints, Ints]:
    kind = _kinds(events, schema)
    value = events["value"].combine_chunks().to_numpy(zero_copy_only=False)
    there = np.abs(value) <= MOST_VALUE  # nan is not
    millionths = np.where(there, np.rint(np.where(there, value, 0.0) * MICRO), NO_VALUE).astype(np.int64)
    return positions(events["lead_id"], ids), kind, event_instants(events), millionths


def _kinds(events: pa.Table, schema: Schema) -> Codes:
    """`schema.kind_code` of each row."""
    first = [schema.kind_code(name, None, False) for name in _distinct(events["type"])]
    kind = _coded(events["type"], first)
    if schema.channels:
        none = schema.kind_of_channel(None)
        kind += _coded(events["channel"], [schema.kind_of_channel(name) - none for name in _distinct(events["channel"])], missing=0)
    if schema.late:
        kind += late(events)
    return np.where(_coded(events["type"], first) < 0, np.int16(-1), kind)


def late(events: pa.Table) -> Mask:
    """Whether each event was recorded more than a day after it occurred: a day after to the microsecond is not late."""
    recorded, occurred = (ints(pc.fill_null(events[name], 0)) for name in ("recorded_at", "occurred_at"))
    return recorded - occurred > DAY


def _stages(stages: pa.Table, ids: Column, schema: Schema) -> tuple[Ints, Codes, Ints]:
    code = _coded(stages["stage"], [schema.stage_code(name) for name in _distinct(stages["stage"])])
    return positions(stages["lead_id"], ids), code, ints(stages["entered_at"])


def _distinct(column: Column) -> list[str]:
    return [str(v) for v in _dictionary(column).dictionary.to_pylist()]


def _coded(column: Column, codes: Sequence[int], missing: int = -1) -> Codes:
    """The code of each row's text; that of a missing one."""
    indices = ints(pc.fill_null(_dictionary(column).indices, len(codes)))
    return np.array([*codes, missing], np.int16)[indices]


def _dictionary(column: Column) -> Any:
    return column.dictionary_encode().combine_chunks()  # in this order: one chunk holds no more than 2 GiB of text


def stays_of(dataset: Dataset, leads: pa.Table) -> Stays:
    """At which account each of the leads stood since when: by the history of its `account_id` where there is one, else all along. Where it
    stood first when it was created or before, it always did: that its account was noted down when it moved changes no earlier row."""
    rows = _changes(dataset, "lead", "account_id")
    lead = positions(rows["id"], leads["lead_id"])
    named = pa.chunked_array([*leads["account_id"].chunks, *rows["value"].chunks], pa.string())
    accounts = pa.chunked_array([pc.drop_null(pc.unique(named))])
    always = np.setdiff1d(np.arange(leads.num_rows, dtype=np.int64), lead)
    since = np.concatenate([np.full(always.size, ALWAYS), ints(rows["changed_at"])])
    account = np.concatenate([positions(leads["account_id"], accounts)[always], positions(rows["value"], accounts)])
    owner, every = np.concatenate([always, lead]), np.arange(since.size, dtype=np.int64)
    start, since, _, row = sort_rows(leads.num_rows, owner, since, np.zeros(since.size, np.int16), every)
    first, created = (np.repeat(column, np.diff(start)) for column in (since[start[:-1]], ints(pc.fill_null(leads["created_at"], 0))))
    since = np.where((since == first) & (first <= created), ALWAYS, since)
    return Stays(start, since, account[row], max(len(accounts), 1))


def _known(dataset: Dataset, leads: pa.Table, schema: Schema) -> Known:
    account = positions(leads["account_id"], dataset.accounts["account_id"])
    joined = _joined(dataset, leads)
    codes: dict[str, Ints] = {}
    values: dict[str, Sequence[str | None]] = {}
    dated: dict[str, Dated] = {}
    for column in schema.inputs:
        table, field = column.split(".", 1)
        source = leads if table == "lead" else dataset.accounts
        if field in source.column_names:
            codes[column], values[column] = _lookup(source[field], None if table == "lead" else account)
            own = _changes(dataset, table, field)
            history = _of_leads(own, leads) if table == "lead" else _of_accounts(own, dataset, field, account, joined)
            if history is not None:
                dated[column] = history
    return Known(codes, values, dated)


def _lookup(column: Column, rows: Ints | None) -> tuple[Ints, Sequence[str | None]]:
    encoded = _dictionary(column)
    values: list[str | None] = [*encoded.dictionary.to_pylist(), None]
    codes = np.append(ints(pc.fill_null(encoded.indices, len(values) - 1)), len(values) - 1)
    return (codes[:-1] if rows is None else codes[rows]), values


def _changes(dataset: Dataset, table: str, field: str) -> pa.Table:
    """The history of one field in order of time."""
    mask = pc.and_(pc.equal(dataset.changes["object"], table), pc.equal(dataset.changes["field"], field))
    rows = dataset.changes.filter(mask)
    return rows.take(pc.sort_indices(rows, sort_keys=[("changed_at", "ascending"), ("value", "ascending")]))


def _of_leads(rows: pa.Table, leads: pa.Table) -> Dated | None:
    return _dated(len(leads), positions(rows["id"], leads["lead_id"]), ints(rows["changed_at"]), rows["value"].to_pylist())


def _dated(n: int, lead: Ints, time: Ints, values: Sequence[str | None]) -> Dated | None:
    """The rows, in order of time, as the histories of n leads; None where there is none."""
    if not len(values):
        return None
    start, time, _, row = sort_rows(n, lead, time, np.zeros(lead.size, np.int16), np.arange(lead.size, dtype=np.int64))
    return Dated(start, time, [values[i] for i in row.tolist()])


Joined = Mapping[int, Sequence[tuple[int, int]]]
"""Of leads whose account changed: since when which row of accounts is theirs, -1 for none, in order of time."""


def _joined(dataset: Dataset, leads: pa.Table) -> Joined:
    rows = _changes(dataset, "lead", "account_id")
    lead, account = positions(rows["id"], leads["lead_id"]), positions(rows["value"], dataset.accounts["account_id"])
    found: dict[int, list[tuple[int, int]]] = {}
    for at, time, which in zip(lead.tolist(), ints(rows["changed_at"]).tolist(), account.tolist(), strict=True):
        if at >= 0:
            found.setdefault(at, []).append((time, which))
    return found


def _of_accounts(rows: pa.Table, dataset: Dataset, field: str, account: Ints, joined: Joined) -> Dated | None:
    """What each lead's account was known for: of a lead whose account changed, of each from when it was the lead's."""
    changed, times, values = positions(rows["id"], dataset.accounts["account_id"]), ints(rows["changed_at"]), rows["value"].to_pylist()
    lead, row = _of_account(changed, np.where(np.isin(np.arange(account.size), list(joined)), -2, account))
    found = list(zip(times[row].tolist(), lead.tolist(), [values[i] for i in row.tolist()], strict=True))
    if joined:
        histories: dict[int, list[tuple[int, str | None]]] = {}
        for at, time, value in zip(changed.tolist(), times.tolist(), values, strict=True):
            histories.setdefault(at, []).append((time, value))
        now = dataset.accounts[field].to_pylist()
        found += [(time, at, value) for at, spans in joined.items() for time, value in _along(spans, histories, now)]
        found.sort(key=itemgetter(0))
    return _dated(account.size, ints([at for _, at, _ in found]), ints([time for time, *_ in found]), [value for *_, value in found])


def _along(
    spans: Sequence[tuple[int, int]], histories: Mapping[int, Sequence[tuple[int, str | None]]], now: Sequence[str | None]
) -> Iterator[tuple[int, str | None]]:
    """(since when, value) of a field along the accounts of one lead; `now` is the value of an account without a history."""
    for (begin, account), (end, _) in pairwise([*spans, (FOREVER, -1)]):
        history = histories.get(account)
        if account < 0 or history is None:
            yield begin, None if account < 0 else now[account]
            continue
        known = [value for time, value in history if time <= begin]
        yield begin, known[-1] if known else None
        yield from ((time, value) for time, value in history if begin < time < end)


def _of_account(changed: Ints, account: Ints) -> tuple[Ints, Ints]:
    """Pairs (lead, change row): a change of an account is one of each of its leads."""
    order = np.argsort(account, kind="stable")
    low, high = (np.searchsorted(account[order], changed, side) for side in ("left", "right"))
    size = np.where(changed >= 0, high - low, 0)
    row = np.repeat(np.arange(changed.size), size)
    within = np.arange(row.size) - np.repeat(np.cumsum(size) - size, size)
    return order[np.repeat(low, size) + within], row
