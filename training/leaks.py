"""Fields that know the outcome: filled in by people only after a conversion, so that an open lead never has them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from data.arrow import Mask, array, as_mask, pc
from data.contract import RESERVED
from data.dataset import Dataset
from data.funnel import Funnel
from features.tables import positions
from features.timeline import Timeline
from training.labels import first_entry

MIN_LEADS = 30
MIN_FILLED = 0.25
TIMES_FILLED = 5.0
"""A field is proven to leak if converted leads have it at least this many times as often as the others."""


@dataclass(frozen=True)
class Leak:
    """A field that was left out (or kept because funnel.toml says so), and why, in words for people."""

    column: str
    why: str
    kept: bool

    def document(self) -> dict[str, object]:
        return asdict(self)


def find_leaks(dataset: Dataset, timeline: Timeline, lead_ids: Sequence[str], path: Sequence[int], funnel: Funnel) -> tuple[Leak, ...]:
    """Compares how often each field of leads and of their accounts is filled among leads that ever reached a stage and among the others, stage by
    stage: of the leads that have no history of it. In a store that was filled from an export most have none, however many changed since."""
    every = np.arange(timeline.leads, dtype=np.int64)
    before = np.full(timeline.leads, np.iinfo(np.int64).min)
    reached = [(code, first_entry(timeline, code, every, before) != np.iinfo(np.int64).max) for code in path[1:]]
    found = []
    for column, filled, undated in _fields(dataset, lead_ids):
        why = next(_reasons(filled[undated], [(code, converted[undated]) for code, converted in reached], funnel), None)
        if why is not None:
            found.append(Leak(column, why, bool({column.split(".", 1)[1], column} & set(funnel.keep))))
    return tuple(found)


def _fields(dataset: Dataset, lead_ids: Sequence[str]) -> Iterator[tuple[str, Mask, Mask]]:
    """(column, for which leads (n,) it is filled, for which its history does not say since when) of all fields. No history says since when a lead
    has its account, and many CRMs make one as they convert the lead."""
    lead = positions(pa.chunked_array([pa.array(lead_ids, pa.string())]), dataset.leads["lead_id"])
    account = positions(dataset.leads["account_id"].take(array(lead)), dataset.accounts["account_id"])
    for table, rows, row in (("lead", dataset.leads, lead), ("account", dataset.accounts, account)):
        for field in sorted(set(rows.column_names) - RESERVED[table]):
            filled = np.append(as_mask(rows[field].is_valid()), False)
            yield f"{table}.{field}", filled[row], _undated(dataset, field)[row] if table == "lead" else np.ones(len(row), bool)


def _undated(dataset: Dataset, field: str) -> Mask:
    """Which rows of leads have no history of the field: the value counts from the lead's creation on, whenever it was filled in."""
    changes = dataset.changes
    changed = changes["id"].filter(pc.and_(pc.equal(changes["object"], "lead"), pc.equal(changes["field"], field)))
    row = positions(changed, dataset.leads["lead_id"])
    undated = np.ones(dataset.leads.num_rows, bool)
    undated[row[row >= 0]] = False
    return undated


def _reasons(filled: Mask, reached: Sequence[tuple[int, Mask]], funnel: Funnel) -> Iterator[str]:
    for code, converted in reached:
        if min(int(converted.sum()), int((~converted).sum())) < MIN_LEADS:
            continue
        with_it, without = float(filled[converted].mean()), float(filled[~converted].mean())
        if with_it >= MIN_FILLED and with_it >= TIMES_FILLED * without:
            stage = funnel.stages[code]
            yield f"filled for {with_it:.0%} of the leads that reached {stage} and {without:.0%} of the others: people fill it in afterwards"
