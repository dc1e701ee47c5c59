"""A running leadscore: real processes on a home and a database of their own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import urllib3

from benchmarks.reliability.databases import Database
from data.store import open_store
from registry.bundle import Bundle

PATIENCE_SECONDS = 60.0


class Instance:
    """`leadscore serve` in a process group of its own."""

    def __init__(self, database: Database, home: Path, workers: int = 1) -> None:
        self.database, self.home, self.workers = database, home, workers
        self.http = urllib3.PoolManager(maxsize=32, retries=False, timeout=urllib3.Timeout(10.0))
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Until it answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEADSCORE_", "COV_"))}
        environment = kept | {"LEADSCORE_HOME": str(self.home), "LEADSCORE_DATABASE_URL": self.database.url, "LEADSCORE_RATE_PER_SECOND": "100000"}
        command = [str(Path(sys.executable).with_name("leadscore")), "serve", "--port", "0", "--workers", str(self.workers)]
        with (self.home / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline().split()
        if len(said) < 4:
            raise RuntimeError(f"leadscore did not start; {self.home / 'serve.log'} says why.")
        self.url = said[3].decode()
        self.until(lambda: self.status("GET", "/readyz") == 200)

    def until(self, reached: Any, seconds: float = PATIENCE_SECONDS) -> float:
        """Polls until `reached()`; the seconds that took. RuntimeError where it never comes."""
        began = time.monotonic()
        while not reached():
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"not reached in {seconds:.0f} s")
            time.sleep(0.02)
        return time.monotonic() - began

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """(status, document). Raises urllib3's errors where no answer came."""
        sent = None if body is None else orjson.dumps(body)
        given = {"Content-Type": "application/json"} if sent is not None else {}
        answer = self.http.request(method, self.url + path, body=sent, headers=given | headers)
        return answer.status, orjson.loads(answer.data) if answer.data else {}

    def status(self, method: str, path: str, body: Any = None) -> int:
        """The status; 0 where no answer came."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return self.call(method, path, body)[0]
        return 0

    def kill(self) -> None:
        """kill -9 of the whole group: no handler runs, nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """In order; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            if how is signal.SIGKILL:
                os.killpg(self.process.pid, how)
            else:
                self.process.send_signal(how)
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.http.clear()
        return code


@contextmanager
def instance(database: Database, home: Path, workers: int = 1) -> Iterator[Instance]:
    """A started instance, stopped afterwards however the proof ends."""
    home.mkdir(parents=True, exist_ok=True)
    running = Instance(database, home, workers)
    running.start()
    try:
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.kill()


def publish(database: Database, *bundles: Bundle) -> None:
    """The bundles as versions 1, 2, ... of the store; the first is champion."""
    with open_store(database.url) as store:
        for n, made in enumerate(bundles, 1):
            store.put_bundle(str(n), made.hash, made.to_bytes())
        store.promote("1", "proof")
