"""`leadscore worker` and `leadscore retrain` as processes of their own: followed, cancelled, killed, told to end; and the schedule."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data import deliveries, jobs, webhooks
from data.contract import DAY, HOUR, TICK
from data.funnel import Funnel
from data.home import clock
from data.jobs import LEASE, Job
from data.sample import write_sample
from data.schema import IDEMPOTENCY, JOBS, LEADS, PENDING
from data.store import Store, open_store
from registry import promotion, tracking
from serving.worker import scheduled
from test_cli_train import KEPT, PROGRAM, ROOT, cut
from worlds import at_home

NOW = 1_795_000_000_000_000 // DAY * DAY
AUTO: dict[str, Any] = {"since": None, "promote": "auto"}


def environment(home: Path, url: str) -> dict[str, str]:
    ours = {"LEADSCORE_HOME": str(home), "LEADSCORE_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    return {name: value for name, value in os.environ.items() if not name.startswith("LEADSCORE")} | ours


def leadscore(home: Path, url: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *command], env=environment(home, url), capture_output=True, text=True, timeout=200, check=False)


@contextmanager
def working(home: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    """A worker that is ready; it is killed at the end if it has not ended by then."""
    log = (home / "worker.log").open("a")
    with log, subprocess.Popen([*PROGRAM, "worker"], env=environment(home, url), stdout=subprocess.PIPE, stderr=log, text=True) as process:
        assert process.stdout is not None
        try:
            assert "ready" in process.stdout.readline()
            yield process
        finally:
            process.kill()


def until(store: Store, id: str, reached: Callable[[Job], bool], seconds: float = 150) -> Job:
    deadline = time.monotonic() + seconds
    while True:
        job = jobs.get(store, id)
        assert job is not None
        if reached(job):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)


def trains(job: Job) -> bool:
    return job.state == "running" and job.progress > 0.5


def ended(job: Job) -> bool:
    return job.state in jobs.ENDED


def processes_of(id: str) -> list[int]:
    """The living processes whose command line names the job."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
            if id.encode() in words and "Z" not in (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def until_gone(id: str) -> None:
    deadline = time.monotonic() + 20
    while processes_of(id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample world of 400 leads, cut down to one transition."""
    whole, folder = tmp_path_factory.mktemp("whole") / "w", tmp_path_factory.mktemp("cut")
    write_sample(whole, 400, 5)
    for name, kept in KEPT.items():
        cut(whole / f"{name}.csv", folder / f"{name}.csv", set(kept))
    return folder


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes under /proc")
@pytest.mark.parametrize("store_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.proof)], indirect=True)
def test_a_retraining_cancelled_killed_begun_anew_and_not_repeated(store_url: str, tmp_path: Path, dataset: Path) -> None:
    assert leadscore(tmp_path, store_url, "ingest", str(dataset)).returncode == 0
    with open_store(store_url) as store:
        cancelled = jobs.create(store, "retrain", AUTO, clock()).id
        with working(tmp_path, store_url) as worker:
            until(store, cancelled, trains)
            refused = leadscore(tmp_path, store_url, "retrain")
            assert refused.returncode == 1
            assert f"one job at a time: {cancelled} is running" in refused.stderr
            jobs.cancel(store, cancelled, clock())
            assert until(store, cancelled, ended).state == "cancelled"
            until_gone(cancelled)
            assert store.champion() is None

            killed = jobs.create(store, "retrain", AUTO, clock()).id
            until(store, killed, trains)
            worker.kill()
            worker.wait()
            until_gone(killed)
        left = jobs.get(store, killed)
        assert left is not None
        assert left.state == "running"
        with store.writing.begin() as connection:  # as if a minute had gone by
            connection.execute(JOBS.update().where(JOBS.c.id == killed).values(seen_at=JOBS.c.seen_at - LEASE))
        with working(tmp_path, store_url) as worker:
            done = until(store, killed, ended)
            assert (done.state, done.error) == ("done", None)
            assert done.result == {"version": "1", "promoted": True, "decision": ["nothing served before it."], "churn": None}
            assert "the process that ran it is gone; it starts again" in done.log
            assert store.champion() is not None

            again = until(store, jobs.create(store, "retrain", AUTO, clock()).id, ended)
            assert again.result is not None
            assert (again.result["version"], again.result["promoted"]) == ("1", False)
            assert "nothing has changed since champion 1 was trained" in again.result["decision"][0]
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        assert store.versions() == ["1"]
        assert_the_alias_follows(tmp_path, store)
    assert "Traceback" not in (tmp_path / "worker.log").read_text()


def assert_the_alias_follows(home: Path, store: Store) -> None:
    """A promotion over HTTP moves the store's pointer only."""
    with at_home(home):
        (version,) = tracking.versions()
        assert "champion" in version.aliases
        tracking._client().delete_registered_model_alias(tracking.NAME, "champion")
        promotion.follow(store)
        assert "champion" in tracking.versions()[0].aliases


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        rows = [{"lead_id": f"L-{i}", "created_at": 0, "fields": "{}", "ingested_at": 0, "changed_at": 0} for i in range(3)]
        with opened.writing.begin() as connection:
            connection.execute(LEADS.insert(), rows)
        yield opened


def swept(store: Store, now: int, funnel: Funnel | None = None) -> bool:
    """Whether the schedule, at that instant, marks every lead."""
    with store.writing.begin() as connection:
        connection.execute(PENDING.delete())
    scheduled(store, funnel or Funnel(), now)
    with store.engine.connect() as connection:
        marked = connection.scalar(sa.select(sa.func.count()).select_from(PENDING))
    assert marked in (0, 3)
    return marked == 3


def test_all_leads_are_swept_once_a_day_from_its_hour_on(store: Store) -> None:
    two = NOW + 2 * HOUR
    assert [swept(store, now) for now in (two, two, two + DAY - TICK, two + DAY, two + DAY)] == [True, False, False, True, False]
    assert swept(store, two + 5 * DAY)
    late = Funnel.from_document({"schedule": {"rescore_at": "23:30"}})
    assert not swept(store, two + 6 * DAY, late)
    assert swept(store, NOW + 6 * DAY + 23 * HOUR + HOUR // 2, late)


def test_a_promotion_is_followed_by_one_sweep(store: Store) -> None:
    from bundles import bundle, promote

    assert swept(store, NOW + 3 * HOUR)
    promote(store, "1", bundle())
    assert [swept(store, NOW + 3 * HOUR) for _ in range(2)] == [True, False]
    promote(store, "2", bundle(-2.0))
    store.rollback()
    assert [swept(store, NOW + 3 * HOUR) for _ in range(2)] == [True, False]


def test_a_retraining_is_asked_for_every_so_many_days(store: Store) -> None:
    weekly = Funnel.from_document({"schedule": {"retrain_every_days": 7}})
    scheduled(store, Funnel(), NOW)
    assert jobs.latest(store, 9) == []
    for now in (NOW, NOW + TICK):
        scheduled(store, weekly, now)
    (first,) = jobs.latest(store, 9)
    assert (first.kind, first.arguments, first.requested_by) == ("retrain", AUTO, "the schedule")
    jobs.cancel(store, first.id, NOW)
    scheduled(store, weekly, NOW + 7 * DAY - TICK)
    assert len(jobs.latest(store, 9)) == 1
    scheduled(store, weekly, NOW + 7 * DAY)
    assert len(jobs.latest(store, 9)) == 2


def test_what_was_kept_for_long_enough_is_forgotten(store: Store) -> None:
    kept = Funnel.from_document({"retention": {"deliveries_days": 2, "jobs_days": 3}})
    webhooks.add_endpoint(store, "https://crm.example.com/", ("score.changed",), None, NOW)
    with store.writing.begin() as connection:
        webhooks.enqueue(connection, "score.changed", "L-1", {}, NOW)
        connection.execute(IDEMPOTENCY.insert().values(key="k", body_hash="h", at=NOW, status=200, content=b""))
    deliveries.settle(store, deliveries.claim(store, NOW, 1)[0], 200, None, NOW)
    job = jobs.create(store, "retrain", AUTO, NOW)
    jobs.cancel(store, job.id, NOW)
    held = []
    for day in (0, 2, 3, 4):
        scheduled(store, kept, NOW + day * DAY + 2 * HOUR)
        with store.engine.connect() as connection:
            keys = connection.scalar(sa.select(sa.func.count()).select_from(IDEMPOTENCY))
        held.append((len(deliveries.deliveries(store, None, 9)), len(jobs.latest(store, 9)), keys))
    assert held == [(1, 1, 1), (0, 1, 0), (0, 0, 0), (0, 0, 0)]
