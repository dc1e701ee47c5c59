"""A dataset of any size as partitions that fit in memory: each a typed dataset of its own, in which a lead, its colleagues and their account are."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet

from data.cluster import code
from data.contract import TABLES, DataError
from data.dataset import Dataset, digest_of, reported
from data.documents import write_json
from data.folder import Origin, find_origins, open_folder
from data.funnel import Funnel
from data.home import clock
from data.mapping import DatasetMapping
from data.partitioning_split import CONTESTED, MANIFEST, Piece, Share, split
from data.partitioning_typed import DONE, ELSEWHERE, TypingTask, claims_of, read_partition, settle_claims, type_partition
from data.sources import files_of
from data.validation import Inspection, Report
from data.workers import Each, in_turn

__all__ = ["MANIFEST", "MOST", "NoLeads", "Partitions", "gathered", "partitions_of", "read_partition", "suggested_count"]

MOST = 400
"""Partitions at most: each has a file open while rows are dealt out."""
_BYTES = 128 << 20
"""Of CSV for one partition: some 25,000 leads with 1.5 M events, half a gigabyte of memory while it is typed."""
_DEALT = 0.5
"""The share of the reading that is done when all is dealt out, about."""
_PACKED = {".parquet": 5, ".gz": 7}
"""How many bytes of CSV a byte of these stands for, about."""


class NoLeads(DataError):
    """The dataset has the tables, and no row."""


@dataclass(frozen=True, slots=True)
class Partitions:
    """A dataset as typed folders for `read_partition`, and what only all of them tell: the report, the latest created, occurred or entered time
    (micros), the digest (that of `read_dataset`), how many leads each has, and the size of the largest group of ids that had to stay together."""

    folders: tuple[Path, ...]
    leads: tuple[int, ...]
    report: Report
    data_end: int
    digest: str
    largest: int


def suggested_count(folder: str | Path, mapping: DatasetMapping | None = None) -> int:
    """How many partitions a dataset needs, by the size of its files."""
    origins = find_origins(open_folder(Path(folder)), mapping, Inspection())
    size = sum(path.stat().st_size * _PACKED.get(path.suffix.lower(), 1) for group in origins.values() for path, *_ in files_of(group))
    return min(MOST, max(1, ceil(size / _BYTES)))


def partitions_of(
    dataset_folder: str | Path,
    mapping: DatasetMapping | None,
    funnel: Funnel,
    work: str | Path,
    count: int | None = None,
    *,
    each: Each = in_turn,
    share: Share = lambda _what, _share: None,
    now: int | None = None,
) -> Partitions:
    """Deals a dataset folder into `count` partitions (default: by its size) in the folder `work`, each row with its lead, leads of one account (now
    or ever) together, and types and checks each as `read_dataset` would the whole: the report adds up to the same.

    What `work` holds of the same question (files, mapping, stage names, count, code) is taken up again; of another one, it is removed. `each` runs
    the partitions' tasks, `share` hears how far it is. Raises InvalidDataset and DataError as `read_dataset` does.
    """
    folder, work = open_folder(Path(dataset_folder)), Path(work).resolve()
    count = min(MOST, count or suggested_count(folder, mapping))
    inspection = Inspection()
    origins = find_origins(folder, mapping, inspection)
    asked = _question(folder, origins, mapping, funnel, count)
    begun = _begun(work, asked)
    if begun is None:
        dealing = partial(_first, share)
        begun = _split(folder, origins, mapping, funnel, work, count, asked, inspection, dealing, clock() if now is None else now)
    tasks = _tasks(work, begun, funnel)
    _type(tasks, work, each, share)
    return _together(folder.resolve().name, tasks, begun)


def gathered(parts: Partitions) -> Dataset:
    """All partitions as one dataset: what `read_dataset` gives of the folder, in another order of the rows."""
    read = [read_partition(folder) for folder in parts.folders]
    tables = {name: pyarrow.concat_tables([getattr(one, name) for one in read], promote_options="default") for name in TABLES}
    return Dataset(**tables, digest=parts.digest)


def _question(folder: Path, origins: dict[str, tuple[Origin, ...]], mapping: DatasetMapping | None, funnel: Funnel, count: int) -> dict[str, Any]:
    files = [
        [name, path.relative_to(folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns]
        for name, group in origins.items()
        for path, *_ in files_of(group)
    ]
    return {
        "code": code(),
        "folder": str(folder.resolve()),
        "files": files,
        "mapping": mapping.model_dump(mode="json") if mapping else None,
        "funnel": funnel.training_document(),
        "count": count,
    }


def _begun(work: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """What was dealt out for this very question."""
    try:
        found: dict[str, Any] = orjson.loads((work / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if found["asked"] == orjson.loads(orjson.dumps(asked)) else None


def _split(
    folder: Path,
    origins: dict[str, tuple[Origin, ...]],
    mapping: DatasetMapping | None,
    funnel: Funnel,
    work: Path,
    count: int,
    asked: dict[str, Any],
    inspection: Inspection,
    share: Share,
    now: int,
) -> dict[str, Any]:
    (work / MANIFEST).unlink(missing_ok=True)  # first: it must never be beside other rows than its own
    for name in ("raw", "typed", ELSEWHERE):
        shutil.rmtree(work / name, ignore_errors=True)
    for file in (*work.glob("event-*.bin"), *work.glob("rejected-*.parquet")):
        file.unlink()
    work.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1, "digest") as beside:  # both wait for the disk, and neither for the other
        digest = beside.submit(digest_of, folder, origins, funnel, mapping)
        pieces, largest = split(origins, work, count, inspection, share)
    for name, parts in inspection.rejects.items():
        pyarrow.parquet.write_table(pyarrow.concat_tables(parts, promote_options="permissive"), work / f"rejected-{name}.parquet")
    document: dict[str, Any] = {
        "asked": asked,
        "pieces": [asdict(piece) for piece in pieces],
        "expected": ["leads", *(name for name in TABLES if origins[name] and name != "leads")],
        "found": inspection.document(),
        "largest": largest,
        "now": now,
    }
    try:
        document["digest"] = digest.result()
    except OSError:
        if not inspection.errors:
            raise
        return document | {"digest": ""}  # a file can't be read: the report says so, and nothing of it is kept
    write_json(work / MANIFEST, document)
    return document


def _tasks(work: Path, begun: dict[str, Any], funnel: Funnel) -> list[TypingTask]:
    pieces = tuple(Piece.read(piece) for piece in begun["pieces"])
    told = funnel.training_document()
    return [
        TypingTask(str(work), part, pieces, tuple(begun["expected"]), told, begun["now"], begun["digest"]) for part in range(begun["asked"]["count"])
    ]


def _type(tasks: list[TypingTask], work: Path, each: Each, share: Share) -> None:
    left = [task for task in tasks if not (task.folder / DONE).exists()]
    if left and np.load(work / CONTESTED).size and not (work / ELSEWHERE).exists():
        settle_claims(work, sorted(each(claims_of, tasks), key=lambda claims: claims.part))
    for number, part in enumerate(each(type_partition, left), 1):
        share("reading and checking", _DEALT + (1 - _DEALT) * (len(tasks) - len(left) + number) / len(tasks))
        for piece in tasks[part].pieces:
            piece.path(work, part).unlink(missing_ok=True)


def _first(share: Share, what: str, done: float) -> None:
    share(what, _DEALT * done)


def _together(source: str, tasks: list[TypingTask], begun: dict[str, Any]) -> Partitions:
    inspection, rows, documents = Inspection(), dict[str, int](), list(_documents(tasks))
    inspection.absorb(begun["found"])
    for about in documents:
        inspection.absorb(about["found"])
        for name, read in about["rows"].items():
            rows[name] = rows.get(name, 0) + read
    for name in TABLES:
        kept = [Path(tasks[0].work) / f"rejected-{name}.parquet", *(task.folder / f"rejected-{name}.parquet" for task in tasks)]
        if parts := [pyarrow.parquet.read_table(path) for path in kept if path.exists()]:
            inspection.rejects[name] = parts
    report = reported(source, rows, inspection)
    ends = [about["data_end"] for about in documents if about["data_end"] is not None]
    if not ends:
        raise NoLeads("the dataset must have at least one lead; table leads has no row. Check the export.")
    folders, leads = tuple(task.folder for task in tasks), tuple(about["leads"] for about in documents)
    return Partitions(folders, leads, report, max(ends), begun["digest"], begun["largest"])


def _documents(tasks: list[TypingTask]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        try:
            yield orjson.loads((task.folder / DONE).read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise DataError(
                f"the partition {task.folder} can't be read: {error}. Remove {task.work}, if it is still there, and run the command again."
            ) from None
