"""What a cluster costs and gives: rows and trees on a real Dask scheduler with two worker processes of one thread each, against one process here.

    .venv/bin/python benchmarks/bench_cluster.py [--leads 1500] [--times 1 4 16]

Rows must be equal to the bit. Trees are compared with those of one machine, and those of one machine with themselves under another seed: that is the
noise that LightGBM's own distributed binning must hide in. The landmarks are taken several times over for the larger sizes.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from data.cluster import connected
from data.contract import DAY
from data.dataset import read_dataset
from data.funnel import Funnel
from data.partitions import partitions_of
from data.sample import write_sample
from features.discovery import discover
from features.tables import cohort_of
from training.candidates import TreeGrower, TreeSize
from training.cluster import ClusterRows
from training.labels import Hop, outcome
from training.landmarks import landmarks
from training.matrix import rows_of

ROOT = Path(__file__).resolve().parent.parent
TREES, PARTS = 150, 4


@contextmanager
def _cluster(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    worker = ["dask_worker", url, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
    programs = [["dask_scheduler", "--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--no-dashboard"], worker, worker]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *rest], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for program, *rest in programs
    ]
    try:
        yield url
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def _seconds(work: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def _loss(y: Any, raw: Any) -> float:
    return float(np.logaddexp(0.0, np.where(y == 1, -1.0, 1.0) * raw).mean())


def main(leads: int, times: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name, _cluster(Path(name)) as url:
        folder, home = Path(name) / "world", Path(name) / "home"
        home.mkdir()
        os.environ["LEADSCORE_HOME"] = str(home)
        write_sample(folder, leads)
        dataset, _ = read_dataset(folder, funnel=Funnel())
        schema, _ = discover(dataset, Funnel())
        cohort = cohort_of(dataset, schema)
        parts = partitions_of(folder, None, Funnel(), Path(name) / "parts", PARTS)
        with connected(url, Path(name)) as cluster:
            cluster.client.wait_for_workers(2)
            _compare(schema, cohort, ClusterRows(cluster, parts.folders), dataset.data_end, times)


def _compare(schema: Any, cohort: Any, there: ClusterRows, end: int, times: list[int]) -> None:
    marks = landmarks(cohort.timeline, 0, end - 28 * DAY)
    spine = (schema, cohort, marks.lead, marks.as_of)
    y = outcome(cohort.timeline, [Hop(0, 1, 28)], marks.lead, marks.as_of, end).y
    there(*spine)  # the histories are read and the kernels are loaded once
    print("| landmarks x columns | rows here, s | on the cluster, s | equal to the bit |\n|---:|---:|---:|---|")
    sizes = []
    for many in times:
        again = (schema, cohort, np.repeat(marks.lead, many), np.repeat(marks.as_of, many))
        (a, here), (b, shared) = _seconds(lambda again=again: rows_of(*again)), _seconds(lambda again=again: there(*again))
        equal = all(np.array_equal(x, z, equal_nan=True) for x, z in zip(here.blocks(), shared.blocks(), strict=True))
        print(f"| {len(here):,} x {here.shape[1]} | {a:.2f} | {b:.2f} | {'yes' if equal else 'NO'} |", flush=True)
        sizes.append((here, shared, np.repeat(y, many), np.repeat(marks.lead % 3 != 0, many)))
    print(
        f"\n| learned from | {TREES} trees here, s | on the cluster, s | log loss here | another seed here | cluster | rms apart: seeds | cluster |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for here, shared, y, train in sizes:
        _trees(here, shared, y, train)


def _trees(here: Any, shared: Any, y: Any, train: Any) -> None:
    weight, tested = np.ones(int(train.sum())), np.asarray(here[~train])
    grown = [
        lambda: TreeGrower(here[train], y[train], 0),
        lambda: TreeGrower(here[train], y[train], 1),
        lambda: shared.held.grower(shared[train], y[train], 0),
    ]
    took = [_seconds(lambda made=made: made().grow(weight, TreeSize(TREES))) for made in grown]
    said = [model.raw_score(tested) for _, model in took]
    losses = " | ".join(f"{_loss(y[~train], raw):.5f}" for raw in said)
    apart = " | ".join(f"{np.sqrt(np.mean((said[0] - raw) ** 2)):.3f}" for raw in said[1:])
    print(f"| {weight.size:,} | {took[0][0]:.1f} | {took[2][0]:.1f} | {losses} | {apart} |", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--leads", type=int, default=1_500)
    options.add_argument("--times", type=int, nargs="+", default=[1, 4, 16])
    given = options.parse_args()
    main(given.leads, given.times)
