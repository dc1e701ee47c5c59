"""The queue: the latest score of every open lead, sorted, and as it was a while ago, so that paging stays right while scores change.

A row counts for the snapshots s with since <= s < until. The numbers come from one counter, raised inside the transaction that publishes:
its row stays locked until the commit, so numbers are handed out in the order of the commits and a reader's snapshot is the counter's value.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from data.contract import HOUR
from data.schema import COUNTERS, LEADS, QUEUE
from data.sql import among
from data.store import Store
from data.tombstones import hold

BATCH = 500
"""Rows in one transaction at most: nobody waits long for the write lock."""

KEPT = HOUR
"""Micros for which a row that no longer counts can still be read by a cursor."""

NO_VALUE = 1e300
"""Sorts a lead without a value behind all that have one."""


class Scored(NamedTuple):
    """A lead's latest score as the queue shows it. Times are micros UTC, probabilities in [0, 1], `score` 0-100; `value` is what a conversion is
    worth, None where nothing tells it; `answer` the whole answer of DESIGN 9 as JSON."""

    lead_id: str
    stage: str
    transition: str | None
    horizon_days: int | None
    probability: float
    low: float
    high: float
    score: float
    grade: str
    action: str
    recommended_stage: str | None
    next_step: str | None
    owner: str | None
    value: float | None
    score_id: str
    as_of: int
    scored_at: int
    version: str
    answer: str

    @property
    def expected_value(self) -> float | None:
        """What the next `horizon_days` are expected to bring: probability x value."""
        return None if self.value is None else self.probability * self.value


@dataclass(frozen=True, slots=True)
class Change:
    """One lead's step from what the queue said before to what it says now; `before` is empty for a lead that was not in it."""

    after: Scored
    before: dict[str, Any]


def publish(store: Store, rows: Sequence[Scored], removed: Iterable[str], now: int) -> int:
    """Let the queue say this of the scored leads, and nothing more of the `removed`, in transactions of `BATCH` leads; how many rows are new."""
    gone, published = list(removed), 0
    for begin in range(0, max(len(rows), len(gone)), BATCH):
        part = slice(begin, begin + BATCH)
        published += len(store.write(partial(write, rows=rows[part], removed=gone[part], now=now)))
    return published


def write(connection: sa.Connection, rows: Sequence[Scored], removed: Iterable[str], now: int) -> list[Change]:
    """The same in the caller's transaction. Left out: a lead that the store no longer holds, and one of which the queue already says something
    more recent. `now` is the instant that `removed` was found at; one that the store no longer holds goes whatever was said of it."""
    hold(connection)
    number, gone = _next(connection), set(removed)
    before = _current(connection, gone | {row.lead_id for row in rows})
    standing = _standing(connection, gone | {row.lead_id for row in rows})
    newest = {row.lead_id: row for row in rows if row.lead_id in standing and row.as_of >= _as_of(before, row.lead_id)}
    left = {lead_id for lead_id in gone - set(newest) if lead_id not in standing or now >= _as_of(before, lead_id)}
    closing = [before[lead_id]["id"] for lead_id in {*newest, *left} if lead_id in before]
    if closing:
        connection.execute(QUEUE.update().where(QUEUE.c.id.in_(closing)).values(until=number, closed_at=now))
    changes = [Change(row, before.get(lead_id, {})) for lead_id, row in newest.items()]
    if changes:
        connection.execute(QUEUE.insert(), [_row(change, number) for change in changes])
    return changes


def _next(connection: sa.Connection) -> int:
    return _raised(connection, "queue", COUNTERS.c.value + 1, 1)


def _raised(connection: sa.Connection, name: str, value: sa.ColumnElement[int], first: int) -> int:
    inserting = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(COUNTERS).values(name=name, value=first)
    raising = inserting.on_conflict_do_update(index_elements=["name"], set_={"value": value}).returning(COUNTERS.c.value)
    return int(connection.execute(raising).scalar_one())


def _current(connection: sa.Connection, lead_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    told = (QUEUE.c.id, *(QUEUE.c[name] for name in ("lead_id", "as_of", "score", "grade", "action", "recommended_stage", "previous_score")))
    rows = connection.execute(sa.select(*told).where(among(connection, QUEUE.c.lead_id, lead_ids), QUEUE.c.until.is_(None)))
    return {row.lead_id: row._asdict() for row in rows}


def _standing(connection: sa.Connection, lead_ids: Collection[str]) -> set[str]:
    """Those that the store holds; nobody erases or merges until the transaction ends."""
    return set(connection.scalars(sa.select(LEADS.c.lead_id).where(among(connection, LEADS.c.lead_id, lead_ids))))


def _as_of(before: dict[str, dict[str, Any]], lead_id: str) -> int:
    return int(before[lead_id]["as_of"]) if lead_id in before else 0


def _row(change: Change, number: int) -> dict[str, Any]:
    """`previous_score` is the last one that was different: a rescoring that moved nothing does not hide the last move."""
    scored, before = change.after, change.before
    moved = before.get("score") != scored.score
    worth = scored.expected_value
    return scored._asdict() | {
        "since": number,
        "expected_value": worth,
        "previous_score": before.get("score") if moved else before.get("previous_score"),
        "by_likelihood": -scored.probability,
        "by_value": NO_VALUE if worth is None else -worth,
    }


def current(store: Store, lead_id: str) -> dict[str, Any] | None:
    """All columns of what the queue says of the lead now; None for one that is not in it."""
    with store.engine.connect() as connection:
        row = connection.execute(sa.select(QUEUE).where(QUEUE.c.lead_id == lead_id, QUEUE.c.until.is_(None))).one_or_none()
    return None if row is None else row._asdict()


def prune(store: Store, now: int) -> int:
    """Delete at most `BATCH` rows that stopped counting more than an hour before `now`; how many. Cursors that needed them have expired."""
    old = sa.select(QUEUE.c.id, QUEUE.c.until).where(QUEUE.c.until.is_not(None), QUEUE.c.closed_at < now - KEPT).order_by(QUEUE.c.closed_at)
    with store.engine.connect() as connection:
        if connection.execute(old.limit(1)).first() is None:
            return 0
    with store.writing.begin() as connection:
        rows = connection.execute(old.limit(BATCH).with_for_update(skip_locked=True)).all()
        if rows:
            newest = max(row.until for row in rows)
            higher = sa.case((COUNTERS.c.value < newest, newest), else_=COUNTERS.c.value)
            _raised(connection, "queue_pruned", higher, newest)
            connection.execute(sa.delete(QUEUE).where(QUEUE.c.id.in_([row.id for row in rows])))
    return len(rows)
