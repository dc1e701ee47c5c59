"""`leadscore evaluate` of a version that was trained on a flat file: by a bundle made by hand, whose truth is known."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.flat import FlatColumns, FlatFile, read_flat
from data.funnel import Funnel
from data.store import open_store
from features.discovery import discover
from leadscore import main
from registry.bundle import FLAT_PATH, OUTCOME, Bundle, HopModel
from registry.calibrator import Calibrator
from registry.models import Constant, Linear
from training.drift import reference
from training.evaluating import SEEN_BEFORE, evaluated_flat
from training.flat import filled, rows_of

LEADS = 800
COLUMNS = FlatColumns("Converted", "Id")


def write(path: Path, seed: int, visits: float = 3.0, effect: float = 0.6, unknown: int = 0) -> Path:
    """Leads whose chance grows with their visits, `effect` in log-odds each; the last `unknown` of them are still open."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(visits, LEADS)
    won = rng.random(LEADS) < 1 / (1 + np.exp(2.5 - effect * counts))
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["Id", "Visits", "Source", "Converted"])
        for i in range(LEADS):
            told = "" if i >= LEADS - unknown else int(won[i])
            rows.writerow([f"{seed}-{i}", int(counts[i]), ("web", "fair")[i % 2], told])
    return path


def read(path: Path) -> FlatFile:
    return read_flat(path, COLUMNS, Funnel(), lambda _: None, 0)[0]


def trained(path: Path) -> Bundle:
    """What a perfect training would have made of the file: the very chances that its outcomes were drawn with."""
    file = read(path)
    dataset = filled(file.dataset)
    schema, _ = discover(dataset, Funnel())
    names = [column.name for column in schema.columns]
    coefficient = np.array([0.6 if name.lower().startswith("visits") else 0.0 for name in names])
    assert coefficient.any(), names
    p = len(names)
    linear = Linear(-2.5, coefficient, np.zeros(p), np.full(p, -1e30), np.full(p, 1e30), np.zeros(p, bool), np.zeros(p), np.ones(p))
    group = schema.groups[next(i for i, (_, columns) in enumerate(schema.groups) if coefficient[list(columns)].any())][0]
    evaluation = {"test": {"base_rate": float(file.y.mean())}, "importance": [{"feature": group, "effect": 1.0}]}
    hop = HopModel("lead", OUTCOME, 0, linear, Calibrator(), Constant(-1.5), np.linspace(0.05, 0.95, 19), evaluation)
    kept = reference(schema, (hop,), rows_of(dataset, schema), file.group)
    about = {
        "trained_at": "2026-11-01T00:00:00Z",
        "data_end": None,
        "data_digest": dataset.digest,
        "flat": COLUMNS.document(),
        "inputs": {"lead": kept},
    }
    return Bundle(schema, FLAT_PATH, (hop,), Funnel().training_document(), about | {"leaks": [], "left_out": []})


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    bundle = trained(write(tmp_path / "first.csv", 0))

    def judge(seed: int = 1, **planted: Any) -> dict[str, Any]:
        return evaluated_flat(bundle, read(write(tmp_path / "later.csv", seed, **planted)), Funnel())

    return judge


def test_other_leads_of_the_same_kind_need_no_retraining(judged: Callable[..., dict[str, Any]]) -> None:
    told = judged(unknown=100)
    assert not told["retrain"]
    assert told["transitions"]["outcome"]["landmarks"] == {"ripe": LEADS - 100, "leads": LEADS - 100, "waiting": 100}
    assert told["transitions"]["outcome"]["calibration"]["slope"] == pytest.approx(1, abs=0.25)
    assert told["missing"] == [SEEN_BEFORE]
    assert {shift["state"] for shift in told["drift"]["inputs"] + told["drift"]["scores"]} == {"same"}


def test_leads_that_visit_more_are_another_population(judged: Callable[..., dict[str, Any]]) -> None:
    told = judged(visits=6.0)
    assert told["retrain"]
    assert [shift["name"].lower() for shift in told["drift"]["inputs"] if shift["state"] == "drifted"] == ["visits"]
    assert any(reason.startswith("lead: inputs that carry 100% of what the model weighs") for reason in told["reasons"])
    assert not any("no longer come true" in reason for reason in told["reasons"]), "what a visit is worth is as it was"


def test_visits_that_are_worth_less_than_they_were_are_found(judged: Callable[..., dict[str, Any]]) -> None:
    told = judged(effect=0.1)
    assert any(reason.startswith("outcome: its probabilities no longer come true") for reason in told["reasons"])
    assert {shift["state"] for shift in told["drift"]["inputs"]} == {"same"}


def test_the_file_of_its_own_training_says_nothing(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "first.csv", 0)
    made = trained(path)
    with open_store() as store:
        store.put_bundle("1", made.hash, made.to_bytes())
        store.promote("1", "test")
    assert main(["evaluate", str(path)]) == 0
    said = capsys.readouterr().out
    assert "This is the very data that it was trained on. How good version 1 is on other leads can't be told from it." in said
    assert "of the leads that it was not trained on 0 say yes and 0 no" in said
    assert SEEN_BEFORE not in said
    assert main(["evaluate", str(write(tmp_path / "later.csv", 1))]) == 0
    said = capsys.readouterr().out
    assert "Version 1 on the leads of this file" in said
    assert "No need to retrain" in said
    assert SEEN_BEFORE in said
    for words, why in (([str(tmp_path)], "is a folder of tables"), ([str(path), "--mapping", "m.toml"], "--mapping is for a folder of tables")):
        assert main(["evaluate", *words]) == 1
        assert why in capsys.readouterr().err
