"""The features of 10 M unsorted events: leadscore against polars, DuckDB and pandas, all in one run, with the same answers.

    .venv/bin/python benchmarks/bench_features.py [--events 10000000] [--rounds 2]     the comparison
    .venv/bin/python benchmarks/bench_features.py --linear                             1 M, 10 M and 50 M events, leadscore alone

The world: 8 types, 50 events a lead on average (exponential), 10 landmarks a lead. The question: every count, recency, first and last touch,
active days, trend, share, sum and mean that leadscore declares for these types. leadscore answers its whole row, which is longer; a second line
has it answer the same columns only. It starts from unsorted numpy columns (lead, type, time, value) and ends with the model's rows; the others
start from the same in their own memory (loading is not counted) and end with one float32 column each, in whatever order they like.

Each contender has a process of its own and all cores. A formulation is asked at a tenth of the size first, once; what takes a quarter more than the
best of its library there is not asked again, but told from there. At the full size the better of two tries in one process counts, of which the second
finds its memory warm (one try of what takes 20 s); of leadscore the median of several such processes, before, between and after the others. The last
line compares the same columns; in the one before it leadscore answers its whole row, and the others no more than those columns.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.features_alone import LIBRARIES, SAME, WHOLE, Found, contenders
from benchmarks.features_limit import LEAST, limit
from benchmarks.features_world import EVENTS_A_LEAD, LANDMARKS, SCHEMA, World, asked, make

LINEAR = (1_000_000, 10_000_000, 50_000_000)
SMALL = 1_000_000
HOPELESS = 1.25
"""A formulation that takes this many times the best of its library at the small size is not asked at the full one."""
MOST = 13_000_000
"""Events; the peers' one integer for lead and time holds the leads of no more."""
SCALED = ("pandas",)
"""Asked at the small size only."""


@dataclass(frozen=True)
class Told:
    """What one contender took; `scale` is the size it is told for over the size it was asked at."""

    name: str
    seconds: float
    processor: float
    peak: float
    scale: int = 1


