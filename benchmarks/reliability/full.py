"""A full disk: what can't be kept is refused, what was acknowledged stays, and room again is enough."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.reliability.audit import missing
from benchmarks.reliability.databases import Database
from benchmarks.reliability.instance import instance, publish
from benchmarks.reliability.traffic import Acknowledged, one_round, score_once
from registry.bundle import Bundle


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of that size. Raises CalledProcessError where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full(folder: Path, bundle: Bundle, megabytes: int = 24) -> dict[str, object]:
    """Store, spool and all on a disk that fills up. The figures."""
    import random

    kept, meanwhile, seen = Acknowledged(), Acknowledged(), random.Random(0)
    with small_disk(folder / "disk", megabytes) as disk:
        held = Database(f"sqlite:///{disk / 'leadscore.db'}")
        publish(held, bundle)
        with instance(held, disk / "home") as running:
            for _ in range(50):
                one_round(running, kept, seen)
            ballast = disk / "ballast"
            _fill(ballast)
            for _ in range(40):
                one_round(running, meanwhile, seen)
                score_once(running, meanwhile, "L-1")
                _fill(ballast)
            named = running.call("GET", "/readyz")[1]["down"]
            ballast.unlink()
            recovered = running.until(lambda: running.status("PUT", "/v1/leads/back", {"budget": 1}) == 200)
            for _ in range(20):
                one_round(running, kept, seen)
            running.until(lambda: missing(held, kept)["scores"] + missing(held, meanwhile)["scores"] == 0)
            running.stop()
        lost = [missing(held, part) for part in (kept, meanwhile)]
    return {
        "acknowledged while full": meanwhile.total, "refused while full": dict(meanwhile.refused), "readyz names": named,
        "recovered after, s": round(recovered, 2), "refused with room": dict(kept.refused),
        "missing": {name: sum(part[name] for part in lost) for name in lost[0]},
    }  # fmt: skip


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
