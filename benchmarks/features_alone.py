"""One contender of `bench_features.py` in a process of its own, which has both cores and whose memory nobody shares.

    python -m benchmarks.features_alone CONTENDER FOLDER RUNS [--expect | --unchecked]

reads the world in FOLDER, answers RUNS times and prints seconds, processor seconds, peak memory and the columns that are not as leadscore has them
(`expected.npy` in FOLDER, which --expect writes), as JSON.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from benchmarks.features_world import SCHEMA, World, asked, make
from features import timeline
from features.declarations import Feature

WHOLE, SAME = "leadscore: its whole row", "leadscore: the same columns only"
LIBRARIES = ("polars", "duckdb", "pandas")
ENOUGH_SECONDS = 20.0
"""What took longer than this is not asked again."""

EXACT = ("count", "active_days", "first_is", "last_is")
RELATIVE, ABSOLUTE = 5e-7, 1e-6
"""What may lie between two answers that are not whole numbers: four units in the last place of float32."""

Rows = NDArray[np.float32]


class Found(TypedDict):
    """Of each try its seconds and processor seconds; the peak of all in MB; the columns that are not as leadscore has them."""

    seconds: list[float]
    processor: list[float]
    peak: float
    wrong: list[str]


def contenders(library: str) -> Mapping[str, Callable[[Any, Sequence[Feature]], Any]]:
    module = import_module(f"benchmarks.features_{library}")
    return {f"{library}: {name}": function for name, function in module.FORMULATIONS.items()}


def main(name: str, folder: Path, runs: int, *, expect: bool = False, check: bool = True) -> Found:
    world = World.load(folder)
    answer = _ours(name) if name in (WHOLE, SAME) else _theirs(name)
    answer(make(2_000))()  # libraries and kernels are loaded, threads are started
    ready = answer(world)
    _forget_the_peak()
    seconds, processor, given = [], [], None
    for _ in range(runs):
        if sum(seconds) > ENOUGH_SECONDS:
            break
        given = None
        gc.collect()
        began, busy = time.perf_counter(), time.process_time()
        given = ready()
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - busy)
    peak = _status("VmHWM")
    wrong = differing(named(given, name), np.load(folder / "expected.npy", mmap_mode="r")) if check and not expect else []
    if expect:
        np.save(folder / "expected.npy", expected(given))
    return {"seconds": seconds, "processor": processor, "peak": peak, "wrong": wrong}


def _ours(name: str) -> Callable[[World], Callable[[], Rows]]:
    program = SCHEMA.program
    if name == SAME:
        kept = np.array([f in set(asked()) for f in SCHEMA.features])
        program = replace(program, op=program.op[kept], slot=program.slot[kept], window=program.window[kept], other=program.other[kept])

    def answer(world: World, rows: Rows) -> Rows:
        none = np.zeros(0, np.int64)
        line = timeline.build(
            world.created, (world.lead, world.kind, world.time, world.value), (none, none.astype(np.int16), none), len(SCHEMA.stages)
        )
        timeline.run(program, line, world.spine_lead, world.spine_as_of, rows)
        return rows

    def ready(world: World) -> Callable[[], Rows]:
        rows = np.ones((world.spine_lead.size, program.op.size), np.float32)  # as in a training, whose blocks are all written to the same memory
        return lambda: answer(world, rows)

    return ready


def _theirs(name: str) -> Callable[[World], Callable[[], Any]]:
    library = name.split(":")[0]
    function, columns = contenders(library)[name], asked()

    def ready(world: World) -> Callable[[], Any]:
        frames = import_module(f"benchmarks.features_{library}").Frames(world)
        return lambda: function(frames, columns)

    return ready


def expected(rows: Rows) -> Rows:
    """(columns asked for, spine): leadscore's answer out of its whole row or out of those columns alone."""
    place = (
        {f.name: i for i, f in enumerate(SCHEMA.features)} if rows.shape[1] == len(SCHEMA.features) else {f.name: i for i, f in enumerate(asked())}
    )
    return np.ascontiguousarray(rows[:, [place[f.name] for f in asked()]].T)


def named(given: Any, name: str) -> Callable[[int], NDArray[Any]]:
    """The column of each feature asked for, in the spine's order."""
    if name in (WHOLE, SAME):
        every = expected(given)
        return lambda i: every[i]
    names = [f.name for f in asked()]
    order = np.argsort(given["row"].to_numpy()) if name.startswith("duckdb") else slice(None)
    return lambda i: np.asarray(given[names[i]].to_numpy(), np.float32)[order]


def differing(column: Callable[[int], NDArray[Any]], truth: NDArray[np.float32]) -> list[str]:
    """Names of the columns that are not the same: exactly for counts and yes or no, within float32's rounding for the others."""
    wrong = []
    for i, feature in enumerate(asked()):
        one, other = column(i), truth[i]
        exact = feature.op in EXACT
        same = np.array_equal(one, other, equal_nan=True) if exact else np.allclose(one, other, RELATIVE, ABSOLUTE, equal_nan=True)
        if not same:
            wrong.append(feature.name)
    return wrong


def _status(field: str) -> float:
    """MB, from /proc."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def _forget_the_peak() -> None:
    """The highest resident size counts from here on: what made the world ready is not the contender's."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), expect="--expect" in sys.argv, check="--unchecked" not in sys.argv)))
