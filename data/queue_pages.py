"""Pages of the queue: one index range each, whatever is asked for, at the snapshot of the first page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

from data.contract import DAY, STAGES
from data.schema import COUNTERS, FEEDBACK, PENDING, QUEUE
from data.sql import among
from data.store import Store

Sort = Literal["likelihood", "expected_value"]

GRADES = ("A", "B", "C", "D")
ACTIONS = ("advance", "work_now", "nurture", "hold", "recycle", "disqualify")
OPEN_STAGES = STAGES[:-1]

FEW = 4_000
"""So many leads are rather sorted one by one than looked for in an order that has nothing to do with how few they are."""

MOST_OWNERS = 200
"""Owners that are offered to choose from."""

MOST_PENDING = 10_000
"""Leads waiting to be scored are counted up to here: counting a whole sweep would cost more than the page."""

_KEYS = {"likelihood": QUEUE.c.by_likelihood, "expected_value": QUEUE.c.by_value}
_KINDS = {"action": ACTIONS, "grade": GRADES, "stage": OPEN_STAGES}
_FILTERS = ("owner", *_KINDS, "min_probability")
_DIALECTS: dict[str, Any] = {"sqlite": sqlite.dialect, "postgresql": psycopg.dialect}


class SnapshotGone(Exception):
    """The rows that counted at that snapshot are no longer all there."""


class Place(NamedTuple):
    """Where a page ended: its last row's sort key (`by_likelihood` or `by_value`) and lead."""

    key: float
    lead_id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which leads, in which order. What is None does not matter."""

    sort: Sort = "likelihood"
    stage: str | None = None
    owner: str | None = None
    grade: str | None = None
    action: str | None = None
    min_probability: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of QUEUE in order, each with `override` (the last action that feedback named), `handled` (there was feedback on that day, UTC) and
    `stale` (waits to be scored again); `more`: others follow. `oldest` and `newest`: when the leads of the queue were scored, micros UTC, None
    where it is empty. `pending` waiting leads, at most `MOST_PENDING`."""

    snapshot: int
    rows: list[dict[str, Any]]
    more: bool
    oldest: int | None
    newest: int | None
    pending: int

    @property
    def end(self) -> dict[Sort, Place]:
        """By sort, the place after the last row."""
        last = self.rows[-1]
        return {"likelihood": Place(last["by_likelihood"], last["lead_id"]), "expected_value": Place(last["by_value"], last["lead_id"])}


def page(store: Store, wanted: Wanted, limit: int, now: int, after: Place | None = None, snapshot: int | None = None) -> Page:
    """The next `limit` rows behind `after` at `snapshot` (default: from the first on, as the queue is now). Walking on by `end` gives each lead that
    was in the queue at the snapshot exactly once. SnapshotGone if some of its rows have been pruned."""
    with store.engine.connect() as connection:
        now_at = _counter(connection, "queue")
        at = now_at if snapshot is None else snapshot
        ids = _ranked(connection, wanted, at, after, limit + 1)
        found = {row.id: row._asdict() for row in connection.execute(sa.select(QUEUE).where(QUEUE.c.id.in_(ids[:limit])))}
        # Asked afterwards: rows that were pruned in between are missing already.
        if not _counter(connection, "queue_pruned") <= at <= now_at:
            raise SnapshotGone
        rows = [found[id] for id in ids[:limit] if id in found]
        _told_of(connection, rows, now)
        return Page(at, rows, len(ids) > limit, *_freshness(connection))


def row_of(store: Store, lead_id: str, now: int) -> dict[str, Any] | None:
    """What the queue says of one lead now, as a row of a page; None for one that is not in it."""
    with store.engine.connect() as connection:
        row = connection.execute(sa.select(QUEUE).where(QUEUE.c.lead_id == lead_id, QUEUE.c.until.is_(None))).one_or_none()
        rows = [] if row is None else [row._asdict()]
        _told_of(connection, rows, now)
    return rows[0] if rows else None


def owners(store: Store) -> list[str]:
    """Who owns leads of the queue, in the database's order, at most `MOST_OWNERS`: one look into the index for each, whatever they own."""
    found = sa.select(sa.func.min(QUEUE.c.owner).label("owner")).cte("found", recursive=True)
    following = sa.select(sa.func.min(QUEUE.c.owner)).where(QUEUE.c.owner > found.c.owner).correlate(found).scalar_subquery()
    every = found.union_all(sa.select(following).where(found.c.owner.is_not(None)))
    with store.engine.connect() as connection:
        return list(connection.scalars(sa.select(every.c.owner).where(every.c.owner.is_not(None)).limit(MOST_OWNERS)))


def _counter(connection: sa.Connection, name: str) -> int:
    return connection.scalar(sa.select(COUNTERS.c.value).where(COUNTERS.c.name == name)) or 0


def _ranked(connection: sa.Connection, wanted: Wanted, at: int, after: Place | None, limit: int) -> list[int]:
    """The ids of the page in order."""
    asked = {name: value for name in _FILTERS if (value := getattr(wanted, name)) is not None}
    few = wanted.sort == "expected_value" and "min_probability" in asked and _are_few(connection, asked["min_probability"])
    statement, constants = _statement(connection.dialect.name, wanted.sort, tuple(asked), after is not None, few, limit)
    return list(connection.scalars(statement, constants | asked | {"at": at} | (after._asdict() if after else {})))


