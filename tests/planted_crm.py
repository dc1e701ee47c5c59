"""A small CRM with planted lifts: who becomes a customer depends on the industry, the size and the seniority alone."""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from data.contract import DAY, format_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel

BEGIN = 19_700 * DAY
HISTORY = 700
INDUSTRY = {"software": 0.9, "finance": 0.3, "logistics": 0.0, "retail": -0.7, "education": -1.2}
TITLE = {"Director of Sales": 0.6, "Sales Manager": 0.1, "Sales Assistant": -0.8}
SIZES = ((1, 9, -0.8), (10, 99, 0.0), (100, 999, 0.7), (1_000, 9_999, -0.1))
BASE = -2.4


@cache
def crm(leads: int, seed: int, customers: bool = True) -> Dataset:
    """Leads of `leads` // 2 accounts over HISTORY days. `copied` says the same as the industry, `noise` nothing, `afterwards` is filled in for
    customers alone, when they are."""
    rng = np.random.default_rng(seed)
    n = leads // 2
    industry = rng.choice(list(INDUSTRY), n)
    size = rng.integers(0, len(SIZES), n)
    employees = [int(np.exp(rng.uniform(np.log(SIZES[s][0]), np.log(SIZES[s][1])))) for s in size]
    account, title = rng.integers(0, n, leads), rng.choice(list(TITLE), leads)
    odds = BASE + np.array([INDUSTRY[i] for i in industry])[account] + np.array([SIZES[s][2] for s in size])[account]
    odds = odds + np.array([TITLE[t] for t in title])
    won = (rng.random(leads) < 1 / (1 + np.exp(-odds))) & customers
    created = BEGIN + rng.integers(0, HISTORY * 24, leads) * (DAY // 24)
    entered = created + rng.integers(2 * 24, 60 * 24, leads) * (DAY // 24)
    end = BEGIN + HISTORY * DAY
    ids = [f"L-{i:05}" for i in range(leads)]
    gone = won & (entered <= end)
    tables = {
        "leads": {
            "lead_id": ids,
            "created_at": [format_instant(int(at)) for at in created],
            "account_id": [f"A-{a}" for a in account],
            "job_title": title.tolist(),
            "email": [f"{i}@example.org" for i in ids],
            "noise": rng.choice(["red", "green", "blue"], leads).tolist(),
            "afterwards": np.where(gone, rng.choice(["gold", "silver"], leads), "").tolist(),
        },
        "accounts": {
            "account_id": [f"A-{a}" for a in range(n)],
            "industry": industry.tolist(),
            "copied": [name.upper() for name in industry],
            "employees": [str(e) for e in employees],
        },
        "stages": _stages(ids, created, entered, gone, won, end),
        "events": {"lead_id": ids[:30], "occurred_at": [format_instant(int(at)) for at in created[:30]], "type": ["page_view"] * 30},
    }
    return read_tables(tables)


def _stages(ids: Sequence[str], created: np.ndarray, entered: np.ndarray, gone: np.ndarray, won: np.ndarray, end: int) -> dict[str, list[str]]:  # type: ignore[type-arg]
    """Prospects after a day and a half, customers when they are; a last entry at the end of the data."""
    rows = []
    for i, name in enumerate(ids):
        if won[i] or i % 4 == 0:
            rows.append((name, int(created[i]) + 36 * DAY // 24, "prospect"))
        if gone[i]:
            rows.append((name, int(entered[i]), "customer"))
    kept = [(name, format_instant(at), stage) for name, at, stage in rows if at <= end]
    return {column: [row[k] for row in kept] for k, column in enumerate(("lead_id", "entered_at", "stage"))}


def read_tables(tables: Mapping[str, Mapping[str, Sequence[str]]]) -> Dataset:
    """The tables as a dataset, by way of files."""
    with TemporaryDirectory() as folder:
        for name, columns in tables.items():
            with (Path(folder) / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])
        return read_dataset(Path(folder), funnel=Funnel())[0]
