"""What is left of the erased: a keyed hash that recognises an id, and from which none can be read."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

import sqlalchemy as sa

from data.schema import SECRETS, TOMBSTONES
from data.sql import among, insert

_NAME = "tombstones"
_LOCK = 7_532


def hold(connection: sa.Connection, alone: bool = False) -> None:
    """Until the transaction ends nobody else erases or merges; with `alone` nobody else ingests either.

    Without it a lead that is being erased could come back through a call that had looked before. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.func.pg_advisory_xact_lock if alone else sa.func.pg_advisory_xact_lock_shared
        connection.execute(sa.select(lock(_LOCK)))


def erased_among(connection: sa.Connection, ids: Iterable[str]) -> set[str]:
    """Those of the ids (or aliases) that were erased."""
    if connection.scalar(sa.select(TOMBSTONES.c.id_hash).limit(1)) is None:
        return set()
    secret = _secret(connection)
    hashes = {_hash(secret, id): id for id in ids}
    found = connection.scalars(sa.select(TOMBSTONES.c.id_hash).where(among(connection, TOMBSTONES.c.id_hash, list(hashes))))
    return {hashes[hash] for hash in found}


def bury(connection: sa.Connection, ids: Iterable[str], now: int) -> int:
    """Remember that these ids were erased; returns how many were not before. Needs a transaction that writes."""
    return insert(connection, TOMBSTONES, [(pseudonym(connection, id), now) for id in ids])


def pseudonym(connection: sa.Connection, id: str) -> str:
    """The keyed hash that stands for an id where the id itself must not stand. Needs a transaction that writes."""
    insert(connection, SECRETS, [(_NAME, secrets.token_bytes(32))])
    return _hash(_secret(connection), id)


def _secret(connection: sa.Connection) -> bytes:
    return bytes(connection.execute(sa.select(SECRETS.c.value).where(SECRETS.c.name == _NAME)).scalar_one())


def _hash(secret: bytes, id: str) -> str:
    return hmac.new(secret, id.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
