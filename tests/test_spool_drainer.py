"""From the spool into the ledger: exactly once, whatever fails on the way, and nothing of the erased."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from data import ledger
from data.ingest import put_leads
from data.leads import erase
from data.ledger import ScoreRecord
from data.schema import SCORES
from data.store import Store, open_store
from outages import outage
from records import NOW, numbered
from serving.drainer import Drainer, purge
from serving.spool import TORN, Spool, waiting
from serving.spool_format import packed


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


def held(store: Store) -> list[ScoreRecord | None]:
    """Every score of the ledger, in the order of the ids."""
    with store.engine.connect() as connection:
        ids = list(connection.scalars(sa.select(SCORES.c.score_id).order_by(SCORES.c.score_id)))
    return [ledger.get(store, id) for id in ids]


def test_what_is_appended_is_in_the_ledger_once(store: Store, spool: Spool) -> None:
    drainer = Drainer(spool.folder, store)
    assert drainer.drain() == 0
    many = [numbered(n) for n in range(2 * ledger.BATCH + 1)]
    spool.append_many(many)
    spool.append(numbered(7))
    assert drainer.drain() == 0, "its process still writes it"
    spool.hand_over()
    assert drainer.drain() == len(many)
    assert held(store) == many
    assert drainer.drained == len(many)
    assert (spool.backlog(), waiting(spool.folder)) == ((0, 0), [])


def test_inserting_again_adds_nothing(store: Store) -> None:
    some = [numbered(1), numbered(2), numbered(1)]
    assert [ledger.insert(store, some), ledger.insert(store, [*some, numbered(3)]), ledger.insert(store, [])] == [2, 1, 0]


def test_records_without_numbers_and_with_odd_texts(store: Store) -> None:
    """A zero character and an id too long for an index are no lead's in PostgreSQL: there they are kept as nearly as it can."""
    bare = numbered(1)._replace(lead_id=None, probability=None, low=None, high=None, score=None, grade=None, action=None, features=b"")
    odd = numbered(2)._replace(lead_id="a\0'\"\u2028\U0001f600", stage="", score=100.0)
    long = numbered(3)._replace(lead_id="".join(chr(0x1F300 + n * 7919 % 4_000) for n in range(10_000)))
    assert ledger.insert(store, [bare, odd, long]) == 3
    if store.engine.dialect.name == "postgresql":
        odd, long = odd._replace(lead_id="a\ufffd'\"\u2028\U0001f600"), long._replace(lead_id=str(long.lead_id)[:650])
    assert held(store) == [bare, odd, long]


def test_files_of_ended_processes_are_taken_over(store: Store, spool: Spool) -> None:
    ended = [Spool(spool.folder) for _ in range(3)]
    for n, other in enumerate(ended):
        other.append(numbered(n))
        other.close()
    living = Spool(spool.folder)
    living.append(numbered(9))
    assert Drainer(spool.folder, store).drain() == 3
    assert held(store) == [numbered(n) for n in range(3)]
    assert len(waiting(spool.folder)) == 1
    living.close()


def test_a_file_that_was_taken_over_while_the_database_was_down_is_let_go_of(store: Store, spool: Spool) -> None:
    ended = Spool(spool.folder)
    ended.append(numbered(1))
    ended.close()
    with outage(store), pytest.raises(SQLAlchemyError):
        Drainer(spool.folder, store).drain()
    assert Drainer(spool.folder, store).drain() == 1


