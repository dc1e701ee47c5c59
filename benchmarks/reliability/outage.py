"""The database goes and comes back: scores are given all the while, the rest says 503 with its name, and nobody restarts anything."""

import threading
import time
from pathlib import Path

from benchmarks.reliability.audit import missing
from benchmarks.reliability.databases import database
from benchmarks.reliability.instance import Instance, instance, publish
from benchmarks.reliability.traffic import Acknowledged, Callers, one_round, score_once
from registry.bundle import Bundle

_EVENT = {"lead_id": "L-2", "occurred_at": "2026-06-01T00:00:00Z", "type": "email_open"}


def outage(folder: Path, bundle: Bundle, seconds: float, workers: int = 2) -> dict[str, object]:
    """PostgreSQL is stopped at once for `seconds` under load. The figures."""
    before, during, after = Acknowledged(), Acknowledged(), Acknowledged()
    with database("postgresql", folder) as held:
        publish(held, bundle)
        with instance(held, folder / "home", workers) as running:
            with Callers(running, before, one_round, threads=4):
                time.sleep(min(seconds, 3))
            held.go()
            with Callers(running, during, lambda i, k, _: score_once(i, k, "L-1"), threads=4, per_second=20):
                noticed = running.until(lambda: "database" in running.call("GET", "/readyz")[1].get("down", []))
                others = _asked_without(running)
                time.sleep(seconds)
            held.come_back()
            recovered = running.until(lambda: running.status("GET", "/v1/queue") == 200)
            with Callers(running, after, one_round, threads=4):
                time.sleep(min(seconds, 3))
            running.until(lambda: missing(held, during)["scores"] == 0)
            running.stop()
        lost = [missing(held, kept) for kept in (before, during, after)]
    return {
        "seconds without": seconds, "scores meanwhile": len(during.scores), "scores refused meanwhile": dict(during.refused),
        "slowest score meanwhile, ms": round(max(during.milliseconds)), "other calls": others, "noticed after, s": round(noticed, 2),
        "recovered after, s": round(recovered, 2), "missing": {name: sum(part[name] for part in lost) for name in lost[0]},
        "refused afterwards": dict(after.refused),
    }  # fmt: skip


def _asked_without(running: Instance) -> dict[str, str]:
    """How the calls that need the store are refused, and in what time."""
    told = {}
    calls = [
        ("GET", "/v1/queue", None),
        ("PUT", "/v1/leads/L-2", {"budget": 1}),
        ("POST", "/v1/events", {"items": [_EVENT]}),
        ("GET", "/v1/leads/L-2", None),
    ]
    lock = threading.Lock()

    def ask(method: str, path: str, body: object) -> None:
        began = time.monotonic()
        status, answer = running.call(method, path, body)
        with lock:
            told[f"{method} {path}"] = f"{status} {answer.get('error')} in {time.monotonic() - began:.1f} s"

    for call in calls:
        ask(*call)
    return told
