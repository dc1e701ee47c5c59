"""The engine that reaches the operational store: SQLite by default, PostgreSQL by URL."""

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from data.contract import DataError
from data.home import leadscore_home
from data.migrations import HEAD, upgrade, version_of

BUSY_MILLISECONDS = 10_000
# The write-ahead log is cut off whenever it begins anew: else its end would keep what was erased.
_SETTINGS = (
    *(f"busy_timeout={BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL"),
    *("foreign_keys=ON", "secure_delete=ON", "journal_size_limit=0"),
)
_SCHEMA_LOCK = 7_531
_ANSWER_SECONDS = 2
_POSTGRES = "postgresql+psycopg"
_DRIVERS = {"sqlite": "sqlite", "postgres": _POSTGRES, "postgresql": _POSTGRES, _POSTGRES: _POSTGRES}


def store_url() -> str:
    """The store's URL: `LEADSCORE_DATABASE_URL`, else the SQLite file `leadscore.db` under LEADSCORE_HOME."""
    return os.environ.get("LEADSCORE_DATABASE_URL") or f"sqlite:///{leadscore_home() / 'leadscore.db'}"


def open_engine(url: str) -> sa.Engine:
    """An engine on the database of `url`, its tables made or brought up to date; DataError (without the password) where it can't be reached."""
    parsed = _parsed(url)
    try:
        return _up_to_date(_sqlite(parsed) if parsed.drivername == "sqlite" else _postgres(parsed))
    except (sa.exc.SQLAlchemyError, OSError, ImportError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        shown = parsed.render_as_string(hide_password=True)
        raise DataError(
            f"the store {shown} can't be opened: {cause}. Check LEADSCORE_DATABASE_URL, or LEADSCORE_HOME where that is not set."
        ) from None


def _parsed(url: str) -> sa.URL:
    scheme = url.partition("://")[0]
    try:
        return make_url(url).set(drivername=_DRIVERS[scheme])
    except (KeyError, sa.exc.ArgumentError, ValueError):
        expected = "sqlite:///path/leadscore.db or postgresql://user:password@host/name"
        raise DataError(f"LEADSCORE_DATABASE_URL must be like {expected}; it begins with {scheme[:20]!r}.") from None


def _up_to_date(engine: sa.Engine) -> sa.Engine:
    """The engine, its database taken to HEAD; no connection is left open where that fails."""
    try:
        with engine.connect() as connection:
            standing = version_of(connection)
        if standing != HEAD:
            _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _migrate(engine: sa.Engine) -> None:
    """All missing migrations in one transaction that others wait for, so that processes may start together."""
    with engine.execution_options(write=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
        upgrade(connection)


def _postgres(url: sa.URL) -> sa.Engine:
    """What does not answer counts as down after seconds, not minutes, also where packets vanish."""
    timeouts = {"connect_timeout": _ANSWER_SECONDS, "tcp_user_timeout": _ANSWER_SECONDS * 1_000}
    return sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20, pool_timeout=_ANSWER_SECONDS, connect_args=timeouts)


def _sqlite(url: sa.URL) -> sa.Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A deferred transaction that reads first can't upgrade when another writer came between: it fails at once.
        writes = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
