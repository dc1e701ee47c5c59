"""What `leadscore train` learns from: the tables of a folder, whole where they are small; else from partitions, read and checked side by side."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from tempfile import TemporaryDirectory

from data.contract import DataError
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.home import leadscore_home
from data.mapping import DatasetMapping
from data.partitions import Partitions, gathered, partitions_of, suggested_count
from data.validation import Report
from data.workers import Each, in_processes
from features.threads import cores
from training.matrix import RowsOf, rows_of
from training.run import Tell


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
    with _work() as work, in_processes(cores()) as each:
        parts = _dealt(folder, mapping, funnel, work, each, tell)
        return Learnable(gathered(parts), parts.report, rows_of)


@contextmanager
def _work() -> Iterator[Path]:
    """A folder in LEADSCORE_HOME that goes with the work."""
    home = leadscore_home().resolve()
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="partitions-", dir=home, ignore_cleanup_errors=True) as work:
        yield Path(work)


def _dealt(folder: str, mapping: DatasetMapping | None, funnel: Funnel, work: Path, each: Each, tell: Tell) -> Partitions:
    try:
        return partitions_of(folder, mapping, funnel, work, each=each, share=lambda what, done: tell(f"{what} ({done:.0%})"))
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT):
            raise
        raise DataError(
            f"a dataset of this size is read in partitions, which must fit on the disk of {work.parent}: {error.strerror}. Make room, or set "
            "LEADSCORE_HOME to a disk that has it."
        ) from None
