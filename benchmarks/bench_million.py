"""`leadscore score` for a million leads with fifty million events: how long each step takes, how much memory, and what the reasons cost.

The leads are those of a sample world, copied under new ids until there are enough; events are thinned out to 50 a lead, and nine of ten exits are
left out, so that most leads are open and have to be scored. A champion is trained on the world's first 2,000 leads. What the command runs is
run with two workers; what it keeps in its work folder tells when each step ended, and /proc tells the memory of all of its processes, twice a second.

python benchmarks/bench_million.py [--leads 1000000] [--parts N ...] [--keep FOLDER]

What would make it worse: more reasons for each row (`reasons` is most of the file), a few accounts with a large share of all leads (leads of one
account stay together), gzip (a file is unpacked twice), and a slow disk: the rows are written twice, packed, before they are scored.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data.contract import EXITS
from data.dataset import read_dataset
from data.funnel import Funnel
from data.sample import tables
from data.sample.parameters import END
from data.sample.world import World, simulate
from data.store import open_store
from registry.bundle import Bundle
from training.run import train

ROOT = Path(__file__).resolve().parent.parent
BASE, TRAINED = 20_000, 2_000
EVENTS_A_LEAD = 50
OWN = {"leads": ("lead_id", "account_id"), "accounts": ("account_id",), "events": ("lead_id", "event_id"), "stages": ("lead_id",)}
OWN |= {"deals": ("deal_id", "lead_id"), "changes": ("id",)}


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--leads", type=int, default=1_000_000)
    asked.add_argument("--parts", type=int, nargs="*", default=[], help="numbers of partitions to try (default: as the command chooses)")
    asked.add_argument("--keep", help="a folder that keeps the world and the champion for the next time")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(told.keep or scratch)
        world, home = prepared(place, told.leads)
        print(f"{told.leads:,} leads, {size_of(world) / 1e9:.1f} GB of CSV, {os.cpu_count()} cores\n")
        print("partitions  dealt out    typed   scored   merged      all  computing      rows  rows/s  the command   a worker  all together")
        for parts in told.parts or [None]:
            print(row(run(world, home, place / "scores.csv", parts)), flush=True)
    return 0


def prepared(place: Path, leads: int) -> tuple[Path, Path]:
    """The folder of the world, and the home of its champion; made where they are not there."""
    place.mkdir(parents=True, exist_ok=True)
    world, home = place / f"world-{leads}", place / "home"
    base = simulate(min(leads, BASE), 0, END)
    if not (world / "done").exists():
        write(base, world, leads)
    if not (home / "done").exists():
        write(base, place / "small", TRAINED)
        publish(place / "small", home)
    return world, home


def write(base: World, folder: Path, leads: int) -> None:
    """Copies of the base's leads and all that is theirs, until there are so many."""
    folder.mkdir(parents=True, exist_ok=True)
    size = base_size(base)
    for name, ids in OWN.items():
        table = getattr(tables, f"{name}_table")(base)
        if name == "events":
            table = table.filter(pa.array(np.random.default_rng(0).random(table.num_rows) < EVENTS_A_LEAD * size / table.num_rows))
        if name == "stages":
            kept = np.random.default_rng(1).random(table.num_rows) < 0.1
            table = table.filter(pc.or_(pc.invert(pc.is_in(table["stage"], value_set=pa.array(EXITS))), pa.array(kept)))
        with pa.csv.CSVWriter(str(folder / f"{name}.csv"), table.schema) as file:
            for part in copies(table, ids, size, leads):
                file.write_table(part)
    (folder / "done").touch()


def base_size(base: World) -> int:
    return tables.leads_table(base).num_rows


