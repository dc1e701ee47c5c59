"""Erasure: nothing of a lead is left in the store, but what refuses it when it is sent again."""

from collections.abc import Collection

import orjson
import sqlalchemy as sa

from data import pending
from data.colleagues import colleagues
from data.engine import BUSY_MILLISECONDS
from data.ids import names_of, resolved
from data.items import is_text, show
from data.refusals import UnknownLead
from data.schema import (
    ALIASES,
    CHANGES,
    DEALS,
    DELIVERIES,
    ERASED_SCORES,
    EVENTS,
    FEEDBACK,
    IDEMPOTENCY,
    LEADS,
    PENDING,
    QUEUE,
    SCORES,
    STAGES,
)
from data.sql import among, insert
from data.store import Store
from data.tombstones import bury, erased_among, hold

_WAIT_MILLISECONDS = 500
_OF_A_LEAD = (LEADS, EVENTS, STAGES, DEALS, FEEDBACK, QUEUE, PENDING, DELIVERIES)


def erase(store: Store, lead_id: str, now: int) -> dict[str, int]:
    """Erase the lead of this id or alias from every table; {table: rows erased}. The account stays. The scores of others there counted what
    this one did: those that share its account now are marked at once, if these are no more than `colleagues.MOST_AT_ACCOUNT`; all others are rescored
    by the nightly sweep.

    Its ids and aliases are refused from now on, its scores are known as erased. Again: erases what came since. Raises UnknownLead where nothing
    is held and nothing was erased. On SQLite the bytes are overwritten, and gone from the write-ahead log when this returns; or, where somebody has
    been reading for longer, such as a training, once that has ended and the log begins anew.
    """
    counts = store.write(lambda connection: _erase(connection, lead_id, now))
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # While it waits for readers nobody can write.
            for statement in (f"busy_timeout={_WAIT_MILLISECONDS}", "wal_checkpoint(TRUNCATE)", f"busy_timeout={BUSY_MILLISECONDS}"):
                connection.exec_driver_sql(f"PRAGMA {statement}")
    return counts


def _erase(connection: sa.Connection, given: str, now: int) -> dict[str, int]:
    if not is_text(given):
        raise UnknownLead("no lead has such an id.")
    hold(connection, alone=True)
    lead_id = resolved(connection, {given}).get(given, given)
    names = {given} | names_of(connection, lead_id)
    others = set(colleagues(connection, names)) - names
    counts = _erase_rows(connection, names, now)
    pending.mark(connection, (), now, pending.SWEPT, quiet=False, others=others)
    if not any(counts.values()) and not erased_among(connection, {given}):
        raise UnknownLead(f"nothing is held on a lead {show(given)}, so there is nothing to erase.")
    _forget_mentions(connection, names)
    bury(connection, names - resolved(connection, names).keys(), now)  # an alias of several leads means the one that is left
    return counts


def _erase_rows(connection: sa.Connection, names: Collection[str], now: int) -> dict[str, int]:
    scores = list(connection.scalars(sa.select(SCORES.c.score_id).where(among(connection, SCORES.c.lead_id, names))))
    insert(connection, ERASED_SCORES, [(score_id, now) for score_id in scores])
    counts = {"scores": _delete(connection, SCORES, among(connection, SCORES.c.lead_id, names))}
    counts["changes"] = _delete(connection, CHANGES, sa.and_(CHANGES.c.object == "lead", among(connection, CHANGES.c.id, names)))
    counts["aliases"] = _delete(connection, ALIASES, among(connection, ALIASES.c.lead_id, names))
    return counts | {table.name: _delete(connection, table, among(connection, table.c.lead_id, names)) for table in _OF_A_LEAD}


def _delete(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
    return int(connection.execute(sa.delete(table).where(which)).rowcount)


def _forget_mentions(connection: sa.Connection, names: Collection[str]) -> None:
    """Drop the answers kept for a repeated call that name the lead. A short id hits more than its own: better done twice than named."""
    for written in {form for name in names for form in (name.encode(), orjson.dumps(name)[1:-1], orjson.dumps(ascii(name)[1:-1])[1:-1])}:
        if connection.dialect.name == "sqlite":
            found = sa.func.instr(IDEMPOTENCY.c.content, written)
        else:
            found = sa.func.position(sa.literal(written, sa.LargeBinary).op("IN")(IDEMPOTENCY.c.content))
        connection.execute(sa.delete(IDEMPOTENCY).where(found > 0))
