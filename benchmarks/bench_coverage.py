"""How often a 90 % interval holds the true chance: sample worlds, whose true chances are known, of a few hundred to 12,000 leads.

Measured: for every lead that is open at a world's end, whether its true chance lies in the interval that the bundle gives it; the mean width of the
intervals; how much of the attainable information the bundle has. Mean over the seeds and, for the coverage, its lowest and highest.
Bar: coverage .85-.95 at 2,000 and 12,000 leads.
Command: `.venv/bin/python benchmarks/bench_coverage.py [SEEDS] [LEADS ...]`, with 5 seeds of 2,000 and 12,000 leads about ten minutes.
It gets worse where a model is shrunk a lot: what it leaves out is in none of its refits, so the spread is widened by a factor (training/spread.py).
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.truths import TRANSITIONS, TrueWorld, answers, information_captured
from data.contract import DataError
from data.funnel import Funnel
from data.sample.parameters import END
from training.run import train

SIZES = (2_000, 12_000)
FIRST_SEED = 101
"""None that anything was fixed on while it was built."""


def measured(leads: int, seed: int) -> dict[str, tuple[str, float, float, float]]:
    """Of each transition: candidate, coverage, mean width, information captured. Nothing where there was not enough evidence."""
    with TemporaryDirectory() as folder:
        world = TrueWorld.made(Path(folder) / "world", leads, seed)
        try:
            bundle = train(world.dataset, Funnel(), END).bundle
        except DataError:
            return {}
        found = {}
        for transition, hop, X, truth in answers(bundle, world):
            raw = hop.model.raw_score(X)
            low, high = hop.interval(X, raw)
            held = float(np.mean((low <= truth) & (truth <= high)))
            said = 1 / (1 + np.exp(-np.asarray(hop.calibrator.logit(raw))))
            found[transition] = (str(hop.evaluation["candidate"]), held, float(np.mean(high - low)), information_captured(truth, said))
        return found


def main(seeds: int, sizes: tuple[int, ...]) -> None:
    """The table, a row as soon as it is known."""
    print("| leads | transition | coverage (lowest-highest) | mean width | information | candidates |\n|---:|---|---:|---:|---:|---|", flush=True)
    for leads in sizes:
        worlds = [measured(leads, FIRST_SEED + i) for i in range(seeds)]
        for transition in TRANSITIONS:
            names, *numbers = zip(*(world[transition] for world in worlds if transition in world), strict=True) if any(worlds) else ((),)
            if not names:
                print(f"| {leads:,} | {transition} | not enough evidence | | | |")
                continue
            held, width, known = (np.array(values, np.float64) for values in numbers)
            span = f"{held.mean():.3f} ({held.min():.2f}-{held.max():.2f})"
            told = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
            print(f"| {leads:,} | {transition} | {span} | {width.mean():.3f} | {known.mean():.3f} | {told} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, tuple(int(size) for size in sys.argv[2:]) or SIZES)
