"""Scores of a whole dataset: one row per lead open at as_of, sorted by likelihood."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from data.contract import format_instant
from data.policy import DealStage
from features.rows import Cohort, compute_in_blocks
from features.timeline import Ints
from serving.score_files import in_order
from serving.scorer import Scorer

CHUNK = 5_000
"""Leads explained at once: what bounds the memory."""


def score_cohort(
    scorer: Scorer,
    cohort: Cohort,
    as_of: int,
    written: int | None = None,
    deals: pa.Table | None = None,
) -> pa.Table:
    """The score file of DESIGN 9 as a table: leads that stand in a stage with a later one at `as_of` (micros), most likely first, ids break ties.
    `written` is what the file says for as_of where the leads themselves have no times (a flat file); `deals` is that table of the dataset."""
    every = np.arange(cohort.timeline.leads, dtype=np.int64)
    code, _ = cohort.timeline.standing(every, np.full(every.size, as_of, np.int64))
    open_ = [(stage, every[code == scorer.bundle.schema.stage_code(stage)]) for stage in scorer.bundle.path[:-1]]
    rows: list[dict[str, Any]] = []
    open_deals = {} if deals is None else _open_deals(scorer, deals, as_of)
    for stage, leads in open_:
        rows += _scored(scorer, cohort, stage, leads, as_of, as_of if written is None else written, open_deals)
    return in_order(pa.Table.from_pylist(rows, schema=schema_of(scorer)))


def _open_deals(scorer: Scorer, deals: pa.Table, as_of: int) -> dict[str, DealStage | None]:
    """By lead, the stage of its deal that is open at as_of."""
    rows: dict[str, list[Any]] = {}
    for row in deals.to_pylist():
        rows.setdefault(row["lead_id"], []).append(row)
    return {lead_id: scorer.adviser.deal_stage(listed, as_of) for lead_id, listed in rows.items()}


def _scored(
    scorer: Scorer, cohort: Cohort, stage: str, leads: Ints, as_of: int, written: int, deals: Mapping[str, DealStage | None]
) -> Iterator[dict[str, Any]]:
    at = format_instant(written)
    computed = compute_in_blocks(scorer.bundle.schema, cohort, leads, np.full(leads.size, as_of, np.int64), CHUNK)
    for begin, X in zip(range(0, leads.size, CHUNK), computed, strict=True):
        chunk = leads[begin : begin + CHUNK]
        stages = [deals.get(cohort.lead_ids[lead]) for lead in chunk]
        for lead, judged in zip(chunk, scorer.judge(stage, X, deals=stages), strict=True):
            yield {"lead_id": cohort.lead_ids[lead], "as_of": at, "stage": stage, "version": scorer.version} | flat(judged)


_NOTHING_AHEAD: tuple[None, dict[str, Any]] = (None, {})


def flat(judged: dict[str, Any]) -> dict[str, Any]:
    """One judgement as the columns of the score file."""
    transition, first = next(iter(judged["transitions"].items()), _NOTHING_AHEAD)
    told = judged["recommendation"]
    return {
        "transition": transition,
        **{name: first.get(name) for name in ("horizon_days", "probability", "low", "high", "score", "grade")},
        "action": told["action"],
        "recommended_stage": told["stage"],
        "next_step": told["next_step"],
        "reasons": orjson.dumps(judged["reasons"]).decode(),
        **{f"probability_{stage}": chance for stage, chance in judged["reach"].items()},
    }


def schema_of(scorer: Scorer) -> pa.Schema:
    """The columns of the score file."""
    text, number = pa.string(), pa.float64()
    columns: list[tuple[str, pa.DataType]] = [
        ("lead_id", text), ("as_of", text), ("stage", text), ("transition", text), ("horizon_days", pa.int64()),
        ("probability", number), ("low", number), ("high", number), ("score", number), ("grade", text),
        ("action", text), ("recommended_stage", text), ("next_step", text), ("reasons", text), ("version", text),
    ]  # fmt: skip
    return pa.schema([*columns, *((f"probability_{stage}", number) for stage in scorer.bundle.path[1:])])
