"""What runs beside the calls: the look for a new champion, the spool's handing over, rescoring, the webhooks' dispatcher, and tidying."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from data.idempotency import forget
from serving.drainer import Drainer
from serving.logs import trace_of
from serving.rescoring import Rescorer
from serving.routes import Service
from serving.webhooks import Dispatcher

FIRST_LOOK_SECONDS = 5.0
"""No call is taken before the champion is loaded, so that a starting worker fails none that its siblings could answer;
but not for longer than this."""

AGAIN_AFTER_SECONDS = 1.0
TICK_SECONDS, TICKS_OF_AN_ANSWER = 1.0, 600
"""Counts are brought up to date at each tick, and kept answers that are over are looked for at every so manyth."""

_LOG = logging.getLogger("leadscore.background")

Run = Callable[[threading.Event], None]


@asynccontextmanager
async def background(service: Service) -> AsyncIterator[None]:
    """Starts all of it; at the end each stops in turn, the drainer last: what was answered until then is in the ledger, or whole in the spool.

    The drainer works where no process of its own does (serving/draining.py).
    """
    watching = asyncio.create_task(service.champion.watch())
    drainer = LastingThread("drainer", Drainer(service.spool.folder, service.store).run)
    others = [
        LastingThread("handing over", service.spool.handing_over),
        LastingThread("rescoring", Rescorer(service.store, service.champion, service.spool, service.now).run),
        LastingThread("webhooks", Dispatcher(service.store, service.now).run),
        LastingThread("tidying", partial(_tidy, service)),
    ]
    try:
        await service.champion.looked(FIRST_LOOK_SECONDS)
        yield
    finally:
        service.champion.stop()
        await watching
        for thread in others:
            thread.stop.set()
        for thread in others:
            await asyncio.to_thread(thread.end)
        await asyncio.to_thread(service.spool.close)
        await asyncio.to_thread(drainer.end)


def _tidy(service: Service, stop: threading.Event) -> None:
    ticks = 0
    while not stop.wait(TICK_SECONDS):
        service.metrics.settle(service.spool.backlog().records)
        ticks = (ticks + 1) % TICKS_OF_AN_ANSWER
        if not ticks:
            with suppress(SQLAlchemyError):
                forget(service.store, service.now())


class LastingThread:
    """A thread that lives until it is told to end: what breaks its work is logged, and the work begun anew."""

    def __init__(self, name: str, run: Run) -> None:
        self._name = name
        self._run = run
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Returns when the work is over."""
        self.stop.set()
        self._thread.join()

    def _live(self) -> None:
        while not self.stop.is_set():
            try:
                self._run(self.stop)
            except Exception as error:  # noqa: BLE001 - the service goes on, and so must this
                _LOG.error("%s broke and begins anew", self._name, extra={"fields": {"trace": trace_of(error)}})
                self.stop.wait(AGAIN_AFTER_SECONDS)
