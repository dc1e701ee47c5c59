"""The record in MLflow: one run per training, one registered version per bundle. The only place, with promotion, that imports mlflow."""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, TensorSpec
from mlflow.types import Schema as ColumnSchema

from data.contract import DataError
from data.home import leadscore_home
from registry.bundle import Bundle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "leadscore"
CHAMPION, CHALLENGER = "champion", "challenger"
BUNDLE_FILE = "bundle.leadscore"
FORWARD_FILE = "forward.parquet"
_SQLITE = "sqlite:///"
LOADER = "serving.pyfunc"
"""Loaded by name, by MLflow, wherever a bundle is scored: this package never imports it."""


@dataclass(frozen=True)
class Version:
    """One registered bundle."""

    version: str
    run_id: str | None
    aliases: tuple[str, ...]
    created_at: int  # micros
    headline: Mapping[str, float]


def tracking_uri() -> str:
    """`LEADSCORE_MLFLOW_URI`, else the SQLite file `mlflow.db` under LEADSCORE_HOME."""
    return os.environ.get("LEADSCORE_MLFLOW_URI") or f"sqlite:///{(leadscore_home() / 'mlflow.db').resolve()}"


def _client() -> MlflowClient:
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    leadscore_home().mkdir(parents=True, exist_ok=True)
    if tracking_uri().startswith(_SQLITE):
        _make_whole(Path(tracking_uri().removeprefix(_SQLITE)))
    mlflow.set_tracking_uri(tracking_uri())
    mlflow.set_registry_uri(tracking_uri())
    return MlflowClient()


def _make_whole(path: Path) -> None:
    """MLflow's tables in a new SQLite file, all of them or no file: MLflow itself makes them step by step, and a process that is killed meanwhile
    leaves a file that nothing opens again."""
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # a second, and asked for once

    with tempfile.TemporaryDirectory(dir=path.parent, prefix="mlflow-") as folder:
        made = Path(folder) / path.name
        SqlAlchemyStore(f"{_SQLITE}{made}", str(path.parent / "artifacts")).engine.dispose()  # type: ignore[no-untyped-call]
        with suppress(FileExistsError):  # another process was first
            os.link(made, path)


def log_training(bundle: Bundle, report: Mapping[str, Any], forward: pa.Table, figures: Mapping[str, "Figure"], page: str) -> str:
    """Records a training and registers its bundle as a new version, whose name it returns: parameters, metrics
    (`lead_to_prospect/auc`), plots, the `page` for people (HTML), data digest, config."""
    client = _client()
    experiment = client.get_experiment_by_name(NAME)
    where = (leadscore_home() / "artifacts").resolve().as_uri() if not os.environ.get("LEADSCORE_MLFLOW_URI") else None
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(NAME, artifact_location=where)
    with mlflow.start_run(experiment_id=experiment_id, run_name=bundle.hash[:12]) as run, tempfile.TemporaryDirectory() as folder:
        mlflow.log_params(_parameters(bundle))
        mlflow.log_metrics(_metrics(report))
        mlflow.set_tags({"bundle_hash": bundle.hash, "schema_hash": bundle.schema.hash, "data_digest": str(bundle.about["data_digest"])})
        mlflow.log_dict(dict(bundle.funnel), "funnel.json")
        mlflow.log_text(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode(), "report.json")
        mlflow.log_text(page, "report.html")
        for name, figure in figures.items():
            mlflow.log_figure(figure, f"plots/{name}.png")
        pyarrow.parquet.write_table(forward, Path(folder) / FORWARD_FILE)
        mlflow.log_artifact(str(Path(folder) / FORWARD_FILE))
        version = _register(client, bundle, run.info.run_id, Path(folder))
        client.set_registered_model_alias(NAME, CHALLENGER, version)
        return version


def log_decision(version: str, champion: str | None, promoted: bool, reasons: Sequence[str], churn: Mapping[str, Any] | None) -> None:
    """Records beside a version's run why it serves, or does not, and whose place it asked for; of the churn all but who moved."""
    client = _client()
    run_id = str(client.get_model_version(NAME, version).run_id)
    numbers = {name: value for name, value in (churn or {}).items() if name != "movers"}
    client.log_dict(run_id, {"champion": champion, "promote": promoted, "reasons": list(reasons), "churn": numbers or None}, "decision.json")
    for name in ("moved", "up", "down") if churn else ():
        client.log_metric(run_id, f"churn/{name}", numbers[name])


