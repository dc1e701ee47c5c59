"""The record in MLflow: parameters, metrics, plots, answers, the bundle with signature and example; aliases; scoring from the registry."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import orjson
import pandas as pd
import pytest
from mlflow import MlflowClient

from data.contract import DataError
from data.store import open_store
from features.rows import compute
from registry import promotion, tracking
from registry.bundle import Bundle
from worlds import World, at_home

PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@pytest.fixture
def client(sample: World) -> Iterator[MlflowClient]:
    with at_home(sample.home):
        mlflow.set_tracking_uri(tracking.tracking_uri())
        mlflow.set_registry_uri(tracking.tracking_uri())
        yield MlflowClient()


@pytest.fixture
def second(sample: World, client: MlflowClient) -> str:
    """Another version, registered and not promoted."""
    bundle = replace(sample.bundle, about={**sample.bundle.about, "seed": 99})
    return tracking.log_training(bundle, sample.trained.report, sample.trained.forward, {}, "")


def run_id(client: MlflowClient) -> str:
    return str(client.get_model_version(tracking.NAME, "1").run_id)


def artifacts(client: MlflowClient, path: str = "") -> set[str]:
    return {found.path for found in client.list_artifacts(run_id(client), path)}


def test_a_run_has_metrics_under_the_transition_s_name(sample: World, client: MlflowClient) -> None:
    metrics = client.get_run(run_id(client)).data.metrics
    for transition, name in (("lead->prospect", "lead_to_prospect"), ("prospect->opportunity", "prospect_to_opportunity")):
        for metric, value in sample.trained.report["transitions"][transition]["test"].items():
            assert metrics[f"{name}/{metric}"] == pytest.approx(value), metric


def test_a_run_has_parameters_digest_and_config(sample: World, client: MlflowClient) -> None:
    data = client.get_run(run_id(client)).data
    assert data.params["lead/lead_to_prospect/candidate"] == sample.bundle.hops_from("lead")[0].model.kind
    assert data.params["lead/lead_to_prospect/horizon_days"] == str(sample.bundle.hops_from("lead")[0].horizon_days)
    assert data.params["seed"] == "0"
    assert data.tags["data_digest"] == sample.dataset.digest
    assert data.tags["bundle_hash"] == sample.bundle.hash
    assert mlflow.artifacts.load_dict(f"runs:/{run_id(client)}/funnel.json") == sample.bundle.funnel


def test_a_run_has_plots_and_answers(sample: World, client: MlflowClient) -> None:
    assert {"report.json", "funnel.json", "forward.parquet", "plots"} <= artifacts(client)
    told = {f"plots/{t}_{kind}.png" for t in ("lead_to_prospect", "prospect_to_opportunity") for kind in ("reliability", "gain", "importance")}
    assert told <= artifacts(client, "plots")
    assert tracking.forward_of("1").equals(sample.trained.forward)


def test_the_registered_bundle_is_the_trained_one(sample: World, client: MlflowClient) -> None:
    again = Bundle.from_bytes(tracking.bundle_bytes("1"))
    assert again.hash == sample.bundle.hash


def test_the_bundle_has_a_signature_and_an_example(sample: World, client: MlflowClient) -> None:
    model = mlflow.pyfunc.load_model("models:/leadscore/1")
    assert model.metadata.signature.inputs.input_names() == ["stage", *(c.name for c in sample.bundle.schema.columns)]
    example = model.input_example
    assert list(example.columns) == model.metadata.signature.inputs.input_names()
    assert model.predict(example)["probability"].between(0, 1).all()


def test_nothing_kept_is_a_pickle(sample: World, client: MlflowClient) -> None:
    files = [path for path in (sample.home / "artifacts").rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        assert path.suffix not in (".pkl", ".pickle", ".joblib"), path
        assert not path.read_bytes().startswith(PICKLES), path


def test_no_person_is_in_the_record(sample: World, client: MlflowClient) -> None:
    emails = [text.encode() for text in sample.dataset.leads["email"].to_pylist() if text]
    for path in (sample.home / "artifacts").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [text for text in emails if text in content], path
    assert not set(tracking.forward_of("1")["lead_id"].to_pylist()) & set(sample.dataset.leads["lead_id"].to_pylist()), "it outlives an erasure"


def test_a_version_that_is_not_there_names_those_that_are(client: MlflowClient) -> None:
    with pytest.raises(DataError, match=r"version 77 is not in the registry; there are: .*1"):
        tracking.bundle_bytes("77")


def test_aliases_and_store_move_together(sample: World, client: MlflowClient, second: str) -> None:
    """A new version is the challenger; promotion and rollback move the alias and what the store serves in one go."""

    def state() -> tuple[str, str]:
        with open_store() as store:
            champion = store.champion()
        assert champion is not None
        return champion[0], str(client.get_model_version_by_alias(tracking.NAME, tracking.CHAMPION).version)

    assert str(client.get_model_version_by_alias(tracking.NAME, tracking.CHALLENGER).version) == second
    assert state() == ("1", "1")
    with open_store() as store:
        promotion.promote(store, second, "test")
        assert Bundle.from_bytes(store.bundle(second)).about["seed"] == 99
    assert state() == (second, second)
    assert {v.version: v.aliases for v in tracking.versions()}[second] == (tracking.CHAMPION,), "the champion is no challenger"
    with open_store() as store:
        assert promotion.rollback(store) == "1"
    assert state() == ("1", "1")


def test_a_promotion_of_nothing_changes_nothing(client: MlflowClient) -> None:
    with open_store() as store:
        before = store.champions()
        with pytest.raises(DataError, match="not in the registry"):
            promotion.promote(store, "77", "test")
        assert store.champions() == before


def test_versions_are_told_newest_first_with_their_headline(sample: World, client: MlflowClient, second: str) -> None:
    told = tracking.versions()
    assert [int(v.version) for v in told] == sorted((int(v.version) for v in told), reverse=True)
    assert told[-1].headline["lead_to_prospect/auc"] == pytest.approx(sample.trained.report["transitions"]["lead->prospect"]["test"]["auc"])


def test_an_empty_registry_has_no_versions(home: Path) -> None:
    assert tracking.versions() == []


def rows(world: World, n: int = 3) -> pd.DataFrame:
    lead = np.arange(n)
    at = np.full(n, world.dataset.data_end, np.int64)
    X = compute(world.bundle.schema, world.cohort, lead, at)
    frame = pd.DataFrame(X.astype(np.float64), columns=[c.name for c in world.bundle.schema.columns])
    frame.insert(0, "stage", "lead")
    return frame


def test_reasons_are_given_where_they_are_asked_for(sample: World, client: MlflowClient) -> None:
    model = mlflow.pyfunc.load_model("models:/leadscore/1")
    assert set(model.predict(rows(sample))["reasons"]) == {"[]"}
    assert all(orjson.loads(r) for r in model.predict(rows(sample), params={"reasons": True})["reasons"])


def test_rows_of_many_stages_come_back_in_their_order(sample: World, client: MlflowClient) -> None:
    model = mlflow.pyfunc.load_model("models:/leadscore/1")
    frame = rows(sample, 6)
    frame["stage"] = ["lead", "prospect", "lost", "lead", "prospect", "customer"]
    said = model.predict(frame)
    assert said["transition"].fillna("").tolist()[:2] == ["lead->prospect", "prospect->opportunity"]
    assert said["probability"].isna().tolist() == [False, False, True, False, False, True]
    alone = [model.predict(frame.iloc[[i]])["probability"].iloc[0] for i in range(6)]
    np.testing.assert_allclose(said["probability"].to_numpy(float), np.array(alone, float), atol=1e-12)


@pytest.mark.slow
def test_mlflow_serves_the_bundle(sample: World, client: MlflowClient) -> None:
    """`mlflow models serve` in a process of its own answers /invocations as the bundle does here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).parent.parent
    env = {**os.environ, "MLFLOW_TRACKING_URI": tracking.tracking_uri(), "PYTHONPATH": str(root)}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"  # where it finds uvicorn
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/leadscore/1", "--env-manager", "local", "--port", str(port)]
    log = sample.home / "serve.log"
    with log.open("w") as out, subprocess.Popen(command, cwd=root, env=env, stdout=out, stderr=out, start_new_session=True) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", server, log)
            frame = rows(sample)
            body = {"dataframe_split": orjson.loads(frame.to_json(orient="split")), "params": {"reasons": True}}
            headers = {"Content-Type": "application/json"}
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", orjson.dumps(body), headers)
            with urllib.request.urlopen(asked, timeout=30) as answer:
                said = orjson.loads(answer.read())["predictions"]
        finally:
            os.killpg(server.pid, 15)
    here = mlflow.pyfunc.load_model("models:/leadscore/1").predict(frame, params={"reasons": True})
    assert [row["probability"] for row in said] == pytest.approx(here["probability"].tolist(), abs=1e-9)
    assert [row["reasons"] for row in said] == here["reasons"].tolist()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"it never answered:\n{log.read_text()[-2000:]}")


def test_a_process_killed_while_the_tables_are_made_leaves_no_half_of_them(home: Path) -> None:
    """At the third step of MLflow's own migrations."""
    killed = """
import os, signal
from alembic.runtime import migration
whole, steps = migration.HeadMaintainer.update_to_step, []
def step(self, *args):
    steps.append(whole(self, *args))
    if len(steps) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
migration.HeadMaintainer.update_to_step = step
from registry import tracking
tracking.versions()
"""
    root = Path(__file__).parent.parent
    run = subprocess.run([sys.executable, "-c", killed], cwd=root, capture_output=True, timeout=90, check=False)
    assert run.returncode == -9, run.stderr
    assert not (home / "mlflow.db").exists()
    assert tracking.versions() == []
    assert {path.name for path in home.iterdir() if path.is_file()} == {"mlflow.db"}
