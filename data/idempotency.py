"""Answers that are given again: what `Idempotency-Key` stands on. Instants are micros UTC."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from data.contract import DAY
from data.schema import IDEMPOTENCY
from data.store import Store
from data.tombstones import erased_among, hold

KEPT_FOR = DAY
UNDER_WAY_FOR = 60_000_000
"""A call that has not ended by then is taken for dead: its process was killed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The first answer."""

    status: int
    content: bytes


class Claim(Enum):
    """What a key stands for where no answer is kept of it."""

    STARTED = auto()
    UNDER_WAY = auto()
    OTHER_CALL = auto()


def begin(store: Store, key: str, body_hash: str, now: int) -> Kept | Claim:
    """Claims the key for the call of this hash from `now` on, or says what stands in its way. A claim lasts `UNDER_WAY_FOR`, an answer `KEPT_FOR`."""
    fresh = {"key": key, "body_hash": body_hash, "at": now, "status": None, "content": None}
    with store.writing.begin() as connection:
        claiming = _insert(connection).values(fresh).on_conflict_do_nothing().returning(IDEMPOTENCY.c.key)
        if connection.scalar(claiming) is not None:
            return Claim.STARTED
        held = connection.execute(sa.select(IDEMPOTENCY).where(IDEMPOTENCY.c.key == key).with_for_update()).one_or_none()
        # Given up by its owner between the two looks: to be sent again, like one that is under way.
        if held is None:
            return Claim.UNDER_WAY
        if now - held.at >= (UNDER_WAY_FOR if held.status is None else KEPT_FOR):
            connection.execute(IDEMPOTENCY.update().where(IDEMPOTENCY.c.key == key).values(fresh))
            return Claim.STARTED
    if held.body_hash != body_hash:
        return Claim.OTHER_CALL
    return Claim.UNDER_WAY if held.status is None else Kept(held.status, held.content)


def finish(store: Store, key: str, began: int, answer: Kept, named: Collection[str] = ()) -> None:
    """Keeps the answer of the call that claimed the key at `began`; nothing happens where it has been taken over since.

    `named`: the ids in it. Where one is an erased lead's the answer is not kept, and the key is free again.
    """
    with store.writing.begin() as connection:
        hold(connection)
        if erased_among(connection, named):
            connection.execute(IDEMPOTENCY.delete().where(*_claimed(key, began)))
        else:
            connection.execute(IDEMPOTENCY.update().where(*_claimed(key, began)).values(status=answer.status, content=answer.content))


def abandon(store: Store, key: str, began: int) -> None:
    """The call that claimed the key at `began` ended without an answer worth keeping: the key is free again."""
    with store.writing.begin() as connection:
        connection.execute(IDEMPOTENCY.delete().where(*_claimed(key, began)))


def forget(store: Store, now: int) -> int:
    """Drops what is over; returns how many."""
    over = (IDEMPOTENCY.c.at <= now - KEPT_FOR) | (IDEMPOTENCY.c.status.is_(None) & (IDEMPOTENCY.c.at <= now - UNDER_WAY_FOR))
    with store.writing.begin() as connection:
        return connection.execute(IDEMPOTENCY.delete().where(over)).rowcount


def _claimed(key: str, began: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (IDEMPOTENCY.c.key == key, IDEMPOTENCY.c.at == began, IDEMPOTENCY.c.status.is_(None))


def _insert(connection: sa.Connection) -> "postgresql.Insert | sqlite.Insert":
    return postgresql.insert(IDEMPOTENCY) if connection.dialect.name == "postgresql" else sqlite.insert(IDEMPOTENCY)
