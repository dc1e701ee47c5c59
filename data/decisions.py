"""What was decided on a version that asked to serve, and why: kept in the store, where the pages find it without the registry."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from data.schema import DECISIONS
from data.store import Store


class Decided(NamedTuple):
    """`champion`: whose place was asked for, None where nothing served. `churn`: how many open leads would change their grade, by
    `training.churn.churn_of` without anybody's id; None where that could not be counted. `decided_at` in micros."""

    version: str
    champion: str | None
    promote: bool
    reasons: tuple[str, ...]
    churn: Mapping[str, Any] | None
    decided_at: int


def note(store: Store, version: str, champion: str | None, promote: bool, reasons: Sequence[str], churn: Mapping[str, Any] | None, now: int) -> None:
    """Keeps the decision; a later one on the same version takes its place. Of the churn all but who moved: an erasure would not reach that."""
    numbers = None if churn is None else orjson.dumps({name: value for name, value in churn.items() if name != "movers"}).decode()
    row = {"champion": champion, "promote": promote, "reasons": orjson.dumps(list(reasons)).decode(), "churn": numbers, "decided_at": now}

    def put(connection: sa.Connection) -> None:
        connection.execute(DECISIONS.delete().where(DECISIONS.c.version == version))
        connection.execute(DECISIONS.insert().values(version=version, **row))

    store.write(put)


def decided_on(store: Store, version: str) -> Decided | None:
    """The last decision on the version; None where none was noted."""
    with store.engine.connect() as connection:
        row = connection.execute(sa.select(DECISIONS).where(DECISIONS.c.version == version)).one_or_none()
    if row is None:
        return None
    churn = None if row.churn is None else orjson.loads(row.churn)
    return Decided(row.version, row.champion, bool(row.promote), tuple(orjson.loads(row.reasons)), churn, int(row.decided_at))
