"""The store as a dataset: what was put in comes out, through the same code as a folder, from either database."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from data.dataset import Dataset
from data.funnel import Funnel
from data.home import clock
from data.ingest import add_stages, put_leads
from data.ingesting import BATCH, Counts, ingest, load
from data.leads import erase, held_on, merge
from data.schema import EVENTS, PENDING
from data.store import Store, open_store
from data.stored import read_store
from data.validation import InvalidDataset
from worlds import TABLES, of_leads, read, sampled, with_rows

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world") / "dataset"
    sampled(made, 150, 5)
    return made


@pytest.fixture(scope="module")
def world(folder: Path) -> Dataset:
    return read(folder)


@pytest.fixture
def store(store_url: str, home: Path) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


def loaded(store: Store, dataset: Dataset) -> dict[str, Counts]:
    return load(store, dataset, Funnel(), clock(), lambda _: None)


def stored(store: Store, since: int | None = None) -> Dataset:
    return read_store(store, funnel=Funnel(), since=since)[0]


def rows(table: pa.Table) -> list[tuple[object, ...]]:
    """The rows in an order of their own; a column without a value is not there."""
    names = sorted(name for name in table.column_names if table[name].null_count < table.num_rows)
    return [tuple(names), *sorted(zip(*(table[name].to_pylist() for name in names), strict=True), key=repr)]


def assert_same(found: Dataset, expected: Dataset) -> None:
    for name in TABLES:
        assert rows(getattr(found, name)) == rows(getattr(expected, name)), name


def test_a_dataset_that_went_in_comes_out_as_it_was(store: Store, world: Dataset) -> None:
    assert {status for count in loaded(store, world).values() for status in count} == {"created"}
    found = stored(store)
    assert_same(found, world)
    assert found.data_end == world.data_end
    assert {status for count in loaded(store, world).values() for status in count} == {"unchanged"}
    assert stored(store).digest == found.digest
    put_leads(store, [{"lead_id": world.leads["lead_id"][0].as_py(), "job_title": "Somebody new"}], clock())
    assert stored(store).digest != found.digest


def test_both_databases_give_the_same_rows_in_the_same_order(sqlite_url: str, postgres_url: str, home: Path, world: Dataset) -> None:
    found = []
    for url in (sqlite_url, postgres_url):
        with open_store(url) as store:
            loaded(store, world)
            found.append(stored(store))
    assert found[0].digest == found[1].digest
    assert all(getattr(found[0], name).equals(getattr(found[1], name)) for name in TABLES)


def test_a_load_is_quiet_and_marks_every_lead_once(store: Store, world: Dataset) -> None:
    def marks() -> list[tuple[int, bool]]:
        with store.engine.connect() as connection:
            return [(row.priority, bool(row.quiet)) for row in connection.execute(sa.select(PENDING))]

    loaded(store, world)
    assert marks() == [(1, True)] * world.leads.num_rows
    store.write(lambda connection: connection.execute(sa.delete(PENDING)))
    loaded(store, world)
    assert marks() == []


def test_a_newer_export_moves_values_and_keeps_the_old_ones(store: Store, world: Dataset) -> None:
    loaded(store, world)
    leads = world.leads
    place = leads.column_names.index("job_title")
    newer = replace(world, leads=leads.set_column(place, "job_title", pc.if_else(leads["job_title"].is_valid(), "Chief", leads["job_title"])))
    changed = pc.sum(pc.fill_null(pc.not_equal(leads["job_title"], "Chief"), False)).as_py()
    assert loaded(store, newer)["leads"]["updated"] == changed
    assert set(loaded(store, newer)["leads"]) == {"unchanged"}
    found = stored(store)
    assert rows(found.leads) == rows(newer.leads)
    assert {row["value"] for row in found.changes.to_pylist() if row["field"] == "job_title"} >= {"Chief"}


def test_since_gives_the_later_leads_and_what_is_theirs(store: Store, world: Dataset) -> None:
    loaded(store, world)
    since = sorted(world.leads["created_at"].to_pylist())[100]
    later = world.leads.filter(pc.greater_equal(world.leads["created_at"], since))
    ids, accounts = later["lead_id"].to_pylist(), set(later["account_id"].to_pylist())
    expected = of_leads(world, ids)
    found = stored(store, since)
    for name in ("leads", "events", "stages", "deals"):
        assert rows(getattr(found, name)) == rows(getattr(expected, name))
    assert set(found.accounts["account_id"].to_pylist()) == accounts - {None}
    assert set(found.changes["id"].to_pylist()) <= {*ids, *accounts}


def test_the_same_export_again_neither_brings_back_nor_turns_to_and_fro(store: Store, world: Dataset) -> None:
    loaded(store, world)
    first, second, gone = world.leads["lead_id"].to_pylist()[:3]
    merge(store, first, second, clock())
    erase(store, gone, clock())
    held = held_on(store, first)
    counts = loaded(store, world)
    assert held_on(store, first) == held
    assert {status for count in counts.values() for status in count if count[status]} == {"unchanged", "refused"}
    assert gone not in stored(store).leads["lead_id"].to_pylist()
    assert counts["events"]["refused"] == pc.sum(pc.equal(world.events["lead_id"], gone)).as_py()


def test_an_account_with_the_id_of_an_erased_lead_keeps_its_history(store: Store, world: Dataset) -> None:
    loaded(store, world)
    account = next(row for row in world.changes.to_pylist() if row["object"] == "account")
    put_leads(store, [{"lead_id": account["id"]}], clock())
    erase(store, account["id"], clock())
    later = [account | {"object": object, "value": "7", "changed_at": account["changed_at"] + 1} for object in ("account", "lead")]
    counts = loaded(store, replace(world, changes=with_rows(world.changes, later)))
    assert (counts["changes"]["created"], counts["changes"]["refused"]) == (1, 1)


def test_a_stage_that_the_funnel_no_longer_knows_stops_like_in_a_folder(store: Store, world: Dataset) -> None:
    loaded(store, world)
    funnel = Funnel.from_document({"stages": {"prospect": ["Qualified by Ann"]}})
    id = world.leads["lead_id"][0].as_py()
    add_stages(store, [{"lead_id": id, "entered_at": world.data_end, "stage": "Qualified by Ann"}], clock(), funnel=funnel)
    assert "prospect" in set(read_store(store, funnel=funnel)[0].stages["stage"].to_pylist())
    with pytest.raises(InvalidDataset, match="Qualified by Ann"):
        read_store(store, funnel=Funnel())


KILLED = """
import os, signal, sys
from data.dataset import read_dataset
from data.funnel import Funnel
from data.home import clock
from data.ingesting import load
from data.store import open_store

