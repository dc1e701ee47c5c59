"""The operational store: bundles, which of them serves, and API keys. The only place with SQL."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from data.contract import DataError
from data.engine import open_engine, store_url
from data.home import clock, leadscore_home
from data.schema import API_KEYS, BUNDLES, CHAMPIONS
from data.webhooks import enqueue

__all__ = ["SCOPES", "ApiKey", "Promotion", "Store", "leadscore_home", "open_store", "store_url"]

SCOPES = ("score", "ingest", "read", "operate", "admin")
_SHOWN_OF_KEY = 8
_ATTEMPTS = 10
_CHAMPION_LOCK = 7_534
# What PostgreSQL says of a serialization failure and of a deadlock.
_CAME_BETWEEN = {"40001", "40P01"}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Promotion:
    """One entry of the champions' history; times are micros UTC."""

    seq: int
    version: str
    promoted_at: int
    reason: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key: never the key itself. Times are micros UTC, None where it has not happened."""

    id: int
    name: str
    prefix: str
    scopes: frozenset[str]
    owner: str | None
    created_at: int
    revoked_at: int | None
    last_used_at: int | None


class CameBetween(Exception):
    """Another process wrote what this transaction was about to write: it is to be done again."""


class Store:
    """An open store; use as a context manager. Every method is one transaction, kept when it returns."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.writing = engine.execution_options(write=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    def ping(self) -> None:
        """One round trip; raises sqlalchemy's error where the database is down."""
        with self.engine.connect() as connection:
            connection.execute(sa.select(1))

    def write(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Run `work` in one transaction that may write, and again where another process came between; it may therefore run twice."""
        for _ in range(_ATTEMPTS - 1):
            try:
                with self.writing.begin() as connection:
                    return work(connection)
            except CameBetween:
                continue
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", None) not in _CAME_BETWEEN:
                    raise
        with self.writing.begin() as connection:
            return work(connection)

    def put_bundle(self, version: str, hash: str, document: bytes) -> None:
        """Keep the bundle's bytes. Putting the same again changes nothing; other bytes under the same version are refused."""
        with self.writing.begin() as connection:
            held = connection.scalar(sa.select(BUNDLES.c.hash).where(BUNDLES.c.version == version))
            if held is None:
                row = {"version": version, "hash": hash, "created_at": clock(), "document": document}
                connection.execute(BUNDLES.insert().values(row))
            elif held != hash:
                raise DataError(
                    f"version {version} is already in the store with other content (hash {held}, got {hash}). Register the bundle as a new version."
                )

    def bundle(self, version: str) -> bytes:
        """The bundle's bytes; DataError naming what is there, if that version is not."""
        with self.engine.connect() as connection:
            document = connection.scalar(sa.select(BUNDLES.c.document).where(BUNDLES.c.version == version))
            if document is None:
                raise self._unknown(connection, version)
        return bytes(document)

    def versions(self) -> list[str]:
        """Every version held, oldest first."""
        with self.engine.connect() as connection:
            return _versions(connection)

    def promote(self, version: str, reason: str) -> int:
        """Make the version champion; returns the entry's seq. DataError if its bundle is not in the store."""
        with self.writing.begin() as connection:
            _move_alone(connection)
            if version not in _versions(connection):
                raise self._unknown(connection, version)
            last = _last(connection)
            return _append(connection, version, reason, last.seq if last is not None else None)

    def rollback(self, reason: str = "rollback") -> str:
        """Return to the version that served before the champion; again goes further back. DataError if none did."""
        with self.writing.begin() as connection:
            _move_alone(connection)
            current = _last(connection)
            target = _earlier(connection, current)
            if target is None:
                held = f"version {current.version} was the first" if current else "there is no champion"
                raise DataError(f"no earlier champion to go back to: {held}. Promote a version by name instead.")
            _append(connection, target.version, reason, target.previous)
            return str(target.version)

    def earlier(self) -> str | None:
        """The version that `rollback` would return to; None where none served before the champion."""
        with self.engine.connect() as connection:
            target = _earlier(connection, _last(connection))
        return None if target is None else str(target.version)

    def champion(self) -> tuple[str, int] | None:
        """(version, seq) of what serves now; seq grows with every promotion and rollback. None before the first."""
        with self.engine.connect() as connection:
            last = _last(connection)
        return None if last is None else (last.version, last.seq)

    def champions(self) -> list[Promotion]:
        """The whole history, oldest first; the last entry is the champion."""
        columns = (CHAMPIONS.c.seq, CHAMPIONS.c.version, CHAMPIONS.c.promoted_at, CHAMPIONS.c.reason)
        with self.engine.connect() as connection:
            return [Promotion(*row) for row in connection.execute(sa.select(*columns).order_by(CHAMPIONS.c.seq))]

    def create_key(self, scopes: Iterable[str], owner: str | None = None, name: str = "") -> tuple[str, ApiKey]:
        """A new key: (the secret, shown this once and not kept, its record). DataError for an unknown or no scope."""
        wanted = sorted(set(scopes))
        if not wanted or not set(wanted) <= set(SCOPES):
            raise DataError(f"a key needs scopes out of {', '.join(SCOPES)}; got {', '.join(wanted) or 'none'}.")
        secret = "ls_" + secrets.token_urlsafe(32)
        row = {"name": name, "prefix": secret[:_SHOWN_OF_KEY], "hash": _digest(secret), "scopes": " ".join(wanted)}
        with self.writing.begin() as connection:
            added = API_KEYS.insert().values(row | {"owner": owner, "created_at": clock()}).returning(*_KEY_COLUMNS)
            return secret, _key(connection.execute(added).one()._asdict())

    def key_by_secret(self, secret: str) -> ApiKey | None:
        """The living key of this secret, or None if there is none or it was revoked."""
        wanted = sa.select(*_KEY_COLUMNS).where(API_KEYS.c.hash == _digest(secret), API_KEYS.c.revoked_at.is_(None))
        with self.engine.connect() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _key(row._asdict())

    def living_key(self, id: int) -> ApiKey | None:
        """The key of this id, or None if there is none or it was revoked."""
        wanted = sa.select(*_KEY_COLUMNS).where(API_KEYS.c.id == id, API_KEYS.c.revoked_at.is_(None))
        with self.engine.connect() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _key(row._asdict())

    def living_keys(self) -> dict[bytes, ApiKey]:
        """Every living key by the sha256 of its secret."""
        wanted = sa.select(API_KEYS.c.hash, *_KEY_COLUMNS).where(API_KEYS.c.revoked_at.is_(None))
        with self.engine.connect() as connection:
            rows = [row._asdict() for row in connection.execute(wanted)]
        return {bytes.fromhex(row.pop("hash")): _key(row) for row in rows}

    def touch_key(self, id: int) -> None:
        """Note that the key was used now."""
        with self.writing.begin() as connection:
            connection.execute(API_KEYS.update().where(API_KEYS.c.id == id).values(last_used_at=clock()))

    def list_keys(self) -> list[ApiKey]:
        """Every key ever made, revoked ones too, oldest first."""
        with self.engine.connect() as connection:
            return [_key(row._asdict()) for row in connection.execute(sa.select(*_KEY_COLUMNS).order_by(API_KEYS.c.id))]

    def revoke_key(self, id: int) -> None:
        """End the key at once; revoking again changes nothing. DataError if there is no such key."""
        with self.writing.begin() as connection:
            if connection.scalar(sa.select(API_KEYS.c.id).where(API_KEYS.c.id == id)) is None:
                raise DataError(f"there is no key {id}. `leadscore keys list` shows them.")
            living = API_KEYS.update().where(API_KEYS.c.id == id, API_KEYS.c.revoked_at.is_(None))
            connection.execute(living.values(revoked_at=clock()))

    def has_keys(self) -> bool:
        """Whether a key was ever made, revoked ones too: before the first the API is open on loopback only, and revoking the last opens nothing."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.select(API_KEYS.c.id).limit(1)) is not None

    def _unknown(self, connection: sa.Connection, version: str) -> DataError:
        held = ", ".join(_versions(connection)) or "none"
        return DataError(f"version {version} is not in the store; versions there: {held}. Train, or name one of these.")


_KEY_COLUMNS = tuple(column for column in API_KEYS.c if column.name != "hash")


def _versions(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(BUNDLES.c.version).order_by(BUNDLES.c.created_at, BUNDLES.c.version)))


def _move_alone(connection: sa.Connection) -> None:
    """Who moves the pointer waits until the move before is there to be stood on; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHAMPION_LOCK)))


