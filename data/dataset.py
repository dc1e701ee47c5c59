"""A folder of tables -> a checked, typed Dataset and the report on it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from data.arrow import Column, pc
from data.contract import TABLES, DataError
from data.files import ROW
from data.folder import Origin, find_origins, open_folder
from data.funnel import Funnel
from data.home import clock, leadscore_home
from data.mapping import DatasetMapping
from data.rules import check_together, warn_once
from data.sources import read_table
from data.tables import empty_table, typed_table
from data.validation import FILE, Inspection, InvalidDataset, Report

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Dataset:
    """The tables of the contract, each with every column that it names, then the attributes; absent tables have no row.

    Ids and text are `string` by the rule of `contract.canonical`, times int64 micros UTC, `events.value` and `deals.amount`
    float64; null is "nothing known". `digest` is the sha256 of the files and how they were read.
    """

    leads: pa.Table
    accounts: pa.Table
    events: pa.Table
    stages: pa.Table
    deals: pa.Table
    changes: pa.Table
    aliases: pa.Table
    digest: str

    @property
    def data_end(self) -> int:
        """The latest created, occurred or entered time, micros. Deal dates don't count: they may lie ahead."""
        seen = (self.leads["created_at"], self.events["occurred_at"], self.stages["entered_at"])
        latest = [at for column in seen if (at := pc.max(column).as_py()) is not None]
        if not latest:
            raise DataError("the dataset must have at least one lead; table leads has no row. Check the export.")
        return int(max(latest))


def read_dataset(
    path: str | Path,
    *,
    funnel: Funnel,
    mapping: DatasetMapping | None = None,
    on_progress: Progress | None = None,
    now: int | None = None,
) -> tuple[Dataset, Report]:
    """Read and check a whole dataset folder; `now` (micros, else the wall clock) is what no time may lie after.

    Raises InvalidDataset, with the whole report, where a rule that stops is broken, and DataError where `path` is no folder.
    Rejected rows are written to LEADSCORE_HOME/rejects; the report counts them.
    """
    folder = open_folder(Path(path))
    tell = on_progress or _nobody
    inspection = Inspection()
    origins = find_origins(folder, mapping, inspection)

    def read(name: str) -> pa.Table | None:
        if origins[name]:
            tell(f"reading {name} ({_megabytes(origins[name])} MB)")
        return read_table(name, origins[name], inspection)

    expected = {"leads", *(name for name in TABLES if origins[name])}
    tables, report = assembled(read, expected, folder.resolve().name, funnel, clock() if now is None else now, inspection, tell)
    tell("computing the digest")
    return Dataset(**tables, digest=digest_of(folder, origins, funnel, mapping)), report


def assembled(
    read: Callable[[str], pa.Table | None], expected: set[str], source: str | None, funnel: Funnel, now: int, inspection: Inspection, tell: Progress
) -> tuple[dict[str, pa.Table], Report]:
    """Every table that `read` gives as it was written (with ROW and FILE), typed and checked, alone and against the others.

    A table is broken where it is `expected` and can't be typed. `source` names the files of rejected rows; None: they stay where they are, and no
    file is written. Raises InvalidDataset.
    """
    tables, rows = settled(read, expected, funnel, now, inspection, tell)
    return tables, reported(source, rows, inspection)


def settled(
    read: Callable[[str], pa.Table | None],
    expected: set[str],
    funnel: Funnel,
    now: int,
    inspection: Inspection,
    tell: Progress,
    elsewhere: "Column | None" = None,
) -> tuple[dict[str, pa.Table], dict[str, int]]:
    """The tables, typed and checked, and how many rows of each were read: of a whole dataset, or of a part in which all rows of a lead, of its
    account's other leads and of their accounts are. `elsewhere` are ids of events whose first row is in another part. Notes what is wrong."""
    tables: dict[str, pa.Table] = {}
    rows: dict[str, int] = {}
    broken: set[str] = set()
    for name in TABLES:
        raw = read(name)
        typed = None if raw is None else typed_table(name, raw, now, inspection, elsewhere)
        if raw is not None:
            rows[name] = raw.num_rows
        if typed is None and name in expected:
            broken.add(name)
        tables[name] = empty_table(name) if typed is None else typed
    tell("checking the tables against each other")
    check_together(tables, broken, funnel, inspection)
    return {name: _bare(table) for name, table in tables.items()}, rows


def reported(source: str | None, rows: dict[str, int], inspection: Inspection) -> Report:
    """The report on all that was noted, with the files of rejected rows; raises InvalidDataset where a rule that stops is broken."""
    warn_once(inspection)
    files = {} if source is None else _rejects_files(source, inspection)
    report = Report(tuple(inspection.errors), tuple(inspection.warnings), rows, inspection.rejected(), files)
    if not report.ok:
        raise InvalidDataset(report)
    return report


def _rejects_files(source: str, inspection: Inspection) -> dict[str, str]:
    """Written where rows were rejected, removed where none were: {table: path}."""
    files = {name: str(_write_rejects(source, name, parts)) for name, parts in inspection.rejects.items()}
    for name in TABLES:
        if name not in files:
            _rejects_path(source, name).unlink(missing_ok=True)
    return files


def _rejects_path(source: str, table: str) -> Path:
    return leadscore_home() / "rejects" / f"{source}-{table}.csv"


def _write_rejects(source: str, table: str, parts: list[pa.Table]) -> Path:
    path = _rejects_path(source, table)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = pa.concat_tables(parts, promote_options="permissive")
        pyarrow.csv.write_csv(rows.take(pc.sort_indices(rows, sort_keys=[("file", "ascending"), ("row", "ascending")])), path)
    except OSError as error:
        raise DataError(f"the rejected rows can't be written to {path}: {error.strerror}. Set LEADSCORE_HOME.") from None
    return path


def _bare(table: pa.Table) -> pa.Table:
    return table.drop_columns([name for name in (ROW, FILE) if name in table.column_names]).combine_chunks()


def digest_of(folder: Path, origins: dict[str, tuple[Origin, ...]], funnel: Funnel, mapping: DatasetMapping | None) -> str:
    """The sha256 of the files and of what says how they are read."""
    words = {"stages": funnel.stage_words, "exits": funnel.exit_words}
    settings = [words, mapping.model_dump(mode="json") if mapping else None]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, group in origins.items():
        for path in (path for origin in group for path in origin.paths):
            digest.update(f"{name} {path.relative_to(folder).as_posix()} ".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _megabytes(origins: tuple[Origin, ...]) -> str:
    return f"{sum(path.stat().st_size for origin in origins for path in origin.paths) / 1e6:,.1f}"


def _nobody(_: str) -> None:
    return None
