"""The operational store: one pointer moves as a whole, keys are kept as hashes; on SQLite and on PostgreSQL."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import DataError
from data.home import clock
from data.schema import METADATA
from data.store import Store, open_store, store_url

ROOT = Path(__file__).parent.parent


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        for version in "123":
            store.put_bundle(version, "h" + version, version.encode())
        yield store


def test_by_default_the_store_lies_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LEADSCORE_DATABASE_URL", raising=False)
    with open_store() as store:
        assert store.champion() is None
    assert (tmp_path / "home" / "leadscore.db").exists()
    monkeypatch.setenv("LEADSCORE_DATABASE_URL", "postgres://db/leads")
    assert store_url() == "postgres://db/leads"


def test_sqlite_is_set_to_survive_and_to_forget(sqlite_url: str) -> None:
    with open_store(sqlite_url) as store, store.engine.connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "secure_delete")]
    assert pragmas == ["wal", 2, 1]


def test_a_bundle_comes_back_byte_for_byte(store: Store) -> None:
    document = bytes(range(256)) * 1_000
    store.put_bundle("x", "hash", document)
    store.put_bundle("x", "hash", document)
    assert store.bundle("x") == document
    assert store.versions() == ["1", "2", "3", "x"]


def test_a_version_is_never_overwritten(store: Store) -> None:
    with pytest.raises(DataError, match="already in the store with other content"):
        store.put_bundle("1", "other", b"other")
    assert store.bundle("1") == b"1"


def test_an_unknown_version_names_those_there(store: Store) -> None:
    for call in (lambda: store.bundle("9"), lambda: store.promote("9", "try")):
        with pytest.raises(DataError, match="version 9 is not in the store; versions there: 1, 2, 3"):
            call()
    assert store.champion() is None


def test_promotion_moves_the_pointer_and_keeps_the_history(store: Store) -> None:
    before = clock()
    first, second = store.promote("1", "first"), store.promote("2", "better")
    assert store.champion() == ("2", second)
    assert [(entry.seq, entry.version, entry.reason) for entry in store.champions()] == [
        (first, "1", "first"),
        (second, "2", "better"),
    ]
    assert before <= store.champions()[0].promoted_at <= clock()


def test_rollback_goes_back_further_each_time_until_nothing_is_before(store: Store) -> None:
    for version in "123":
        store.promote(version, "better")
    assert [store.rollback(), store.rollback()] == ["2", "1"]
    with pytest.raises(DataError, match="version 1 was the first"):
        store.rollback()
    assert store.champion() == ("1", 5)
    assert [entry.version for entry in store.champions()] == ["1", "2", "3", "2", "1"]


def test_rollback_passes_over_the_same_version(store: Store) -> None:
    for version in "122":
        store.promote(version, "again")
    assert store.rollback() == "1"


def test_nothing_to_roll_back(store: Store) -> None:
    with pytest.raises(DataError, match="there is no champion"):
        store.rollback()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(["1", "2", "3", "back"]), max_size=12))
def test_any_sequence_answers_like_an_undo_stack(steps: list[str]) -> None:
    stack: list[str] = []
    with open_store("sqlite://") as store:
        for version in "123":
            store.put_bundle(version, version, b"")
        for step in steps:
            if step != "back":
                stack.append(step)
                store.promote(step, "")
                continue
            below = len(stack) - 1
            while below >= 0 and stack[below] == stack[-1]:
                below -= 1
            if below < 0:
                with pytest.raises(DataError):
                    store.rollback()
            else:
                del stack[below + 1 :]
                assert store.rollback() == stack[-1]
            champion = store.champion()
            assert (champion[0] if champion else None) == (stack[-1] if stack else None)


def test_two_connections_at_once_lose_nothing(store: Store, store_url: str) -> None:
    def promote(version: str) -> None:
        with open_store(store_url) as other:
            for _ in range(20):
                other.promote(version, "race")
                other.champion()

    threads = [threading.Thread(target=promote, args=(version,)) for version in "12"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = store.champions()
    assert sorted(entry.version for entry in history) == ["1"] * 20 + ["2"] * 20
    assert len({entry.seq for entry in history}) == 40


def test_readers_do_not_wait_for_a_writer(store: Store) -> None:
    store.promote("1", "first")
    with store.engine.execution_options(write=True).connect() as writer, writer.begin() as unfinished:
        writer.execute(sa.update(METADATA.tables["champions"]).values(version="2"))
        assert store.champion() == ("1", 1)
        unfinished.rollback()


KILLED = """
import os, signal, sys
from data.store import _append, open_store
store = open_store(sys.argv[1])
store.put_bundle("2", "h2", b"two")
if sys.argv[2] == "inside":
    with store.writing.begin() as connection:
        _append(connection, "2", "half", 1)
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("where", ["between", "inside"])
def test_a_process_killed_before_promotion_ends_leaves_the_old_champion(sqlite_url: str, where: str) -> None:
    with open_store(sqlite_url) as store:
        store.put_bundle("1", "h1", b"one")
        store.promote("1", "first")
    command = [sys.executable, "-c", KILLED, sqlite_url, where]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=25, check=False)
    assert killed.returncode == -signal.SIGKILL
    with open_store(sqlite_url) as store:
        assert store.champion() == ("1", 1)
        assert store.bundle("2") == b"two"


