"""One lead of 50 events: from a checked request to the model's input row, against what pydantic takes to check the same body.

    .venv/bin/python benchmarks/bench_one_lead.py [--leads 1000]

The schema is that of a sample world, found from its data as `leadscore train` finds it; the bodies carry its types of events, its channels and its
attributes, and a stage history. One row serves the models of all transitions. Each step is timed over all bodies in turn; the best of the rounds
is told.
"""

import argparse
import math
import platform
import sys
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data.contract import DAY, format_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.sample import write_sample
from features.discovery import discover
from features.rows import compute_told
from features.schema import Schema
from features.timeline import run_told
from features.warm import warm
from serving.contract import ScoreRequest
from serving.histories import Reader

EVENTS, BODIES, ROUNDS = 50, 50, 60
AT_MOST_MICROS = 50
COLLEAGUES = 10


def world(leads: int) -> tuple[Schema, Dataset]:
    funnel = Funnel()
    with TemporaryDirectory() as folder:
        write_sample(Path(folder) / "world", leads)
        dataset, _ = read_dataset(Path(folder) / "world", funnel=funnel)
    return discover(dataset, funnel)[0], dataset


def body(schema: Schema, dataset: Dataset, row: int, draw: np.random.Generator) -> bytes:
    """A lead as a CRM sends it: created 100 days ago, a prospect for 40, its events in order of time."""
    lead = {name: value for name, value in dataset.leads.slice(row, 1).to_pylist()[0].items() if value is not None}
    now = dataset.data_end
    lead["created_at"] = format_instant(now - 100 * DAY)
    lead.pop("recorded_at", None)
    account = next((a for a in dataset.accounts.to_pylist() if a["account_id"] == lead.get("account_id")), {})
    return orjson.dumps(
        {
            "lead": lead,
            "account": {name: value for name, value in account.items() if value is not None},
            "events": sorted((event(schema, now, draw) for _ in range(EVENTS)), key=itemgetter("occurred_at")),
            "account_events": [event(schema, now, draw) for _ in range(COLLEAGUES)] if schema.colleagues else [],
            "stages": [{"entered_at": format_instant(now - 40 * DAY), "stage": schema.stages[1]}],
        }
    )


def event(schema: Schema, now: int, draw: np.random.Generator) -> dict[str, Any]:
    kind = schema.types[draw.integers(len(schema.types))]
    found: dict[str, Any] = {"occurred_at": format_instant(now - int(draw.integers(100 * DAY))), "type": kind.name}
    if kind.has_value:
        found["value"] = round(float(draw.exponential(30.0)), 2)
    if schema.channels:
        found["channel"] = str(draw.choice(schema.channels))
    return found


def micros(steps: Sequence[tuple[Callable[[Any], object], Sequence[Any]]]) -> list[float]:
    """Of each step the best round's mean over what it is given: rounds go through all steps, and what others take of the machine is nobody's step."""
    best = [math.inf] * len(steps)
    for _ in range(ROUNDS):
        for i, (call, given) in enumerate(steps):
            began = perf_counter()
            for one in given:
                call(one)
            best[i] = min(best[i], 1e6 * (perf_counter() - began) / len(given))
    return best


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--leads", type=int, default=1000, help="of the sample world that the schema is found from")
    schema, dataset = world(options.parse_args().leads)
    warm()
    draw, now = np.random.default_rng(0), dataset.data_end
    bodies = [body(schema, dataset, row, draw) for row in draw.choice(len(dataset.leads), BODIES)]
    reader = Reader(schema, Funnel())
    requests = [ScoreRequest.model_validate_json(one) for one in bodies]
    histories = [reader.read(one, now) for one in requests]
    row = np.empty((1, len(schema.columns)), np.float32)
    checked, read, swept, computed = micros(
        (
            (ScoreRequest.model_validate_json, bodies),
            (lambda one: reader.read(one, now), requests),
            (lambda one: run_told(schema.program, [one.past], len(schema.stages), row), histories),
            (lambda one: compute_told(schema, [one.past], [one.values]), histories),
        )
    )
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread; {EVENTS} events, body of {len(bodies[0]):,} bytes")
    print(f"{len(schema.features)} features of events and stages, {len(schema.columns)} columns of the row\n")
    print(f"{'':58}{'µs':>7}{'of the check':>14}")
    for what, taken in (
        ("the body checked (pydantic)", checked),
        ("the history read: times, kinds, stages, attributes' texts", read),
        ("the row: sweep, colleagues, encoders of attributes", computed),
        ("  of it the sweep through events and stages", swept),
        ("history and row", read + computed),
    ):
        print(f"{what:58}{taken:7.1f}{taken / checked:13.2f}x")
    print(f"\nfrom parsed events to the model's row {computed:.0f} us (bar {AT_MOST_MICROS}), {checked / computed:.1f}x faster than the check")


if __name__ == "__main__":
    main()
