"""What the store knows of many leads, in the shape of a checked `POST /v1/score`: what rescoring and replay compute from."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from data.contract import format_instant
from data.schema import ACCOUNTS, CHANGES, DEALS, EVENTS, LEADS, STAGES
from data.sql import among
from data.store import Store

_ROWS = {
    "events": (EVENTS, "occurred_at", ("occurred_at", "type", "value", "channel", "detail", "event_id", "recorded_at")),
    "stages": (STAGES, "entered_at", ("entered_at", "stage", "reason")),
    "deals": (
        DEALS,
        "opened_at",
        ("deal_id", "opened_at", "closed_at", "outcome", "amount", "currency", "reason", "competitor", "stage"),
    ),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """One lead: `lead` and `account` flat, times in them as ISO text; rows by time, their times micros UTC, columns without a value left out."""

    lead: dict[str, Any]
    account: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)
    deals: list[dict[str, Any]] = field(default_factory=list)


def facts_of(store: Store, lead_ids: Collection[str], until: int | None = None) -> dict[str, Facts]:
    """{lead_id: Facts} of those that are held; one snapshot, a query a table however many leads.

    `until` (micros): only what the store had taken in by then, values as the history tells them for then (a deal as it is now).
    """
    with store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        leads = {row.lead_id: row for row in _select(connection, LEADS, "lead_id", lead_ids, until)}
        owned = {row.account_id for row in leads.values() if row.account_id is not None}
        values = {id: {"lead_id": id, "account_id": row.account_id, "owner": row.owner} | orjson.loads(row.fields) for id, row in leads.items()}
        _turn_back(connection, "lead", values, until)
        if until is not None:
            owned |= {held["account_id"] for held in values.values() if held.get("account_id")}
        accounts = {row.account_id: orjson.loads(row.fields) for row in _select(connection, ACCOUNTS, "account_id", owned, until)}
        _turn_back(connection, "account", accounts, until)
        found = {id: _facts(row, values[id], accounts) for id, row in leads.items()}
        for name, (table, at, columns) in _ROWS.items():
            for id, row in _rows(connection, table, at, columns, leads, until):
                getattr(found[id], name).append(row)
    return found


def _facts(row: sa.Row[Any], values: dict[str, Any], accounts: Mapping[str, dict[str, Any]]) -> Facts:
    times = {"created_at": row.created_at, "recorded_at": row.recorded_at}
    lead = values | {name: format_instant(at) for name, at in times.items() if at is not None}
    account_id = values.get("account_id")
    account = {"account_id": account_id} | accounts[account_id] if account_id is not None and account_id in accounts else {}
    return Facts(_known(lead), _known(account))


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _turn_back(connection: sa.Connection, object: str, held: Mapping[str, dict[str, Any]], until: int | None) -> None:
    """Set each value that has a history to what it was at `until`, None before its first entry."""
    if until is None or not held:
        return
    rows = sa.select(CHANGES.c.id, CHANGES.c.field, CHANGES.c.value, CHANGES.c.changed_at, CHANGES.c.ingested_at)
    rows = rows.where(CHANGES.c.object == object, among(connection, CHANGES.c.id, held)).order_by(CHANGES.c.changed_at)
    then: dict[tuple[str, str], str | None] = defaultdict(lambda: None)
    for id, name, value, changed, ingested in connection.execute(rows):
        known = changed <= until and ingested <= until
        then[id, name] = value if known else then[id, name]
    for (id, name), value in then.items():
        held[id][name] = value


def _select(connection: sa.Connection, table: sa.Table, key: str, ids: Collection[str], until: int | None) -> Iterator[sa.Row[Any]]:
    rows = sa.select(table).where(among(connection, table.c[key], ids))
    return iter(connection.execute(rows if until is None else rows.where(table.c.ingested_at <= until)))


def _rows(
    connection: sa.Connection, table: sa.Table, at: str, columns: tuple[str, ...], ids: Collection[str], until: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    chosen = sa.select(table.c.lead_id, *(table.c[name] for name in columns)).where(among(connection, table.c.lead_id, ids))
    if until is not None:
        chosen = chosen.where(table.c.ingested_at <= until)
    for row in connection.execute(chosen.order_by(table.c[at])):
        yield row[0], {name: value for name, value in zip(columns, row[1:], strict=True) if value is not None}
