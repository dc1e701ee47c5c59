"""`leadscore worker`: runs jobs and the schedule, and helps with rescoring and webhooks. Any number of workers may run on one store."""

import logging
import logging.config
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from sqlalchemy.exc import SQLAlchemyError

from data import audit, deliveries, idempotency, jobs, ledger, pending, schedule
from data.contract import DAY, DataError
from data.funnel import Funnel, load_funnel
from data.home import clock
from data.store import Store, open_store
from serving.background import LastingThread
from serving.champion import POLL_SECONDS, Champion
from serving.drainer import Drainer
from serving.jobs import Runner
from serving.logs import log_config, place_of
from serving.rescoring import Rescorer
from serving.settings import Settings
from serving.spool import Spool
from serving.webhooks import Dispatcher

NIGHTLY, RETENTION = "nightly", "retention"
"""What the work of one day is called in `data.schedule`."""

SCHEDULE = "the schedule"
_TURN_SECONDS = 1.0
_LOG = logging.getLogger("leadscore.worker")


def run() -> int:
    """Work until told to stop (SIGINT, SIGTERM): 0 after that. A job that runs then is ended and waits for the next worker.

    Jobs are left to other workers where the extra `train` is not installed.
    """
    logging.config.dictConfig(log_config())
    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stop.set())
    settings = Settings.from_env("127.0.0.1")
    with open_store(settings.store_url) as store, _beside(store, settings):
        runner = Runner(store) if find_spec("lightgbm") else None
        if runner is None:
            _LOG.warning("the extra `train` is not installed here: retraining waits for a worker that has it")
        else:
            runner.start()
        sys.stdout.write("leadscore worker is ready\n")
        sys.stdout.flush()
        _LOG.info("ready")
        try:
            _work(store, runner, stop)
        finally:
            if runner is not None:
                runner.stop()
    _LOG.info("stopped")
    return 0


@contextmanager
def _beside(store: Store, settings: Settings) -> Iterator[None]:
    """What has a thread of its own; the drainer ends last, once nothing is scored any more. It works where no service on this home drains."""
    champion, spool = Champion(store), Spool(settings.home / "spool", settings.fsync)
    drainer = LastingThread("drainer", Drainer(spool.folder, store).run)
    threads = [
        LastingThread("handing over", spool.handing_over),
        LastingThread("webhooks", Dispatcher(store).run),
        LastingThread("champion", lambda stop: _follow(champion, stop)),
        LastingThread("rescoring", Rescorer(store, champion, spool).run),
    ]
    try:
        yield
    finally:
        for thread in reversed(threads):
            thread.end()
        spool.close()
        drainer.end()


def _follow(champion: Champion, stop: threading.Event) -> None:
    while not stop.is_set():
        champion.refresh()
        stop.wait(POLL_SECONDS)


def _work(store: Store, runner: Runner | None, stop: threading.Event) -> None:
    """A turn about every second; what fails in one is told once, and tried again in the next."""
    steps: dict[str, Callable[[], object]] = {"schedule": lambda: scheduled(store, load_funnel(None), clock())}
    if runner is not None:
        steps["jobs"] = runner.turn
    problems: dict[str, str] = {}
    while not stop.wait(_TURN_SECONDS):
        for name, step in steps.items():
            problem = _attempt(step)
            if problem and problem != problems.get(name):
                _LOG.warning("%s: %s", name, problem)
            problems[name] = problem


def _attempt(step: Callable[[], object]) -> str:
    try:
        step()
    except SQLAlchemyError as error:
        return f"the operational store does not answer ({type(error).__name__})"
    except DataError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a worker that died of one broken step would leave the others undone
        return f"{type(error).__name__} in {place_of(error)}"
    return ""


def scheduled(store: Store, funnel: Funnel, now: int) -> None:
    """What is due at `now` and nobody has done: the nightly sweep and what has been kept for long enough, once a day from `rescore_at` on; the sweep
    after a promotion; the next retraining."""
    day = schedule.day_of(now, funnel.schedule.rescore_at)
    schedule.once(store, NIGHTLY, day, now, lambda: pending.mark_open(store, now))
    schedule.once(store, RETENTION, day, now, lambda: forget(store, funnel, now))
    pending.after_promotion(store, now)
    days = funnel.schedule.retrain_every_days
    if days:  # from the last one on that anybody asked for, however it ended: one that fails is not begun again and again
        jobs.create_again(store, jobs.RETRAIN, {"since": None, "promote": "auto"}, now, SCHEDULE, not_since=now - days * DAY)


def forget(store: Store, funnel: Funnel, now: int) -> None:
    """Delete what has been kept for as long as funnel.toml says, and answers to repeated calls after a day."""
    kept = funnel.retention
    gone = {
        "scores": ledger.forget(store, now - kept.scores_days * DAY),
        "deliveries": deliveries.forget(store, now - kept.deliveries_days * DAY),
        "jobs": jobs.forget(store, now - kept.jobs_days * DAY),
        "audit": audit.forget(store, now - kept.audit_days * DAY),
        "idempotency": idempotency.forget(store, now),
    }
    _LOG.info("forgot what was kept for long enough", extra={"fields": gone})
