"""Scoring a dataset of any size: partition by partition, each kept as soon as it is done, so that a run that was ended goes on where it was."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

import orjson
import pyarrow as pa

from data.cluster import code
from data.contract import DataError
from data.documents import write_json
from data.funnel import Funnel
from data.partitions import MANIFEST, Partitions, read_partition
from features.tables import cohort_of
from registry.bundle import Bundle
from serving.batch import schema_of, score_cohort
from serving.score_files import ROWS
from serving.scorer import Scorer

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True, slots=True)
class PartitionTask:
    """What any process with the folders at hand needs to score one partition: paths and a few words. `scorer` is the folder of `keep_scorer`."""

    part: int
    folder: str
    scorer: str
    version: str
    as_of: int
    out: str

    @property
    def done(self) -> Path:
        """The document that says that `out` is whole."""
        return Path(self.out).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class PartDone:
    """One partition's scores: how many rows, and how many bytes in its file."""

    part: int
    rows: int
    size: int


def score_partition(task: PartitionTask) -> PartDone:
    """Scores the leads of one partition that are open at as_of into `task.out`, an Arrow file sorted as the score file is, whole or not at all.
    What is done already is left as it is."""
    found = _done(task)
    if found is not None:
        return found
    scorer = _scorer(task.scorer, task.version)
    dataset = read_partition(task.folder)
    schema = schema_of(scorer)
    if dataset.leads.num_rows:
        table = score_cohort(scorer, cohort_of(dataset, scorer.bundle.schema), task.as_of, deals=dataset.deals)
    else:
        table = schema.empty_table()
    out = Path(task.out)
    new = out.with_name(f".{out.name}.{token_hex(4)}.new")
    with pa.ipc.new_file(str(new), schema, options=_COMPRESSED) as file:
        file.write_table(table, max_chunksize=ROWS)
    told = PartDone(task.part, table.num_rows, new.stat().st_size)
    new.replace(out)
    write_json(task.done, {"part": told.part, "rows": told.rows, "size": told.size})
    return told


def _done(task: PartitionTask) -> PartDone | None:
    """What was done of it before; None where it is not there, or torn."""
    try:
        told = PartDone(**orjson.loads(task.done.read_bytes()))
        return told if Path(task.out).stat().st_size == told.size else None
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None


def keep_scorer(bundle: bytes, policy: Funnel, folder: Path) -> None:
    """Puts what scores where every worker finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bundle").write_bytes(bundle)
    write_json(folder / "policy.json", policy.model_dump(mode="json", by_alias=True))


@lru_cache(maxsize=1)
def _scorer(folder: str, version: str) -> Scorer:
    """Made once by each process: the folder is named after its content."""
    policy = Funnel.from_document(orjson.loads((Path(folder) / "policy.json").read_bytes()))
    return Scorer.of(Bundle.from_bytes((Path(folder) / "bundle").read_bytes()), version, policy)


@dataclass(frozen=True)
class Workplace:
    """The folder beside the output where a run keeps what is done, until the output is there."""

    folder: Path

    @property
    def data(self) -> Path:
        """Where the partitions are."""
        return self.folder / "data"

    def tasks(self, parts: Partitions, bundle: bytes, policy: Funnel, version: str, as_of: int) -> list[PartitionTask]:
        """One for each partition. What was scored for another question (data, bundle, policy, instant) or by other code is in another folder,
        and is removed."""
        asked = [code(), parts.digest, len(parts.folders), version, as_of, policy.model_dump(mode="json")]
        told = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        name = hashlib.sha256(bundle + told).hexdigest()[:16]
        for other in self.folder.glob("scores-*"):
            if other.name != f"scores-{name}":
                shutil.rmtree(other)
        folder = self.folder / f"scores-{name}"
        keep_scorer(bundle, policy, folder)
        return [
            PartitionTask(number, str(part.resolve()), str(folder.resolve()), version, as_of, str((folder / f"{number}.arrow").resolve()))
            for number, part in enumerate(parts.folders)
        ]

    @property
    def begun(self) -> bool:
        """Whether there is something that the same command could go on with."""
        return (self.data / MANIFEST).exists()

    def clear(self) -> None:
        """Everything is done, or nothing of it can be used. What can't be removed stays: the output is none the worse for it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def left(self, tasks: list[PartitionTask]) -> list[PartitionTask]:
        """Those that are not done."""
        return [task for task in tasks if _done(task) is None]


@contextmanager
def workplace(out: Path) -> Iterator[Workplace]:
    """The one beside `out`, for one run at a time; DataError where another one is at work there."""
    folder = out.with_name(f".{out.name}.work")
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = out.with_name(f".{out.name}.lock")
    with _locked(lock, out):
        try:
            folder.mkdir(exist_ok=True)
            yield Workplace(folder)
        finally:
            lock.unlink(missing_ok=True)


def _locked(path: Path, out: Path) -> BinaryIO:
    """The file, open and locked: the very one that has this name, since a run that ends removes its own."""
    while True:
        file = path.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BlockingIOError:
            file.close()
            raise DataError(f"another run is writing {out} at this moment. Wait for it to end, or name another file with --out.") from None
        except FileNotFoundError:
            pass
        file.close()
