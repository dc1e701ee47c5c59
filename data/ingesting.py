"""`leadscore ingest`: a whole dataset into the operational store, in short transactions, as often as one likes."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from data import pending
from data.arrow import pc
from data.contract import TABLES
from data.dataset import Dataset, Progress, read_dataset
from data.funnel import Funnel, load_funnel
from data.home import clock
from data.ids import resolved
from data.ingest_objects import keep_accounts, keep_leads, settle_values
from data.ingest_rows import event_key, keep_deals, keep_stages
from data.items import Outcome, dumped
from data.mapping import load_mapping
from data.schema import ALIASES, CHANGES, EVENTS
from data.sql import Row, insert
from data.store import Store, open_store
from data.telling import telling
from data.tombstones import erased_among, hold

BATCH = 5_000
_GAP_SECONDS = 0.02
"""Between two transactions: SQLite lets others in only while nobody writes."""

Counts = Counter[str]
_Work = Callable[[sa.Connection], Counts]
_Keep = Callable[[sa.Connection, list[dict[str, Any]]], list[Outcome]]


def ingest(dataset: str, config: str | None, mapping: str | None) -> int:
    """Read the folder, put it into the store of this instance, and say what was new; again changes nothing.

    No webhook comes of it. When it is done all leads are marked to be scored once. Interrupted it may be run again.
    """
    funnel = load_funnel(Path(config) if config else None)
    with open_store() as store, telling() as tell:
        read, report = read_dataset(dataset, funnel=funnel, mapping=load_mapping(mapping) if mapping else None, on_progress=tell)
        counts = load(store, read, funnel, clock(), tell)
    for warning in report.warnings:
        sys.stderr.write(f"warning: {warning.text()}\n")
    for name, count in counts.items():
        sys.stdout.write(f"{name}: {', '.join(f'{count[status]:,} {status}' for status in ('created', 'updated', 'unchanged', 'refused'))}\n")
    return 0


def load(store: Store, dataset: Dataset, funnel: Funnel, now: int, tell: Progress) -> dict[str, Counts]:
    """All rows of the dataset into the store; {table: how many were created, updated, unchanged, refused (of erased leads)}.

    History comes before the values that it ends with, leads before what belongs to them.
    """
    counts = {name: Counter[str]() for name in TABLES}
    steps: dict[str, Iterator[_Work]] = {
        "changes": _changes(dataset.changes, now),
        "accounts": _items(dataset.accounts, lambda connection, items: keep_accounts(connection, items, now)),
        "leads": _items(dataset.leads, lambda connection, items: _keep_own_leads(connection, items, now)),
        "aliases": _aliases(dataset.aliases, now),
        "events": _events(dataset.events, now),
        "stages": _items(dataset.stages, lambda connection, items: keep_stages(connection, items, now, funnel)[0]),
        "deals": _items(dataset.deals, lambda connection, items: keep_deals(connection, items, now)[0]),
    }
    for name, works in steps.items():
        rows = getattr(dataset, name).num_rows
        for work in works:
            tell(f"{name}: {sum(counts[name].values()):,} of {rows:,} rows")
            counts[name] += store.write(work)
            time.sleep(_GAP_SECONDS)
    if any(count[status] for count in counts.values() for status in ("created", "updated")):
        tell("marking the leads to be scored")
        pending.mark_open(store, now, quiet=True)
    return {name: count for name, count in counts.items() if count}


def _batches(table: pa.Table) -> Iterator[pa.Table]:
    return (table.slice(begin, BATCH) for begin in range(0, table.num_rows, BATCH))


def _items(table: pa.Table, keep: _Keep) -> Iterator[_Work]:
    """Through the same code as the calls. A column that is empty in every row is not told at all; else an empty value clears."""
    told = table.select([name for name in table.column_names if table[name].null_count < table.num_rows])
    for batch in _batches(told):
        items = batch.to_pylist()
        yield partial(_kept, keep=keep, items=items)


def _kept(connection: sa.Connection, keep: _Keep, items: list[dict[str, Any]]) -> Counts:
    return Counter(outcome.status for outcome in keep(connection, items))


def _keep_own_leads(connection: sa.Connection, items: list[dict[str, Any]], now: int) -> list[Outcome]:
    """A record that was merged away tells nothing of the lead that it became part of: the same export would turn values to and fro."""
    owners = resolved(connection, {item["lead_id"] for item in items})
    own = [item for item in items if owners.get(item["lead_id"], item["lead_id"]) == item["lead_id"]]
    merged = [Outcome("unchanged", item["lead_id"]) for item in items if owners.get(item["lead_id"], item["lead_id"]) != item["lead_id"]]
    return keep_leads(connection, own, now) + merged


def _changes(table: pa.Table, now: int) -> Iterator[_Work]:
    ordered = table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in ("object", "id", "field", "changed_at", "value")]))
    for batch in _batches(ordered):
        rows = list(zip(*(batch[name].to_pylist() for name in ("object", "id", "field", "changed_at", "value")), strict=True))
        yield partial(_keep_changes, rows=rows, now=now)


def _keep_changes(connection: sa.Connection, rows: list[Row], now: int) -> Counts:
    """Of several values at one instant the last one counts, as it does when the folder is read."""
    hold(connection)
    ids = {row[1] for row in rows if row[0] == "lead"}
    owners = resolved(connection, ids)
    erased = erased_among(connection, ids - owners.keys())
    of_erased = [row[0] == "lead" and row[1] in erased for row in rows]
    living = [row for row, gone in zip(rows, of_erased, strict=True) if not gone]
    kept = {(row[0], owners.get(row[1], row[1]) if row[0] == "lead" else row[1], *row[2:4]): row[4] for row in living}
    created = insert(connection, CHANGES, [(*key, value, now) for key, value in sorted(kept.items(), key=lambda entry: entry[0])])
    if created:
        settle_values(connection, {key[:2] for key in kept}, now)
    refused = sum(of_erased)
    return Counter(created=created, refused=refused, unchanged=len(rows) - refused - created)


def _aliases(table: pa.Table, now: int) -> Iterator[_Work]:
    for batch in _batches(table):
        rows = list(zip(*(batch[name].to_pylist() for name in ("object", "external_id", "lead_id")), strict=True))
        yield partial(_keep_aliases, rows=rows, now=now)


def _keep_aliases(connection: sa.Connection, rows: list[Row], now: int) -> Counts:
    hold(connection)
    owners = resolved(connection, {row[2] for row in rows})
    erased = erased_among(connection, {row[1] for row in rows})
    kept = [(row[0], row[1], owners[row[2]], now) for row in rows if row[2] in owners and row[1] not in erased and row[1] != owners[row[2]]]
    created = insert(connection, ALIASES, sorted(set(kept)))
    refused = sum(row[2] not in owners or row[1] in erased for row in rows)
    return Counter(created=created, refused=refused, unchanged=len(rows) - refused - created)


def _events(table: pa.Table, now: int) -> Iterator[_Work]:
    """An event without an id is told from its equals by its number among them in the whole table."""
    seen: Counter[bytes] = Counter()
    for batch in _batches(table):
        rows = [(*row[:-1], row[-1], now) for row in _event_rows(batch)]
        numbers = [_number(row, seen) if row[7] is None else 0 for row in rows]
        keyed = [(event_key(row[7], (*row[:7], row[8]), number), *row) for row, number in zip(rows, numbers, strict=True)]
        yield partial(_keep_events, rows=keyed, numbers=numbers)


def _event_rows(batch: pa.Table) -> Iterator[Row]:
    known = ("lead_id", "occurred_at", "recorded_at", "type", "value", "channel", "detail", "event_id")
    more = [name for name in batch.column_names if name not in known]
    extra: list[str | None] = [None] * batch.num_rows
    if more:
        found = ({name: value for name, value in row.items() if value is not None} for row in batch.select(more).to_pylist())
        extra = [dumped(row) if row else None for row in found]
    return zip(*(batch[name].to_pylist() for name in known), extra, strict=True)


def _number(row: Row, seen: Counter[bytes]) -> int:
    content = event_key(None, (*row[:7], row[8]), 0)
    seen[content] += 1
    return seen[content] - 1


def _keep_events(connection: sa.Connection, rows: list[Row], numbers: list[int]) -> Counts:
    hold(connection)
    owners = resolved(connection, {row[1] for row in rows})
    kept = [_moved(row, owners[row[1]], number) for row, number in zip(rows, numbers, strict=True) if row[1] in owners]
    created = insert(connection, EVENTS, sorted(kept))
    return Counter(created=created, refused=len(rows) - len(kept), unchanged=len(kept) - created)


def _moved(row: Row, owner: str, number: int) -> Row:
    """The event as one of the lead that it belongs to since leads were merged."""
    if row[1] == owner:
        return row
    return (event_key(row[8], (owner, *row[2:8], row[9]), number), owner, *row[2:])
