"""Leads whose score is out of date: who marks them, who takes them, and when they are done. All times are micros UTC."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from data import schedule
from data.schema import LEADS, PENDING
from data.sql import among
from data.store import Store

CHANGED, SWEPT = 0, 1
"""Priorities: a lead's facts changed; a sweep over all leads came by."""

SWEEP = "sweep"
"""The counter that says for which champion every lead has been marked."""

SWEEP_BATCH = 5_000
LEASE_SECONDS = 60
SHORTEST_DELAY, LONGEST_DELAY = 30_000_000, 3_600_000_000
"""Micros until a lead that could not be scored is tried again: as long as it has been waiting, between these."""


class Claim(NamedTuple):
    """A lead that one process scores until its lease runs out. `marked_at` tells whether it was marked again meanwhile."""

    lead_id: str
    marked_at: int
    quiet: bool


def priority_of(quiet: bool) -> int:
    """History that is loaded waits for what happens now."""
    return SWEPT if quiet else CHANGED


def mark(connection: sa.Connection, lead_ids: Iterable[str], now: int, priority: int, quiet: bool, others: Iterable[str] = ()) -> None:
    """Note in the caller's transaction that these leads are to be scored again; `quiet`: no webhook shall come of it. `others` are leads that have
    nothing new themselves, and wait for those that have.

    One that waits already takes the more urgent priority, is quiet only if both are, and whoever is scoring it now will not have been the last.
    One of `others` keeps its place, and what it was postponed by, but for the length of a lease: of that it can't be told whether it is being scored.
    """
    own = set(lead_ids)
    beside = set(others) - own
    if not own and not beside:
        return
    lead_id = _listed(connection, sorted(own | beside))
    urgency = sa.case((among(connection, lead_id, own), priority), else_=SWEPT) if beside else sa.literal(priority)
    _upsert(connection, lead_id, now, urgency, quiet, own=own if beside else None)


def _listed(connection: sa.Connection, ids: list[str]) -> sa.ColumnElement[str]:
    """The ids as a column of one statement."""
    if connection.dialect.name == "postgresql":
        given: sa.ColumnElement[str] = sa.func.unnest(sa.cast(ids, postgresql.ARRAY(sa.Text))).column_valued("given")
        return given
    listed: sa.ColumnElement[str] = sa.func.json_each(orjson.dumps(ids).decode()).table_valued("value").c.value
    return listed


def _upsert(
    connection: sa.Connection,
    lead_id: sa.ColumnElement[str],
    now: int,
    priority: sa.ColumnElement[int],
    quiet: bool,
    *which: sa.ColumnElement[bool],
    own: Collection[str] | None = None,
) -> None:
    """`own`: those that have something new; None: all."""
    values = sa.select(lead_id.label("lead_id"), sa.literal(now), priority, sa.literal(quiet)).where(*which or [sa.true()])
    values = values.order_by("lead_id")  # two that mark the same leads lock them in the same order
    inserting = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(PENDING)
    adding = inserting.from_select(["lead_id", "marked_at", "priority", "quiet"], values)
    new, held = adding.excluded, PENDING.c
    later = new.marked_at > held.marked_at
    aside = sa.false() if own is None else sa.not_(among(connection, new.lead_id, own))
    again = {
        "marked_at": sa.case((sa.and_(later, sa.not_(aside)), new.marked_at), else_=held.marked_at + 1),
        "priority": sa.case((new.priority < held.priority, new.priority), else_=held.priority),
        "quiet": sa.and_(new.quiet, held.quiet),
        "claimed_until": sa.case((sa.and_(aside, held.claimed_until > now + LEASE_SECONDS * 1_000_000), held.claimed_until), else_=None),
    }
    connection.execute(adding.on_conflict_do_update(index_elements=["lead_id"], set_=again))


def mark_open(store: Store, now: int, quiet: bool = False) -> int:
    """Mark every lead of the store as swept, in transactions of `SWEEP_BATCH` leads; how many there are."""
    last, marked = "", 0
    while True:
        found, end = store.write(partial(_mark_batch, after=last, now=now, quiet=quiet))
        if not found:
            return marked
        last, marked = end, marked + found


