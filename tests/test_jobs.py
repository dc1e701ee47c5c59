"""Jobs in the store: one place over all processes, leases, cancellation, what is lost and begun again; on SQLite and PostgreSQL."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from data import jobs, schedule
from data.contract import DAY, HOUR, TICK
from data.jobs import LEASE, LINES_SHOWN, MAX_STARTS, Job, JobRunning
from data.schema import JOB_LINES
from data.store import Store, open_store

NOW = 1_795_000_000_000_000
AUTO: dict[str, Any] = {"since": None, "promote": "auto"}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        yield opened


def queued(store: Store, now: int = NOW, **arguments: Any) -> str:
    return jobs.create(store, "retrain", AUTO | arguments, now, "key 1").id


def begun(store: Store, id: str, now: int = NOW) -> int:
    token = jobs.begin(store, id, now)
    assert token is not None
    return token


def read(store: Store, id: str) -> Job:
    job = jobs.get(store, id)
    assert job is not None
    return job


def test_a_job_waits_runs_and_is_done(store: Store) -> None:
    id = queued(store)
    assert (read(store, id).state, read(store, id).progress, read(store, id).requested_by) == ("queued", 0.0, "key 1")
    token = begun(store, id, NOW + 1)
    jobs.tell(store, id, token, "reading leads", 0.25, NOW + 2)
    jobs.add_line(store, id, "a line", NOW + 2)
    running = read(store, id)
    assert (running.state, running.step, running.progress, running.log) == ("running", "reading leads", 0.25, ("started", "a line"))
    assert jobs.finish(store, id, token, {"version": "2"}, NOW + 3)
    done = read(store, id)
    assert (done.state, done.progress, done.result) == ("done", 1.0, {"version": "2"})
    assert (done.created_at, done.started_at, done.finished_at) == (NOW, NOW + 1, NOW + 3)
    assert jobs.get(store, "job_unknown") is None


def test_the_same_question_asked_twice_waits_once(store: Store) -> None:
    first = queued(store)
    assert queued(store) == first
    other = queued(store, NOW + 1, promote="always")
    assert jobs.queued(store) == [first, other]
    jobs.begin(store, first, NOW)
    assert queued(store, NOW + 2) not in (first, other)


def test_one_runs_at_a_time(store: Store) -> None:
    first, second = queued(store), queued(store, promote="never")
    token = begun(store, first)
    with pytest.raises(JobRunning, match=first):
        jobs.begin(store, second, NOW)
    with pytest.raises(JobRunning, match=first):
        jobs.begin_by_hand(store, "retrain", AUTO, NOW)
    assert jobs.running(store) == first
    jobs.finish(store, first, token, {}, NOW)
    assert jobs.running(store) is None
    assert jobs.begin(store, first, NOW) is None
    begun(store, second)


def test_of_many_who_begin_at_once_one_gets_the_place(store: Store) -> None:
    ids, got, refused = [queued(store, since=str(i)) for i in range(8)], [], []

    def work(id: str) -> None:
        try:
            got.append(jobs.begin(store, id, NOW))
        except JobRunning:
            refused.append(id)

    threads = [threading.Thread(target=work, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)


def test_a_waiting_job_is_cancelled_at_once_a_running_one_when_it_hears_of_it(store: Store) -> None:
    waiting, running = queued(store), queued(store, promote="never")
    token = begun(store, running)
    cancelled = jobs.cancel(store, waiting, NOW + 1)
    assert cancelled is not None
    assert (cancelled.state, cancelled.finished_at) == ("cancelled", NOW + 1)
    asked = jobs.cancel(store, running, NOW + 1)
    assert asked is not None
    assert asked.state == "running"
    assert jobs.keep(store, running, token, NOW + 2) == "cancelling"
    assert jobs.stop(store, running, token, NOW + 3)
    assert read(store, running).state == "cancelled"
    assert jobs.keep(store, running, token, NOW + 4) == "lost"
    assert jobs.cancel(store, "job_unknown", NOW) is None


def test_a_silent_process_keeps_the_place_until_its_lease_ends(store: Store) -> None:
    id = queued(store)
    token = begun(store, id)
    assert jobs.recover(store, NOW + LEASE) == []
    assert jobs.keep(store, id, token, NOW + LEASE) == "kept"
    assert jobs.recover(store, NOW + 2 * LEASE) == []
    assert jobs.recover(store, NOW + 2 * LEASE + TICK) == [id]
    assert (read(store, id).state, read(store, id).started_at) == ("queued", None)
    again = begun(store, id, NOW + 3 * LEASE)
    assert jobs.keep(store, id, token, NOW + 3 * LEASE) == "lost"
    assert not jobs.finish(store, id, token, {"version": "9"}, NOW + 3 * LEASE)
    assert not jobs.fail(store, id, token, "late", NOW + 3 * LEASE)
    assert jobs.keep(store, id, again, NOW + 3 * LEASE) == "kept"


def test_a_job_that_loses_its_process_again_and_again_fails_with_the_reason(store: Store) -> None:
    id, now = queued(store), NOW
    for _ in range(MAX_STARTS):
        assert jobs.queued(store) == [id]
        begun(store, id, now)
        now += LEASE + TICK
        jobs.recover(store, now)
    failed = read(store, id)
    assert (failed.state, failed.finished_at) == ("failed", now)
    assert "out of memory" in (failed.error or "")


def test_a_worker_that_is_stopped_gives_its_job_back_however_often(store: Store) -> None:
    id, now = queued(store), NOW
    for _ in range(MAX_STARTS + 1):
        begun(store, id, now)
        assert jobs.give_back(store, id, "the worker is being stopped", now)
        now += 1
    begun(store, id, now)
    assert jobs.recover(store, now + LEASE + TICK) == [id]


def test_lost_jobs_that_nobody_wants_any_more_end(store: Store) -> None:
    by_hand, _ = jobs.begin_by_hand(store, "retrain", AUTO, NOW)
    jobs.recover(store, NOW + LEASE + TICK)
    assert read(store, by_hand).state == "failed"
    cancelled = queued(store)
    begun(store, cancelled)
    jobs.cancel(store, cancelled, NOW)
    jobs.recover(store, NOW + LEASE + TICK)
    assert read(store, cancelled).state == "cancelled"


def test_the_log_holds_the_last_lines_cut_and_without_zeros(store: Store) -> None:
    id = queued(store)
    for i in range(LINES_SHOWN + 5):
        jobs.add_line(store, id, f"line {i}", NOW)
    jobs.add_line(store, id, "\0" + "x" * 10_000, NOW)
    log = read(store, id).log
    assert (len(log), log[0]) == (LINES_SHOWN, "line 6")
    assert set(log[-1]) == {"x"}
    assert len(log[-1]) < 1_000


def test_the_schedule_asks_once_for_each_period(store: Store) -> None:
    def ask(now: int) -> Job | None:
        return jobs.create_again(store, "retrain", AUTO, now, "the schedule", not_since=now - 7 * DAY)

    first = ask(NOW)
    assert first is not None
    assert ask(NOW + 8 * DAY) is None  # it still waits
    jobs.fail(store, first.id, begun(store, first.id), "no", NOW)
    assert ask(NOW + 7 * DAY - TICK) is None
    assert ask(NOW + 7 * DAY) is not None


def test_ended_jobs_are_forgotten_with_their_lines(store: Store) -> None:
    old, waits = queued(store), queued(store, promote="never")
    jobs.finish(store, old, begun(store, old), {}, NOW)
    assert jobs.forget(store, NOW) == 0
    assert jobs.forget(store, NOW + TICK) == 1
    assert [job.id for job in jobs.latest(store, 10)] == [waits]
    with store.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(JOB_LINES)) == 0


def test_days_begin_at_the_time_of_day() -> None:
    midnight = NOW // DAY * DAY
    two = midnight + 2 * HOUR
    assert [schedule.day_of(now, "02:00") - midnight // DAY for now in (two - TICK, two, two + DAY - TICK, two + DAY)] == [-1, 0, 0, 1]
    assert schedule.day_of(midnight, "00:00") == midnight // DAY


def test_what_is_due_is_done_once_and_again_only_if_it_failed(store: Store) -> None:
    done: list[int] = []

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        schedule.once(store, "nightly", 7, NOW, fails)
    assert schedule.once(store, "nightly", 7, NOW, lambda: done.append(7))
    assert not schedule.once(store, "nightly", 7, NOW, lambda: done.append(7))
    assert not schedule.once(store, "nightly", 6, NOW, lambda: done.append(6))
    assert schedule.once(store, "other", 7, NOW, lambda: done.append(70))
    assert schedule.once(store, "nightly", 8, NOW, lambda: done.append(8))
    assert done == [7, 70, 8]


def test_while_one_does_it_another_does_not_until_its_lease_ends(store: Store) -> None:
    done: list[str] = []

    def meanwhile() -> None:
        assert not schedule.once(store, "nightly", 7, NOW + schedule.LEASE - TICK, lambda: done.append("second"))
        assert schedule.once(store, "nightly", 7, NOW + schedule.LEASE, lambda: done.append("third"))

    schedule.once(store, "nightly", 7, NOW, meanwhile)
    assert done == ["third"]


def test_of_many_who_come_at_once_one_does_it(store: Store) -> None:
    done: list[int] = []
    threads = [threading.Thread(target=lambda n=n: schedule.once(store, "nightly", 7, NOW, lambda: done.append(n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
