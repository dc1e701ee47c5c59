"""The durable queue and the processes that jobs are, on SQLite and PostgreSQL. What they do here is short; tests/test_worker.py trains."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data import jobs
from data.home import clock
from data.jobs import PLACE_TAKEN, Job
from data.store import Store, open_store
from serving.jobs import Runner, command_of

ROOT = Path(__file__).parent.parent
WORK = """
import sys, time
from data import jobs
from data.home import clock
from data.store import open_store
url, id, what = sys.argv[1:]
with open_store(url) as store:
    token = jobs.begin(store, id, clock())
    sys.stderr.write(f"doing {what}\\n")
    sys.stderr.flush()
    if what == "hang":
        time.sleep(60)
    if what == "die":
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    jobs.finish(store, id, token, {"what": what}, clock())
"""


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        yield opened


@contextmanager
def running(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch, command: Callable[[Job], list[str]] | None = None) -> Iterator[Runner]:
    """A worker's turns, until the end of the block."""

    def work(job: Job) -> list[str]:
        return [sys.executable, "-c", WORK, store_url, job.id, job.arguments["what"]]

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    runner, stop = Runner(store, command or work), threading.Event()
    runner.start()

    def turn() -> None:
        while not stop.wait(0.05):
            runner.turn()

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield runner
    finally:
        stop.set()
        thread.join()
        runner.stop()


def queued(store: Store, what: str) -> str:
    return jobs.create(store, "retrain", {"what": what}, clock()).id


def read(store: Store, id: str) -> Job:
    job = jobs.get(store, id)
    assert job is not None
    return job


def until(store: Store, id: str, *states: str) -> Job:
    deadline = time.monotonic() + 60
    while read(store, id).state not in states:
        assert time.monotonic() < deadline, read(store, id)
        time.sleep(0.05)
    return read(store, id)


def until_told(store: Store, id: str, line: str) -> tuple[str, ...]:
    """The job's log, once the runner has written that line into it: it may come behind the end that the job's own process wrote."""
    deadline = time.monotonic() + 30
    while line not in read(store, id).log:
        assert time.monotonic() < deadline, read(store, id)
        time.sleep(0.05)
    return read(store, id).log


@pytest.mark.slow
def test_jobs_run_one_by_one_and_a_broken_one_is_told_and_holds_up_nobody(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand, token = jobs.begin_by_hand(store, "retrain", {}, clock())
    whats = ("first", "die", "never begins", "cancelled", "place taken", "last")
    ids = [queued(store, what) for what in whats]
    jobs.cancel(store, ids[3], clock())
    tries: list[str] = []

    def command(job: Job) -> list[str]:
        tries.append(job.arguments["what"])
        match job.arguments["what"]:
            case "never begins":
                return [sys.executable, "-c", "import nothing_of_that_name"]
            case "place taken" if tries.count("place taken") == 1:
                return [sys.executable, "-c", f"raise SystemExit({PLACE_TAKEN})"]
        return [sys.executable, "-c", WORK, store_url, job.id, job.arguments["what"]]

    with running(store, store_url, monkeypatch, command):
        time.sleep(1.5)
        assert read(store, ids[0]).state == "queued"
        jobs.finish(store, by_hand, token, {}, clock())
        first, died, never, cancelled, taken, last = (until(store, id, *jobs.ENDED) for id in ids)
        shown = until_told(store, ids[0], "doing first")
    assert (first.state, first.result, shown) == ("done", {"what": "first"}, ("started", "doing first"))
    assert [job.state for job in (died, never, cancelled, taken, last)] == ["failed", "failed", "cancelled", "done", "done"]
    assert "ended by signal 9" in (died.error or "")
    assert "doing die" in (died.error or "")
    assert "exit code 1" in (never.error or "")
    assert "ModuleNotFoundError" in (never.error or "")
    assert tries == ["first", "die", "never begins", "place taken", "place taken", "last"]
    assert json_of(store, "workflow_input", first.id)["args"] == [first.id]


def json_of(store: Store, table: str, id: str) -> Any:
    """What the queue keeps of the job, which must be JSON."""
    name = f"leadscore_jobs.{table}" if store.engine.dialect.name == "postgresql" else table
    with store.engine.connect() as connection:
        rows = list(connection.execute(sa.text(f"SELECT * FROM {name}")).mappings())
    (kept,) = (value for row in rows if id in row.values() for value in row.values() if isinstance(value, str) and "args" in value)
    return json.loads(kept)


@pytest.mark.slow
def test_a_stopped_worker_ends_the_process_and_the_next_one_begins_the_job_anew(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = queued(store, "hang")
    with running(store, store_url, monkeypatch):
        until(store, id, "running")
    given_back = read(store, id)
    assert (given_back.state, given_back.started_at) == ("queued", None)
    with running(store, store_url, monkeypatch, lambda job: [sys.executable, "-c", WORK, store_url, job.id, "something else"]):
        done = until(store, id, *jobs.ENDED)
    assert done.result == {"what": "something else"}
    assert done.log.count("started") == 2


def test_the_command_line_of_a_job() -> None:
    job = Job(
        "job_1", "retrain", "queued", 0.0, None, {"since": "2026-01-01T00:00:00Z", "promote": "never"}, None, None, None, 0, None, None, None, False
    )
    assert command_of(job)[1:] == ["-m", "leadscore", "retrain", "--job", "job_1", "--promote", "never", "--since", "2026-01-01T00:00:00Z"]
    assert Path(command_of(job)[0]).is_file()
