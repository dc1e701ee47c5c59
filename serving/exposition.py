"""`GET /metrics`: what was counted, and how things stand now, in the words of Prometheus."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import log

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from data.state import Work, work_of
from data.store import Store
from serving.champion import Champion
from serving.metrics import DECILES, LATEST_SCORES, Metrics
from serving.watched import WatchedSpool

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH_SECONDS = 2.0
"""A page is given again for so long: nobody needs a key to ask."""

ENOUGH = 100
"""Scores of a stage below which its drift is not told."""

_PATIENCE_SECONDS = 2.0
_SMOOTH = 0.5


def psi(counts: Sequence[float]) -> float:
    """Population stability index of scores counted by decile, against as many in each: 0 like the population, above 0.25 another one."""
    total, even = sum(counts) + _SMOOTH * len(counts), 1 / len(counts)
    shares = [(count + _SMOOTH) / total for count in counts]
    return sum((share - even) * log(share / even) for share in shares)


class Exposition(Collector):
    """One service's page."""

    def __init__(self, metrics: Metrics, store: Store, champion: Champion, spool: WatchedSpool) -> None:
        self._metrics, self._store, self._champion, self._spool = metrics, store, champion, spool
        self._lock = asyncio.Lock()
        self._page = (float("-inf"), b"")
        self._work: Work | None = None
        self._now = 0

    async def page(self, now: int) -> bytes:
        """The page as of at most `FRESH_SECONDS` ago; without the store's numbers where it does not answer within two seconds."""
        async with self._lock:
            if time.monotonic() - self._page[0] > FRESH_SECONDS:
                self._now, self._work = now, None
                with suppress(SQLAlchemyError, TimeoutError):
                    self._work = await asyncio.wait_for(asyncio.to_thread(work_of, self._store), _PATIENCE_SECONDS)
                self._page = (time.monotonic(), self._written())
            return self._page[1]

    def _written(self) -> bytes:
        self._metrics.settle(self._spool.backlog().records)
        state = CollectorRegistry()
        state.register(self)
        return generate_latest(self._metrics.counted()) + generate_latest(state)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """How things stand now."""
        yield _gauge("leadscore_store_up", "1 where the operational store answers.", float(self._work is not None))
        yield _gauge("leadscore_ready", "1 where scores are given.", float(self._champion.ready and self._spool.problem() is None))
        yield _by(
            "leadscore_champion_info", "The model version that serves.", "version", {self._champion.version: 1} if self._champion.version else {}
        )
        yield _gauge("leadscore_ledger_backlog_bytes", "Bytes of scores in the spool, of every process.", float(self._spool.waiting_bytes()))
        yield _by("leadscore_score_drift_psi", "Latest scores' deciles against the model's population.", "stage", self._drift())
        if self._work is not None:
            yield from _work(self._work, self._now)

    def _drift(self) -> dict[str, float]:
        counts: dict[str, list[float]] = defaultdict(lambda: [0.0] * DECILES)
        for family in self._metrics.counted().collect():
            for sample in family.samples if family.name == LATEST_SCORES else ():
                counts[sample.labels["stage"]][int(sample.labels["decile"])] += sample.value
        return {stage: psi(found) for stage, found in counts.items() if sum(found) >= ENOUGH}


def _work(work: Work, now: int) -> Iterator[GaugeMetricFamily]:
    kinds = {0: "changed", 1: "sweep"}
    waiting = {kind: work.pending.get(priority, 0) for priority, kind in kinds.items()}
    yield _by("leadscore_rescoring_pending", "Leads that wait to be rescored.", "reason", waiting)
    age = 0.0 if work.oldest is None else max(0.0, (now - work.oldest) / 1e6)
    yield _gauge("leadscore_rescoring_oldest_seconds", "For how long the first of them has waited.", age)
    yield _by("leadscore_jobs", "Jobs by state.", "state", work.jobs)
    yield _by("leadscore_webhook_deliveries", "Webhook deliveries by state.", "state", work.deliveries)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=value)


def _by(name: str, about: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family
