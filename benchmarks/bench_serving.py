"""`POST /v1/score` against a floor that scores nothing and against `mlflow models serve`; latency under load; batches; where the time goes.

    .venv/bin/python benchmarks/bench_serving.py [--seconds 3] [--rounds 3] [--home LEADSCORE_HOME]

Without a home that has a champion a sample world is made and trained on first, some 60 seconds. So small a world is too small for trees two
transitions ahead, and one transition ahead would be all that is paid for: the second gets the trees and the interval of the first. The floor
validates the same body and returns the same JSON, as one would write such a call: a dict, made into JSON for each request.

Servers are pinned to one core, each with the drainer of its spool, the load generator to another. What the drainer, which has less of a claim on the
core, has left when a measurement ends is waited for before the next one, and told. Each round measures every contender in turn, and medians are told:
a machine that others use slows all of them. Latencies are measured ahead of all else that runs, where the machine permits that (to root on Linux):
otherwise some milliseconds of another program would be told as the tail of a server.
"""

import argparse
import asyncio
import gc
import http.client
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from math import isnan
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from load import Call, answers, latencies, run, top_rate
from serving_parts import parts

from data.contract import DAY, format_instant
from data.dataset import read_dataset
from data.funnel import Funnel
from data.home import clock
from data.store import Store, open_store
from registry.bundle import Bundle
from registry.models import Boosted
from serving.contract import ScoreRequest
from serving.scorer import Scorer
from serving.spool import waiting

LEADS = "2500"
EVENTS = 50
A_WEEK = 2
CONNECTIONS = 8
BATCH = 1_000
LOAD = 0.7
PATIENCE_SECONDS = 120
HERE = Path(__file__).parent
PROGRAM = str(Path(sys.executable).with_name("leadscore"))
OURS = "`POST /v1/score`"
FLOOR = "floor: the same body checked, the same JSON returned"
MLFLOW = "`mlflow models serve`: the finished row, no reasons"


@dataclass(frozen=True)
class Contender:
    """A server on its port, and what it is asked."""

    name: str
    port: int
    calls: Sequence[Call]
    process: int


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = options.home or str(Path(folder) / "home")
        environment = os.environ | {"LEADSCORE_HOME": home, "LEADSCORE_RATE_PER_SECOND": "1000000", "PYTHONPATH": f"{HERE.parent}"}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # mlflow starts `uvicorn` by its name
        _prepare(Path(folder), environment, train=options.home is None)
        os.environ["LEADSCORE_HOME"] = home
        _grow_second_transition()
        scorer = _champion()
        bodies = _bodies(Path(folder) / "world", scorer)
        core, of_generator = min(cores := os.sched_getaffinity(0)), max(cores)
        contenders = [stack.enter_context(c) for c in _contenders(Path(folder), environment, core, scorer, bodies)]
        os.sched_setaffinity(0, {of_generator})
        print(f"{platform.machine()}, {len(cores)} cores, Python {platform.python_version()}; {options.rounds} rounds of {options.seconds:g} s\n")
        gc.collect()
        gc.disable()  # the worlds held here are large: a pass over them would stall the generator, and be told as the servers' latency
        run(_measured(contenders, bodies, options.seconds, options.rounds, Path(home) / "spool"))
        gc.enable()
        os.sched_setaffinity(0, {core})
        parts(scorer, [orjson.dumps(body) for body in bodies], Path(folder) / "spool")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--home", help="a LEADSCORE_HOME with a champion, trained on a sample world")
    return parser.parse_args()


