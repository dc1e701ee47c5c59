"""How much work waits in the store, for those who watch the service."""

from dataclasses import dataclass

import sqlalchemy as sa

from data.schema import DELIVERIES, JOBS, PENDING
from data.store import Store


@dataclass(frozen=True, slots=True)
class Work:
    """Leads that wait to be rescored by priority (0: facts changed, 1: a sweep), when the first of them was marked (micros, None where
    there is none), and how many jobs and webhook deliveries are in each state."""

    pending: dict[int, int]
    oldest: int | None
    jobs: dict[str, int]
    deliveries: dict[str, int]


def work_of(store: Store) -> Work:
    """Counted now; raises sqlalchemy's error where the database is down."""
    with store.engine.connect() as connection:
        pending = connection.execute(sa.select(PENDING.c.priority, sa.func.count(), sa.func.min(PENDING.c.marked_at)).group_by(PENDING.c.priority))
        waiting = [(int(priority), int(count), int(oldest)) for priority, count, oldest in pending]
        jobs, deliveries = (_by_state(connection, table) for table in (JOBS, DELIVERIES))
    return Work({priority: count for priority, count, _ in waiting}, min((at for *_, at in waiting), default=None), jobs, deliveries)


def _by_state(connection: sa.Connection, table: sa.Table) -> dict[str, int]:
    return {str(state): int(count) for state, count in connection.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state))}
