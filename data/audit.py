"""Who did what to the instance: every call of the scopes `operate` and `admin`. Instants are micros UTC."""

from dataclasses import dataclass

import sqlalchemy as sa

from data.schema import AUDIT
from data.store import Store
from data.tombstones import pseudonym

UNDER_WAY = 0
"""The status of a call that has begun and not ended, or whose process was killed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`action` is the method and the route's template; `target` what it was done to: of a lead only a keyed hash. `key_id` None: no key existed."""

    at: int
    key_id: int | None
    action: str
    target: str | None
    status: int
    request_id: str


def write(store: Store, entry: Entry, lead_id: str | None = None) -> int:
    """Keeps the entry, with what stands for `lead_id` as its target where that is given; returns the entry's id."""
    row = {name: getattr(entry, name) for name in Entry.__slots__}
    with store.writing.begin() as connection:
        if lead_id is not None:
            row["target"] = pseudonym(connection, lead_id)
        return int(connection.execute(AUDIT.insert().values(row).returning(AUDIT.c.id)).scalar_one())


def end(store: Store, id: int, status: int) -> None:
    """How the call of that entry ended."""
    with store.writing.begin() as connection:
        connection.execute(AUDIT.update().where(AUDIT.c.id == id).values(status=status))


def entries(store: Store, limit: int = 100) -> list[Entry]:
    """The latest ones, newest first."""
    columns = [AUDIT.c[name] for name in Entry.__slots__]
    with store.engine.connect() as connection:
        return [Entry(*row) for row in connection.execute(sa.select(*columns).order_by(AUDIT.c.id.desc()).limit(limit))]


def forget(store: Store, before: int) -> int:
    """Drops entries older than `before`; returns how many."""
    with store.writing.begin() as connection:
        return connection.execute(AUDIT.delete().where(AUDIT.c.at < before)).rowcount
