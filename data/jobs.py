"""Jobs: what was asked, how far it is, and who holds the one place in which a job runs. Times are micros UTC.

A job that runs belongs to the process that began it for as long as that process keeps saying so: `seen_at` is its lease, `started_at` its token.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from data.contract import DataError
from data.schema import JOB_LINES, JOBS
from data.store import Store

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
RETRAIN = "retrain"
PLACE_TAKEN = 75
"""Exit code of a job's process that found another job running: it is tried again."""

LEASE = 60_000_000
"""A job whose process has not been heard of for so long is taken for abandoned."""

BY_HAND = "command line"
"""Who asked for a job that ran outside the worker: where its process is lost, nobody begins it again."""

MAX_STARTS = 3
LINES_SHOWN = 50
_LONGEST_LINE = 500
_PLACE_LOCK = 7_533
_STARTED = "started"
_LOST = "the process that ran it is gone; it starts again"


class JobRunning(DataError):
    """Another job holds the place."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `progress` is in [0, 1]; `result` is what it came to; `log` the last lines, oldest first."""

    id: str
    kind: str
    state: State
    progress: float
    step: str | None
    arguments: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    requested_by: str | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    seen_at: int | None
    cancelling: bool
    log: tuple[str, ...] = ()


def create(store: Store, kind: str, arguments: dict[str, Any], now: int, requested_by: str | None = None) -> Job:
    """A new job, queued; or the one that waits already with the same arguments."""
    same = JOBS.c.kind == kind, JOBS.c.state == "queued", JOBS.c.arguments == orjson.dumps(arguments).decode()
    with store.writing.begin() as connection:
        _lock(connection)
        waiting = connection.execute(sa.select(JOBS).where(*same).limit(1)).one_or_none()
        return _job(waiting) if waiting else _insert(connection, kind, arguments, now, requested_by)


def create_again(store: Store, kind: str, arguments: dict[str, Any], now: int, requested_by: str, not_since: int) -> Job | None:
    """The same, unless a job of that kind waits, runs, or was asked for after `not_since`: None then. Two who ask at once get one job."""
    under_way = sa.or_(JOBS.c.state.in_(["queued", "running"]), JOBS.c.created_at > not_since)
    found = sa.select(JOBS.c.id).where(JOBS.c.kind == kind, under_way).limit(1)
    with store.engine.connect() as connection:
        if connection.scalar(found) is not None:
            return None
    with store.writing.begin() as connection:
        _lock(connection)
        return None if connection.scalar(found) else _insert(connection, kind, arguments, now, requested_by)


def begin_by_hand(store: Store, kind: str, arguments: dict[str, Any], now: int) -> tuple[str, int]:
    """(id, token) of a new job that runs at once, in this process. Raises JobRunning where another one holds the place."""
    with store.writing.begin() as connection:
        _lock(connection)
        _check_free(connection)
        id = _insert(connection, kind, arguments, now, BY_HAND).id
        _take(connection, id, now)
        return id, now


def _insert(connection: sa.Connection, kind: str, arguments: dict[str, Any], now: int, requested_by: str | None) -> Job:
    id = f"job_{secrets.token_urlsafe(12)}"
    told = {"id": id, "kind": kind, "state": "queued", "progress": 0.0, "arguments": orjson.dumps(arguments).decode()}
    connection.execute(JOBS.insert().values(told | {"requested_by": requested_by, "created_at": now, "cancelling": False}))
    return _job(_row(connection, id))


def get(store: Store, id: str) -> Job | None:
    """The job with its last lines, or None."""
    with store.engine.connect() as connection:
        row = _row(connection, id)
        if row is None:
            return None
        lines = sa.select(JOB_LINES.c.line).where(JOB_LINES.c.job_id == id).order_by(JOB_LINES.c.id.desc()).limit(LINES_SHOWN)
        return _job(row, tuple(reversed(list(connection.scalars(lines)))))


