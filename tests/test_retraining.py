"""`leadscore retrain` on a store that holds little: what it says, and what it leaves behind."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundles import bundle, promote
from data import jobs
from data.contract import DataError, format_instant
from data.funnel import Funnel
from data.home import clock
from data.ingest import add_stages, put_accounts, put_leads
from data.jobs import Job
from data.store import Store, open_store
from data.stored import read_store
from registry.bundle import Bundle
from training.retraining import retrain

OURS = Funnel.from_document({"stages": {"prospect": ["Won by Ann"]}})


@pytest.fixture
def store(sqlite_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("LEADSCORE_DATABASE_URL", sqlite_url)
    with open_store(sqlite_url) as store:
        yield store


def refused(store: Store) -> Job:
    with pytest.raises(DataError):
        retrain(None, "never", None)
    return jobs.latest(store, 1)[0]


def test_an_empty_store_says_how_to_fill_it(store: Store) -> None:
    job = refused(store)
    assert job.state == "failed"
    assert "the store holds no lead to learn from" in str(job.error)


def test_neither_the_log_nor_a_file_names_a_lead_or_its_values(store: Store, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The log is kept with the job and rejects in files: no erasure looks there."""
    leads = [{"lead_id": f"ann-{number}@example.com", "created_at": 1, "account_id": "?", "phone": str(46_000 + number)} for number in range(120)]
    put_leads(store, [leads[0] | {"phone": "ask reception"}, *leads[1:]], 2)
    put_accounts(store, [{"account_id": "A"}], 2)
    told = [str(refused(store).error), capfd.readouterr().err]
    add_stages(store, [{"lead_id": str(leads[0]["lead_id"]), "entered_at": 1, "stage": "Won by Ann"}], 2, funnel=OURS)
    with store.writing.begin() as connection:
        connection.exec_driver_sql("UPDATE leads SET created_at = 9000000000000000 WHERE lead_id = 'ann-7@example.com'")
    job = refused(store)
    told += [str(job.error), capfd.readouterr().err]
    assert "leads.phone is numbers but for 1 of 120 values. Correct them" in told[1]
    assert "120 leads name an account that is not. They count as leads without firmographics" in told[1]
    assert "stages.stage must be one of" in told[2]
    assert all("@example.com" not in text and "ask reception" not in text for text in told)
    assert not (home / "rejects").exists()


def made_of(digest: str, trained_at: int) -> Bundle:
    made = bundle()
    return replace(made, about={**made.about, "data_digest": digest, "seed": 0, "trained_at": format_instant(trained_at)})


def test_what_was_compared_and_declined_is_not_made_again(store: Store) -> None:
    """Until another champion serves: then it is another question."""
    put_leads(store, [{"lead_id": f"L-{number}", "created_at": 1} for number in range(50)], 2)
    digest = read_store(store, funnel=Funnel())[0].digest
    promote(store, "1", made_of("of other data", clock()))
    later = made_of(digest, clock() + 1_000_000)
    store.put_bundle("2", later.hash, later.to_bytes())
    assert retrain(None, "auto", None) == 0
    result = jobs.latest(store, 1)[0].result
    assert result == {
        "version": "2",
        "promoted": False,
        "decision": [
            "nothing has changed since version 2 was trained beside champion 1: same data, seed and settings. --promote always trains all the same."
        ],
    }
    with pytest.raises(DataError):
        retrain(None, "always", None)
    promote(store, "3", made_of("of yet other data", clock()))
    with store.writing.begin() as connection:
        connection.exec_driver_sql("UPDATE champions SET promoted_at = promoted_at + 5000000 WHERE version = '3'")
    with pytest.raises(DataError):
        retrain(None, "auto", None)


def test_a_champion_that_cannot_be_read_does_not_stop_a_training(store: Store) -> None:
    put_leads(store, [{"lead_id": f"L-{number}", "created_at": 1} for number in range(50)], 2)
    store.put_bundle("1", "h", b"torn")
    store.promote("1", "test")
    with pytest.raises(DataError, match="no transition has enough evidence"):
        retrain(None, "auto", None)
