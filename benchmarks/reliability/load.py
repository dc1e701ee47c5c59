"""Load with a promotion or rollback every so often: no request fails, none mixes two versions."""

import time
from pathlib import Path

from benchmarks.reliability.audit import missing
from benchmarks.reliability.databases import database
from benchmarks.reliability.instance import Instance, instance, publish
from benchmarks.reliability.traffic import Acknowledged, Callers, _told, one_round, score_body
from registry.bundle import Bundle


def load(kind: str, folder: Path, bundles: tuple[Bundle, Bundle], seconds: float, every: float, workers: int = 2) -> dict[str, object]:
    """Scoring at 40 a second and ingest beside it; the champion moves every `every` seconds. The figures."""
    scored, written = Acknowledged(), Acknowledged()
    chances: dict[str, set[float]] = {}
    with database(kind, folder) as held:
        publish(held, *bundles)
        with instance(held, folder / "home", workers) as running:
            with (
                Callers(running, scored, lambda i, k, _: _score(i, k, chances), threads=4, per_second=10),
                Callers(running, written, one_round, threads=2, per_second=3, seed=7),
            ):
                moves, end = 0, time.monotonic() + seconds
                while time.monotonic() < end:
                    time.sleep(min(every, max(end - time.monotonic(), 0)))
                    path = "/v1/models/rollback" if moves % 2 else "/v1/models/2/promote"
                    status, answer = running.call("POST", path, {})
                    assert status == 200, answer
                    moves += 1
            running.until(lambda: missing(held, written)["scores"] + missing(held, scored)["scores"] == 0)
            code = running.stop()
        lost = [missing(held, part) for part in (scored, written)]
    ordered = sorted(scored.milliseconds)
    return {
        "database": kind, "seconds": seconds, "moves of the champion": moves, "scores": len(scored.scores),
        "writes": len(written.leads) * 2 + len(written.events),
        "failed": dict(scored.refused + written.refused), "answers that mixed versions": sum(len(found) - 1 for found in chances.values()),
        "versions that answered": len(chances), "p50 ms": round(ordered[len(ordered) // 2], 1), "p99 ms": round(ordered[int(len(ordered) * 0.99)], 1),
        "exit code": code, "missing": {name: sum(part[name] for part in lost) for name in lost[0]},
    }  # fmt: skip


def _score(running: Instance, kept: Acknowledged, chances: dict[str, set[float]]) -> None:
    """The same lead at the same instant always: each version has one answer to it."""
    body = score_body("L-1") | {"as_of": "2026-06-01T00:00:00Z", "lead": {"lead_id": "L-1", "created_at": "2026-05-01T00:00:00Z"}, "events": []}
    if (answer := _told(running, kept, "POST", "/v1/score", body)) is not None:
        with kept.lock:
            kept.scores[answer["score_id"]] = "L-1"
            chances.setdefault(answer["model"]["version"], set()).add(answer["reach"]["opportunity"])