def tell(what):
    if what.startswith(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

with open_store(sys.argv[1]) as store:
    load(store, read_dataset(sys.argv[2], funnel=Funnel())[0], Funnel(), clock(), tell)
"""


@pytest.mark.parametrize("where", ["accounts: 0", f"events: {BATCH:,}", "marking"])
def test_killed_it_left_whole_batches_and_goes_on_when_run_again(store: Store, store_url: str, folder: Path, world: Dataset, where: str) -> None:
    command = [sys.executable, "-c", KILLED, store_url, str(folder), where]
    killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    with store.engine.connect() as connection:
        found = connection.scalar(sa.select(sa.func.count()).select_from(EVENTS))
    assert found == {"a": 0, "e": BATCH, "m": world.events.num_rows}[where[0]]
    loaded(store, world)
    assert_same(stored(store), world)


def test_the_command_says_what_was_new(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("LEADSCORE_DATABASE_URL", raising=False)
    assert ingest(str(folder), None, None) == 0
    first = capfd.readouterr()
    assert "leads: 150 created, 0 updated, 0 unchanged, 0 refused\n" in first.out
    assert "reading events" in first.err
    assert ingest(str(folder), None, None) == 0
    assert "leads: 0 created, 0 updated, 150 unchanged, 0 refused\n" in capfd.readouterr().out


@pytest.mark.slow
def test_the_store_trains_the_same_bundle_as_the_folder(sqlite_url: str, home: Path, tmp_path: Path) -> None:
    from training.run import train

    world = sampled(tmp_path / "dataset", 300, 3)
    with open_store(sqlite_url) as store:
        loaded(store, world)
        found = stored(store)
    bundles = [train(dataset, Funnel(), 10**15 * 2, 0, lambda _: None).bundle for dataset in (world, replace(found, digest=world.digest))]
    assert bundles[0].hash == bundles[1].hash
