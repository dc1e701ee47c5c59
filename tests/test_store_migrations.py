"""Migrations: they make what `data/schema.py` says, keep what an earlier store holds, and are all or nothing."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from data.contract import DataError
from data.engine import open_engine
from data.migrations import HEAD, upgrade, version_of
from data.schema import API_KEYS, BUNDLES, CHAMPIONS, METADATA
from data.store import open_store
from databases import EMPTY, NewDatabase

ROOT = Path(__file__).parent.parent


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, sqlite_url: str, new_database: NewDatabase) -> str:
    """Databases without any table."""
    return sqlite_url if request.param == "sqlite" else new_database(EMPTY)


def bare_engine(url: str) -> sa.Engine:
    """An engine on the database as it is, nothing migrated."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def test_migrations_make_what_the_schema_says(store_url: str) -> None:
    engine = open_engine(store_url)
    with engine.connect() as connection:
        assert version_of(connection) == HEAD
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_indexes_are_those_of_the_schema(store_url: str) -> None:
    engine = open_engine(store_url)
    found = sa.inspect(engine)
    for table in METADATA.tables.values():
        declared = {(index.name, tuple(column.name for column in index.columns), bool(index.unique)) for index in table.indexes}
        made = {(index["name"], tuple(index["column_names"]), bool(index["unique"])) for index in found.get_indexes(table.name)}
        assert {one for one in made if not one[0].endswith("_key")} == declared, table.name
    engine.dispose()


def test_the_last_step_is_the_head() -> None:
    steps = sorted(path.stem for path in (ROOT / "data" / "migrations" / "versions").glob("v*.py"))
    assert [step[1:5] for step in steps] == [f"{number:04d}" for number in range(1, len(steps) + 1)]
    assert steps[-1][1:5] == HEAD


def test_a_store_from_before_migrations_keeps_what_it_holds(store_url: str) -> None:
    engine = bare_engine(store_url)
    METADATA.create_all(engine, [BUNDLES, CHAMPIONS, API_KEYS])
    with engine.begin() as connection:
        connection.execute(BUNDLES.insert().values(version="7", hash="h", created_at=1, document=b"seven"))
        connection.execute(CHAMPIONS.insert().values(version="7", promoted_at=2, reason="first"))
        connection.execute(API_KEYS.insert().values(name="crm", prefix="ls_", hash="x", scopes="read", created_at=3))
    engine.dispose()
    for _ in range(2):
        with open_store(store_url) as store:
            assert store.champion() == ("7", 1)
            assert store.bundle("7") == b"seven"
            assert [key.name for key in store.list_keys()] == ["crm"]
    engine = open_engine(store_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_store_of_a_newer_program_is_refused_untouched(store_url: str) -> None:
    with open_store(store_url) as store, store.writing.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DataError, match=f"version 9999, this program knows those up to {HEAD}.*Install"):
        open_store(store_url)
    engine = bare_engine(store_url)
    with engine.connect() as connection:
        assert version_of(connection) == "9999"
    engine.dispose()


def test_a_migration_that_does_not_finish_has_never_begun(store_url: str) -> None:
    engine = open_engine(store_url)
    with engine.execution_options(write=True).connect() as connection, connection.begin() as unfinished:
        METADATA.drop_all(connection)
        connection.execute(sa.text("DROP TABLE alembic_version"))
        upgrade(connection)
        connection.execute(BUNDLES.insert().values(version="7", hash="h", created_at=1, document=b"seven"))
        unfinished.rollback()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert connection.scalar(sa.select(sa.func.count()).select_from(BUNDLES)) == 0
    engine.dispose()


def test_many_may_start_at_once(store_url: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            open_store(store_url).close()
        except DataError as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_processes_may_start_at_once(store_url: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "import sys; from data.store import open_store; open_store(sys.argv[1]).close()", store_url]
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.communicate(timeout=25)[1], process.returncode) for process in processes] == [(b"", 0)] * 3


def test_opening_a_store_that_is_up_to_date_does_not_load_alembic(store_url: str) -> None:
    open_store(store_url).close()
    code = "import sys; from data.store import open_store; open_store(sys.argv[1]).close(); assert 'alembic' not in sys.modules"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code, store_url], env=environment, timeout=25, check=False).returncode == 0
