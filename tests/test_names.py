"""Names that collide, types that training never saw, stages and times at the edge: what a stranger's data brings."""

import numpy as np
import pytest

from bundles import bundle as small_bundle
from data.contract import parse_instant
from data.dataset import Dataset
from data.funnel import Funnel
from data.tables import empty_table
from features.attributes import Attribute
from features.declarations import EventType
from features.discovery import discover
from features.schema import Schema
from serving.contract import ScoreRequest
from serving.scorer import Scorer

NOW = parse_instant("2026-06-30T12:00:00Z")


def dataset(types: list[str], columns: dict[str, list[str]]) -> Dataset:
    import pyarrow as pa

    n = len(next(iter(columns.values()), []))
    tables = {name: empty_table(name) for name in ("leads", "accounts", "events", "stages", "deals", "changes", "aliases")}
    leads = {f.name: pa.nulls(n, f.type) for f in tables["leads"].schema} | {name: pa.array(values) for name, values in columns.items()}
    events = {f.name: pa.nulls(len(types), f.type) for f in tables["events"].schema} | {"type": pa.array(types)}
    return Dataset(**(tables | {"leads": pa.table(leads), "events": pa.table(events)}), digest="")


def test_a_type_called_like_a_group_is_not_the_group() -> None:
    schema, _ = discover(dataset(["all"] * 30 + ["reply"] * 30 + ["rare"], {}), Funnel())
    assert [t.name for t in schema.types] == ["all_type", "reply", "other_event"]
    assert schema.type_code("all") == 0
    assert schema.type_code("rare") == 2
    assert schema.type_code("never seen") == -1
    assert schema.program.slots == 6
    assert max(schema.program.slot) < schema.program.slots


def test_a_column_called_like_a_feature_gets_its_tables_name() -> None:
    schema, _ = discover(dataset(["reply"] * 30, {"tenure": [str(v % 7) for v in range(60)]}), Funnel())
    assert [a.name for a in schema.attributes] == ["lead_tenure"]


def test_a_schema_with_one_name_twice_is_refused() -> None:
    twice = Attribute("tenure", "number", ("lead.tenure",), "opportunity", "Tenure")
    with pytest.raises(ValueError, match="tenure"):
        Schema(("lead", "prospect"), ("lost",), (EventType("visit", "Visited", "interest", None, False),), (twice,))


def answer(**body: object) -> dict[str, object]:
    return Scorer.of(small_bundle(), "1", Funnel()).answer(ScoreRequest.model_validate({"lead": {}} | body), NOW)


def test_a_stage_row_after_as_of_does_not_hide_the_stage() -> None:
    later = [{"entered_at": "2026-07-30T00:00:00Z", "stage": "opportunity"}]
    plain = answer(stage="prospect", lead={"created_at": "2026-06-01"})
    assert answer(stage="prospect", lead={"created_at": "2026-06-01"}, stages=later)["stage"] == plain["stage"] == "prospect"


def test_an_unknown_event_type_is_told_and_not_counted() -> None:
    with_it = answer(lead={"created_at": "2026-06-01"}, events=[{"occurred_at": "2026-06-20T00:00:00Z", "type": "zzz"}])
    assert any("zzz" in str(w) for w in with_it["warnings"])  # type: ignore[attr-defined]
    assert with_it["probability"] == answer(lead={"created_at": "2026-06-01"})["probability"]


def test_a_lead_created_today_by_date_alone_is_scored() -> None:
    told = answer(lead={"created_at": "2026-06-30"})
    assert told["stage"] == "lead"
    assert any("created_at" in str(w) for w in told["warnings"])  # type: ignore[attr-defined]


def test_an_interval_is_calibrated_as_the_chance_is() -> None:
    from dataclasses import replace

    from registry.bundle import Z90
    from registry.calibrator import Calibrator

    hop = small_bundle().hops[0]
    X = np.zeros((1, len(small_bundle().schema.columns)), np.float32)
    raw, half = hop.model.raw_score(X), Z90 * np.exp(hop.spread.raw_score(X))
    (low,), (high,) = replace(hop, calibrator=Calibrator("sigmoid", 2.0, 2.0, 0.3)).interval(X, raw)
    assert [np.log(p / (1 - p)) for p in (low, high)] == pytest.approx([2 * (raw[0] - half[0]) + 0.3, 2 * (raw[0] + half[0]) + 0.3])
