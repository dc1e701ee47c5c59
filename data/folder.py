"""Which files of a folder hold which table."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.contract import TABLES, DataError
from data.documents import nearest
from data.mapping import DatasetMapping, Source
from data.validation import Inspection

_ENDINGS = (".csv", ".csv.gz", ".parquet")
_OTHER_ENDINGS = (".xlsx", ".xls", ".json", ".jsonl", ".tsv", ".txt", ".xml", ".ods", ".zip", ".feather", ".avro")
_NOT_OURS = ("truth",)


@dataclass(frozen=True, slots=True)
class Origin:
    """The files (the parts of one folder, or one alone) that give rows to a table, and how their columns are renamed."""

    paths: tuple[Path, ...]
    source: Source | None = None


def open_folder(path: Path) -> Path:
    """The dataset's folder; DataError for what is none: nothing there, or a flat file."""
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise DataError(f"the folder {path} can't be opened. Give yourself the right to read it.")
        return path
    if not path.exists():
        raise DataError(f"{path} does not exist. A dataset is a folder with leads.csv, events.csv and stages.csv.")
    if _stem(path) is None:
        raise DataError(f"{path} must be a folder of CSV or Parquet tables, or one CSV file; it is neither. {_advice()}")
    raise DataError(
        f"{path} is one file, not a folder of tables: a flat file, one row per lead. If one of its columns says how each lead "
        "ended, name it with `--outcome COLUMN`; else put its tables into a folder, as leads.csv, events.csv and stages.csv."
    )


def open_file(path: Path) -> Path:
    """The flat file; DataError for what is none: nothing there, a folder, or another kind of file."""
    if path.is_dir():
        raise DataError(
            f"{path} is a folder of tables, and what is asked for goes with one flat file, one row per lead. Name the file, such as leads.csv; "
            "a folder says in its table `stages` how each lead went on, and needs no --outcome."
        )
    if not path.exists():
        raise DataError(f"{path} does not exist. A flat file is one CSV or Parquet file with a row per lead.")
    if _stem(path) is None:
        raise DataError(f"{path} must be a CSV or Parquet file ({', '.join(_ENDINGS)}); it is not. Save it as CSV (UTF-8).")
    return path


def find_origins(folder: Path, mapping: DatasetMapping | None, inspection: Inspection) -> dict[str, tuple[Origin, ...]]:
    """The origins of each table, none where the folder does not have it; notes missing, doubtful and ignored files."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "_")))
    origins: dict[str, tuple[Origin, ...]] = {}
    for table in TABLES:
        sources = mapping.sources(table) if mapping else ()
        origins[table] = _mapped(folder, table, sources, inspection) if sources else _own(entries, table, inspection)
    if not origins["leads"]:
        _report_no_leads(entries, inspection)
    _warn_ignored(entries, origins, inspection)
    return origins


def _own(entries: Sequence[Path], table: str, inspection: Inspection) -> tuple[Origin, ...]:
    found = [entry for entry in entries if _name(entry) == table]
    if len(found) > 1:
        names = ", ".join(entry.name for entry in found)
        message = f"{table} must be in one place; found {names}"
        inspection.error("ambiguous_table", table, None, message, "Keep one of them, or name it in mapping.toml.")
    return tuple(Origin(_parts(entry, table, inspection)) for entry in found[:1])


def _mapped(folder: Path, table: str, sources: Sequence[Source], inspection: Inspection) -> tuple[Origin, ...]:
    origins = []
    for source in sources:
        paths = [folder / (source.file + ending) for ending in ("", *_ENDINGS)]
        found = next((path for path in paths if path.exists()), None)
        if found is None:
            close = nearest(source.file, [entry.name for entry in folder.iterdir()])
            message = f"mapping.toml takes {table} from {source.file!r}, which is not in the folder"
            fix = f"Did you mean {close!r}?" if close else "Correct `file`."
            inspection.error("missing_file", table, None, message, fix)
            continue
        origins.append(Origin(_parts(found, table, inspection), source))
    return tuple(origins)


def _parts(entry: Path, table: str, inspection: Inspection) -> tuple[Path, ...]:
    if entry.is_file():
        return (entry,)
    parts = tuple(sorted(part for part in entry.iterdir() if _stem(part) and not part.name.startswith((".", "_"))))
    if not parts:
        message = f"the folder {entry.name}/ must hold .csv, .csv.gz or .parquet files; it has none"
        inspection.error("empty_file", table, None, message, "Export the table again, or remove the folder.")
    return parts


def _report_no_leads(entries: Sequence[Path], inspection: Inspection) -> None:
    if any(finding.table == "leads" for finding in inspection.errors):
        return
    names = [entry.name for entry in entries]
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"
    close = nearest("leads", [name for entry in entries if (name := _stem(entry) or entry.name.split(".")[0])])
    hint = f"If {close!r} is it, rename it to leads.csv or name it in mapping.toml. " if close else ""
    message = f"a dataset must have a table `leads` (leads.csv, .csv.gz, .parquet or a folder leads/); found {shown}"
    inspection.error("no_leads", "leads", None, message, hint + _advice())


def _warn_ignored(entries: Sequence[Path], origins: dict[str, tuple[Origin, ...]], inspection: Inspection) -> None:
    used = {path for group in origins.values() for origin in group for path in origin.paths}
    used |= {path.parent for path in used}
    for entry in entries:
        table = _name(entry)
        other = table is None and entry.is_file() and entry.suffix.lower() in _OTHER_ENDINGS
        if entry in used or table in TABLES or table in _NOT_OURS or (table is None and not other):
            continue
        close = nearest(table or entry.stem, TABLES)
        fix = f"Did you mean {close!r}? Rename it" if close else "Name it in mapping.toml if it matters"
        message = f"{entry.name} is not a table of the contract and is ignored"
        inspection.warn("unknown_table", table or entry.name, None, message, f"{fix}.")


def _name(entry: Path) -> str | None:
    """The table that an entry would hold by its name; None for what is no table at all."""
    if entry.is_dir():
        return entry.name.lower()
    stem = _stem(entry)
    return stem.lower() if stem else None


def _stem(path: Path) -> str | None:
    name = path.name.lower()
    ending = next((ending for ending in _ENDINGS if name.endswith(ending) and name != ending), None)
    return path.name[: -len(ending)] if ending else None


def _advice() -> str:
    return f"The tables are {', '.join(TABLES)}, as CSV or Parquet."
