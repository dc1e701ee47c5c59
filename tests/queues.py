"""Leads and scores for tests of the queue: rows by hand, and what a page must say, the slow and obvious way."""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from data.queue import Scored
from data.queue_pages import Wanted, page
from data.schema import LEADS, QUEUE
from data.store import Store

HOUR = 3_600_000_000
NOW = 1_800_000_000_000_000


def scored(lead_id: str, probability: float = 0.5, **others: Any) -> Scored:
    """A score of that lead; what is not given is as plain as can be."""
    plain: dict[str, Any] = {
        "stage": "lead", "transition": "lead->prospect", "horizon_days": 28, "low": 0.0, "high": 1.0, "score": 50, "grade": "C", "action": "nurture",
        "recommended_stage": "lead", "next_step": None, "owner": None, "value": None, "score_id": f"of {lead_id}", "as_of": NOW, "scored_at": NOW,
        "version": "1", "answer": '{"reasons": []}',
    }  # fmt: skip
    return Scored(lead_id=lead_id, probability=probability, **(plain | others))


def add_leads(store: Store, ids: Iterable[str]) -> None:
    rows = [{"lead_id": id, "created_at": 0, "fields": "{}", "ingested_at": 0, "changed_at": 0} for id in ids]
    with store.writing.begin() as connection:
        connection.execute(LEADS.insert(), rows)


def rows_at(store: Store, snapshot: int) -> list[Any]:
    """The rows that count at that snapshot, by reading all."""
    with store.engine.connect() as connection:
        return [r for r in connection.execute(sa.select(QUEUE)) if r.since <= snapshot and (r.until is None or r.until > snapshot)]


def expected(rows: Iterable[Any], wanted: Wanted) -> list[str]:
    """The lead ids in the order of a walk."""
    asked = {name: value for name in ("stage", "owner", "grade", "action") if (value := getattr(wanted, name)) is not None}
    least = wanted.min_probability or 0.0
    kept = [row for row in rows if row.probability >= least and all(getattr(row, name) == value for name, value in asked.items())]
    kept.sort(key=lambda row: (-row.probability if wanted.sort == "likelihood" else _by_value(row), row.lead_id))
    return [row.lead_id for row in kept]


def _by_value(row: Any) -> float:
    return float("inf") if row.expected_value is None else -row.expected_value


def walk(store: Store, wanted: Wanted, limit: int, snapshot: int | None = None) -> Iterator[dict[str, Any]]:
    """Every row of every page; no lead comes twice."""
    after, seen = None, set[str]()
    while True:
        found = page(store, wanted, limit, NOW, after, snapshot)
        ids = {row["lead_id"] for row in found.rows}
        assert len(ids) == len(found.rows)
        assert not ids & seen
        seen |= ids
        yield from found.rows
        if not found.more:
            return
        after, snapshot = found.end[wanted.sort], found.snapshot
