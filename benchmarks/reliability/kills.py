"""kill -9 at random moments during ingest and scoring; everything acknowledged must be there afterwards."""

import random
import time
from pathlib import Path

from benchmarks.reliability.audit import missing
from benchmarks.reliability.databases import database
from benchmarks.reliability.instance import instance, publish
from benchmarks.reliability.traffic import Acknowledged, Callers
from registry.bundle import Bundle


def kills(kind: str, folder: Path, bundle: Bundle, rounds: int, workers: int = 2, seed: int = 0) -> dict[str, object]:
    """`rounds` times: a service under load from eight callers, killed after a random moment of up to 0.6 s. The figures, `missing` among them."""
    seen, kept = random.Random(seed), Acknowledged()
    with database(kind, folder) as held:
        publish(held, bundle)
        with instance(held, folder / "home", workers) as running:
            for n in range(rounds):
                with Callers(running, kept, threads=8, seed=seed + n):
                    time.sleep(seen.uniform(0.05, 0.6))
                    running.kill()
                running.start()
            running.until(lambda: not list((folder / "home" / "spool").glob("*.spool")) or missing(held, kept)["scores"] == 0)
            running.stop()
        lost = missing(held, kept)
    return {
        "database": kind, "kills": rounds, "workers": workers, "leads": len(kept.leads), "events": len(kept.events), "scores": len(kept.scores),
        "calls cut off": sum(kept.refused.values()), "missing": lost,
    }  # fmt: skip
