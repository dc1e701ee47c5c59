"""One piece of work shared by the cores of one process. Kernels give the lock back while they run, so that threads are enough."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PARTS_A_CORE = 4
"""More parts than cores, so that no core waits long for another."""


def cores() -> int:
    """How many threads a process may keep busy: OMP_NUM_THREADS, which joblib and Dask set in their workers, else the cores it may run on."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(told)) if told.isdigit() else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def evenly(size: int, parts: int) -> NDArray[np.int64]:
    """Where [0, size) is cut into parts of one size, as near as can be: (parts + 1,)."""
    return np.arange(parts + 1, dtype=np.int64) * size // parts


def share(work: Callable[[int, int, int], object], cuts: Sequence[int] | NDArray[np.int64]) -> None:
    """Calls work(part, low, high) for each part between neighbouring cuts that is not empty, in as many threads as there are cores to use."""
    parts = [(i, int(low), int(high)) for i, (low, high) in enumerate(pairwise(cuts)) if low < high]
    threads = min(cores(), len(parts))
    if threads < 2:
        for part in parts:
            work(*part)
        return
    with ThreadPoolExecutor(threads, "share") as pool:
        for done in [pool.submit(work, *part) for part in parts]:
            done.result()