def main(events: int, rounds: int) -> None:
    if events > MOST:
        raise SystemExit(f"--events must be at most {MOST:,} for the comparison, got {events:,}; larger sizes are leadscore's own: --linear.")
    small, scale = (events // 10, 10) if events > SMALL else (events, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs = [c for library in LIBRARIES for c in contenders(library)]
        tried = _tried(folder, small, scale, theirs)
        full = [name for name in theirs if scale == 1 or _worth_it(name, tried)]
        ours, peers = _compared(folder, events, rounds, full)
        peers |= {name: told for name, told in tried.items() if name not in peers}
        _print_table(events, [*ours.values(), *sorted(peers.values(), key=lambda told: told.seconds)], ours[SAME].seconds)
        _print_limit(folder, ours[WHOLE].seconds)
    best = {library: min(told.seconds for told in peers.values() if told.name.startswith(library)) for library in LIBRARIES}
    for name, of in ((WHOLE, f"{len(SCHEMA.features)} columns against {len(asked())}: "), (SAME, "")):
        print(of + ", ".join(f"best {library} {best[library] / ours[name].seconds:.1f}x" for library in LIBRARIES[:2]))


def _tried(folder: Path, small: int, scale: int, theirs: Sequence[str]) -> dict[str, Told]:
    """Each formulation at the small size, told for the full one."""
    if scale == 1:
        return {}
    make(small).save(folder)
    _alone(WHOLE, folder, 1, "--expect")
    return {name: _told(name, [_alone(name, folder, 1)], scale) for name in theirs}


def _worth_it(name: str, tried: dict[str, Told]) -> bool:
    library = name.split(":")[0]
    best = min(told.seconds for told in tried.values() if told.name.startswith(library))
    return library not in SCALED and tried[name].seconds <= HOPELESS * best


def _compared(folder: Path, events: int, rounds: int, full: Sequence[str]) -> tuple[dict[str, Told], dict[str, Told]]:
    """leadscore before, between and after the others."""
    make(events).save(folder)
    mine: dict[str, list[Found]] = {WHOLE: [_alone(WHOLE, folder, rounds, "--expect")], SAME: [_alone(SAME, folder, rounds)]}
    peers = {}
    for name in full:
        peers[name] = _told(name, [_alone(name, folder, 2)])
        mine[WHOLE].append(_alone(WHOLE, folder, rounds))
    mine[SAME].append(_alone(SAME, folder, rounds))
    return {name: _told(name, found) for name, found in mine.items()}, peers


def _alone(name: str, folder: Path, runs: int, *options: str) -> Found:
    found: Found = json.loads(_run("benchmarks.features_alone", name, str(folder), str(runs), *options))
    if found["wrong"]:
        raise SystemExit(f"{name} gives other answers than leadscore in {len(found['wrong'])} columns: {found['wrong'][:5]}")
    print(f"{time.strftime('%H:%M:%S')} {name}: {' '.join(f'{s:.2f}' for s in found['seconds'])} s", file=sys.stderr)
    return found


def _told(name: str, found: Sequence[Found], scale: int = 1) -> Told:
    seconds, processor = (statistics.median(min(part[what]) for part in found) for what in ("seconds", "processor"))
    return Told(name, seconds * scale, processor * scale, max(part["peak"] for part in found), scale)


def _print_table(events: int, lines: Sequence[Told], ours: float) -> None:
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    rows, columns = events // EVENTS_A_LEAD * LANDMARKS, len(SCHEMA.features)
    print(f"{events:,} events, {rows:,} rows, {len(asked())} columns asked for, {columns} in leadscore's whole row;", end=" ")
    print(f"{os.cpu_count()} cores ({platform.machine()}), load {load}\n")
    print("| formulation | seconds | processor s | times leadscore's same columns | peak MB |\n|---|---:|---:|---:|---:|")
    for told in lines:
        peak = f"{told.peak:,.0f}" if told.scale == 1 else ""
        asked_at = "" if told.scale == 1 else f" (asked at {events // told.scale:,}, times {told.scale})"
        print(f"| {told.name}{asked_at} | {told.seconds:.2f} | {told.processor:.2f} | {told.seconds / ours:.2f} | {peak} |")
    print()


def _print_limit(folder: Path, ours: float) -> None:
    """How far the whole row is from reading and sorting the events once and writing the answer once."""
    parts = limit(World.load(folder))
    print("; ".join(f"{name} {seconds:.2f} s" for name, seconds in parts.items()))
    least = sum(parts[name] for name in LEAST)
    print(f"{', '.join(LEAST)}: {least:.2f} s; leadscore takes {ours / least:.1f} times that\n")


def linear(sizes: Sequence[int], rounds: int) -> None:
    """leadscore alone at several sizes, each in a process of its own."""
    print("| events | rows | seconds | µs an event | peak MB | bytes an event | limit, seconds | of the limit |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for events in sizes:
        with tempfile.TemporaryDirectory() as name:
            make(events).save(Path(name))
            told = _told(WHOLE, [_alone(WHOLE, Path(name), rounds, "--unchecked")])
            parts = json.loads(_run("benchmarks.features_limit", name))
        least, rows = sum(parts[part] for part in LEAST), events // EVENTS_A_LEAD * LANDMARKS
        each, size = told.seconds / events * 1e6, told.peak * 2**20 / events
        print(
            f"| {events:,} | {rows:,} | {told.seconds:.2f} | {each:.3f} | {told.peak:,.0f} | {size:.0f} | {least:.2f} | {told.seconds / least:.1f} |",
            flush=True,
        )


def _run(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}).stdout


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The features of many events: leadscore against polars, DuckDB and pandas.")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="how often leadscore answers in each of its processes")
    parser.add_argument("--linear", type=int, nargs="*", metavar="EVENTS", help="leadscore alone, at 1 M, 10 M and 50 M events or at these")
    return parser.parse_args()


if __name__ == "__main__":
    options = _options()
    if options.linear is None:
        main(options.events, options.rounds)
    else:
        linear(options.linear or LINEAR, options.rounds)