def _register(client: MlflowClient, bundle: Bundle, run_id: str, folder: Path) -> str:
    path = folder / BUNDLE_FILE
    path.write_bytes(bundle.to_bytes())
    example = _example(bundle)
    info = mlflow.pyfunc.log_model(
        name="bundle",
        loader_module=LOADER,
        data_path=str(path),
        signature=_signature(bundle),
        input_example=example,
        pip_requirements=["leadscore[train]"],
    )
    if not client.search_registered_models(f"name='{NAME}'"):
        client.create_registered_model(NAME)
    return str(client.create_model_version(NAME, info.model_uri, run_id).version)


def _signature(bundle: Bundle) -> ModelSignature:
    rows: list[ColSpec | TensorSpec] = [ColSpec("string", "stage"), *(ColSpec("double", column.name) for column in bundle.schema.columns)]
    return ModelSignature(ColumnSchema(rows), params=ParamSchema([ParamSpec("reasons", "boolean", False)]))


def _example(bundle: Bundle) -> pd.DataFrame:
    """Two synthetic rows: a lead of which nothing is known, and one with a little of everything. Nobody's data."""
    names = [column.name for column in bundle.schema.columns]
    rows = np.stack([np.zeros(len(names)), np.ones(len(names))])
    frame = pd.DataFrame(rows, columns=names)
    frame.insert(0, "stage", bundle.path[0])
    return frame


def _parameters(bundle: Bundle) -> dict[str, Any]:
    told = {key: bundle.about[key] for key in ("data_end", "seed", "leads", "events")} | {
        "path": "->".join(bundle.path),
        "features": len(bundle.schema.columns),
    }
    for hop in bundle.hops:
        name = f"{hop.stage}/{metric_name(hop.transition)}"
        told |= {f"{name}/candidate": hop.model.kind, f"{name}/horizon_days": hop.horizon_days, f"{name}/calibrator": hop.calibrator.kind}
    return told


def metric_name(transition: str) -> str:
    """`lead->prospect` as MLflow allows it: `lead_to_prospect`."""
    return transition.replace("->", "_to_")


def _metrics(report: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for transition, told in report["transitions"].items():
        for name, value in told.get("test", {}).items():
            if value == value:  # nan is no metric
                found[f"{metric_name(transition)}/{name}"] = float(value)
    return found


def versions() -> list[Version]:
    """Every registered version, newest first."""
    client = _client()
    aliases: dict[str, list[str]] = {}
    try:
        for alias, version in client.get_registered_model(NAME).aliases.items():
            aliases.setdefault(str(version), []).append(alias)
    except mlflow.exceptions.MlflowException:
        return []
    found = client.search_model_versions(f"name='{NAME}'")
    told = [
        Version(str(v.version), v.run_id, tuple(sorted(aliases.get(str(v.version), ()))), v.creation_timestamp * 1000, _of_run(client, v.run_id))
        for v in found
    ]
    return sorted(told, key=lambda v: -int(v.version))


def _of_run(client: MlflowClient, run_id: str | None) -> dict[str, float]:
    if run_id is None:
        return {}
    return {name: value for name, value in client.get_run(run_id).data.metrics.items() if name.endswith(("/auc", "/log_loss"))}


def bundle_bytes(version: str) -> bytes:
    """The bundle of a registered version. DataError names the versions there are."""
    with _artifact(version, f"models:/{NAME}/{version}") as folder:
        return next(folder.rglob(BUNDLE_FILE)).read_bytes()


def forward_of(version: str) -> pa.Table:
    """What the version's forward twins said on their test: lead_id, as_of, stage, transition, horizon_days, y, probability."""
    try:
        run_id = _client().get_model_version(NAME, version).run_id
    except mlflow.exceptions.MlflowException as error:
        raise _unknown(version) from error
    with _artifact(version, f"runs:/{run_id}/{FORWARD_FILE}") as file:
        return pyarrow.parquet.read_table(file)


@contextmanager
def _artifact(version: str, uri: str) -> Iterator[Path]:
    _client()
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
        except mlflow.exceptions.MlflowException as error:
            raise _unknown(version) from error
        yield path


def _unknown(version: str) -> DataError:
    there = ", ".join(v.version for v in versions()) or "none"
    return DataError(f"version {version} is not in the registry; there are: {there}. `leadscore models` lists them.")


def move_alias(version: str) -> None:
    """`champion` names this version from now on; a `challenger` alias on it goes."""
    client = _client()
    client.set_registered_model_alias(NAME, CHAMPION, version)
    if any(v.version == version and CHALLENGER in v.aliases for v in versions()):
        client.delete_registered_model_alias(NAME, CHALLENGER)