def _last(connection: sa.Connection) -> Any:
    return connection.execute(sa.select(CHAMPIONS).order_by(CHAMPIONS.c.seq.desc()).limit(1)).one_or_none()


def _entry(connection: sa.Connection, seq: int | None) -> Any:
    return connection.execute(sa.select(CHAMPIONS).where(CHAMPIONS.c.seq == seq)).one_or_none()


def _earlier(connection: sa.Connection, current: Any) -> Any:
    """The entry that stood before `current`, of another version; None where there is none."""
    target = current
    while target is not None and target.version == current.version:
        target = _entry(connection, target.previous)
    return target


def _append(connection: sa.Connection, version: str, reason: str, previous: int | None) -> int:
    before, now = _last(connection), clock()
    row = {"version": version, "promoted_at": now, "reason": reason, "previous": previous}
    seq = int(connection.execute(CHAMPIONS.insert().values(row).returning(CHAMPIONS.c.seq)).scalar_one())
    told = {"version": version, "previous": before.version if before is not None else None, "reason": reason}
    enqueue(connection, "model.promoted", None, told, now)
    return seq


def _key(row: dict[str, Any]) -> ApiKey:
    return ApiKey(**(row | {"scopes": frozenset(row["scopes"].split())}))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def open_store(url: str | None = None) -> Store:
    """Open (and create where needed) the store at `url`, by default `store_url()`; `postgres://` is accepted.

    DataError, without the password, where the database can't be reached.
    """
    return Store(open_engine(url or store_url()))
