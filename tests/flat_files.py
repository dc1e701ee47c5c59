"""Flat files made by hand: a row per lead, an outcome whose true chance is known, and no times."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SOURCES = ("Web", "Fair", "Referral", "Select")
EFFECT = {"Web": -0.8, "Fair": 0.0, "Referral": 1.4, "Select": -0.2}


def made(leads: int, seed: int, drift: float = 0.0) -> tuple[dict[str, list[str]], NDArray[np.float64]]:
    """(columns, true chance (leads,)). `drift` is added to the log-odds from the first row to the last."""
    rng = np.random.default_rng(seed)
    source, visits = rng.choice(SOURCES, leads, p=(0.4, 0.2, 0.2, 0.2)), rng.poisson(4, leads)
    log_odds = -1.4 + np.array([EFFECT[s] for s in source]) + 0.25 * visits - 0.5 + drift * np.linspace(0, 1, leads)
    chance = 1 / (1 + np.exp(-log_odds))
    won = rng.random(leads) < chance
    columns = {
        "Lead Number": [str(100_000 + 7 * i) for i in range(leads)],
        "Lead Source": source.tolist(),
        "Visits": [str(v) for v in visits],
        "Town": [f"Town {i}" for i in rng.integers(0, 12, leads)],
        "Converted": ["Yes" if w else "No" for w in won],
    }
    return columns, chance


def write(path: Path, columns: Mapping[str, Sequence[str]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def scores_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def repeated(words: Iterable[str], times: int) -> list[str]:
    return [word for word in words for _ in range(times)]
