"""From a dataset's tables to columnar histories and attribute codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data.arrow import Column, pc
from data.dataset import Dataset
from features.rows import Dated, Known
from features.schema import Schema
from features.sweep import NO_VALUE, sort_by_lead
from features.timeline import Codes, Ints, Timeline, build

MICRO = 1_000_000
MOST_VALUE = 1e12
"""Above this, millionths would no longer be exact in 64 bits: such a value counts as none."""


@dataclass(frozen=True)
class Cohort:
    """The leads of a dataset: ids (n,) sorted, their timeline and what is known of them."""

    lead_ids: Sequence[str]
    timeline: Timeline
    known: Known


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
    return Cohort([str(i) for i in ids.to_pylist()], timeline, _known(dataset, leads, schema))


def ints(column: Any) -> Ints:
    return np.asarray(column, dtype=np.int64)


def positions(values: Column, within: Column) -> Ints:
    """Index of each value in `within`, -1 where it is not there."""
    return ints(pc.fill_null(pc.index_in(values, value_set=within.combine_chunks()), -1))


def event_instants(events: pa.Table) -> Ints:
    """When each event counted: `recorded_at` where given, never before it occurred; else `occurred_at`."""
    return ints(pc.max_element_wise(events["occurred_at"], events["recorded_at"], skip_nulls=True))


def _events(events: pa.Table, ids: Column, schema: Schema) -> tuple[Ints, Codes, Ints, Ints]:
    kind = _coded(events["type"], [schema.type_code(name) for name in _distinct(events["type"])])
    value = events["value"].combine_chunks().to_numpy(zero_copy_only=False)
    there = np.abs(value) <= MOST_VALUE  # nan is not
    millionths = np.where(there, np.rint(np.where(there, value, 0.0) * MICRO), NO_VALUE).astype(np.int64)
    return positions(events["lead_id"], ids), kind, event_instants(events), millionths


def _stages(stages: pa.Table, ids: Column, schema: Schema) -> tuple[Ints, Codes, Ints]:
    code = _coded(stages["stage"], [schema.stage_code(name) for name in _distinct(stages["stage"])])
    return positions(stages["lead_id"], ids), code, ints(stages["entered_at"])


def _distinct(column: Column) -> list[str]:
    return [str(v) for v in _dictionary(column).dictionary.to_pylist()]


def _coded(column: Column, codes: Sequence[int]) -> Codes:
    """The code of each row's text; a missing text has code -1."""
    indices = ints(pc.fill_null(_dictionary(column).indices, len(codes)))
    return np.array([*codes, -1], np.int16)[indices]


def _dictionary(column: Column) -> Any:
    return column.combine_chunks().dictionary_encode()


def _known(dataset: Dataset, leads: pa.Table, schema: Schema) -> Known:
    account = positions(leads["account_id"], dataset.accounts["account_id"])
    codes: dict[str, Ints] = {}
    values: dict[str, Sequence[str | None]] = {}
    dated: dict[str, Dated] = {}
    for column in schema.inputs:
        table, field = column.split(".", 1)
        source = leads if table == "lead" else dataset.accounts
        if field in source.column_names:
            codes[column], values[column] = _lookup(source[field], None if table == "lead" else account)
            history = _history(dataset, leads, account, table, field)
            if history is not None:
                dated[column] = history
    return Known(codes, values, dated)


def _lookup(column: Column, rows: Ints | None) -> tuple[Ints, Sequence[str | None]]:
    encoded = _dictionary(column)
    values: list[str | None] = [*encoded.dictionary.to_pylist(), None]
    codes = np.append(ints(pc.fill_null(encoded.indices, len(values) - 1)), len(values) - 1)
    return (codes[:-1] if rows is None else codes[rows]), values


def _history(dataset: Dataset, leads: pa.Table, account: Ints, table: str, field: str) -> Dated | None:
    mask = pc.and_(pc.equal(dataset.changes["object"], table), pc.equal(dataset.changes["field"], field))
    rows = dataset.changes.filter(mask)
    if rows.num_rows == 0:
        return None
    rows = rows.take(pc.sort_indices(rows, sort_keys=[("changed_at", "ascending"), ("value", "ascending")]))
    owner = rows["id"]
    if table == "lead":
        lead, row = positions(owner, leads["lead_id"]), np.arange(rows.num_rows)
    else:
        lead, row = _of_account(positions(owner, dataset.accounts["account_id"]), account)
    time = ints(rows["changed_at"])[row]
    start, time, _, row = sort_by_lead(len(leads), lead, time, np.zeros(row.size, np.int16), row.astype(np.int64))
    return Dated(start, time, rows["value"].take(pa.array(row)).to_pylist())


def _of_account(changed: Ints, account: Ints) -> tuple[Ints, Ints]:
    """Pairs (lead, change row): a change of an account is one of each of its leads."""
    order = np.argsort(account, kind="stable")
    low, high = (np.searchsorted(account[order], changed, side) for side in ("left", "right"))
    size = np.where(changed >= 0, high - low, 0)
    row = np.repeat(np.arange(changed.size), size)
    within = np.arange(row.size) - np.repeat(np.cumsum(size) - size, size)
    return order[np.repeat(low, size) + within], row
