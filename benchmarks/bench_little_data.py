"""The learning curve: what a few closed leads are worth, against a model that is always LightGBM and against the base rate.

Measured: nats a lead from the true chance of every lead that is open at the end of a sample world (0: all that can be known is known), for bundles
trained on 50 to 5,000 of its leads. `ours` is the whole of `leadscore train`; `lightgbm` is LightGBM with its default parameters on the same
landmarks and features, with no choice and no calibration; `base rate` the share that converted. "no answer" counts as the base rate. Mean over the
seeds, each with its own leads, and the standard error of the mean; one column says by how much ours is better than the base rate.
Command: `.venv/bin/python benchmarks/bench_little_data.py [SEEDS] [LEADS ...]`, with 3 seeds of all six sizes about five minutes.
It gets worse with fewer conversions: below 20 converted leads, or others, there is no answer at all.
"""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.truths import TRANSITIONS, TrueWorld, divergence, rows_at_the_end
from data.contract import DataError
from data.dataset import Dataset
from data.funnel import Funnel
from data.sample.parameters import END
from features.discovery import discover
from features.rows import compute
from features.tables import cohort_of
from registry.bundle import Bundle
from training.candidates import fit_base_rate
from training.choice import Sample
from training.labels import Hop, outcome, path
from training.landmarks import landmarks
from training.run import train

SIZES = (50, 100, 200, 500, 1_000, 5_000)
HORIZONS = {"lead->prospect": 28, "prospect->opportunity": 28}
FUNNEL = Funnel(horizons=HORIZONS)
TINY = 1e-6
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


def part_of(dataset: Dataset, leads: int, rng: np.random.Generator) -> Dataset:
    """The dataset as if only so many of its leads, drawn at random, had ever been."""
    drawn = rng.choice(dataset.leads.num_rows, leads, replace=False)
    wanted = dataset.leads["lead_id"].take(pa.array(np.sort(drawn))).combine_chunks()
    owned = {name: getattr(dataset, name) for name in ("leads", "events", "stages", "deals")}
    return replace(dataset, **{name: table.filter(pc.is_in(table["lead_id"], value_set=wanted)) for name, table in owned.items()})


def said_by_others(part: Dataset, world: TrueWorld, transition: str, lead_ids: list[str]) -> dict[str, Floats]:
    """What LightGBM's defaults and the base rate say of the leads that are open at the end, from all that is ripe in the part."""
    schema, _ = discover(part, FUNNEL)
    cohort = cohort_of(part, schema)
    stood = path(cohort.timeline)
    first = TRANSITIONS.index(transition)
    marks = landmarks(cohort.timeline, stood[first], END)
    told = outcome(cohort.timeline, [Hop(stood[first], stood[first + 1], HORIZONS[transition])], marks.lead, marks.as_of, END)
    kept = marks.where(told.counts)
    sample = Sample(compute(schema, cohort, kept.lead, kept.as_of), told.y[told.counts], kept.lead, kept.as_of)
    base = 1 / (1 + np.exp(-fit_base_rate(sample.y, np.ones(sample.y.size)).value))
    asked = rows_at_the_end(Bundle(schema, (), (), {}, {}), cohort_of(world.dataset, schema), lead_ids)
    found = {"base rate": np.full(len(lead_ids), base)}
    if len(np.unique(sample.y)) < 2:
        return found | {"lightgbm": found["base rate"]}
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, lightgbm.Dataset(sample.X, sample.y.astype(float)), 100)
    return found | {"lightgbm": np.asarray(booster.predict(asked))}


def distances(world: TrueWorld, leads: int, seed: int) -> dict[str, dict[str, float | str]]:
    """Of each transition, nats from the truth by who said it, and our candidate."""
    part = part_of(world.dataset, leads, np.random.default_rng(seed))
    try:
        bundle = train(part, FUNNEL, END).bundle
    except DataError:
        bundle = None
    found: dict[str, dict[str, float | str]] = {}
    for transition in TRANSITIONS:
        lead_ids, truth = world.open(transition, HORIZONS[transition])
        said = said_by_others(part, world, transition, lead_ids)
        hop = next(iter(bundle.hops_from(transition.split("->")[0])), None) if bundle else None
        known = hop is not None and hop.transition == transition
        said["ours"] = hop.probability(rows_at_the_end(bundle, cohort_of(world.dataset, bundle.schema), lead_ids)) if known else said["base rate"]
        found[transition] = {name: divergence(truth, np.clip(p, TINY, 1 - TINY)) for name, p in said.items()}
        found[transition]["candidate"] = str(hop.evaluation["candidate"]) if known else "no answer"
    return found


def main(seeds: int, sizes: tuple[int, ...]) -> None:
    """The table, a row as soon as it is known."""
    print(
        "| leads | transition | ours | lightgbm | base rate | ours better than the base rate by | ours is |\n|---:|---|---:|---:|---:|---:|---|",
        flush=True,
    )
    with TemporaryDirectory() as folder:
        worlds = [TrueWorld.made(Path(folder) / str(seed), max(sizes), 200 + seed) for seed in range(seeds)]
        for leads in sizes:
            runs = [distances(world, leads, seed) for seed, world in enumerate(worlds)]
            for transition in TRANSITIONS:
                told = [run[transition] for run in runs]
                values = {name: np.array([float(one[name]) for one in told]) for name in ("ours", "lightgbm", "base rate")}
                names = [str(one["candidate"]) for one in told]
                kinds = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
                cells = " | ".join(_mean(values[name]) for name in values)
                print(f"| {leads:,} | {transition} | {cells} | {_mean(values['base rate'] - values['ours'])} | {kinds} |", flush=True)


def _mean(values: Floats) -> str:
    error = f" ± {values.std(ddof=1) / np.sqrt(values.size):.4f}" if values.size > 1 else ""
    return f"{values.mean():.4f}{error}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, tuple(int(size) for size in sys.argv[2:]) or SIZES)
