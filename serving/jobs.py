"""Runs jobs, each as a process of its own. A durable queue on the store's database (DBOS) decides which worker runs what; the table `jobs` is what
people read, and its lease is what no two processes can hold at once."""

import json
import logging
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from data import jobs
from data.home import clock
from data.store import Store
from serving.logs import place_of

_QUEUE = "jobs"
_SCHEMA = "leadscore_jobs"
_LOG = logging.getLogger("leadscore.jobs")
_AGAIN_SECONDS = 2.0
_END_SECONDS = 10.0
_NEVER_BEGUN = 30_000_000
"""Micros after which a job that a worker took from the queue and did not begin is given to another."""


class Runner:
    """Use `start` once, `turn` about every second, `stop` at the end. One in a process: DBOS is global."""

    def __init__(self, store: Store, command: "Callable[[jobs.Job], list[str]] | None" = None, now: Callable[[], int] = clock) -> None:
        self._store = store
        self._command = command or command_of
        self._now = now
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._dbos: Any = None
        self._workflow: Any = None

    def start(self) -> None:
        """Open the queue; its tables are made where they are not there yet."""
        from dbos import DBOS

        DBOS(config=_config(self._store))
        _log_as_ours()

        @DBOS.workflow(name="job")
        def job(id: str) -> None:
            self._run(id)

        self._workflow = job
        DBOS.launch()
        DBOS.register_queue(_QUEUE, concurrency=1)
        self._dbos = DBOS

    def turn(self) -> None:
        """Give the oldest waiting job to the queue, and what lost its worker back to it."""
        lost = jobs.recover(self._store, self._now())
        if lost:
            _LOG.warning("job %s lost its process and waits again", ", ".join(lost))
        waiting = jobs.queued(self._store)
        if waiting and jobs.running(self._store) is None:
            self._clear(waiting[0])
            self._hand_over(waiting[0], lost=waiting[0] in lost)

    def stop(self) -> None:
        """End the process that runs, whose job waits again, and close the queue."""
        self._stopping.set()
        if self._process is not None:
            _end(self._process)
        if self._dbos is not None:
            self._dbos.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(_END_SECONDS))

    def _clear(self, id: str) -> None:
        """Nothing runs: what the queue takes for running was left by workers that are gone, and would be waited for."""
        for known in self._dbos.list_workflows(status="PENDING", queue_name=_QUEUE, load_input=False, load_output=False):
            if known.workflow_id != id:
                self._dbos.cancel_workflow(known.workflow_id)

    def _hand_over(self, id: str, *, lost: bool) -> None:
        """Under the job's own id, so that several workers, or one that was killed half way, make one entry of it."""
        from dbos import SetWorkflowID

        known = self._dbos.list_workflows(workflow_ids=[id], load_input=False, load_output=False)
        state = known[0].status if known else None
        if state in ("SUCCESS", "ERROR"):  # it was run before and waits again
            self._dbos.delete_workflow(id)
            state = None
        if state is None:
            with SetWorkflowID(id):
                self._dbos.enqueue_workflow(_QUEUE, self._workflow, id)
        elif lost or state not in ("ENQUEUED", "PENDING") or self._never_begun(known[0]):
            self._dbos.resume_workflow(id, queue_name=_QUEUE)

    def _never_begun(self, known: Any) -> bool:
        taken = known.dequeued_at or known.updated_at or 0
        return known.status == "PENDING" and self._now() - taken * 1_000 > _NEVER_BEGUN

    def _run(self, id: str) -> None:
        """The queue's entry. Never raises: what went wrong stands in the job."""
        try:
            while not self._stopping.is_set():
                if jobs.running(self._store) is None:
                    self._process_of(id)
                job = jobs.get(self._store, id)
                if job is None or job.state != "queued":
                    return
                self._stopping.wait(_AGAIN_SECONDS)
        except Exception as error:  # noqa: BLE001 - the queue would keep the exception, with what it says of the data
            _LOG.error("job %s: %s in %s", id, type(error).__name__, place_of(error))

    def _process_of(self, id: str) -> None:
        job = jobs.get(self._store, id)
        if job is None or job.state != "queued":
            return
        # Its standard input ends with this process, and it with that: a killed worker leaves no training behind.
        with subprocess.Popen(
            self._command(job), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
            start_new_session=True,
        ) as process:  # fmt: skip
            self._process = process
            if self._stopping.is_set():
                _end(process)
            last = self._listen(process, id)
            self._after(id, process.wait(), last)
        self._process = None

    def _listen(self, process: "subprocess.Popen[str]", id: str) -> str:
        """Keeps what the process says as the job's log; the last line."""
        assert process.stderr is not None
        last: deque[str] = deque(maxlen=1)
        for line in filter(None, map(str.rstrip, process.stderr)):
            last.append(line)
            try:
                jobs.add_line(self._store, id, line, self._now())
            except SQLAlchemyError:
                _LOG.warning("job %s: a line of its log could not be kept", id)
        return last[0] if last else "it said nothing"

    def _after(self, id: str, code: int, last: str) -> None:
        """A process that ended without a word of its own leaves its job to us."""
        job = jobs.get(self._store, id)
        if job is None or job.state in jobs.ENDED or (code == jobs.PLACE_TAKEN and job.state == "queued"):
            return
        if self._stopping.is_set():
            jobs.give_back(self._store, id, "the worker is being stopped; the next one starts the job again", self._now())
            return
        token = job.started_at if job.state == "running" else jobs.begin(self._store, id, self._now())
        if token is not None:
            jobs.fail(self._store, id, token, f"the process {_ended(code)} before it was done. Its last line: {last}", self._now())


def command_of(job: jobs.Job) -> list[str]:
    """The command line that does the job."""
    since, promote = job.arguments.get("since"), job.arguments.get("promote", "auto")
    command = [sys.executable, "-m", "leadscore", "retrain", "--job", job.id, "--promote", promote]
    return command if since is None else [*command, "--since", since]


def _ended(code: int) -> str:
    return f"was ended by signal {-code} (9: out of memory, or by hand)" if code < 0 else f"ended with exit code {code}"


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _config(store: Store) -> Any:
    """Nothing leaves the machine: no console, no telemetry. Each process has a name of its own; one version, so that any may run any job."""
    return {
        "name": "leadscore",
        "system_database_url": store.engine.url.render_as_string(hide_password=False),
        "dbos_system_schema": _SCHEMA,
        "sys_db_pool_size": 4,
        "executor_id": uuid4().hex,
        "application_version": "1",
        "serializer": _serializer(),
        "enable_otlp": False,
        "use_listen_notify": False,
        "log_level": "ERROR",  # an absent database, which it tells of six times a second, the worker tells of once
        "max_executor_threads": 4,
    }


def _serializer() -> Any:
    """JSON: what DBOS takes otherwise would run code that somebody wrote into the database."""
    from dbos import Serializer

    class AsJson(Serializer):
        def serialize(self, data: Any) -> str:
            return json.dumps(data, default=str)

        def deserialize(self, serialized_data: str) -> Any:
            return json.loads(serialized_data)

        def name(self) -> str:
            return "leadscore_json"

    return AsJson()


def _log_as_ours() -> None:
    """Its lines in our form, beside ours."""
    theirs = logging.getLogger("dbos")
    for handler in list(theirs.handlers):
        theirs.removeHandler(handler)
    for handler in logging.getLogger("leadscore").handlers:
        theirs.addHandler(handler)