def _are_few(connection: sa.Connection, min_probability: float) -> bool:
    some = sa.select(QUEUE.c.by_likelihood).where(QUEUE.c.by_likelihood <= -min_probability).limit(FEW + 1).subquery()
    return (connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0) <= FEW


@lru_cache(maxsize=512)
def _statement(dialect: str, sort: Sort, asked: tuple[str, ...], behind: bool, few: bool, limit: int) -> tuple[sa.TextClause, dict[str, Any]]:
    """The query of that shape as text, and its constants: making and compiling it takes longer than running it."""
    compiled = (_of_few if few else _of_ranges)(sort, asked, behind, limit).compile(dialect=_DIALECTS[dialect](paramstyle="named"))
    # text() takes a name right before a cast for something else.
    return sa.text(str(compiled).replace("::", " ::")), {name: value for name, value in compiled.params.items() if value is not None}


def _of_few(sort: Sort, asked: tuple[str, ...], behind: bool, limit: int) -> sa.Select[Any]:
    """Reads the range of the probability and sorts it: the sum is no column of an index."""
    key, most = _KEYS[sort] + 0.0, _most(limit)
    return sa.select(QUEUE.c.id).where(*_counting(key, asked, behind), *_unindexed(asked)).order_by(key, QUEUE.c.lead_id).limit(most)


def _of_ranges(sort: Sort, asked: tuple[str, ...], behind: bool, limit: int) -> sa.Select[Any]:
    """Reads as much of every range as the page could take of it, and merges."""
    key, most = _KEYS[sort], _most(limit)
    counting = tuple(_counting(key, asked, behind))
    ranges = [
        sa.select(QUEUE.c.id, key.label("key"), QUEUE.c.lead_id).where(*range_, *counting).order_by(key, QUEUE.c.lead_id).limit(most).subquery()
        for range_ in _ranges(asked)
    ]
    every = sa.union_all(*(sa.select(range_) for range_ in ranges)).subquery()
    return sa.select(every.c.id).order_by(every.c.key, every.c.lead_id).limit(most)


def _most(limit: int) -> sa.ColumnElement[int]:
    """In the text, not a parameter: PostgreSQL would plan for a tenth of all rows."""
    return sa.literal_column(str(limit), sa.Integer)


def _counting(key: sa.ColumnElement[float], asked: tuple[str, ...], behind: bool) -> Iterator[sa.ColumnElement[bool]]:
    at = sa.bindparam("at", type_=sa.BigInteger)
    yield QUEUE.c.since <= at
    yield sa.or_(QUEUE.c.until.is_(None), QUEUE.c.until > at)
    if "min_probability" in asked:
        yield QUEUE.c.by_likelihood <= -sa.bindparam("min_probability", type_=sa.Double)
    if behind:
        yield sa.tuple_(key, QUEUE.c.lead_id) > sa.tuple_(sa.bindparam("key", type_=sa.Double), sa.bindparam("lead_id", type_=sa.Text))


def _ranges(asked: tuple[str, ...]) -> Iterator[tuple[sa.ColumnElement[bool], ...]]:
    """Each a range of one index that is in order already: an owner's leads, or those of one action, grade and stage; all where nothing is asked.

    Reading every kind that a filter leaves open keeps a filter that contradicts the order (grade D by likelihood) from reading all others first.
    """
    if "owner" in asked:
        yield (QUEUE.c.owner == sa.bindparam("owner", type_=sa.Text), *_unindexed(name for name in asked if name != "owner"))
    elif not set(asked) & set(_KINDS):
        yield ()
    else:
        open_ = [[sa.bindparam(name, type_=sa.Text)] if name in asked else [sa.literal(v) for v in every] for name, every in _KINDS.items()]
        for kind in product(*open_):
            yield tuple(QUEUE.c[name] == value for name, value in zip(_KINDS, kind, strict=True))


def _unindexed(asked: Iterable[str]) -> list[sa.ColumnElement[bool]]:
    """Filters that no index may be chosen for, so that the one of the order is."""
    return [sa.func.coalesce(QUEUE.c[name], "") == sa.bindparam(name, type_=sa.Text) for name in asked if name != "min_probability"]


def _told_of(connection: sa.Connection, rows: list[dict[str, Any]], now: int) -> None:
    ids, today = [row["lead_id"] for row in rows], now // DAY * DAY
    feedback = sa.select(FEEDBACK.c.lead_id, FEEDBACK.c.action, FEEDBACK.c.at).where(among(connection, FEEDBACK.c.lead_id, ids))
    override: dict[str, str] = {}
    handled = set()
    for lead_id, action, at in connection.execute(feedback.order_by(FEEDBACK.c.id)):
        if action is not None:
            override[lead_id] = action
        if at >= today:
            handled.add(lead_id)
    stale = set(connection.scalars(sa.select(PENDING.c.lead_id).where(among(connection, PENDING.c.lead_id, ids))))
    for row in rows:
        lead_id = row["lead_id"]
        row |= {"override": override.get(lead_id), "handled": lead_id in handled, "stale": lead_id in stale}


def _freshness(connection: sa.Connection) -> tuple[int | None, int | None, int]:
    scored = sa.select(QUEUE.c.scored_at).where(QUEUE.c.until.is_(None)).limit(1)
    oldest, newest = (connection.scalar(scored.order_by(order)) for order in (QUEUE.c.scored_at.asc(), QUEUE.c.scored_at.desc()))
    waiting = sa.select(PENDING.c.lead_id).limit(MOST_PENDING).subquery()
    return oldest, newest, connection.scalar(sa.select(sa.func.count()).select_from(waiting)) or 0
