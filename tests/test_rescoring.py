"""Rescoring over both databases, with a real bundle, the real spool and real webhooks' rows."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from bundles import bundle, promote
from data import pending, queue
from data.contract import DAY, HOUR
from data.facts import facts_of
from data.funnel import Funnel
from data.home import clock
from data.ingest import add_events, add_stages, put_deals, put_leads
from data.leads import erase
from data.ledger import ScoreRecord
from data.pending import mark_open
from data.schema import DELIVERIES, LEADS, PENDING, STAGES
from data.store import Store, open_store
from data.webhooks import add_endpoint
from serving import rescoring
from serving.champion import Champion
from serving.colleagues import request_of
from serving.errors import LedgerDown, NoChampion, NotReady
from serving.rescoring import Rescorer, value_of
from serving.retelling import stored
from serving.spool import Spool, files_in
from serving.spool_format import unpacked
from serving.words import ENGLISH

MONTH = 30 * DAY
HOT = {"budget": 500_000}


@pytest.fixture
def store(store_url: str, home: Path) -> Iterator[Store]:
    with open_store(store_url) as opened:
        promote(opened, "1", bundle())
        yield opened


@pytest.fixture
def rescorer(store: Store, tmp_path: Path) -> Iterator[Rescorer]:
    made = rescorer_of(store, tmp_path / "spool")
    yield made
    made.spool.close()


def rescorer_of(store: Store, folder: Path) -> Rescorer:
    champion = Champion(store)
    champion.refresh()
    return Rescorer(store, champion, Spool(folder))


def add(store: Store, *ids: str, quiet: bool = False, **values: Any) -> None:
    now = clock()
    put_leads(store, [{"lead_id": id, "created_at": now - MONTH, **values} for id in ids], now, quiet)


def enter(store: Store, lead_id: str, stage: str) -> None:
    now = clock()
    add_stages(store, [{"lead_id": lead_id, "entered_at": now - HOUR, "stage": stage}], now, funnel=Funnel())


def drain(rescorer: Rescorer) -> int:
    total = 0
    while worked := rescorer.step():
        total += worked
    return total


def waiting(store: Store) -> dict[str, int | None]:
    with store.engine.connect() as connection:
        return {row.lead_id: row.claimed_until for row in connection.execute(sa.select(PENDING))}


def ledger(folder: Path) -> list[ScoreRecord]:
    return [record for file in files_in(folder) for record in unpacked(file.read_bytes()).records]


def told(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """(type, data) of every delivery, and none of them any more."""
    with store.writing.begin() as connection:
        rows = connection.execute(sa.select(DELIVERIES.c.type, DELIVERIES.c.body).order_by(DELIVERIES.c.created_at, DELIVERIES.c.type)).all()
        connection.execute(DELIVERIES.delete())
    return [(row.type, orjson.loads(row.body)["data"]) for row in rows if row.type != "model.promoted"]


def test_what_is_queued_is_what_would_be_answered(rescorer: Rescorer, store: Store, tmp_path: Path) -> None:
    add(store, "L-1", owner="ann", budget=20_000, created_note=None)
    add_events(store, [{"lead_id": "L-1", "occurred_at": clock() - DAY, "type": "pricing_page_view", "event_id": "e"}], clock())
    assert (drain(rescorer), waiting(store)) == (1, {})
    row = queue.current(store, "L-1")
    assert row is not None
    again, record = rescorer.champion.take().scorer.score(request_of(facts_of(store, ["L-1"])["L-1"], None), row["as_of"], source="store")
    assert stored(row["answer"], None, ENGLISH) == again | {"score_id": row["score_id"]}
    assert (row["probability"], row["score"], row["grade"]) == (again["probability"], again["score"], again["grade"])
    assert (row["action"], row["recommended_stage"]) == (again["recommendation"]["action"], again["recommendation"]["stage"])
    assert (row["owner"], row["transition"], row["version"], row["scored_at"]) == ("ann", "lead->prospect", "1", row["as_of"])
    assert ledger(tmp_path / "spool") == [record._replace(score_id=row["score_id"])]


def test_a_lead_that_left_the_funnel_leaves_the_queue(rescorer: Rescorer, store: Store, tmp_path: Path) -> None:
    add(store, "out", "won", "gone", "stays")
    assert drain(rescorer) == 4
    enter(store, "out", "lost")
    enter(store, "won", "customer")
    with store.writing.begin() as connection:
        connection.execute(LEADS.delete().where(LEADS.c.lead_id == "gone"))
        pending.mark(connection, ["gone"], clock(), 0, False)
    assert drain(rescorer) == 3
    assert [id for id in ("out", "won", "gone", "stays") if queue.current(store, id)] == ["stays"]
    assert len(ledger(tmp_path / "spool")) == 4


def test_a_lead_that_changes_while_it_is_scored_is_scored_again(rescorer: Rescorer, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "L-1")

    def facts_then_change(*args: Any) -> Any:
        found = facts_of(*args)
        monkeypatch.setattr(rescoring, "facts_of", facts_of)
        add(store, "L-1", **HOT)
        return found

    monkeypatch.setattr(rescoring, "facts_of", facts_then_change)
    rescorer.step()
    cold = queue.current(store, "L-1")
    assert waiting(store) == {"L-1": None}
    rescorer.step()
    hot = queue.current(store, "L-1")
    assert cold is not None
    assert hot is not None
    assert (hot["probability"] > cold["probability"], waiting(store)) == (True, {})


def test_a_slow_process_does_not_undo_what_a_later_one_published(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow one read the facts before they changed, and publishes after the other."""
    slow, fast = rescorer_of(store, tmp_path / "a"), rescorer_of(store, tmp_path / "b")
    add(store, "L-1")

    def overtaken(*args: Any) -> Any:
        found = facts_of(*args)
        monkeypatch.setattr(rescoring, "facts_of", facts_of)
        add(store, "L-1", **HOT)
        assert fast.step() == 1
        return found

    monkeypatch.setattr(rescoring, "facts_of", overtaken)
    assert slow.step() == 1
    row = queue.current(store, "L-1")
    assert row is not None
    assert row["score_id"] == ledger(tmp_path / "b")[0].score_id


