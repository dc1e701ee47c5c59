"""Two records of one lead become one, with both histories."""

from collections import Counter
from typing import Any

import sqlalchemy as sa

from data import pending, queue
from data.attributes import merged
from data.colleagues import colleagues
from data.ingest_objects import read_histories, read_leads, write_leads
from data.ingest_rows import event_key
from data.items import Outcome
from data.refusals import SameLead, living
from data.schema import ALIASES, CHANGES, DEALS, DELIVERIES, EVENTS, FEEDBACK, LEADS, PENDING, SCORES, STAGES
from data.sql import insert
from data.store import Store
from data.tombstones import hold


def merge(store: Store, into: str, other: str, now: int) -> Outcome:
    """All that is held on `other` becomes `into`'s, whose own values stay; `other` is an alias from then on. Ids or aliases are accepted.

    "unchanged" where they are one lead already. Raises SameLead for one id twice, UnknownLead, ErasedLead.
    """
    if into == other:
        raise SameLead("a lead can't be merged into itself. Name two leads.")
    return store.write(lambda connection: _merge(connection, into, other, now))


def _merge(connection: sa.Connection, into: str, other: str, now: int) -> Outcome:
    hold(connection, alone=True)
    stays, goes = living(connection, into), living(connection, other)
    if stays == goes:
        return Outcome("unchanged", stays, detail="they are one lead already.")
    others = set(colleagues(connection, [stays, goes])) - {goes}
    _merge_values(connection, stays, goes, now)
    _move_events(connection, stays, goes)
    for table in (STAGES, DEALS):
        _move(connection, table, table.c.lead_id, stays, goes)
    for table in (FEEDBACK, SCORES, DELIVERIES, ALIASES):
        connection.execute(sa.update(table).where(table.c.lead_id == goes).values(lead_id=stays))
    insert(connection, ALIASES, [("lead", goes, stays, now)], update=("lead_id",))
    queue.write(connection, [], [goes], now)
    connection.execute(sa.delete(PENDING).where(PENDING.c.lead_id == goes))
    pending.mark(connection, [stays], now, pending.CHANGED, quiet=False, others=others)
    return Outcome("updated", stays)


def _merge_values(connection: sa.Connection, stays: str, goes: str, now: int) -> None:
    leads = read_leads(connection, (stays, goes))
    read_histories(connection, "lead", leads)
    lead, gone = leads[stays], leads[goes]
    merged(lead, gone, now)
    recorded = [one.created_at if one.recorded_at is None else one.recorded_at for one in (lead, gone)]
    lead.created_at = min(lead.created_at, gone.created_at)
    lead.recorded_at = None if lead.recorded_at is None or gone.recorded_at is None else min(recorded)
    connection.execute(sa.delete(LEADS).where(LEADS.c.lead_id == goes))
    _move(connection, CHANGES, CHANGES.c.id, stays, goes, CHANGES.c.object == "lead")
    write_leads(connection, [lead], now)


def _move_events(connection: sa.Connection, stays: str, goes: str) -> None:
    """Those without an event_id get the key that they would have had as events of `stays`: sent again they change nothing."""
    nameless = sa.and_(EVENTS.c.lead_id == goes, EVENTS.c.event_id.is_(None))
    seen: Counter[tuple[Any, ...]] = Counter()
    rows = []
    for _, _, *rest, _, extra, ingested in connection.execute(sa.select(EVENTS).where(nameless)):
        content = (stays, *rest, extra)
        rows.append((event_key(None, content, seen[content]), stays, *rest, None, extra, ingested))
        seen[content] += 1
    connection.execute(sa.delete(EVENTS).where(nameless))
    insert(connection, EVENTS, rows)
    connection.execute(sa.update(EVENTS).where(EVENTS.c.lead_id == goes).values(lead_id=stays))


def _move(connection: sa.Connection, table: sa.Table, column: sa.Column[str], stays: str, goes: str, *which: sa.ColumnElement[bool]) -> None:
    """The rows of `goes` become those of `stays`; where it has one of the same key, that one stays."""
    place = list(table.c).index(column)
    rows = [tuple(row) for row in connection.execute(sa.select(table).where(column == goes, *which))]
    insert(connection, table, [(*row[:place], stays, *row[place + 1 :]) for row in rows])
    connection.execute(sa.delete(table).where(column == goes, *which))
