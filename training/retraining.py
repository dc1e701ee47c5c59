"""`leadscore retrain`: a training on what the operational store holds, as a job: one at a time, followed and cancelled at `/v1/jobs/{id}`."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from data import jobs
from data.contract import DataError, parse_instant
from data.dataset import Dataset
from data.funnel import Funnel, load_funnel
from data.home import clock
from data.store import Store, open_store
from data.stored import read_store
from data.telling import telling
from data.validation import InvalidDataset
from registry.bundle import Bundle
from training.commands import learn
from training.run import Tell

SEED = 0
_RENEW_SECONDS = 2.0
_NEAR_THE_END = {"recording the run in MLflow": 0.92, "comparing with the champion": 0.97}
_STEP = 0.08


@dataclass
class Place:
    """The one place in which a job runs, held by this process. Told of a step it writes it down."""

    store: Store
    id: str
    token: int
    say: Tell
    result: dict[str, Any] = field(default_factory=dict)
    _progress: float = 0.0
    _step: str = ""

    def tell(self, step: str) -> None:
        """What is being done now. How far that is, is a guess: the steps' number is known only at the end."""
        self.say(step)
        if step != self._step:
            self._step = step
            self._progress = max(self._progress, _NEAR_THE_END.get(step, self._progress + (0.9 - self._progress) * _STEP))
            with suppress(SQLAlchemyError):  # the work outlasts a short absence of the database
                jobs.tell(self.store, self.id, self.token, step, round(self._progress, 3), clock())

    def still_ours(self) -> None:
        """Raises DataError where the job was cancelled, or given to another process because this one was silent for too long."""
        state = jobs.keep(self.store, self.id, self.token, clock())
        if state == "cancelling":
            jobs.stop(self.store, self.id, self.token, clock())
        if state != "kept":
            raise DataError("the job is not this process's any more: nothing is promoted, and what served before still serves.")


def retrain(since: str | None, promote: str, job: str | None) -> int:
    """Train on the leads created at or after `since` (ISO-8601; None: on all) and promote as `promote` says. `job`: the queued job that this is the
    work of; None makes one that runs at once, or is refused where another one runs."""
    after = None if since is None else parse_instant(since)
    funnel = load_funnel(None)
    with open_store() as store, telling() as say:
        try:
            id, token = _begun(store, job, {"since": since, "promote": promote})
        except jobs.JobRunning as error:
            sys.stderr.write(f"{error}\n")
            return 1 if job is None else jobs.PLACE_TAKEN
        with _held(Place(store, id, token, say), ends_with_worker=job is not None) as place:
            place.result = _work(place, funnel, after, promote)
    sys.stderr.write(_summary(place.result))
    return 0


def _begun(store: Store, job: str | None, arguments: dict[str, Any]) -> tuple[str, int]:
    jobs.recover(store, clock())
    if job is None:
        return jobs.begin_by_hand(store, jobs.RETRAIN, arguments, clock())
    token = jobs.begin(store, job, clock())
    if token is None:
        raise DataError(f"the job {job} does not wait: it was cancelled, or another process has it. GET /v1/jobs/{job} tells.")
    return job, token


def _work(place: Place, funnel: Funnel, since: int | None, promote: str) -> dict[str, Any]:
    read = _read(place, funnel, since)
    if not read.leads.num_rows:
        raise DataError(
            "the store holds no lead to learn from. Load them with `leadscore ingest DATASET` or PUT /v1/leads, or name an earlier --since."
        )
    known = _made_before(place.store, read, funnel)
    if known is not None and promote != "always":
        version, compared = known
        told = f"nothing has changed since {compared}: same data, seed and settings. --promote always trains all the same."
        return {"version": version, "promoted": False, "decision": [told]}
    version, reasons, promoted, trained = learn(read, funnel, promote, SEED, place.tell, place.still_ours)
    churn = trained.report["churn"]
    numbers = None if churn is None else {name: value for name, value in churn.items() if name != "movers"}  # the job's log outlives an erasure
    return {"version": version, "promoted": promoted, "decision": list(reasons), "churn": numbers}