def _mark_batch(connection: sa.Connection, after: str, now: int, quiet: bool) -> tuple[int, str]:
    batch = sa.select(LEADS.c.lead_id).where(LEADS.c.lead_id > after).order_by(LEADS.c.lead_id).limit(SWEEP_BATCH).subquery()
    found, end = connection.execute(sa.select(sa.func.count(), sa.func.max(batch.c.lead_id))).one()
    if found:
        _upsert(connection, LEADS.c.lead_id, now, sa.literal(SWEPT), quiet, LEADS.c.lead_id > after, LEADS.c.lead_id <= end)
    return found, end


def after_promotion(store: Store, now: int) -> None:
    """Mark every lead to be scored by the champion, once for each promotion or rollback, whichever process comes first. Not quietly: a grade that
    moved with the model has moved."""
    champion = store.champion()
    if champion is not None:
        schedule.once(store, SWEEP, champion[1], now, lambda: mark_open(store, now))


def claim(store: Store, now: int, limit: int, lease_seconds: int = LEASE_SECONDS) -> list[Claim]:
    """Take at most `limit` of the most urgent leads that nobody holds, the longest waiting first. No two processes get the same ones;
    those of a killed process are free again after the lease."""
    free = sa.or_(PENDING.c.claimed_until.is_(None), PENDING.c.claimed_until <= now)
    with store.engine.connect() as connection:
        if connection.execute(sa.select(PENDING.c.lead_id).where(free).limit(1)).first() is None:
            return []
    urgent = sa.select(PENDING.c.lead_id).where(free).order_by(PENDING.c.priority, PENDING.c.marked_at).limit(limit)
    taken = urgent.with_for_update(skip_locked=True).cte("taken").prefix_with("MATERIALIZED", dialect="postgresql")
    holding = PENDING.update().where(PENDING.c.lead_id.in_(sa.select(taken.c.lead_id))).values(claimed_until=now + lease_seconds * 1_000_000)
    with store.writing.begin() as connection:
        rows = connection.execute(holding.returning(PENDING.c.lead_id, PENDING.c.marked_at, PENDING.c.quiet)).all()
    return sorted((Claim(*row) for row in rows), key=lambda claim: (claim.marked_at, claim.lead_id))


def done(store: Store, claimed: Sequence[Claim]) -> None:
    """Forget those leads, but for the ones that were marked again since they were claimed."""
    _settle(store, claimed, lambda which: sa.delete(PENDING).where(which))


def release(store: Store, claimed: Sequence[Claim]) -> None:
    """Give them back unscored, free for anyone at once."""
    _settle(store, claimed, lambda which: PENDING.update().where(which).values(claimed_until=None))


def postpone(store: Store, claimed: Sequence[Claim], now: int) -> None:
    """Set back leads that can't be scored: each waits as long again as it has waited, so that the delay doubles with every attempt."""
    waited = now - PENDING.c.marked_at
    delay = sa.case((waited < SHORTEST_DELAY, SHORTEST_DELAY), (waited > LONGEST_DELAY, LONGEST_DELAY), else_=waited)
    _settle(store, claimed, lambda which: PENDING.update().where(which).values(claimed_until=now + delay))


def _settle(store: Store, claimed: Sequence[Claim], change: Callable[[sa.ColumnElement[bool]], sa.Executable]) -> None:
    """Change the rows that are as they were claimed. One that another transaction holds right now is being marked again: left alone."""
    if not claimed:
        return
    marks = {claim.lead_id: claim.marked_at for claim in claimed}
    with store.writing.begin() as connection:
        held = sa.select(PENDING.c.lead_id, PENDING.c.marked_at).where(among(connection, PENDING.c.lead_id, marks))
        rows = connection.execute(held.with_for_update(skip_locked=True))
        same = [row.lead_id for row in rows if row.marked_at == marks[row.lead_id]]
        connection.execute(change(among(connection, PENDING.c.lead_id, same)))
