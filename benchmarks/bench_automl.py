"""Our choice against one run of FLAML with ten times our time, on the same rows: forward in time where there is time.

    LEADSCORE_DATASETS=... .venv/bin/python benchmarks/bench_automl.py --rival /path/to/env/bin/python [loans xeducation bank olist]

`--rival` is the Python of an environment in which `pip install "flaml[automl]"` was done; it is no dependency of ours. FLAML gets our features of the
rows before the test, in order of time, and is asked about the test, which neither has seen. Our time is that of the transition's whole training
(choice, test, refit, intervals). Differences of log loss come with their standard error, the rows of a lead taken together.
"""

import argparse
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import training.flat
import training.run
from data.flat import FlatColumns
from training.bootstrap import difference_noise
from training.commands import train
from training.metrics import auc, log_loss, row_losses

TIMES_OURS = 10
LEAST_SECONDS = 60
HERE = Path(__file__).parent
OLIST = '[horizons]\n"lead->customer" = 90\n'


@dataclass(frozen=True)
class Trial:
    """One transition: what was asked of both, ours and how long it took."""

    name: str
    task: Any
    probability: np.ndarray[tuple[int], np.dtype[np.float64]]
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rival", required=True, help="the Python of an environment with FLAML")
    parser.add_argument("names", nargs="*", default=["loans", "xeducation", "bank", "olist"])
    options = parser.parse_args()
    print("| rows | test | ours: AUC / log loss, seconds | FLAML: AUC / log loss, seconds, its choice | ours lower by |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LEADSCORE_HOME"] = f"{folder}/home"
        for name in options.names:
            for trial in _trials(name, Path(folder)):
                print(_line(trial, options.rival, Path(folder)), flush=True)


def _trials(name: str, folder: Path) -> list[Trial]:
    found: list[Trial] = []
    with ExitStack() as stack:
        for module in (training.run, training.flat):
            stack.enter_context(patch.object(module, "train_hop", _watched(name, found, module.train_hop)))
        train(**_arguments(name, folder))
    return found


def _arguments(name: str, folder: Path) -> dict[str, Any]:
    """Of `leadscore train`, as the README's quality table names them."""
    data = Path(os.environ["LEADSCORE_DATASETS"])
    flat = {
        "xeducation": ("Leads.csv", FlatColumns("Converted", None, None, ordered=False)),
        "bank": ("bank-additional-full.csv", FlatColumns("y", None, None, ordered=True)),
    }
    common: dict[str, Any] = {"config": None, "mapping": None, "promote": "never", "seed": 0, "json": None}
    if name in flat:
        file, columns = flat[name]
        return common | {"dataset": str(data / name / file), "flat": columns}
    if name == "olist":
        horizons = folder / "olist.toml"
        horizons.write_text(OLIST, encoding="utf-8")
        return common | {"dataset": str(data / name), "config": str(horizons), "mapping": str(HERE.parent / "docs" / "mapping.toml")}
    return common | {"dataset": str(data / name)}


def _watched(name: str, found: list[Trial], train_hop: Any) -> Any:
    def watched(task: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        hop, twin = train_hop(task, *args, **kwargs)
        if task.transition.startswith(f"{task.stage}->") or task.transition == "outcome":
            found.append(Trial(f"{name}, {task.transition}", task, twin.probability, time.perf_counter() - began))
        return hop, twin

    return watched


def _line(trial: Trial, rival: str, folder: Path) -> str:
    task, test = trial.task, trial.task.splits.test
    y, lead = task.sample.y[test.validate].astype(np.float64), task.sample.lead[test.validate]
    seconds = max(TIMES_OURS * trial.seconds, LEAST_SECONDS)
    theirs, best = _asked(trial, rival, seconds, folder)
    better, error = difference_noise(row_losses(y, theirs), row_losses(y, trial.probability), lead)
    ours = f"{auc(y, trial.probability):.3f} / {log_loss(y, trial.probability):.4f}, {trial.seconds:.0f} s"
    return (
        f"| {trial.name} | {y.size:,} | {ours} | {auc(y, theirs):.3f} / {log_loss(y, theirs):.4f}, {seconds:.0f} s, {best} | "
        f"{better:+.4f} +- {error:.4f} |"
    )


def _asked(trial: Trial, rival: str, seconds: float, folder: Path) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], str]:
    sample, test = trial.task.sample, trial.task.splits.test
    before = np.flatnonzero(test.train)
    before = before[np.argsort(sample.as_of[before], kind="stable")]
    task, out = folder / "task.npz", folder / "answer.npz"
    shuffled = trial.task.splits.cut == 0
    np.savez(task, X=sample.X[before], y=sample.y[before], asked=sample.X[test.validate], shuffled=shuffled)
    run = subprocess.run([rival, str(HERE / "automl_rival.py"), str(task), str(seconds), str(out)], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"FLAML failed on {trial.name}:\n{run.stderr}")
    told = np.load(out)
    return told["p"].astype(np.float64), f"{told['best']} (FLAML {told['version']})"


if __name__ == "__main__":
    main()
