"""Two services on one database: the same rows through both stand there once, and both serve the same champion."""

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.reliability.audit import missing
from benchmarks.reliability.databases import database
from benchmarks.reliability.instance import Instance, instance, publish
from benchmarks.reliability.traffic import Acknowledged, Callers
from data.contract import format_instant
from data.home import clock
from registry.bundle import Bundle


def pair(kind: str, folder: Path, bundles: tuple[Bundle, Bundle], seconds: float) -> dict[str, object]:
    """Both under load, each event sent to both at once, promotions through either. The figures."""
    kept, failed = Acknowledged(), Acknowledged()
    with database(kind, folder) as held:
        publish(held, *bundles)
        with instance(held, folder / "one") as one, instance(held, folder / "two") as two:
            with Callers(one, kept, _through(two), threads=3, seed=1), Callers(two, kept, _through(one), threads=3, seed=2):
                end, moves, slowest = time.monotonic() + seconds, 0, 0.0
                while time.monotonic() < end:
                    by, version = (one, "2") if moves % 2 == 0 else (two, "1")
                    assert by.call("POST", f"/v1/models/{version}/promote", {})[0] == 200
                    agreed = [each.until(lambda each=each, v=version: each.call("GET", "/v1/model")[1]["version"] == v) for each in (one, two)]
                    slowest, moves = max(slowest, *agreed), moves + 1
            one.until(lambda: missing(held, kept)["scores"] == 0)
            one.stop(), two.stop()
        lost = missing(held, kept)
    return {
        "database": kind, "seconds": seconds, "events sent to both": len(kept.events), "promotions": moves, "agreed within, s": round(slowest, 2),
        "refused": dict(kept.refused + failed.refused), "missing": lost,
    }  # fmt: skip


def _through(other: Instance) -> Any:
    def both(instance: Instance, kept: Acknowledged, _: object) -> None:
        lead, now = uuid4().hex, format_instant(clock() - 1_000_000)
        rows = [{"lead_id": lead, "event_id": uuid4().hex, "occurred_at": now, "type": "email_open"} for _ in range(3)]
        statuses = []
        for each in (instance, other):
            for method, path, body in (("PUT", f"/v1/leads/{lead}", {"budget": "5"}), ("POST", "/v1/events", {"items": rows})):
                status, answer = each.call(method, path, body)
                statuses += [status] if status != 200 else [result.get("status", result.get("error")) for result in answer["results"]]
        assert set(statuses) <= {"created", "unchanged"}, statuses
        with kept.lock:
            kept.leads[lead] = "5|"
            kept.events |= {row["event_id"]: lead for row in rows}

    return both
