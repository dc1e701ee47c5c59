"""How much memory learning from many landmarks takes: rows in a file, binned block by block, against the same rows as arrays.

    .venv/bin/python benchmarks/bench_training_memory.py [--leads 20000 60000]

Each of the two runs in a process of its own and does what training does with the rows of one hop: compute them, bin the part that a fold learns from,
grow a few trees, and ask them about the others. Both must say the same, but for the rows that LightGBM draws to find bins by. What counts is how far
the process grows beyond the histories, at its highest; pages of a file, which the system may take back at any time, don't.

What would make it worse: more columns (a byte each for a landmark, and the 200,000 rows that LightGBM looks at to find bins, in double precision).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from features_world import EVENTS_A_LEAD, SCHEMA, make

from features.rows import Cohort, Known, compute
from features.timeline import build
from training.candidates import TREE_PARAMETERS, TreeGrower, TreeSize, useful_columns
from training.matrix import asked, rows_of

TREES = 10
MILLION = 1_000_000
LANDMARKS_OF_A_LEAD = 15
"""More than in the sample world, where a lead in the first stage has nine."""
BESIDE = 60
"""Bytes of a landmark that are no feature: label, weight, gradients, lead, instant, row number."""


class Peak:
    """The highest private memory of this process while it runs, in MB, and the highest of all."""

    def __enter__(self) -> "Peak":
        self.began = _memory()[0]
        self.private, self.all = self.began, 0.0
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look)
        self._looking.start()
        return self

    def _look(self) -> None:
        while not self._over.wait(0.002):
            private, every = _memory()
            self.private, self.all = max(self.private, private), max(self.all, every)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._looking.join()


def _memory() -> tuple[float, float]:
    kilobytes = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(kilobytes["RssAnon"].split()[0]) / 1024, int(kilobytes["VmRSS"].split()[0]) / 1024


def _cohort(leads: int) -> tuple[Cohort, Any, Any]:
    world = make(leads * EVENTS_A_LEAD)
    every = np.arange(leads, dtype=np.int64)
    events = (world.lead, SCHEMA_KINDS[world.kind], world.time, world.value)
    timeline = build(world.created, events, (every[:0], np.zeros(0, np.int16), every[:0]), len(SCHEMA.stages))
    return Cohort([f"L-{i:07}" for i in range(leads)], timeline, Known({}, {})), world.spine_lead, world.spine_as_of


SCHEMA_KINDS = np.array([SCHEMA.kind_code(t.name, None, False) for t in SCHEMA.types], np.int16)


def _in_a_file(cohort: Cohort, lead: Any, as_of: Any, train: Any, y: Any) -> Any:
    X = rows_of(SCHEMA, cohort, lead, as_of)
    model = TreeGrower(X[train], y[train], 0).grow(np.ones(int(train.sum())), TreeSize(TREES))
    return asked(model.raw_score, X[~train])


def _as_arrays(cohort: Cohort, lead: Any, as_of: Any, train: Any, y: Any) -> Any:
    X = compute(SCHEMA, cohort, lead, as_of)
    mine, labels = X[train], y[train]
    columns = useful_columns(mine)
    parameters = TREE_PARAMETERS | TreeSize(TREES).shape.parameters(labels.size) | {"num_threads": 1, "seed": 0}
    data = lightgbm.Dataset(mine[:, columns], labels.astype(np.float64), params=parameters, free_raw_data=False)
    return lightgbm.train(parameters, data, TREES).predict(X[~train][:, columns], raw_score=True)


def _measure(way: str, leads: int) -> None:
    """What a child process prints: rows, columns, MB of private memory, MB of all, seconds and a sum to compare."""
    cohort, lead, as_of = _cohort(leads)
    compute(SCHEMA, cohort, lead[:10], as_of[:10])
    y = (np.random.default_rng(1).random(lead.size) < 0.1 + 0.2 * (lead % 7 == 0)).astype(np.int8)
    train = lead % 5 != 0
    with Peak() as peak:
        began = time.perf_counter()
        said = {"file": _in_a_file, "arrays": _as_arrays}[way](cohort, lead, as_of, train, y)
        seconds = time.perf_counter() - began
    print(lead.size, len(SCHEMA.columns), peak.private - peak.began, peak.all, seconds, float(np.abs(said).sum()))


def _child(way: str, leads: int) -> list[float]:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LEADSCORE_HOME": home, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--child", way, "--leads", str(leads)]
        return [float(word) for word in subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()]


def main(sizes: list[int]) -> None:
    print("| leads | landmarks x columns | as arrays, MB | in a file, MB | of arrays | seconds, arrays | in a file |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    growth = []
    for leads in sizes:
        arrays, file = _child("arrays", leads), _child("file", leads)
        if abs(arrays[5] - file[5]) > 1e-3 * arrays[5]:
            raise SystemExit(f"the two ways disagree at {leads:,} leads: {arrays[5]} against {file[5]}")
        growth.append((arrays[0], arrays[1], arrays[2]))
        shape = f"{int(file[0]):,} x {int(file[1])}"
        print(f"| {leads:,} | {shape} | {arrays[2]:,.0f} | {file[2]:,.0f} | {file[2] / arrays[2]:.2f} | {arrays[4]:.1f} | {file[4]:.1f} |")
    landmarks, columns, plain = growth[-1]
    rows = MILLION * LANDMARKS_OF_A_LEAD
    binned, arrays = rows * (columns + BESIDE) / 1e9, plain * 1.049e-3 * rows / landmarks
    print(f"\nA million leads with {rows:,} landmarks would be {binned:.1f} GB of bytes in bins and labels, or {arrays:.1f} GB as arrays.")


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--leads", type=int, nargs="+", default=[20_000, 60_000])
    options.add_argument("--child", choices=("file", "arrays"))
    given = options.parse_args()
    _measure(given.child, given.leads[0]) if given.child else main(given.leads)
