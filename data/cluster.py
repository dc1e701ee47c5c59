"""Work on a Dask cluster that is there already (`--cluster tcp://...`): its workers see the same folder and run the same code, or nothing is begun.

Who can reach the scheduler runs code on every worker: see docs/scale.md. The service never connects to one.
"""

import hashlib
import logging
import platform
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from data.contract import DataError

Task = TypeVar("Task")
Done = TypeVar("Done")
ANSWERS_WITHIN_SECONDS = 15
AHEAD = 4
"""Tasks given out for each thread of the cluster beyond those whose results were taken: what bounds the memory of results that wait."""
WITHOUT_WORKERS_SECONDS = 120.0
"""How long work waits for a worker when there is none any more."""
LOOKS_EVERY_SECONDS = 5.0
_ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d+")
_LIBRARIES = ("numpy", "numba", "pyarrow", "lightgbm")
_PACKAGES = ("data", "features", "registry", "serving", "training")


@dataclass(frozen=True)
class Cluster:
    """A cluster that was found fit for work. `client` is Dask's own."""

    url: str
    client: Any

    @property
    def threads(self) -> int:
        """Of all workers together, at least one."""
        return max(sum(int(threads) for threads in self.client.nthreads().values()), 1)

    def each(self, function: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Done]:
        """`data.workers.Each` on the cluster, in order. A task is small (paths and short documents) and may be begun again elsewhere when its worker
        dies: what it leaves in a folder must be the same then. An error of the function is raised as it is; DataError where a task takes down every
        worker that it is given to, or the cluster goes away, or has no worker for WITHOUT_WORKERS_SECONDS."""
        futures: list[Any] = []
        given = 0
        for taken in range(len(tasks)):
            ahead = tasks[given : taken + AHEAD * self.threads]
            futures += [self.client.submit(function, task, pure=False) for task in ahead]
            given += len(ahead)
            yield self.taken(futures[taken])
            futures[taken] = None

    def taken(self, future: Any) -> Any:
        """The result of one of Dask's futures, or what became of it, in words for people."""
        from concurrent.futures import CancelledError

        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        try:
            return self._result(future)
        except KilledWorker as error:
            raise DataError(
                f"one piece of the work took down every worker that it was given to, as a rule for want of memory ({error}). Give the workers "
                "more memory and run the same command again."
            ) from None
        except (CancelledError, CommClosedError) as error:
            raise DataError(f"the scheduler at {self.url} went away while the work was being done ({error}). Run the same command again.") from None

    def _result(self, future: Any) -> Any:
        since: float | None = None
        while True:
            try:
                return future.result(LOOKS_EVERY_SECONDS)
            except TimeoutError:
                if future.done():
                    return future.result()
            since = None if self._has_worker() else since or time.monotonic()
            if since is not None and time.monotonic() - since >= WITHOUT_WORKERS_SECONDS:
                raise self._deserted()

    def _has_worker(self) -> bool:
        try:
            return bool(self.client.nthreads())
        except (OSError, TimeoutError):
            return False

    def require_worker(self) -> None:
        """Waits for one, no longer than WITHOUT_WORKERS_SECONDS: DataError then."""
        try:
            self.client.wait_for_workers(1, timeout=WITHOUT_WORKERS_SECONDS)
        except TimeoutError:
            raise self._deserted() from None

    def _deserted(self) -> DataError:
        return DataError(
            f"the scheduler at {self.url} must have a worker for the work to go on; it has had none for {WITHOUT_WORKERS_SECONDS:.0f} seconds. Start "
            f"some with `dask worker {self.url} --nthreads 1` and run the same command again."
        )


@contextmanager
def connected(url: str, shared: Path) -> Iterator[Cluster]:
    """The cluster of the scheduler at `url` (tcp://host:port or tls://host:port). DataError where there is none or it has no worker, where a worker
    runs other code or other libraries than this process, or does not see the folder `shared`."""
    if not _ADDRESS.fullmatch(url):
        raise DataError(f"--cluster must be the address of a Dask scheduler, such as tcp://scheduler:8786; got {url!r}.")
    client = _client(url)
    try:
        _require_alike(client, url)
        _require_shared(client, shared)
        yield Cluster(url, client)
    finally:
        client.close()


def _client(url: str) -> Any:
    import distributed  # half a second, and only for those who have a cluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is told as an error, in words for people
    try:
        client: Any = distributed.Client(url, timeout=ANSWERS_WITHIN_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise DataError(
            f"no Dask scheduler answers at {url} ({error}). Start one with `dask scheduler`, and workers with `dask worker {url}`."
        ) from None
    try:
        client.wait_for_workers(1, timeout=ANSWERS_WITHIN_SECONDS)
    except TimeoutError:
        client.close()
        raise DataError(f"the scheduler at {url} has no worker. Start some with `dask worker {url} --nthreads 1`.") from None
    return client


def about() -> dict[str, str]:
    """What must be the same in every process for the numbers to be: the versions of Python and of the libraries that compute, and the code."""
    return {"python": ".".join(platform.python_version_tuple()[:2]), "leadscore": code()} | {name: version(name) for name in _LIBRARIES}


def code() -> str:
    """A name for the text of all modules: what other code made may not be what this code would make."""
    home = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (home / package).rglob("*.py")):
        digest.update(f"{path.relative_to(home).as_posix()} ".encode() + path.read_bytes())
    return f"code {digest.hexdigest()[:12]}"


def _require_alike(client: Any, url: str) -> None:
    ours = about()
    for process, theirs in _asked(client, url).items():
        if isinstance(theirs, BaseException):
            raise DataError(f"the {process} can't run leadscore: {theirs}. Install the same version there: pip install 'leadscore[cluster]'")
        other = [f"{name} {theirs.get(name)} instead of {ours[name]}" for name in ours if theirs.get(name) != ours[name]]
        if other:
            raise DataError(
                f"scheduler and workers must run what runs here, or the numbers would differ; the {process} has {', '.join(other)}. Install the same "
                "versions there and start it again."
            )


def _asked(client: Any, url: str) -> Mapping[str, Any]:
    """What each process of the cluster says of itself, or the error that it has instead."""
    told: dict[str, Any]
    try:
        told = {f"worker at {worker}": said for worker, said in client.run(about, on_error="return").items()}
        told["scheduler"] = client.run_on_scheduler(about)
    except ModuleNotFoundError as error:
        told = {"scheduler": error}
    except Exception as error:  # noqa: BLE001 - whatever a foreign scheduler answers with
        raise DataError(f"the scheduler at {url} does not do what it is asked ({type(error).__name__}: {error}). Is it a Dask scheduler?") from None
    return told


def _require_shared(client: Any, shared: Path) -> None:
    """A word is written here and must be read there."""
    shared.mkdir(parents=True, exist_ok=True)
    probe = shared.resolve() / f".probe-{uuid.uuid4().hex}"
    probe.write_text(probe.name, encoding="utf-8")
    try:
        read = client.run(_read, str(probe), on_error="return")
    finally:
        probe.unlink(missing_ok=True)
    blind = sorted(worker for worker, word in read.items() if word != probe.name)
    if blind:
        raise DataError(
            f"every worker must see the folder {shared.resolve()} under this name; {', '.join(blind)} can't read what was written there. Put it on a "
            "disk that all machines share (NFS, EFS, Lustre), mounted at the same place."
        )


def _read(path: str) -> str | None:
    file = Path(path)
    return file.read_text(encoding="utf-8") if file.exists() else None
