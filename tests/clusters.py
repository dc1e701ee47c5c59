"""A real Dask cluster on this machine: a scheduler and worker processes of one thread each, that can be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from house import ROOT

WORKERS = 2


@dataclass
class Processes:
    """A scheduler at `url` and the workers that joined it, which keep what they spill under `folder`."""

    url: str
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self, code: Path = ROOT) -> None:
        """One more, that runs the code at `code`."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder)]
        self.workers.append(_started("dask_worker", [self.url, *options], code))

    def kill_worker(self) -> None:
        """The one that was started first, as the system does it that is out of memory."""
        victim = self.workers.pop(0)
        victim.send_signal(signal.SIGKILL)
        victim.wait()


@contextmanager
def cluster_processes(folder: Path, workers: int = WORKERS) -> Iterator[Processes]:
    """A scheduler and so many workers; all end with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scheduler = _started("dask_scheduler", ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], ROOT)
    made = Processes(f"tcp://127.0.0.1:{port}", folder)
    try:
        _wait_for(port)
        for _ in range(workers):
            made.start_worker()
        yield made
    finally:
        for process in (*made.workers, scheduler):
            process.kill()
            process.wait()


def _started(program: str, options: list[str], code: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.{program}", *options]
    return subprocess.Popen(command, cwd=code, env=_environment(code), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no scheduler listens on port {port}")


def _environment(code: Path) -> Mapping[str, str]:
    """The code alone: a worker knows nothing of this instance's home or of the tests' coverage."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEADSCORE_", "COV_"))}
    return kept | {"PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
