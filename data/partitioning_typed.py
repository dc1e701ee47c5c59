"""One partition: its rows as written become a dataset of its own, typed and checked by the very code that reads a whole folder, kept as Parquet."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from data.arrow import array
from data.contract import TABLES, DataError
from data.dataset import Dataset, settled
from data.documents import write_json
from data.files import ROW
from data.funnel import Funnel
from data.mapping import Source
from data.partitioning_keys import EVENT, keys_of
from data.partitioning_split import CONTESTED, Piece
from data.sources import part_of_table, together
from data.tables import typed_table
from data.validation import Inspection

DONE = "done.json"
ELSEWHERE = "elsewhere"
_DATED = (("leads", "created_at"), ("events", "occurred_at"), ("stages", "entered_at"))


@dataclass(frozen=True, slots=True)
class TypingTask:
    """What a worker needs to type one partition: paths and small documents. `expected` are the tables that must be there."""

    work: str
    part: int
    pieces: tuple[Piece, ...]
    expected: tuple[str, ...]
    funnel: dict[str, Any]
    now: int
    digest: str

    @property
    def folder(self) -> Path:
        """Where the typed tables are."""
        return Path(self.work) / "typed" / str(self.part)


@dataclass(frozen=True, slots=True)
class Claims:
    """Which events of a partition bear an id that others have as well: id, place of the file and row, of the first of each that can stay."""

    part: int
    ids: list[str]
    places: list[int]
    rows: list[int]


def claims_of(task: TypingTask) -> Claims:
    """The events of this partition whose ids are contested."""
    keys = np.load(Path(task.work) / CONTESTED)
    ids, places, rows = list[str](), list[int](), list[int]()
    seen: set[str] = set()
    for piece in (piece for piece in task.pieces if piece.table == "events"):
        table = _rows_of(task, piece, Inspection())
        if "event_id" not in table.column_names:
            continue
        table = table.filter(array(np.isin(keys_of(table["event_id"], EVENT), keys)))
        typed = typed_table("events", table, task.now, Inspection())
        if typed is None or not typed.num_rows:
            continue
        for id, row in _with_rows(typed):
            if id not in seen:
                seen.add(id)
                ids.append(id)
                places.append(piece.place)
                rows.append(row)
    return Claims(task.part, ids, places, rows)


def _with_rows(events: pa.Table) -> list[tuple[str, int]]:
    columns: list[list[Any]] = [events[name].to_pylist() for name in ("event_id", ROW)]
    return [(id, row) for id, row in zip(*columns, strict=True) if id is not None]


def settle_claims(work: Path, claims: Sequence[Claims]) -> None:
    """The first row of each id, in the order of files and rows, keeps it: for the other partitions it is `elsewhere`."""
    folder = work / f".{ELSEWHERE}.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    first: dict[str, tuple[int, int, int]] = {}
    for claim in claims:
        for id, place, row in zip(claim.ids, claim.places, claim.rows, strict=True):
            first[id] = min(first.get(id, (place, row, claim.part)), (place, row, claim.part))
    for claim in claims:
        lost = [id for id in claim.ids if first[id][2] != claim.part]
        pa.parquet.write_table(pa.table({"event_id": array(lost, pa.string())}), folder / f"{claim.part}.parquet")
    folder.replace(work / ELSEWHERE)


def type_partition(task: TypingTask) -> int:
    """Types, checks and keeps one partition, whole or not at all; returns its number. Done already, it is left as it is."""
    if (task.folder / DONE).exists():
        return task.part
    inspection = Inspection()
    pieces = {name: [piece for piece in task.pieces if piece.table == name] for name in TABLES}

    def read(name: str) -> pa.Table | None:
        return together([_rows_of(task, piece, inspection) for piece in pieces[name]]) if pieces[name] else None

    funnel = Funnel.from_document(task.funnel)
    tables, rows = settled(read, set(task.expected), funnel, task.now, inspection, lambda _: None, _elsewhere(task))
    _keep(task, tables, rows, inspection)
    return task.part


def _elsewhere(task: TypingTask) -> Any:
    path = Path(task.work) / ELSEWHERE / f"{task.part}.parquet"
    return pa.parquet.read_table(path)["event_id"].combine_chunks() if path.exists() else None


def _rows_of(task: TypingTask, piece: Piece, inspection: Inspection) -> pa.Table:
    with pa.OSFile(str(piece.path(Path(task.work), task.part)), "rb") as file, pa.ipc.open_stream(file) as stream:
        table = stream.read_all()
    source = None if piece.source is None else Source.model_validate(piece.source)
    return part_of_table(piece.table, table.drop_columns(list(piece.unnamed)), piece.label, source, piece.commas, inspection)


def _keep(task: TypingTask, tables: dict[str, pa.Table], rows: dict[str, int], inspection: Inspection) -> None:
    new = task.folder.with_name(f".{task.part}.{token_hex(4)}.new")
    new.mkdir(parents=True)
    for name, table in tables.items():
        pa.parquet.write_table(table, new / f"{name}.parquet", compression="lz4")
    for name, rejected in inspection.rejects.items():
        pa.parquet.write_table(pa.concat_tables(rejected, promote_options="permissive"), new / f"rejected-{name}.parquet")
    latest = [at for name, column in _DATED if (at := pc.max(tables[name][column]).as_py()) is not None]
    document = {"rows": rows, "leads": tables["leads"].num_rows, "data_end": max(latest, default=None), "digest": task.digest}
    write_json(new / DONE, {**document, "found": inspection.document()})
    try:
        new.replace(task.folder)
    except OSError:
        if not (task.folder / DONE).exists():
            raise
        shutil.rmtree(new)  # another worker was asked as well, and was faster


def read_partition(path: str | Path) -> Dataset:
    """The typed tables of one partition, in the types of `Dataset`; `digest` is that of the whole dataset and the partition's number."""
    folder = Path(path)
    try:
        about = orjson.loads((folder / DONE).read_bytes())
        tables = {name: pa.parquet.read_table(folder / f"{name}.parquet").combine_chunks() for name in TABLES}
    except (OSError, pa.ArrowException, orjson.JSONDecodeError) as error:
        raise DataError(
            f"the partition {folder} can't be read: {error}. Remove its work folder, if it is still there, and run the command again."
        ) from None
    return Dataset(**tables, digest=f"{about['digest']}:{folder.name}")