def test_a_key_is_shown_once_and_kept_as_a_hash(store: Store) -> None:
    secret, key = store.create_key(["read", "score"], owner="ann", name="crm")
    assert secret.startswith("ls_")
    assert len(secret) == 3 + 43
    assert (key.scopes, key.owner, key.name, key.revoked_at) == (frozenset({"read", "score"}), "ann", "crm", None)
    assert store.key_by_secret(secret) == key
    assert store.key_by_secret(secret + "x") is None
    with store.engine.connect() as connection:
        assert secret not in str(connection.execute(sa.select(METADATA.tables["api_keys"])).all())


def test_a_revoked_key_opens_nothing_but_stays_listed(store: Store) -> None:
    assert not store.has_keys()
    secret, key = store.create_key(["admin"])
    other, _ = store.create_key(["score"])
    store.touch_key(key.id)
    store.revoke_key(key.id)
    ended = store.list_keys()[0]
    store.revoke_key(key.id)
    assert store.list_keys()[0] == ended
    assert ended.revoked_at is not None
    assert ended.last_used_at is not None
    assert store.key_by_secret(secret) is None
    assert store.key_by_secret(other) is not None
    assert store.has_keys()
    with pytest.raises(DataError, match="no key 99"):
        store.revoke_key(99)


@pytest.mark.parametrize("scopes", [[], ["root"], ["score", "everything"]])
def test_a_key_needs_known_scopes(store: Store, scopes: list[str]) -> None:
    with pytest.raises(DataError, match="scopes out of score, ingest, read, operate, admin"):
        store.create_key(scopes)


@pytest.mark.parametrize("url", ["sqlite:////proc/nowhere/leadscore.db", "postgres://u:hunter2@127.0.0.1:1/none", "mysql://x/y", "no url"])
def test_a_store_that_can_not_be_opened_says_so_without_the_password(url: str) -> None:
    with pytest.raises(DataError, match="LEADSCORE_DATABASE_URL") as caught:
        open_store(url)
    assert "hunter2" not in str(caught.value)


def test_promotions_at_once_stand_on_each_other(store_url: str) -> None:
    """Each is what a rollback of the next one returns to; none is passed over."""
    versions = [f"v{number}" for number in range(8)]
    with open_store(store_url) as store:
        for version in versions:
            store.put_bundle(version, version, b"")
        with ThreadPoolExecutor(len(versions)) as pool:
            list(pool.map(lambda version: store.promote(version, "at once"), versions))
        promoted = [entry.version for entry in store.champions()]
        assert sorted(promoted) == versions
        assert [store.rollback() for _ in versions[1:]] == promoted[-2::-1]
