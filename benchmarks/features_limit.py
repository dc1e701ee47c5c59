"""The physical limit of `bench_features.py`: the events read and sorted once, the answer written once.

    python -m benchmarks.features_limit FOLDER

reads the world in FOLDER and prints seconds as JSON. The sort is numpy's, of one integer for lead and time, without the
events' other columns: the least that a way by sorting could pay.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.features_world import SCHEMA, World, asked
from features.timeline import build

LEAST = ("read once", "sorted once by numpy", "answer written once")
TRIES = 3
MOST_ROWS = 500_000
"""Written at once; more are told from these."""


def limit(world: World) -> dict[str, float]:
    """Seconds, the best of three tries each, on one core but for leadscore's own sort."""
    events, none = (world.lead, world.kind, world.time, world.value), np.zeros(0, np.int64)
    stages = (none, none.astype(np.int16), none)
    key = (world.lead << 44) + ((world.time - world.time.min()) >> 1)  # half the clock: this world's leads and times in 64 bits
    rows = min(world.spine_lead.size, MOST_ROWS)
    answer, times = np.ones((rows, len(SCHEMA.features)), np.float32), world.spine_lead.size / rows
    return {
        LEAST[0]: _best(lambda: [column.max() for column in events]),
        LEAST[1]: _best(lambda: np.sort(key)),
        LEAST[2]: _best(answer.copy) * times,
        "sorted once by leadscore": _best(lambda: build(world.created, events, stages, len(SCHEMA.stages))),
        "the columns asked for written once": _best(answer[:, : len(asked())].copy) * times,
    }


def _best(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(TRIES))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(limit(World.load(Path(sys.argv[1])))))