def copies(table: pa.Table, ids: Sequence[str], size: int, leads: int) -> Iterator[pa.Table]:
    for number in range(-(-leads // size)):
        part = table
        if leads < size and "lead_id" in table.column_names:
            part = table.filter(pc.is_in(table["lead_id"], value_set=pa.array(tables.lead_ids(size)[:leads])))
        for name in ids:
            named = pc.binary_join_element_wise(part[name].cast(pa.string()), f"{number}", "-")
            part = part.set_column(part.column_names.index(name), name, named)
        yield part


def publish(world: Path, home: Path) -> None:
    """Trains on the world and makes what comes of it the champion at `home`."""
    os.environ["LEADSCORE_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    dataset = read_dataset(world, funnel=Funnel())[0]
    bundle: Bundle = train(dataset, Funnel(), END).bundle
    with open_store() as store:
        store.put_bundle("1", bundle.hash, bundle.to_bytes())
        store.promote("1", "benchmark")
    (home / "done").touch()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.csv"))


@dataclass
class Run:
    """Seconds after the start at which each step had ended, bytes of memory at most, and seconds of computing by all processes."""

    parts: int = 0
    ends: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    itself: int = 0
    worker: int = 0
    together: int = 0
    worked: float = 0.0


_SCORE = """
from pathlib import Path
from rich.console import Console
from data.funnel import Funnel
from data.workers import in_processes
from serving.commands import bundle_of, score_folder
from serving.scorer import Scorer
from serving.scoring_progress import steps
from serving.scoring_run import workplace
if __name__ == "__main__":
    scorer = Scorer.of(*bundle_of(None), Funnel())
    with workplace(Path({out!r})) as place, steps(Console(stderr=True)) as tell, in_processes({workers}) as each:
        score_folder(scorer, Funnel(), Path({world!r}), None, Path({out!r}), None, place, each, tell, {parts})
        place.clear()
"""
WORKERS = 2


def run(world: Path, home: Path, out: Path, parts: int | None) -> Run:
    env = {name: value for name, value in os.environ.items() if not name.startswith("LEADSCORE_")} | {"LEADSCORE_HOME": str(home)}
    before = os.times()
    began, found, work = time.perf_counter(), Run(), out.with_name(f".{out.name}.work")
    script = _SCORE.format(out=str(out), world=str(world), parts=parts, workers=WORKERS)
    log = (out.parent / "told").open("wb")
    child = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=env, stderr=log)
    while child.poll() is None:
        watch(found, child.pid, work, time.perf_counter() - began)
        time.sleep(0.5)  # memory is looked at twice a second
    if child.returncode:
        raise SystemExit((out.parent / "told").read_text())
    found.ends["all"] = time.perf_counter() - began
    after = os.times()
    found.worked = after.children_user + after.children_system - before.children_user - before.children_system
    found.rows = sum(1 for _ in out.open("rb")) - 1
    return found


def watch(found: Run, pid: int, work: Path, now: float) -> None:
    """What has ended by now, by the files that are there; and the memory."""
    if (work / "data" / "split.json").exists():
        found.ends.setdefault("dealt", now)
    found.parts = max(found.parts, len(list((work / "data" / "typed").glob("[0-9]*"))))
    scores = list(work.glob("scores-*/[0-9]*.json"))
    if list(work.glob("scores-*")):
        found.ends.setdefault("typed", now)
    if found.parts and len(scores) == found.parts:
        found.ends.setdefault("scored", now)
    itself, *workers = (memory(process) for process in family(pid))
    found.itself, found.worker = max(found.itself, itself), max(found.worker, *workers, 0)
    found.together = max(found.together, itself + sum(workers))


def family(pid: int) -> list[int]:
    """The process and its children's children."""
    try:
        children = [int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(below for child in children for below in family(child))]


def memory(pid: int) -> int:
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in told.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0")
    return int(line.split()[1]) * 1024


def row(found: Run) -> str:
    names = ("dealt", "typed", "scored", "all")
    ends = [found.ends.get(name, float("nan")) for name in names]
    steps = [end - begin for begin, end in zip([0.0, *ends[:-1]], ends, strict=True)]
    told = [f"{found.parts:10,}", f"{steps[0]:7.0f} s", f"{steps[1]:5.0f} s", f"{steps[2]:5.0f} s", f"{steps[3]:5.0f} s", f"{ends[3]:5.0f} s"]
    told += [f"{found.worked:7.0f} s", f"{found.rows:8,}", f"{found.rows / steps[2]:6,.0f}"]
    return "  ".join([*told, f"{found.itself / 1e9:8.2f} GB", f"{found.worker / 1e9:6.2f} GB", f"{found.together / 1e9:9.2f} GB"])


if __name__ == "__main__":
    sys.exit(main())