def latest(store: Store, limit: int) -> list[Job]:
    """The latest jobs, newest first, without their lines."""
    with store.engine.connect() as connection:
        return [_job(row) for row in connection.execute(sa.select(JOBS).order_by(JOBS.c.created_at.desc(), JOBS.c.id).limit(limit))]


def queued(store: Store) -> list[str]:
    """The ids of the jobs that wait, oldest first."""
    with store.engine.connect() as connection:
        return list(connection.scalars(sa.select(JOBS.c.id).where(JOBS.c.state == "queued").order_by(JOBS.c.created_at, JOBS.c.id)))


def running(store: Store) -> str | None:
    """The id of the job that holds the place, or None."""
    with store.engine.connect() as connection:
        return _holder(connection)


def begin(store: Store, id: str, now: int) -> int | None:
    """Take the place for a queued job: the token that `keep` and the others ask for. None where the job does not wait any more. Raises JobRunning
    where another job holds the place: one at a time, over all processes."""
    with store.writing.begin() as connection:
        _lock(connection)
        _check_free(connection)
        return now if _take(connection, id, now) else None


def _check_free(connection: sa.Connection) -> None:
    holder = _holder(connection)
    if holder is not None:
        raise JobRunning(f"one job at a time: {holder} is running. Wait for it, or end it with POST /v1/jobs/{holder}/cancel.")


def _take(connection: sa.Connection, id: str, now: int) -> bool:
    values = {"state": "running", "started_at": now, "seen_at": now, "progress": 0.0, "step": _STARTED}
    taken = connection.execute(JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "queued").values(values)).rowcount > 0
    if taken:
        _add_line(connection, id, _STARTED, now)
    return taken


def keep(store: Store, id: str, token: int, now: int) -> Literal["kept", "cancelling", "lost"]:
    """Renew the lease. `lost`: the job is not ours any more, and nothing of it may be published."""
    with store.writing.begin() as connection:
        if not connection.execute(JOBS.update().where(*_ours(id, token)).values(seen_at=now)).rowcount:
            return "lost"
        return "cancelling" if connection.scalar(sa.select(JOBS.c.cancelling).where(JOBS.c.id == id)) else "kept"


def tell(store: Store, id: str, token: int, step: str, progress: float, now: int) -> None:
    """What is being done now and how far that is, in [0, 1]."""
    with store.writing.begin() as connection:
        connection.execute(JOBS.update().where(*_ours(id, token)).values(step=step, progress=progress, seen_at=now))


def add_line(store: Store, id: str, line: str, now: int) -> None:
    """One more line of the log, cut where it is very long."""
    with store.writing.begin() as connection:
        _add_line(connection, id, line, now)


def finish(store: Store, id: str, token: int, result: dict[str, Any], now: int) -> bool:
    """The job is done; False where it was not ours any more."""
    values = {"state": "done", "progress": 1.0, "result": orjson.dumps(result).decode(), "finished_at": now}
    return _end(store, id, token, values)


def fail(store: Store, id: str, token: int, error: str, now: int) -> bool:
    """The job failed, and why; False where it was not ours any more."""
    return _end(store, id, token, {"state": "failed", "error": error, "finished_at": now})


def stop(store: Store, id: str, token: int, now: int) -> bool:
    """The job was ended because somebody asked for that; False where it was not ours any more."""
    return _end(store, id, token, {"state": "cancelled", "finished_at": now})


def give_back(store: Store, id: str, why: str, now: int) -> bool:
    """A running job waits again, because the process that ran it is being stopped."""
    with store.writing.begin() as connection:
        _add_line(connection, id, why, now)
        return connection.execute(JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "running").values(_WAITING)).rowcount > 0


def cancel(store: Store, id: str, now: int) -> Job | None:
    """Ends a job that waits at once, one that runs as soon as its process hears of it; one that has ended stays as it is. None if unknown."""
    with store.writing.begin() as connection:
        waiting = JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "queued")
        connection.execute(waiting.values(state="cancelled", cancelling=True, finished_at=now))
        connection.execute(JOBS.update().where(JOBS.c.id == id, JOBS.c.state == "running").values(cancelling=True))
        row = _row(connection, id)
        return None if row is None else _job(row)