def test_damage_is_told_and_set_aside(store: Store, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    spool.folder.mkdir()
    pieces = [packed(numbered(n, "the-lead")) for n in range(4)]
    torn = pieces[1][:30]
    (spool.folder / "ended.spool").write_bytes(pieces[0] + torn + pieces[2] + pieces[3][:-1])
    drainer = Drainer(spool.folder, store)
    with caplog.at_level(logging.WARNING):
        drainer.drain()
    assert held(store) == [numbered(0, "the-lead"), numbered(2, "the-lead")]
    assert (spool.folder / TORN / "ended").read_bytes() == torn + pieces[3][:-1]
    assert drainer.torn == len(torn) + len(pieces[3]) - 1
    assert "damaged bytes beside 2 whole records" in caplog.text
    assert "the-lead" not in caplog.text


def test_a_record_that_the_database_refuses_does_not_hold_up_the_others(store: Store, spool: Spool) -> None:
    """An instant beyond 64 bits is taken by no column: neither engine lets it in."""
    impossible = numbered(1)._replace(at=2**64 - 1)
    spool.append_many([numbered(0), impossible, numbered(2)])
    spool.hand_over()
    Drainer(spool.folder, store).drain()
    assert held(store) == [numbered(0), numbered(2)]
    assert (spool.folder / TORN / impossible.score_id).read_bytes() == packed(impossible)
    assert waiting(spool.folder) == []


def test_nothing_is_lost_while_the_database_is_down(store: Store, spool: Spool) -> None:
    drainer = Drainer(spool.folder, store)
    spool.append(numbered(0))
    with outage(store):
        for n in (1, 2):
            spool.hand_over()
            with pytest.raises(SQLAlchemyError):
                drainer.drain()
            spool.append(numbered(n))
        assert spool.backlog().records == 3
    while drainer.drain():
        spool.hand_over()
    assert held(store) == [numbered(n) for n in range(3)]


def until(state: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not state():
        assert time.monotonic() < deadline, "not reached"
        time.sleep(0.02)


@contextmanager
def threads(*runs: Callable[[threading.Event], None]) -> Iterator[None]:
    """Each in a thread of its own; told to stop one after the other."""
    stops = [threading.Event() for _ in runs]
    running = [threading.Thread(target=run, args=(stop,)) for run, stop in zip(runs, stops, strict=True)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        for thread, stop in zip(running, stops, strict=True):
            stop.set()
            thread.join()


def test_the_thread_outlives_an_outage_and_says_so_meanwhile(store: Store, spool: Spool, caplog: pytest.LogCaptureFixture) -> None:
    drainer = Drainer(spool.folder, store)
    with threads(spool.handing_over, drainer.run):
        spool.append(numbered(0))
        until(lambda: spool.backlog().records == 0)
        with outage(store):
            spool.append(numbered(1))
            until(lambda: drainer.problem is not None)
            assert "scores wait in the spool" in str(drainer.problem)
            until(lambda: len(caplog.records) == 1)
        until(lambda: drainer.problem is None)
        spool.append(numbered(2))
        spool.close()
    assert held(store) == [numbered(n) for n in range(3)], "the last look comes after the stop"


def test_one_drains_and_who_stays_goes_before_who_helps_out(store: Store, spool: Spool) -> None:
    spool.folder.mkdir()
    helping, staying, later = (Drainer(spool.folder, store, stays) for stays in (False, True, True))
    with threads(helping.run, later.run):
        until(lambda: later._lock is not None)
        with threads(staying.run):
            for n in range(3):
                spool.append(numbered(n))
                spool.hand_over()
                until(lambda: spool.backlog().records == 0)
            assert (helping.drained, staying.drained, later.drained) == (0, 0, 3)
    spool.append(numbered(3))
    spool.close()
    with threads(helping.run):
        until(lambda: helping.drained == 1)
    assert held(store) == [numbered(n) for n in range(4)]


def test_a_pass_that_has_lasted_long_enough_ends_with_its_file(store: Store, spool: Spool) -> None:
    for n in range(3):
        ended = Spool(spool.folder)
        ended.append(numbered(n))
        ended.close()
    drainer = Drainer(spool.folder, store)
    assert [drainer.drain(seconds=-1) for _ in range(4)] == [1, 1, 1, 0]


def test_several_drainers_and_an_erasure_at_the_same_time(store: Store, spool: Spool) -> None:
    """Whoever comes first: of the erased lead no score is left, of the others every one."""
    put_leads(store, [{"lead_id": "gone", "created_at": NOW}], NOW)
    others = [Spool(spool.folder) for _ in range(3)]
    for k, other in enumerate(others):
        other.append_many(numbered(n, "gone" if n % 2 else "stays") for n in range(k * 600, (k + 1) * 600))
        other.close()
    drainers = [threading.Thread(target=Drainer(spool.folder, store).drain) for _ in others]
    for thread in drainers:
        thread.start()
    erase(store, "gone", NOW)
    for thread in drainers:
        thread.join()
    assert {record.lead_id for record in held(store) if record} == {"stays"}
    assert len(held(store)) == 900
    assert all(ledger.was_erased(store, numbered(n).score_id) == bool(n % 2) for n in range(0, 1_800, 97))


def test_a_purge_waits_for_the_drainers(store: Store, spool: Spool) -> None:
    put_leads(store, [{"lead_id": "gone", "created_at": NOW, "aliases": [{"object": "contact", "external_id": "C-1"}]}], NOW)
    spool.append_many([numbered(0, "gone"), numbered(1, "C-1"), numbered(2, "stays")])
    (spool.folder / TORN).mkdir()
    (spool.folder / TORN / "piece").write_bytes(b"gone?")
    erase(store, "gone", NOW)
    assert not purge(spool.folder, 0.05)
    with threads(Drainer(spool.folder, store).run):
        assert not purge(spool.folder, 0.6), "its process has not handed it over"
        with threads(spool.handing_over):
            assert purge(spool.folder, 30)
    assert held(store) == [numbered(2, "stays")]
    assert not (spool.folder / TORN).exists()
    assert [ledger.was_erased(store, numbered(n).score_id) for n in range(3)] == [True, True, False]


def test_old_scores_are_forgotten_at_their_instant(store: Store) -> None:
    many = [numbered(n) for n in range(2 * ledger.BATCH + 10)]
    ledger.insert(store, many)
    assert ledger.forget(store, many[-3].at) == len(many) - 3
    assert held(store) == many[-3:]
    assert ledger.forget(store, many[-3].at) == 0
