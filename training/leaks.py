"""Fields that know the outcome: filled in by people only after a conversion, so that an open lead never has them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.contract import RESERVED
from data.dataset import Dataset
from data.funnel import Funnel
from features.tables import positions
from features.timeline import Ints, Timeline
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
    """Compares how often each undated lead field is filled among leads that ever reached a stage and among the others, stage by stage."""
    every = np.arange(timeline.leads, dtype=np.int64)
    before = np.full(timeline.leads, np.iinfo(np.int64).min)
    reached = [(code, first_entry(timeline, code, every, before) != np.iinfo(np.int64).max) for code in path[1:]]
    dated = set(zip(dataset.changes["object"].to_pylist(), dataset.changes["field"].to_pylist(), strict=True))
    rows = _rows(dataset, lead_ids)
    found = []
    for field in sorted(set(dataset.leads.column_names) - RESERVED["lead"]):
        if ("lead", field) in dated:
            continue
        filled = np.asarray(dataset.leads[field].combine_chunks().is_valid())[rows]
        why = next(_reasons(filled, reached, funnel), None)
        if why is not None:
            found.append(Leak(f"lead.{field}", why, bool({field, f"lead.{field}"} & set(funnel.keep))))
    return tuple(found)


def _rows(dataset: Dataset, lead_ids: Sequence[str]) -> Ints:
    return positions(pa.chunked_array([pa.array(lead_ids, pa.string())]), dataset.leads["lead_id"])


def _reasons(filled: NDArray[np.bool_], reached: Sequence[tuple[int, NDArray[np.bool_]]], funnel: Funnel) -> Iterator[str]:
    for code, converted in reached:
        if min(int(converted.sum()), int((~converted).sum())) < MIN_LEADS:
            continue
        with_it, without = float(filled[converted].mean()), float(filled[~converted].mean())
        if with_it >= MIN_FILLED and with_it >= TIMES_FILLED * without:
            stage = funnel.stages[code]
            yield f"filled for {with_it:.0%} of the leads that reached {stage} and {without:.0%} of the others: people fill it in afterwards"