def recover(store: Store, now: int) -> list[str]:
    """Jobs whose process went silent for `LEASE` wait again; those that were to be cancelled are, and those lost `MAX_STARTS` times have failed.
    The ids of those that wait again."""
    if not _any_abandoned(store, now):
        return []
    with store.writing.begin() as connection:
        _lock(connection)
        abandoned = list(connection.execute(sa.select(JOBS).where(*_abandoned(now))))
        return [row.id for row in abandoned if _recovered(connection, row, now)]


def _recovered(connection: sa.Connection, row: Any, now: int) -> bool:
    values: dict[str, Any] = _WAITING
    if row.cancelling:
        values = {"state": "cancelled", "finished_at": now}
    elif row.requested_by == BY_HAND:
        values = {"state": "failed", "error": "its process was ended before it was done", "finished_at": now}
    elif _times_lost(connection, row.id) >= MAX_STARTS - 1:
        values = {"state": "failed", "error": _TOO_OFTEN, "finished_at": now}
    else:
        _add_line(connection, row.id, _LOST, now)
    connection.execute(JOBS.update().where(JOBS.c.id == row.id).values(values))
    return values is _WAITING


_WAITING: dict[str, Any] = {"state": "queued", "progress": 0.0, "step": None, "started_at": None, "seen_at": None}
_TOO_OFTEN = (
    f"the process that ran it ended {MAX_STARTS} times without a word: out of memory, or the machine went down. "
    "The log has what was said until then; ask again once there is more memory, or with a later `since`."
)


def forget(store: Store, before: int) -> int:
    """Delete the jobs that ended before that instant, with their lines; how many."""
    old = sa.select(JOBS.c.id).where(JOBS.c.state.in_(ENDED), JOBS.c.finished_at < before)
    with store.writing.begin() as connection:
        connection.execute(JOB_LINES.delete().where(JOB_LINES.c.job_id.in_(old)))
        return connection.execute(JOBS.delete().where(JOBS.c.id.in_(old))).rowcount


def _lock(connection: sa.Connection) -> None:
    """Who asks for the place waits until the transaction before has decided; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PLACE_LOCK)))


def _holder(connection: sa.Connection) -> str | None:
    """An abandoned job still holds the place, until `recover`."""
    return connection.scalar(sa.select(JOBS.c.id).where(JOBS.c.state == "running").limit(1))


def _ours(id: str, token: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (JOBS.c.id == id, JOBS.c.state == "running", JOBS.c.started_at == token)


def _end(store: Store, id: str, token: int, values: dict[str, Any]) -> bool:
    with store.writing.begin() as connection:
        return connection.execute(JOBS.update().where(*_ours(id, token)).values(values)).rowcount > 0


def _abandoned(now: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (JOBS.c.state == "running", JOBS.c.seen_at < now - LEASE)


def _any_abandoned(store: Store, now: int) -> bool:
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(JOBS.c.id).where(*_abandoned(now)).limit(1)) is not None


def _times_lost(connection: sa.Connection, id: str) -> int:
    mine = JOB_LINES.c.job_id == id, JOB_LINES.c.line == _LOST
    return connection.scalar(sa.select(sa.func.count()).select_from(JOB_LINES).where(*mine)) or 0


def _row(connection: sa.Connection, id: str) -> Any:
    return connection.execute(sa.select(JOBS).where(JOBS.c.id == id)).one_or_none()


def _add_line(connection: sa.Connection, id: str, line: str, now: int) -> None:
    connection.execute(JOB_LINES.insert().values(job_id=id, at=now, line=line.replace("\0", "")[:_LONGEST_LINE]))


def _job(row: Any, log: tuple[str, ...] = ()) -> Job:
    told = row._asdict()
    result = None if row.result is None else orjson.loads(row.result)
    return Job(**told | {"arguments": orjson.loads(row.arguments), "result": result, "progress": row.progress or 0.0, "log": log})