def _prepare(folder: Path, environment: Mapping[str, str], train: bool) -> None:
    commands = [["sample", "world", "--leads", LEADS], *([["train", "world", "--promote", "always"]] if train else [])]
    for command in commands:
        subprocess.run([PROGRAM, *command], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _grow_second_transition() -> None:
    """Promotes a bundle whose leads are answered by trees for both transitions ahead, where the champion's are not."""
    with open_store() as store:
        version = _current(store)
        bundle = Bundle.from_bytes(store.bundle(version))
        first, second, *_ = bundle.hops_from(bundle.path[0])
        if not isinstance(first.model, Boosted):
            raise SystemExit(f"the champion must answer {first.transition} by trees; it does by {first.model.kind}. Train on more leads.")
        if not isinstance(second.model, Boosted):
            grown = replace(second, model=first.model, spread=first.spread)
            bundle = replace(bundle, hops=tuple(grown if hop is second else hop for hop in bundle.hops))
            store.put_bundle(f"{version}-grown", bundle.hash, bundle.to_bytes())
            store.promote(f"{version}-grown", "benchmark")


def _current(store: Store) -> str:
    current = store.champion()
    if current is None:
        raise SystemExit("the home must have a champion; `leadscore train` makes one.")
    return current[0]


def _champion() -> Scorer:
    with open_store() as store:
        version = _current(store)
        return Scorer.of(Bundle.from_bytes(store.bundle(version)), version, Funnel())


def _bodies(world: Path, scorer: Scorer) -> list[dict[str, Any]]:
    """Leads of the world as a CRM would send them, with their latest 50 events up to a Monday on which they stood in the first stage."""
    dataset, found = read_dataset(world, funnel=Funnel())[0], list[dict[str, Any]]()
    leads, accounts = dataset.leads.to_pylist(), {row["account_id"]: row for row in dataset.accounts.to_pylist()}
    events, stages = _by_lead(dataset.events, "occurred_at"), _by_lead(dataset.stages, "entered_at")
    for week in range(1, 41):
        as_of = dataset.data_end - week * 7 * DAY
        sent = (_sent(lead, accounts, events, stages, as_of) for lead in leads if lead["created_at"] <= as_of)
        full = (body for body in sent if len(body["events"]) == EVENTS and len(body["stages"]) < 2)
        ahead = (body for body in full if len(scorer.answer(ScoreRequest.model_validate(body), clock())["transitions"]) > 1)
        found += islice(ahead, A_WEEK)
    return found


Rows = dict[str, list[dict[str, Any]]]


def _sent(lead: dict[str, Any], accounts: Mapping[str, Any], events: Rows, stages: Rows, as_of: int) -> dict[str, Any]:
    return {
        "lead": lead | {"created_at": format_instant(lead["created_at"]), "recorded_at": None},
        "account": accounts.get(lead["account_id"], {}),
        "events": [_given(row, "occurred_at", "type", "value", "channel") for row in _until(events, lead["lead_id"], as_of)[-EVENTS:]],
        "stages": [_given(row, "entered_at", "stage") for row in _until(stages, lead["lead_id"], as_of)],
        "as_of": format_instant(as_of),
    }


def _by_lead(table: pa.Table, time: str) -> Rows:
    """Each lead's rows in order; `at` is their time in micros, which stands as text in its own column."""
    found: Rows = {}
    for row in sorted(table.to_pylist(), key=itemgetter(time)):
        found.setdefault(row["lead_id"], []).append(row | {"at": row[time], time: format_instant(row[time])})
    return found


def _until(rows: Rows, lead_id: str, as_of: int) -> list[dict[str, Any]]:
    of_lead = rows.get(lead_id, [])
    return of_lead[: bisect_right(of_lead, as_of, key=itemgetter("at"))]


def _given(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names if row.get(name) is not None}


def _contenders(folder: Path, environment: dict[str, str], core: int, scorer: Scorer, bodies: list[dict[str, Any]]) -> Iterator[Any]:
    """Each as a context manager that gives a Contender."""
    scored = [scorer.score(ScoreRequest.model_validate(body), clock()) for body in bodies]
    example = folder / "answer.json"
    example.write_bytes(orjson.dumps(scored[0][0]))
    sent, names = [orjson.dumps(body) for body in bodies], ["stage", *(column.name for column in scorer.bundle.schema.columns)]
    rows = [[record.stage, *(_number(x) for x in np.frombuffer(record.features, "<f4").tolist())] for _, record in scored]
    finished = [orjson.dumps({"dataframe_split": {"columns": names, "data": [row]}}) for row in rows]
    tracked = environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{Path(environment['LEADSCORE_HOME']).resolve()}/mlflow.db"}
    mlflow = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", "models:/leadscore@champion", "--env-manager", "local"]
    yield _serving(OURS, [PROGRAM, "serve"], environment, core, "/readyz", [Call("/v1/score", body) for body in sent])
    yield _serving(FLOOR, [sys.executable, str(HERE / "floor.py"), str(example)], environment, core, "/readyz", [Call("/floor", b) for b in sent])
    yield _serving(MLFLOW, mlflow, tracked, core, "/ping", [Call("/invocations", row) for row in finished])


def _number(value: float) -> float | None:
    return None if isnan(value) else value


@contextmanager
def _serving(name: str, command: list[str], environment: dict[str, str], core: int, probe: str, calls: Sequence[Call]) -> Iterator[Contender]:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=quiet, stderr=quiet, start_new_session=True)
    os.sched_setaffinity(process.pid, {core})
    try:
        began = time.monotonic()
        while not _is_up(port, probe):
            if process.poll() is not None or time.monotonic() - began > PATIENCE_SECONDS:
                raise SystemExit(f"{' '.join(command)} did not come up (exit code {process.poll()}).")
            time.sleep(0.1)
        yield Contender(name, port, calls, process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _is_up(port: int, probe: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", probe)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def _measured(contenders: Sequence[Contender], bodies: Sequence[Mapping[str, Any]], seconds: float, rounds: int, spool: Path) -> None:
    for contender in contenders:
        await top_rate(contender.port, contender.calls, CONNECTIONS, seconds / 2)  # warm
    rates, behind = {c.name: list[float]() for c in contenders}, list[float]()
    for _ in range(rounds):
        for c in contenders:
            rates[c.name].append(await top_rate(c.port, c.calls, CONNECTIONS, seconds))
            behind.append(await _drained(spool))
    top = {name: statistics.median(found) for name, found in rates.items()}
    spread: dict[str, list[tuple[float, float]]] = {c.name: [] for c in contenders}
    for _ in range(rounds):
        for c in contenders:
            with _ahead_of_all(c.process, os.getpid()):
                found = await latencies(c.port, c.calls, LOAD * top[c.name], seconds)
            spread[c.name].append((found.quantile(0.5), found.quantile(0.99)))
            await _drained(spool)
    print(f"| {EVENTS} events, 1 process on 1 core | requests/s | of ours | p50 ms at 70 % | p99 ms | p99/p50 |\n|---|---:|---:|---:|---:|---:|")
    latency = {name: tuple(statistics.median(side) for side in zip(*found, strict=True)) for name, found in spread.items()}
    for name, (p50, p99) in latency.items():
        print(f"| {name} | {top[name]:,.0f} | {top[name] / top[OURS]:.2f} | {1e3 * p50:.2f} | {1e3 * p99:.2f} | {p99 / p50:.1f} |")
    print(f"\nAfter {seconds:g} s at the top rate on one core the ledger had caught up within {max(behind):.1f} s.")
    print(f"Batch of {BATCH:,}: {await _batch_rate(contenders[0].port, bodies, rounds):,.0f} leads/s, reasons and ledger included.")
    p50, p99 = latency[OURS]
    print(f"Ratios: {top[OURS] / top[FLOOR]:.2f} of the floor, {top[OURS] / top[MLFLOW]:.1f}x mlflow, p99 {p99 / p50:.1f}x p50 at 70 % load.\n")


@contextmanager
def _ahead_of_all(*processes: int) -> Iterator[None]:
    """The processes' threads scheduled in real time, without their children: a drainer stays behind. Nothing changes where that is not permitted."""
    try:
        _schedule(processes, os.SCHED_RR, 1)
        yield
    finally:
        _schedule(processes, os.SCHED_OTHER, 0)


def _schedule(processes: Sequence[int], policy: int, priority: int) -> None:
    for process in processes:
        for thread in Path(f"/proc/{process}/task").iterdir():
            with suppress(PermissionError, ProcessLookupError):
                os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))


async def _drained(spool: Path) -> float:
    """Until the scores just given are in the ledger's table: the next contender is not to share the core with that. The seconds that took."""
    began = time.monotonic()
    while waiting(spool):
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def _batch_rate(port: int, bodies: Sequence[Mapping[str, Any]], rounds: int) -> float:
    items = [bodies[n % len(bodies)] for n in range(BATCH)]
    call, taken = Call("/v1/score/batch", orjson.dumps({"items": items})), []
    for _ in range(rounds):
        began = time.perf_counter()
        await answers(port, [call])
        taken.append(time.perf_counter() - began)
    return BATCH / statistics.median(taken)


if __name__ == "__main__":
    main()
