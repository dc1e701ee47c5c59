"""A real database that is gone for a while: what a client sees when it is restarted, or its disk is not mounted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from data.store import Store


@contextmanager
def outage(store: Store) -> Iterator[None]:
    """While it lasts the store's database takes no connection, and those it had are cut."""
    url = store.engine.url
    with _postgres_out(url.render_as_string(hide_password=False)) if url.drivername != "sqlite" else _file_out(store, Path(str(url.database))):
        yield


@contextmanager
def _file_out(store: Store, path: Path) -> Iterator[None]:
    away = path.parent.with_name("away")
    store.engine.dispose()
    path.parent.rename(away)
    try:
        yield
    finally:
        away.rename(path.parent)


@contextmanager
def _postgres_out(url: str) -> Iterator[None]:
    parsed = make_url(url).set(drivername="postgresql")
    own = parsed.database
    with psycopg.connect(parsed.set(database="postgres").render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {own} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (own,))
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {own} ALLOW_CONNECTIONS true")