def _read(place: Place, funnel: Funnel, since: int | None) -> Dataset:
    """What is told of it goes into the job's log, which outlives an erasure: without the examples, which are ids and values of leads."""
    try:
        read, report = read_store(place.store, funnel=funnel, on_progress=place.tell, since=since)
    except InvalidDataset as error:
        told = "\n".join(f"{finding.message}. {finding.fix}" for finding in error.report.errors)
        raise DataError(f"what the store holds can't be learnt from: {told}") from None
    for warning in report.warnings:
        place.say(f"warning: {warning.message}. {warning.fix}")
    return read


def _made_before(store: Store, read: Dataset, funnel: Funnel) -> tuple[str, str] | None:
    """(version, what was done with it) where a training would make the same bundle again: that of the champion, or the latest one, if the
    champion of today served already when it was made."""
    champion, versions = store.champion(), store.versions()
    if champion is None:
        return None
    if _made_of(store, champion[0], read, funnel) is not None:
        return champion[0], f"champion {champion[0]} was trained"
    trained_at = _made_of(store, versions[-1], read, funnel)
    if trained_at is not None and trained_at > store.champions()[-1].promoted_at:
        return versions[-1], f"version {versions[-1]} was trained beside champion {champion[0]}"
    return None


def _made_of(store: Store, version: str, read: Dataset, funnel: Funnel) -> int | None:
    """When the version was trained (micros), if on this data with these settings; None for any other, and for one that this program can't read."""
    try:
        bundle = Bundle.from_bytes(store.bundle(version))
    except DataError:
        return None
    made_of = (bundle.about.get("data_digest"), bundle.about.get("seed"), dict(bundle.funnel))
    return parse_instant(str(bundle.about["trained_at"])) if made_of == (read.digest, SEED, funnel.training_document()) else None


def _summary(result: dict[str, Any]) -> str:
    said = "is the champion now" if result["promoted"] else "was not promoted"
    return f"Version {result['version']} {said}: {'; '.join(result['decision'])}\n"


@contextmanager
def _held(place: Place, *, ends_with_worker: bool) -> Iterator[Place]:
    """Keeps the lease while the work goes on, and writes down how it ended."""
    over = threading.Event()
    watch = threading.Thread(target=_keep, args=(place, over), daemon=True)
    watch.start()
    if ends_with_worker:
        threading.Thread(target=_end_with_worker, daemon=True).start()
    try:
        yield place
    except KeyboardInterrupt:
        _close(over, watch)
        jobs.stop(place.store, place.id, place.token, clock())
        raise
    except BrokenPipeError:
        os._exit(1)  # the worker is gone, and was told of everything: the job is lost, not failed
    except BaseException as error:
        _close(over, watch)
        jobs.fail(place.store, place.id, place.token, _told(error), clock())
        raise
    _close(over, watch)
    jobs.finish(place.store, place.id, place.token, place.result, clock())


def _close(over: threading.Event, watch: threading.Thread) -> None:
    over.set()
    watch.join()


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, DataError) else f"a fault in leadscore itself ({type(error).__name__}); the log has more"


def _keep(place: Place, over: threading.Event, leave: Callable[[int], Any] = os._exit) -> None:
    """Renews the lease until `over`. A cancelled job ends here and now, wherever its work stands; as after a kill, the champion serves on."""
    while not over.wait(_RENEW_SECONDS):
        try:
            state = jobs.keep(place.store, place.id, place.token, clock())
            if state == "cancelling":
                jobs.stop(place.store, place.id, place.token, clock())
        except SQLAlchemyError:
            continue  # the lease outlasts a short absence of the database
        if state != "kept":
            sys.stderr.write("cancelled: what served before still serves.\n" if state == "cancelling" else "the job was given to another process.\n")
            sys.stderr.flush()
            leave(1)


def _end_with_worker() -> None:
    """The worker holds the other end of the standard input: once it is gone, another worker will begin the job anew."""
    while sys.stdin.buffer.read(4_096):
        continue
    os._exit(1)
