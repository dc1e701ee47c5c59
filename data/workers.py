"""Tasks on other processes of this machine: each started fresh, fed with small documents, reading and writing files of its own."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Protocol, TypeVar

from data.contract import DataError

MOST_WORKERS = 16
"""Each may take a gigabyte."""
Task = TypeVar("Task")
Done = TypeVar("Done")


class Each(Protocol):
    """Applies an importable function to every task, in any order, somewhere; yields the results as they come."""

    def __call__(self, function: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Done]: ...


def in_turn(function: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Done]:
    """Here, one after the other."""
    return map(function, tasks)


def workers_here() -> int:
    """As many as this process may use cores, up to MOST_WORKERS."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def _begin() -> None:
    """The processes share the cores: what they load must not start a thread for each. They leave an interruption to who started them, and end with
    it, however that ends."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def in_processes(workers: int) -> Iterator[Each]:
    """On that many processes of this machine, started when they are first needed; here where there is nothing to share. DataError where one of them
    is ended from outside."""
    pool: ProcessPoolExecutor | None = None

    def each(function: Callable[[Task], Done], tasks: Sequence[Task]) -> Iterator[Done]:
        nonlocal pool
        if min(workers, len(tasks)) < 2:
            yield from in_turn(function, tasks)
            return
        pool = pool or ProcessPoolExecutor(workers, get_context("spawn"), _begin)
        try:
            for done in as_completed([pool.submit(function, task) for task in tasks]):
                yield done.result()
        except BrokenProcessPool:
            raise DataError(
                "a worker process was ended from outside, most likely because the machine ran out of memory. Free some memory, or give it "
                "fewer cores (taskset), and run the same command again: `leadscore score` goes on where it was."
            ) from None

    try:
        yield each
    finally:
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
