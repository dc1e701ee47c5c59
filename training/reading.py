"""What `leadscore train` learns from: the tables of a folder, whole where they are small; else from partitions, read and checked side by side."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from data.contract import DataError
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.home import NO_ROOM, leadscore_home
from data.mapping import DatasetMapping
from data.partitions import NoLeads, Partitions, gathered, partitions_of, suggested_count
from data.validation import Report
from data.workers import Each, in_processes, workers_here
from training.matrix import RowsOf, rows_of
from training.run import Tell

_LOCK = "lock"
"""Held by the process whose folder it is."""


@dataclass(frozen=True)
class Learnable:
    """A dataset with its report, and what makes the rows that are learned from."""

    dataset: Dataset
    report: Report
    computed: RowsOf


@contextmanager
def learnable(folder: str, mapping: DatasetMapping | None, funnel: Funnel, cluster: str | None, tell: Tell) -> Iterator[Learnable]:
    """The tables of a folder, their rows made by this process or, where `cluster` is the address of a Dask scheduler, by its workers, which must see
    LEADSCORE_HOME. Raises InvalidDataset and DataError as `read_dataset` does."""
    if cluster is None:
        yield _here(folder, mapping, funnel, tell)
        return
    from data.cluster import connected
    from training.cluster import ClusterRows

    with _work() as work, connected(cluster, work) as found:
        tell(f"dealing {folder} into partitions, on {found.threads} threads of {cluster}")
        parts = _dealt(folder, mapping, funnel, work, found.each, tell)
        yield Learnable(gathered(parts), parts.report, ClusterRows(found, parts.folders))


def _here(folder: str, mapping: DatasetMapping | None, funnel: Funnel, tell: Tell) -> Learnable:
    if suggested_count(folder, mapping) == 1:
        return Learnable(*read_dataset(folder, funnel=funnel, mapping=mapping, on_progress=tell), rows_of)
    with _work() as work, in_processes(workers_here()) as each:
        parts = _dealt(folder, mapping, funnel, work, each, tell)
        return Learnable(gathered(parts), parts.report, rows_of)


@contextmanager
def _work() -> Iterator[Path]:
    """A folder in LEADSCORE_HOME that goes with the work; those of processes that were killed go before it: what people wrote of leads lies there."""
    home = leadscore_home().resolve()
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob("partitions-*"):
        with suppress(OSError), (left / _LOCK).open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    new = Path(mkdtemp(prefix=".partitions-", dir=home))
    with (new / _LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        work = new.rename(home / new.name.removeprefix("."))  # only now: nobody sees it without its lock
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _dealt(folder: str, mapping: DatasetMapping | None, funnel: Funnel, work: Path, each: Each, tell: Tell) -> Partitions:
    try:
        return partitions_of(folder, mapping, funnel, work, each=each, share=lambda what, done: tell(f"{what} ({done:.0%})"))
    except NoLeads:
        raise NoLeads(nothing_to_learn_from(folder)) from None
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise DataError(
            f"a dataset of this size is read in partitions, which must fit on the disk of {work.parent}: {error.strerror}. Make room, or set "
            "LEADSCORE_HOME to a disk that has it."
        ) from None


def nothing_to_learn_from(folder: str) -> str:
    return f"{folder} holds no lead, so there is nothing to learn from: leads has a header and no row. Export it again."
