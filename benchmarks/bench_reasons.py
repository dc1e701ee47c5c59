"""Scores and reasons of 600 small trees: our evaluation of the model's text against LightGBM's own `predict`.

Measured: `raw_score` and `contributions` (exact TreeSHAP by table look-up) for one row after the other, as a request asks for
them, and for 10,000 rows at once, on 150 features with missing values; and what it takes to load. Against:
`Booster.predict(raw_score=True)` and `predict(pred_contrib=True)` on the same rows, one thread each, in the same run. Both give
the same numbers; the largest difference is printed.
Command: `.venv/bin/python benchmarks/bench_reasons.py`, about half a minute.
It gets worse with leaves: tables double with each split and end at 8 leaves; above that each leaf is computed anew.
"""

import platform
import statistics
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import perf_counter

import lightgbm
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from registry.trees import Trees, contributions, parse_trees, raw_score

TREES, LEAVES, FEATURES, ROWS = 600, 8, 150, 10_000


def grown() -> tuple[str, np.ndarray]:
    """A model text and the rows it was trained on."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    X[:, ::3] = rng.poisson(0.7, X[:, ::3].shape)
    chance = 0.3 * (X[:, 0] + X[:, 1] * X[:, 3] + X[:, 5:40].sum(axis=1)) - 3
    X[rng.random(X.shape) < 0.1] = np.nan
    y = (chance + rng.logistic(size=ROWS) > 0).astype(float)
    params = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.05, "feature_fraction": 0.3, "num_threads": 1, "verbose": -1}
    return lightgbm.train(params, lightgbm.Dataset(X, y, params={"verbose": -1}), TREES).model_to_string(), X


def seconds(call: Callable[[np.ndarray], object], batches: Iterable[np.ndarray]) -> float:
    """Median seconds of a call over the batches, the first one not counted."""
    taken = []
    for batch in batches:
        start = perf_counter()
        call(batch)
        taken.append(perf_counter() - start)
    return statistics.median(taken[1:])


def load(text: str) -> tuple[Trees, float, float]:
    """Trees, seconds to read the text and to build all tables; the kernels are compiled before."""
    first = parse_trees(text)
    _ = first.shap_tables, first.score_cells
    start = perf_counter()
    trees = parse_trees(text)
    read = perf_counter()
    _ = trees.shap_tables, trees.score_cells
    return trees, read - start, perf_counter() - read


def main() -> None:
    text, X = grown()
    booster = lightgbm.Booster(model_str=text)
    trees, reading, building = load(text)
    held = sum(array.nbytes for array in (*vars(trees.shap_tables).values(), *trees.score_cells))
    print(f"{platform.machine()}, Python {platform.python_version()}, LightGBM {lightgbm.__version__}, one thread")
    print(f"{TREES} trees x {LEAVES} leaves, {FEATURES} features: text read in {1e3 * reading:.0f} ms,", end=" ")
    print(f"tables built in {1e3 * building:.0f} ms, {held / 1e6:.1f} MB\n")
    print(f"{'µs per row':34}{'ours':>8}{'LightGBM':>10}{'ratio':>8}{'largest difference':>22}")
    compare("score", lambda rows: raw_score(trees, rows), partial(booster.predict, raw_score=True, num_threads=1), X)
    compare("score and reasons", lambda rows: contributions(trees, rows), partial(booster.predict, pred_contrib=True, num_threads=1), X)


def compare(what: str, ours: Callable[[np.ndarray], np.ndarray], theirs: Callable[[np.ndarray], np.ndarray], X: np.ndarray) -> None:
    """Prints a line for rows one by one and a line for all at once."""
    apart = float(np.abs(ours(X) - theirs(X)).max())
    for rows, batches in ((1, [X[i : i + 1] for i in range(300)]), (len(X), [X] * 3)):
        mine, other = (1e6 * seconds(call, batches) / rows for call in (ours, theirs))
        print(f"{f'{what}, {rows:,} at once':34}{mine:8.1f}{other:10.1f}{other / mine:7.1f}x{apart:22.1e}")


if __name__ == "__main__":
    main()
