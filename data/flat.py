"""A flat file: one table with one row per lead, a column that says how each ended, and no times. Read as the leads of a dataset that holds
nothing else."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.arrow import Column, Mask, array, as_mask, pc
from data.arrow import table as make_table
from data.columns import text_column
from data.contract import EXITS, STAGES, is_placeholder
from data.dataset import Dataset, Progress, assembled
from data.files import ROW
from data.folder import Origin, open_file
from data.funnel import Funnel
from data.sources import did_you_mean, read_table
from data.validation import FILE, Inspection, InvalidDataset, Report

UNKNOWN = -1
_YES = frozenset({"1", "yes", "true", "y", "t", "converted", "success", "positive", "ja", "sim", "是", "j", "s"})
_NO = frozenset({"0", "no", "false", "n", "f", "not converted", "failure", "negative", "nein", "nej", "nei", "não", "nao", "否", "-1"})
"""What says yes and what says no, in lower case, beside the words that the funnel has for its later stages (won) and its exits (lost)."""
_TIMES = ("created_at", "recorded_at")
_IDS = ("lead_id", "prospect_id", "contact_id", "record_id", "id", "lead_number", "prospect_number", "lead_no", "leadid", "uuid", "guid")
_Y = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class FlatColumns:
    """Which columns of a flat file are no attributes: the `outcome`, the `id` of the lead (None: the one that is found, else the row's number), the
    `group` whose rows belong together; and whether the order of rows is the order of time."""

    outcome: str
    id: str | None = None
    group: str | None = None
    ordered: bool = False

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FlatFile:
    """The leads as a `dataset` (created at instant 0, in the order of the file), `y` (n,) 1 or 0, UNKNOWN where the outcome is empty, `group` (n,)
    any integer for each entity (each lead its own, where no group is named), and the `columns` as they were found."""

    dataset: Dataset
    y: _Y
    group: NDArray[np.int64]
    columns: FlatColumns


def read_flat(path: str | Path, columns: FlatColumns, funnel: Funnel, tell: Progress, now: int) -> tuple[FlatFile, Report]:
    """The file with its outcomes. Raises InvalidDataset, with everything that is wrong, and DataError for what is no flat file."""
    raw, inspection = _read(path, tell)
    if raw is not None:
        columns = _checked(raw, columns, inspection)
    y = np.zeros(0, np.int8) if raw is None else _outcomes(raw, columns.outcome, funnel, inspection)
    dataset, report = _leads(path, raw, columns, funnel, inspection, now, tell)
    return FlatFile(dataset, y, _groups(raw, columns.group), columns), report


def read_to_score(path: str | Path, columns: FlatColumns, funnel: Funnel, tell: Progress, now: int) -> tuple[Dataset, Report]:
    """The leads of a file that needs no outcome, of the same `columns` as the one that was learned from."""
    raw, inspection = _read(path, tell)
    if raw is not None and columns.id is not None:
        _require(raw, columns.id, "in training it named the lead of each row", inspection)
    return _leads(path, raw, columns, funnel, inspection, now, tell)


def check_flat(path: str | Path, funnel: Funnel, tell: Progress, now: int) -> tuple[tuple[str, ...], Report]:
    """(the columns that could be an outcome, the report on the file): what can be said before anybody has named the outcome."""
    raw, inspection = _read(path, tell)
    if raw is None:
        raise InvalidDataset(Report(tuple(inspection.errors), tuple(inspection.warnings), {}, {}))
    found = tuple(name for name in _theirs(raw) if _meanings(_distinct(text_column(raw[name])), funnel) is not None)
    return found, _leads(path, raw, FlatColumns("", _id_of(raw, FlatColumns(""))), funnel, inspection, now, tell)[1]


def _read(path: str | Path, tell: Progress) -> tuple[pa.Table | None, Inspection]:
    file, inspection = open_file(Path(path)), Inspection()
    tell(f"reading {file.name} ({file.stat().st_size / 1e6:,.1f} MB)")
    return read_table("leads", (Origin((file,)),), inspection), inspection


def _theirs(raw: pa.Table) -> list[str]:
    return [name for name in raw.column_names if name not in (ROW, FILE)]


def _checked(raw: pa.Table, columns: FlatColumns, inspection: Inspection) -> FlatColumns:
    """The columns with the id that is used; notes each that is not there, one that is named twice, and what looks like an id and is none."""
    named = {"--outcome": columns.outcome, "--id": columns.id, "--group": columns.group}
    for option, name in named.items():
        if name is not None:
            _require(raw, name, f"{option} names it", inspection)
    if columns.outcome in (columns.id, columns.group):
        message = f"--outcome must name a column of its own; {columns.outcome!r} is given to --id or --group, too"
        inspection.error("named_twice", "leads", columns.outcome, message, "Name another.")
    found = replace(columns, id=_id_of(raw, columns))
    if found.id is None and found.group is None:
        _warn_of_repeats(raw, found, inspection)
    return found


def _warn_of_repeats(raw: pa.Table, columns: FlatColumns, inspection: Inspection) -> None:
    """Of the first column that is called like an id and names some leads twice: without --group they would be learned from and measured on."""
    for name in _called_like_ids(raw, columns)[:1]:
        values = text_column(raw[name])
        again = len(values) - values.null_count - pc.count_distinct(values).as_py()
        if again:
            message = f"{name!r} is called like an id, and {again:,} of {len(values):,} rows repeat an earlier one: the row's number is the id"
            fix = f"If these are rows of one lead, say --group {name!r}: else the same lead is learned from and measured on."
            inspection.warn("repeated_id", "leads", name, message, fix, count=again)


def _require(raw: pa.Table, name: str, why: str, inspection: Inspection) -> None:
    if name not in raw.column_names:
        message = f"the file must have a column {name!r}: {why}; it is not there"
        inspection.error("missing_column", "leads", name, message, did_you_mean(name, _theirs(raw)))


def _id_of(raw: pa.Table, columns: FlatColumns) -> str | None:
    """The column that --id names; else the first that is called like an id, filled and different in every row; else None: the row's number."""
    if columns.id is not None:
        return columns.id
    return next((name for name in _called_like_ids(raw, columns) if _is_key(text_column(raw[name]))), None)


def _called_like_ids(raw: pa.Table, columns: FlatColumns) -> list[str]:
    """The columns that are called like an id, the likeliest first."""
    called = {name: _plain(name) for name in _theirs(raw) if name not in (columns.outcome, columns.group)}
    return sorted((name for name in called if called[name] in _IDS), key=lambda name: (_IDS.index(called[name]), name))


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _is_key(values: Column) -> bool:
    return not values.null_count and pc.count_distinct(values).as_py() == len(values)


def _outcomes(raw: pa.Table, name: str, funnel: Funnel, inspection: Inspection) -> _Y:
    """(n,) 1, 0 or UNKNOWN; notes an error where the column's values are not one yes and one no, a warning where some are empty."""
    y = np.full(raw.num_rows, UNKNOWN, np.int8)
    if name not in raw.column_names:
        return y
    said = text_column(raw[name])
    counts: dict[str, int] = {c["values"]: c["counts"] for c in pc.value_counts(said.drop_null()).to_pylist()}
    meant = _meanings(list(counts), funnel)
    if meant is None:
        inspection.error("bad_outcome", "leads", name, _not_two(name, counts), _how_to_say(counts))
        return y
    for value, converted in meant.items():
        y[as_mask(pc.equal(said, value))] = converted
    empty = int((y == UNKNOWN).sum())
    if empty:
        message = f"the outcome {name!r} must be filled; {empty:,} of {y.size:,} rows are empty"
        fix = "Nothing is learned from them; fill it where it is known how the lead ended."
        inspection.warn("no_outcome", "leads", name, message, fix, count=empty, examples=_rows(raw, y == UNKNOWN))
    return y


def _meanings(values: list[str], funnel: Funnel) -> dict[str, int] | None:
    """What each of exactly two values means, 1 and 0; None where they are not two, or not one of each."""
    found = {value: _meaning(value, funnel) for value in values}
    known = {value: converted for value, converted in found.items() if converted is not None}
    return known if len(values) == len(known) == 2 and set(known.values()) == {0, 1} else None


def _meaning(value: str, funnel: Funnel) -> int | None:
    lower = value.lower()
    if lower in _YES or lower in _NO:
        return int(lower in _YES)
    stage = funnel.stage_of(value)
    return 1 if stage in STAGES[1:] else 0 if stage in EXITS else None


def _distinct(values: Column) -> list[str]:
    found: list[str] = pc.unique(values).drop_null().slice(0, 3).to_pylist()
    return found


def _not_two(name: str, counts: dict[str, int]) -> str:
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    shown = ", ".join(f"{value[:40]!r} ({counts[value]:,} rows)" for value in ranked[:8])
    more = f" and {len(ranked) - 8:,} more" if len(ranked) > 8 else ""
    return f"the outcome {name!r} must hold two values, one that means yes and one that means no; found {shown or 'nothing'}{more}"


def _how_to_say(counts: dict[str, int]) -> str:
    if len(counts) == 2:
        return "Write yes and no (1 and 0, true and false, won and lost will do), or add the words to `customer` and `lost` in funnel.toml."
    if len(counts) == 1:
        return "With one outcome alone nothing can be learned: export the leads that ended the other way, too."
    return "Name another column, or write yes, no, and nothing where it is not known yet."


def _rows(raw: pa.Table, which: Mask) -> tuple[str, ...]:
    return tuple(f"row {row}" for row in raw[ROW].filter(array(which)).slice(0, 5).to_pylist())


def _groups(raw: pa.Table | None, name: str | None) -> NDArray[np.int64]:
    """(n,) an integer for each entity; a row whose group is empty, or `unknown`, is an entity of its own."""
    if raw is None or name is None or name not in raw.column_names:
        return np.arange(0 if raw is None else raw.num_rows, dtype=np.int64)
    coded: Any = text_column(raw[name]).combine_chunks().dictionary_encode()
    codes = np.asarray(pc.fill_null(coded.indices, -1), dtype=np.int64)
    named = np.array([not is_placeholder(name) for name in coded.dictionary.to_pylist()] + [False])[codes]
    return np.where(named, codes, len(coded.dictionary) + np.arange(codes.size))


def _leads(
    path: str | Path, raw: pa.Table | None, columns: FlatColumns, funnel: Funnel, inspection: Inspection, now: int, tell: Progress
) -> tuple[Dataset, Report]:
    """The rows as leads of a checked dataset: the id, attributes, and nothing of when."""
    own = None if raw is None else _as_leads(raw, columns, inspection)
    expected = {"leads", "events", "stages"}
    tables, report = assembled(lambda name: own if name == "leads" else None, expected, Path(path).stem, funnel, now, inspection, tell)
    tell("computing the digest")
    return Dataset(**tables, digest=_digest(Path(path), columns, funnel)), report


def _as_leads(raw: pa.Table, columns: FlatColumns, inspection: Inspection) -> pa.Table:
    for name in (name for name in _TIMES if name in raw.column_names):
        message = f"the column {name!r} holds times, and a flat file has none: it is not used"
        fix = "For scores with a horizon make a folder of tables: leads.csv, and stages.csv with the time at which each stage was entered."
        inspection.warn("times_not_used", "leads", name, message, fix)
    gone = {columns.outcome, columns.id, columns.group, "lead_id", *_TIMES}
    kept = {name: raw[name] for name in raw.column_names if name not in gone}
    created = pa.array(np.zeros(raw.num_rows, "datetime64[us]"), pa.timestamp("us", "UTC"))
    leads: pa.Table = make_table({"lead_id": _ids(raw, columns.id, inspection), "created_at": created, **kept})
    return leads


def _ids(raw: pa.Table, name: str | None, inspection: Inspection) -> Column:
    """Each row's lead: the id column as text, else the row's number (the header is row 1)."""
    numbers = text_column(raw[ROW])
    if name is None or name not in raw.column_names:
        return numbers
    ids = text_column(raw[name])
    for wrong, why in _wrong_ids(ids):
        message = f"the id {name!r} must be filled and differ in every row; {int(wrong.sum()):,} of {len(ids):,} rows {why}"
        fix = "Correct them, name another column, or leave --id out: then the row's number is the id. Rows of one entity are told with --group."
        inspection.error("bad_id", "leads", name, message, fix, count=wrong.sum(), examples=_rows(raw, wrong))
    return numbers if inspection.errors else ids


def _wrong_ids(ids: Column) -> Iterator[tuple[Mask, str]]:
    if ids.null_count:
        yield as_mask(ids.is_null()), "are empty"
    coded: Any = ids.combine_chunks().dictionary_encode().indices
    codes = np.asarray(pc.fill_null(coded, -1), dtype=np.int64)
    again = np.ones(codes.size, bool)
    again[np.unique(codes, return_index=True)[1]] = False
    if (again & (codes >= 0)).any():
        yield again & (codes >= 0), "repeat an earlier one"


def _digest(path: Path, columns: FlatColumns, funnel: Funnel) -> str:
    words = {"stages": funnel.stage_words, "exits": funnel.exit_words}
    digest = hashlib.sha256(json.dumps([words, columns.document()], sort_keys=True).encode())
    with path.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
