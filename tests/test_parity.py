"""One lead, three ways: the command line, `POST /v1/score` and the MLflow pyfunc say the same probability and the same reasons."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from starlette.testclient import TestClient

from data.contract import DAY, format_instant
from data.funnel import Funnel
from features.rows import compute
from registry.tracking import tracking_uri
from service import running
from serving.batch import score_cohort
from serving.scorer import Scorer
from worlds import World, at_home, bodies

SAME = 1e-9
AT_ONCE = 60
"""Leads compared at each instant."""


@pytest.fixture(params=["sample", "loans"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found


def instants(world: World) -> list[int]:
    """The end of the data; a moment in the middle of a day; the very instants at which a lead was created, did something, entered a stage."""
    timeline, end = world.cohort.timeline, world.dataset.data_end
    picks = [
        np.sort(times)[int(share * times.size)] for share, times in ((0.4, timeline.created), (0.6, timeline.event_time), (0.8, timeline.stage_time))
    ]
    return [end, end - 100 * DAY - 12_345_678, *(int(t) for t in picks), int(picks[1]) - 1]


def told(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["lead_id"]: row for row in table.to_pylist()}


def some(rows: Mapping[str, dict[str, Any]]) -> list[str]:
    """Leads of every stage, the likeliest and the unlikeliest among them."""
    return list(rows)[:: max(1, len(rows) // AT_ONCE)][:AT_ONCE]


def assert_same_reasons(first: list[dict[str, Any]], second: list[dict[str, Any]], who: str) -> None:
    assert [(r["feature"], r["value"], r["level"], r["text"]) for r in first] == [
        (r["feature"], r["value"], r["level"], r["text"]) for r in second
    ], who
    assert [r["effect"] for r in first] == pytest.approx([r["effect"] for r in second], abs=SAME), who


@pytest.fixture
def asked(world: World) -> Iterator[TestClient]:
    with running(world.home) as client:
        yield client


def test_the_command_line_and_http_agree(world: World, asked: TestClient) -> None:
    scorer = Scorer.of(world.bundle, "1", Funnel())
    compared = 0
    for at in instants(world):
        scored = told(score_cohort(scorer, world.cohort, at))
        names = some(scored)
        for name, body in zip(names, bodies(world.dataset, names, at), strict=True):
            response = asked.post("/v1/score", json=body)
            assert response.status_code == 200, response.text
            assert_http_says(response.json(), scored[name], at)
            compared += 1
    assert compared >= 300


def assert_http_says(answer: dict[str, Any], row: dict[str, Any], at: int) -> None:
    who = f"{row['lead_id']} at {format_instant(at)}"
    assert (answer["lead_id"], answer["stage"], answer["as_of"]) == (row["lead_id"], row["stage"], row["as_of"]), who
    assert list(answer["transitions"])[:1] == [row["transition"]], who
    first = answer["transitions"][row["transition"]]
    for name in ("probability", "low", "high"):
        assert first[name] == pytest.approx(row[name], abs=SAME), (who, name)
    for name in ("horizon_days", "score", "grade"):
        assert first[name] == row[name], (who, name)
    for stage, chance in answer["reach"].items():
        assert chance == pytest.approx(row[f"probability_{stage}"], abs=SAME), (who, stage)
    said = answer["recommendation"]
    assert (said["action"], said["stage"], said["next_step"]) == (row["action"], row["recommended_stage"], row["next_step"]), who
    assert_same_reasons(answer["reasons"], orjson.loads(row["reasons"]), who)


def test_the_command_line_and_the_pyfunc_agree(world: World) -> None:
    with at_home(world.home):
        mlflow.set_tracking_uri(tracking_uri())
        mlflow.set_registry_uri(tracking_uri())
        model = mlflow.pyfunc.load_model("models:/leadscore@champion")
    scorer = Scorer.of(world.bundle, "1", Funnel())
    for at in instants(world):
        scored = told(score_cohort(scorer, world.cohort, at))
        names = some(scored)
        said = model.predict(finished_rows(world, scored, names, at), params={"reasons": True})
        for name, row in zip(names, said.to_dict("records"), strict=True):
            for column in ("probability", "low", "high"):
                assert row[column] == pytest.approx(scored[name][column], abs=SAME), (name, column)
            for column in ("transition", "horizon_days", "score", "grade", "action", "recommended_stage", "next_step"):
                said_so = None if pd.isna(row[column]) else row[column]  # pandas has nan where Arrow has null
                assert said_so == scored[name][column], (name, column)
            assert_same_reasons(orjson.loads(row["reasons"]), orjson.loads(scored[name]["reasons"]), name)


def finished_rows(world: World, scored: Mapping[str, dict[str, Any]], names: list[str], at: int) -> pd.DataFrame:
    """What a feature table would hold: `features.compute`'s rows under their names, as doubles."""
    place = {name: i for i, name in enumerate(world.cohort.lead_ids)}
    lead = np.array([place[name] for name in names], np.int64)
    X = compute(world.bundle.schema, world.cohort, lead, np.full(lead.size, at, np.int64))
    frame = pd.DataFrame(X.astype(np.float64), columns=[column.name for column in world.bundle.schema.columns])
    frame.insert(0, "stage", [scored[name]["stage"] for name in names])
    return frame


def test_the_real_command_line_writes_these_scores(sample: World, tmp_path: Path) -> None:
    """`leadscore score` as a process of its own, from files and store, against what the same functions say in this one."""
    at, out = sample.dataset.data_end - 30 * DAY, tmp_path / "scores.parquet"
    env = {name: value for name, value in os.environ.items() if not name.startswith("LEADSCORE_")} | {"LEADSCORE_HOME": str(sample.home)}
    command = [sys.executable, "leadscore.py", "score", str(sample.folder), "--out", str(out), "--as-of", format_instant(at)]
    done = subprocess.run(command, env=env, cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    written = pyarrow.parquet.read_table(out)
    assert written.num_rows > 100
    assert written.equals(score_cohort(Scorer.of(sample.bundle, "1", Funnel()), sample.cohort, at, deals=sample.dataset.deals))
