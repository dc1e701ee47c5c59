"""What a model knows of what can be known: sample worlds, whose true chances are written beside them, of 2,000 and of 12,000 leads.

Measured, for every lead that is open at a world's end: the part of the attainable information that the bundle has; the distance of its chances from
the true ones by tenths; how often its 90 % interval holds the true chance, and how wide it is; what it says in the mean of reaching an opportunity
against the truth. Means over the seeds; of information and coverage their lowest and highest, too.
Bars: information .95 / .92 of 12,000 leads and .80 / .70 of 2,000; distance .02; coverage .85-.95; reach within 3 %.
Command: `.venv/bin/python benchmarks/bench_truth.py [SEEDS] [LEADS ...]`, 5 seeds of both sizes by default: some twenty minutes.
It gets worse with fewer leads, and with what features can't see. Horizons are 42 days: the truth of both steps together is written for some only.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.truths import TRANSITIONS, TrueWorld, answers, calibration_error, information_captured, rows_at_the_end
from data.contract import DataError
from data.funnel import Funnel
from data.sample.parameters import END
from features.tables import cohort_of
from registry.bundle import Bundle
from training.run import train

SIZES = (2_000, 12_000)
FIRST_SEED = 101
"""None that anything was fixed on while it was built."""
HORIZONS = dict.fromkeys(TRANSITIONS, 42)


class Found(NamedTuple):
    """Of one transition in one world; `reach` is what is said in the mean over the truth, nan where the transition is not the first."""

    candidate: str
    information: float
    distance: float
    coverage: float
    width: float
    reach: float


def measured(leads: int, seed: int) -> dict[str, Found]:
    """Nothing where there was not enough evidence."""
    with TemporaryDirectory() as folder:
        world = TrueWorld.made(Path(folder) / "world", leads, seed)
        try:
            bundle = train(world.dataset, Funnel(horizons=HORIZONS), END).bundle
        except DataError:
            return {}
        found = {}
        for transition, hop, X, truth in answers(bundle, world):
            raw = hop.model.raw_score(X)
            low, high = hop.interval(X, raw)
            said = hop.probability(X)
            reach = _reach(bundle, world) if transition == TRANSITIONS[0] else np.nan
            held, width = float(np.mean((low <= truth) & (truth <= high))), float(np.mean(high - low))
            told = information_captured(truth, said), calibration_error(truth, said), held, width, reach
            found[transition] = Found(str(hop.evaluation["candidate"]), *told)
        return found


def _reach(bundle: Bundle, world: TrueWorld) -> float:
    first, second = bundle.hops_from("lead")[:2]
    lead_ids, truth = world.reach(first.horizon_days, second.horizon_days)
    X = rows_at_the_end(bundle, cohort_of(world.dataset, bundle.schema), lead_ids)
    return float(np.mean(first.probability(X) * second.probability(X)) / truth.mean())


def main(seeds: int, sizes: Sequence[int]) -> None:
    """The table, rows of a size as soon as they are known."""
    print("| leads | transition | information | distance | coverage | width | reach, said / true | candidates |")
    print("|---:|---|---:|---:|---:|---:|---:|---|", flush=True)
    for leads in sizes:
        worlds = [measured(leads, FIRST_SEED + i) for i in range(seeds)]
        for transition in TRANSITIONS:
            found = [world[transition] for world in worlds if transition in world]
            if not found:
                print(f"| {leads:,} | {transition} | not enough evidence | | | | | |", flush=True)
                continue
            names = [one.candidate for one in found]
            told = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
            row = _spanned(found, lambda one: one.information), _mean(found, lambda one: one.distance), _spanned(found, lambda one: one.coverage)
            print(
                f"| {leads:,} | {transition} | {' | '.join(row)} | {_mean(found, lambda one: one.width)} | {_mean(found, _reached)} | {told} |",
                flush=True,
            )


def _reached(one: Found) -> float:
    return one.reach


def _mean(found: Sequence[Found], of: Callable[[Found], float]) -> str:
    value = float(np.mean([of(one) for one in found]))
    return "" if np.isnan(value) else f"{value:.3f}"


def _spanned(found: Sequence[Found], of: Callable[[Found], float]) -> str:
    values = [of(one) for one in found]
    return f"{np.mean(values):.3f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, [int(size) for size in sys.argv[2:]] or SIZES)