def test_a_lead_that_is_erased_while_it_is_scored_does_not_come_back(rescorer: Rescorer, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_endpoint(store, "https://crm.example/hook", ["score.changed"], None, clock())
    add(store, "L-1", "L-2")

    def facts_then_erase(*args: Any) -> Any:
        found = facts_of(*args)
        erase(store, "L-1", clock())
        return found

    monkeypatch.setattr(rescoring, "facts_of", facts_then_erase)
    assert rescorer.step() == 2
    assert [id for id in ("L-1", "L-2") if queue.current(store, id)] == ["L-2"]
    assert ([data["lead_id"] for _, data in told(store)], waiting(store)) == (["L-2"], {})


def test_webhooks_tell_changes_only(rescorer: Rescorer, store: Store) -> None:
    add_endpoint(store, "https://crm.example/hook", ["score.changed", "stage.recommended"], None, clock())
    add(store, "L-1")
    drain(rescorer)
    ((kind, first),) = told(store)
    assert (kind, first["lead_id"], first["previous"]) == ("score.changed", "L-1", None)
    mark_open(store, clock())
    drain(rescorer)
    assert told(store) == []
    add(store, "L-1", **HOT)
    add_events(store, [{"lead_id": "L-1", "occurred_at": clock(), "type": "pricing_page_view"}], clock())
    drain(rescorer)
    changed, recommended = told(store)
    assert (changed[0], changed[1]["grade"], changed[1]["previous"]["grade"]) == ("score.changed", "A", first["grade"])
    assert (recommended[0], recommended[1]["stage"], recommended[1]["recommended_stage"]) == ("stage.recommended", "lead", "prospect")
    enter(store, "L-1", "prospect")
    drain(rescorer)
    assert [kind for kind, _ in told(store)] == ["score.changed"]


def test_a_backfill_tells_nobody(rescorer: Rescorer, store: Store) -> None:
    add_endpoint(store, "https://crm.example/hook", ["score.changed", "stage.recommended"], None, clock())
    add(store, "L-1", quiet=True, **HOT)
    drain(rescorer)
    assert (told(store), queue.current(store, "L-1") is not None) == ([], True)


def test_one_that_can_not_be_scored_waits_and_the_others_do_not(
    rescorer: Rescorer, store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by the scorer, and broken in the store: each is set back, and named nowhere."""
    ids = [f"fine-{n}" for n in range(25)]
    add(store, *ids, "refused-7", "broken-7")
    with store.writing.begin() as connection:
        connection.execute(STAGES.insert().values(lead_id="refused-7", entered_at=1, stage="no such stage", ingested_at=1))
        connection.execute(LEADS.update().where(LEADS.c.lead_id == "broken-7").values(fields="{"))
    with caplog.at_level(logging.INFO, "leadscore.rescoring"):
        assert rescorer.step() == 27
    left = waiting(store)
    assert set(left) == {"refused-7", "broken-7"}
    assert all(until is not None and until > clock() for until in left.values())
    assert all(queue.current(store, id) for id in ids)
    assert {record.levelname for record in caplog.records} == {"WARNING", "ERROR"}
    assert not [record for record in caplog.records if "-7" in record.getMessage() + str(getattr(record, "fields", ""))]
    assert rescorer.step() == 0


def test_several_processes_score_every_lead_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "BATCH", 5)
    ids = [f"L-{n}" for n in range(40)]
    add(store, *ids)
    several = [rescorer_of(store, tmp_path / "spool") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(drain, several)) == len(ids)
    assert sorted(record.lead_id or "" for record in ledger(tmp_path / "spool")) == sorted(ids)
    assert waiting(store) == {}


def test_what_a_killed_process_held_is_scored_after_its_lease(store: Store, tmp_path: Path) -> None:
    add(store, "L-1")
    began = clock()
    pending.claim(store, began, 1)
    lease = pending.LEASE_SECONDS * 1_000_000
    found = []
    for at in (began + lease - 1, began + lease):
        later = Rescorer(store, rescorer_of(store, tmp_path).champion, Spool(tmp_path / "spool"), now=lambda at=at: at)  # type: ignore[misc]
        found.append(later.step())
    assert found == [0, 1]


def test_a_promotion_is_followed_before_what_it_marked_is_scored(rescorer: Rescorer, store: Store) -> None:
    add(store, "L-1")
    drain(rescorer)
    promote(store, "2", bundle(0.5))
    pending.after_promotion(store, clock())
    assert (rescorer.step(), waiting(store)) == (0, {"L-1": None})
    rescorer.champion.refresh()
    assert rescorer.step() == 1
    assert queue.current(store, "L-1")["version"] == "2"  # type: ignore[index]


def test_a_champion_that_can_not_be_loaded_is_not_waited_for(rescorer: Rescorer, store: Store) -> None:
    add(store, "L-1")
    store.put_bundle("2", "hash", b"no bundle")
    store.promote("2", "test")
    rescorer.champion.refresh()
    assert rescorer.step() == 1
    assert queue.current(store, "L-1")["version"] == "1"  # type: ignore[index]


def test_without_a_model_everything_waits(store_url: str, home: Path, tmp_path: Path) -> None:
    with open_store(store_url) as store:
        add(store, "L-1")
        rescorer = rescorer_of(store, tmp_path)
        with pytest.raises((NoChampion, NotReady)):
            rescorer.step()
        assert (rescorer._work(), waiting(store)) == (rescoring.NO_MODEL_SECONDS, {"L-1": None})


def test_without_the_ledger_nothing_is_published(store: Store, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    rescorer = rescorer_of(store, tmp_path / "spool")
    add(store, "L-1")
    with pytest.raises(LedgerDown):
        rescorer.step()
    assert (queue.current(store, "L-1"), list(waiting(store))) == (None, ["L-1"])
    assert [rescorer._wait_for("LedgerDown") for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_database_that_comes_back_is_worked_on_again(postgres_url: str, home: Path, tmp_path: Path) -> None:
    with open_store(postgres_url) as store:
        promote(store, "1", bundle())
        rescorer = rescorer_of(store, tmp_path)
        add(store, "L-1")
        name = store.engine.url.database
        with psycopg.connect(postgres_url.replace(f"/{name}", "/postgres"), autocommit=True) as server:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            server.execute(f"ALTER DATABASE {name} RENAME TO away_{name}")
            with pytest.raises(OperationalError):
                rescorer.step()
            assert [rescorer._work(), rescorer._work()] == [0.2, 0.4]
            server.execute(f"ALTER DATABASE away_{name} RENAME TO {name}")
        assert (rescorer._work(), rescorer._work()) == (0.0, rescoring.IDLE_SECONDS)
        assert queue.current(store, "L-1") is not None


def test_it_runs_until_it_is_told_to_stop(rescorer: Rescorer, store: Store) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=rescorer.run, args=(stop,))
    thread.start()
    try:
        add(store, "L-1")
        while queue.current(store, "L-1") is None:
            stop.wait(0.01)
            assert thread.is_alive()
    finally:
        stop.set()
        thread.join()


def test_a_lead_is_worth_its_largest_open_deal(rescorer: Rescorer, store: Store) -> None:
    add(store, "L-1", "L-2")
    now = clock()
    deals = [("D-1", 10.0, None), ("D-2", 30.0, None), ("D-3", 90.0, "lost")]
    rows = [{"deal_id": id, "lead_id": "L-1", "opened_at": now - DAY, "amount": a, "closed_at": now - HOUR, "outcome": o} for id, a, o in deals]
    put_deals(store, rows, now)
    drain(rescorer)
    found = [queue.current(store, id) for id in ("L-1", "L-2")]
    assert [one and (one["value"], one["expected_value"]) for one in found] == [(30.0, found[0] and found[0]["probability"] * 30.0), (None, None)]


@pytest.mark.parametrize(
    "deals, worth",
    [
        ([], 7.0),
        ([{"amount": 5.0}], 5.0),
        ([{"amount": 5.0, "outcome": "won"}], 7.0),
        ([{"amount": 5.0, "outcome": "won", "closed_at": 2}], 7.0),
        ([{"amount": 5.0, "outcome": "won", "closed_at": 3}], 5.0),
        ([{"amount": 5.0, "closed_at": 1}], 5.0),
        ([{"amount": 5.0, "opened_at": 2}], 5.0),
        ([{"amount": 5.0, "opened_at": 3}], 7.0),
        ([{}, {"amount": 0.0}], 0.0),
    ],
)
def test_without_an_open_deal_the_usual_value_counts(deals: list[dict[str, Any]], worth: float) -> None:
    assert value_of([{"opened_at": 0} | deal for deal in deals], 7.0, 2) == worth
