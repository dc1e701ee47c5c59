"""What is done once for each day, or for each champion, by whichever process comes first."""

from collections.abc import Callable

import sqlalchemy as sa

from data.contract import DAY
from data.schema import COUNTERS
from data.store import Store

LEASE = 600_000_000
"""Micros that one process has for the work; after them another one tries."""


def day_of(now: int, time_of_day: str) -> int:
    """The number of the day that began last, where days begin at `HH:MM` UTC: that instant itself is in the new one."""
    hours, minutes = map(int, time_of_day.split(":"))
    return (now - (hours * 60 + minutes) * 60_000_000) // DAY


def once(store: Store, name: str, number: int, now: int, work: Callable[[], object]) -> bool:
    """Do the work named so for this number if nobody has, for this or a later one; whether it was done now. Where it fails, or its process dies, it
    is done again: it must be such that twice is no harm."""
    if _done_until(store, name) >= number or not _take(store, name, number, now):
        return False
    try:
        work()
    except BaseException:
        _put(store, {_busy(name): 0})
        raise
    _put(store, {name: number, _busy(name): 0})
    return True


def _busy(name: str) -> str:
    return f"{name}_busy_until"


def _done_until(store: Store, name: str) -> int:
    with store.engine.connect() as connection:
        value = connection.scalar(sa.select(COUNTERS.c.value).where(COUNTERS.c.name == name))
    return -1 if value is None else value


def _take(store: Store, name: str, number: int, now: int) -> bool:
    """Both rows are there after `_made`, so that what decides is one update, in the order of the database."""
    with store.writing.begin() as connection:
        _made(connection, name)
        free = COUNTERS.c.name == _busy(name), COUNTERS.c.value <= now
        if not connection.execute(COUNTERS.update().where(*free).values(value=now + LEASE)).rowcount:
            return False
        behind: bool = connection.execute(sa.select(COUNTERS.c.value).where(COUNTERS.c.name == name)).scalar_one() < number
        if not behind:
            connection.execute(COUNTERS.update().where(COUNTERS.c.name == _busy(name)).values(value=0))
        return behind


def _made(connection: sa.Connection, name: str) -> None:
    rows = sa.text("INSERT INTO counters (name, value) VALUES (:name, -1), (:busy, 0) ON CONFLICT (name) DO NOTHING")
    connection.execute(rows, {"name": name, "busy": _busy(name)})


def _put(store: Store, values: dict[str, int]) -> None:
    with store.writing.begin() as connection:
        for name, value in values.items():
            connection.execute(COUNTERS.update().where(COUNTERS.c.name == name).values(value=value))
