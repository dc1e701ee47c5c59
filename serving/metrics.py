"""What is counted while calls are answered: latencies, scores by grade and version, and the latest scores' spread. Labels hold no id of anybody.

With several worker processes the counts lie in files of the folder that `PROMETHEUS_MULTIPROC_DIR` names before this module is imported, and are
summed.
"""

import os
import re
import shutil
from collections import Counter as Counts
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from data.ledger import ScoreRecord

SHARED = "PROMETHEUS_MULTIPROC_DIR"
LATEST = 1_000
"""Scores of a stage that each process remembers for the drift."""

DECILES = 10
LATEST_SCORES = "leadscore_latest_scores"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


class Metrics:
    """One service's counts; any thread may add to them."""

    def __init__(self, latest: int = LATEST) -> None:
        self._window = latest
        self.registry = CollectorRegistry()
        self._calls = Histogram(
            "leadscore_request_seconds",
            "Time from a call's first byte to its answer's last, by route.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._scores = Counter(
            "leadscore_scores", "Scores given, by the lead's stage, grade, model version and source.", ("stage", "grade", "version", "source"),
            registry=self.registry,
        )  # fmt: skip
        self._latest = Gauge(
            LATEST_SCORES,
            f"Of the latest {LATEST:,} scores of each process, those from 10 x decile on.",
            ("stage", "decile"),
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._backlog = Gauge(
            "leadscore_ledger_backlog_records",
            "Scores that were given and are not in the ledger's table yet.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._deciles: dict[str, deque[int]] = {}
        # What labels() looks up anew each time.
        self._call: dict[tuple[str, str, int], Histogram] = {}
        self._score: dict[tuple[str, str | None, str, str], Counter] = {}

    def called(self, method: str, route: str, status: int, seconds: float) -> None:
        """One call; `route` is its template."""
        known = (method if method in _METHODS else "other", route, status)
        if known not in self._call:
            self._call[known] = self._calls.labels(known[0], route, str(status))
        self._call[known].observe(seconds)

    def scored(self, records: Sequence[ScoreRecord]) -> None:
        """Scores that have been written to the spool."""
        for record in records:
            known = (record.stage, record.grade, record.version, record.source)
            if known not in self._score:
                self._score[known] = self._scores.labels(record.stage, record.grade or "none", record.version, record.source)
            self._score[known].inc()
            if record.score is not None and record.source != "shadow":
                self._latest_of(record.stage).append(min(int(record.score * DECILES / 100), DECILES - 1))

    def _latest_of(self, stage: str) -> deque[int]:
        if stage not in self._deciles:
            self._deciles[stage] = deque(maxlen=self._window)
        return self._deciles[stage]

    def settle(self, backlog: int) -> None:
        """Brings up to date what is too dear for each score: call now and then. `backlog`: this process's scores that are not in the table yet."""
        self._backlog.set(backlog)
        for stage, latest in list(self._deciles.items()):
            counts = Counts(latest.copy())
            for decile in range(DECILES):
                self._latest.labels(stage, str(decile)).set(counts[decile])

    def counted(self) -> CollectorRegistry:
        """The counts of every process of this service."""
        folder = os.environ.get(SHARED)
        if not folder:
            return self.registry
        for pid in {int(found[1]) for path in Path(folder).iterdir() if (found := _LIVE.fullmatch(path.name))}:
            if not _lives(pid):
                mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
        shared = CollectorRegistry()
        MultiProcessCollector(shared, folder)  # type: ignore[no-untyped-call]
        return shared


def share_counts(home: Path) -> Path:
    """Call before the workers start: makes the folder they count in, and removes those of services that have ended. Returns the folder."""
    folder = home / "metrics" / str(os.getpid())
    for other in (home / "metrics").glob("*"):
        if not other.name.isdecimal() or not _lives(int(other.name)) or other == folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ[SHARED] = str(folder.absolute())
    return folder


_LIVE = re.compile(r"gauge_live.*_(\d+)\.db")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
