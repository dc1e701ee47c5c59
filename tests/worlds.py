"""Datasets that tests are run on, and funnels trained on them: a sample world with a known truth, and a part of the loans."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

from data.contract import format_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.sample import write_sample
from data.sample.parameters import END
from data.store import open_store
from features.rows import Cohort
from features.tables import cohort_of
from registry import promotion, tracking
from registry.bundle import Bundle, HopModel
from registry.calibrator import Calibrator
from training.figures import figures
from training.run import Trained, train

TABLES = ("leads", "accounts", "events", "stages", "deals", "changes", "aliases")
OWNED = {"leads": "lead_id", "events": "lead_id", "stages": "lead_id", "deals": "lead_id", "aliases": "lead_id"}
"""The tables whose rows belong to one lead, and the column that says which."""


@dataclass(frozen=True)
class World:
    """A dataset, its folder, what was trained on it, its leads under the bundle's schema, and the home that serves the bundle as version 1."""

    folder: Path
    dataset: Dataset
    trained: Trained
    cohort: Cohort
    home: Path

    @property
    def bundle(self) -> Bundle:
        return self.trained.bundle


def read(folder: Path) -> Dataset:
    return read_dataset(folder, funnel=Funnel())[0]


def sampled(folder: Path, leads: int, seed: int) -> Dataset:
    """The sample world of that many leads, written to `folder`."""
    write_sample(folder, leads, seed)
    return read(folder)


def trained_world(folder: Path, home: Path) -> World:
    """Trains on the dataset in `folder`, records that under `home`, and promotes it there."""
    with at_home(home):
        dataset = read(folder)
        trained = train(dataset, Funnel(), END)
        version = tracking.log_training(trained.bundle, trained.report, trained.forward, figures(trained.bundle, trained.forward), "")
        with open_store() as store:
            promotion.promote(store, version, "test")
    return World(folder, dataset, trained, cohort_of(dataset, trained.bundle.schema), home)


@contextmanager
def at_home(home: Path) -> Iterator[Path]:
    """Within, `home` holds this instance's state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADSCORE_HOME", str(home))
        patch.delenv("LEADSCORE_MLFLOW_URI", raising=False)
        patch.delenv("LEADSCORE_DATABASE_URL", raising=False)
        yield home


def loans_folder() -> Path:
    """The loans of LEADSCORE_DATASETS; skips the test where they are not at hand."""
    datasets = os.environ.get("LEADSCORE_DATASETS")
    if not datasets:
        pytest.skip("LEADSCORE_DATASETS is not set: the public data sets are not here")
    return Path(datasets) / "loans"


def write_part(source: Path, target: Path, every: int) -> Path:
    """Each `every`th lead of a folder of leads, events and stages, with its rows, as a folder of its own. All columns stay text."""
    target.mkdir(parents=True)
    leads = _text(source / "leads.csv")
    kept = leads.take(pa.array(range(0, leads.num_rows, every)))
    pyarrow.csv.write_csv(kept, target / "leads.csv")
    for name, file in (("events", "events.csv.gz"), ("stages", "stages.csv")):
        rows = _text(source / file)
        pyarrow.csv.write_csv(rows.filter(pc.is_in(rows["lead_id"], value_set=kept["lead_id"].combine_chunks())), target / f"{name}.csv")
    return target


def _text(path: Path) -> pa.Table:
    with path.open("rb") as file:
        header = pyarrow.csv.open_csv(path).schema.names if path.suffix == ".gz" else file.readline().decode().strip().replace('"', "").split(",")
    return pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())))


def of_leads(dataset: Dataset, ids: Sequence[str]) -> Dataset:
    """The dataset as if only these leads had ever been; accounts and changes stay whole."""
    wanted = pa.array(list(ids), pa.string())
    kept = {name: (table := getattr(dataset, name)).filter(pc.is_in(table[column], value_set=wanted)) for name, column in OWNED.items()}
    return replace(dataset, **kept)


def with_rows(table: pa.Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The table and further rows; what a row does not tell is null."""
    return pa.concat_tables([table, pa.Table.from_pylist([{name: row.get(name) for name in table.column_names} for row in rows], table.schema)])


def bodies(dataset: Dataset, ids: Sequence[str], as_of: int) -> list[dict[str, Any]]:
    """Each lead as a CRM would send it to `POST /v1/score`, told what was known at as_of of its attributes, and every event and stage entry, its own
    and those of others while they were at the account at which it stands at as_of, those that came later too: it is `as_of` that must hold them
    back."""
    leads = {row["lead_id"]: row for row in dataset.leads.to_pylist()}
    accounts = {row["account_id"]: row for row in dataset.accounts.to_pylist()}
    events, stages = _by_lead(dataset.events), _by_lead(dataset.stages)
    changes: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in dataset.changes.to_pylist():
        changes.setdefault((row["object"], row["id"]), []).append(row)

    def account_of(name: str, at: int) -> str | None:
        now: str | None = leads[name]["account_id"]
        return known_at(changes.get(("lead", name), []), at).get("account_id", now)

    at_account: dict[str | None, list[dict[str, Any]]] = {}
    for row in itertools.chain.from_iterable(events.values()):
        counted = max(row["occurred_at"], row["recorded_at"] or 0)
        at_account.setdefault(account_of(row["lead_id"], counted) if row["lead_id"] in leads else None, []).append(row)
    found = []
    for name in ids:
        lead = dict(leads[name])
        account = dict(accounts.get(lead["account_id"], {}))
        lead |= known_at(changes.get(("lead", name), []), as_of)
        account |= known_at(changes.get(("account", str(account.get("account_id"))), []), as_of)
        lead["created_at"] = format_instant(lead["created_at"])
        lead.pop("recorded_at", None)
        here = account_of(name, as_of)
        found.append(
            {
                "lead": lead,
                "account": account,
                "events": [_sent(row, *_OF_EVENT) for row in events.get(name, [])],
                "account_events": [_sent(row, *_OF_EVENT) for row in at_account.get(here, []) if row["lead_id"] != name and here is not None],
                "stages": [_sent(row, ("entered_at",), ("stage",)) for row in stages.get(name, [])],
                "as_of": format_instant(as_of),
            }
        )
    return found


_OF_EVENT = ("occurred_at", "recorded_at"), ("type", "value", "channel")


def known_at(changes: Sequence[Mapping[str, Any]], as_of: int) -> dict[str, str | None]:
    """The value of each field that has a history: its latest change at or before as_of, nothing before the first."""
    known: dict[str, str | None] = {row["field"]: None for row in changes}
    for row in sorted(changes, key=lambda row: row["changed_at"]):
        if row["changed_at"] <= as_of:
            known[row["field"]] = row["value"]
    return known


def _by_lead(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        found.setdefault(row["lead_id"], []).append(row)
    return found


def _sent(row: Mapping[str, Any], times: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    said = {name: format_instant(row[name]) for name in times if row.get(name) is not None}
    return said | {name: row[name] for name in others if row.get(name) is not None}


def raised(bundle: Bundle, transition: str, log_odds: float) -> Bundle:
    """The bundle with every chance of a direct transition moved by so much."""

    def moved(hop: HopModel) -> HopModel:
        calibrator = hop.calibrator
        return replace(hop, calibrator=Calibrator("beta", calibrator.low, calibrator.high, calibrator.shift + log_odds))

    return replace(bundle, hops=tuple(moved(hop) if hop.direct and hop.transition == transition else hop for hop in bundle.hops))
