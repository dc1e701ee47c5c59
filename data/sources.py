"""The files of one table, read, renamed as the mapping says, and put together as they were written."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.arrow import array
from data.arrow import table as make_table
from data.columns import DecimalCommas, plain_numbers, text_column
from data.contract import TABLES, Table, canonical
from data.documents import nearest
from data.files import ROW, Part, Stream, read_file
from data.folder import Origin
from data.mapping import Source
from data.sniffing import EmptyFile, UnreadableFile
from data.validation import FILE, Inspection

_RAGGED_SHARE = 0.05


def read_table(name: str, origins: Sequence[Origin], inspection: Inspection) -> pa.Table | None:
    """All rows of the table as written, with ROW and FILE; None where no file could be read."""
    tables = []
    for path, label, source in files_of(origins):
        try:
            part = read_file(path, label)
        except UnreadableFile as error:
            note_unreadable(name, error, inspection)
            continue
        note_file(name, part, part.table.num_rows, inspection)
        commas = DecimalCommas(part.delimiter)
        commas.see({column: part.table[column] for column in part.table.column_names if column != ROW})
        tables.append(part_of_table(name, part.table, label, source, commas.found(), inspection))
    return together(tables) if tables else None


def files_of(origins: Sequence[Origin]) -> Iterator[tuple[Path, str, Source | None]]:
    """Each file of a table, in order: its path, what people are told it is called, and how its columns are renamed."""
    for origin in origins:
        for path in origin.paths:
            yield path, f"{path.parent.name}/{path.name}" if len(origin.paths) > 1 else path.name, origin.source


def part_of_table(name: str, table: pa.Table, label: str, source: Source | None, commas: Sequence[str], inspection: Inspection) -> pa.Table:
    """Rows of one file, as written, under our names and with FILE; `commas` are its columns with decimal commas."""
    for column in commas:
        table = table.set_column(table.column_names.index(column), column, plain_numbers(table[column]))
    renamed = _renamed(name, table, source, label, inspection)
    file = pa.DictionaryArray.from_arrays(np.zeros(renamed.num_rows, np.int32), array([label]))
    return renamed.append_column(FILE, file)


def note_unreadable(name: str, error: UnreadableFile, inspection: Inspection) -> None:
    """Note a file that can't be taken as a table."""
    message, _, fix = str(error).partition(". ")
    inspection.error("empty_file" if isinstance(error, EmptyFile) else "unreadable", name, None, message, fix)


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """A sentence for a column that is not there: the nearest one, else those that are."""
    close = nearest(name, names)
    return f"Did you mean {close!r}?" if close else f"Columns there: {', '.join(names[:12])}."


def note_file(name: str, part: Part | Stream, rows: int, inspection: Inspection) -> None:
    """Note what is odd about a file that was read, and how it is written; `rows` are those that could be taken."""
    inspection.encodings[part.name] = part.encoding
    if part.ragged:
        ragged = [(part.name, row.row, row.reason, row.line) for row in part.ragged]
        inspection.add_rejects(name, *(array(column) for column in zip(*ragged, strict=True)))
        note = inspection.error if len(ragged) > _RAGGED_SHARE * (rows + len(ragged)) else inspection.warn
        shown = tuple(f"row {row.row}: {row.reason}" for row in part.ragged[:5])
        message = f"every row of {part.name} must have as many fields as its header; {len(ragged):,} rows don't"
        fix = "They are left out; quote fields that hold the separator or a line end, and export again."
        note("ragged_row", name, None, message, fix, count=len(ragged), examples=shown)
    if part.renamed:
        message = f"column names of {part.name} must differ; repeated: {', '.join(part.renamed)}"
        inspection.warn("repeated_column", name, None, message, "The later ones got a number; rename them.")


def _renamed(name: str, table: pa.Table, source: Source | None, label: str, inspection: Inspection) -> pa.Table:
    """The part under our names: mapped columns first, constants, then what is neither dropped nor in the way."""
    if source is None:
        return table
    present = [column for column in table.column_names if column != ROW]
    for theirs in (*source.columns.values(), *source.drop):
        if theirs not in present:
            message = f"mapping.toml names the column {theirs!r} of {label}, which is not there"
            inspection.error("missing_column", name, theirs, message, did_you_mean(theirs, present))
    columns = {ours: table[theirs] for ours, theirs in source.columns.items() if theirs in present}
    columns |= {ours: array([canonical(value)] * table.num_rows) for ours, value in source.constant.items()}
    used = {*source.columns.values(), *source.drop}
    columns |= {column: table[column] for column in present if column not in used and column not in columns}
    mapped = make_table({**columns, ROW: table[ROW]})
    return _with_time(mapped, TABLES[name]) if source.constant else mapped


def _with_time(table: pa.Table, declared: Table) -> pa.Table:
    """Without the rows whose required time is empty: a date column that becomes a stage says there that it wasn't reached."""
    for column in set(declared.required) & set(declared.times) & set(table.column_names):
        table = table.filter(text_column(table[column]).is_valid())
    return table


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of several files; a column that has not one type in all of them is text."""
    kinds: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for column in table.schema:
            kinds.setdefault(column.name, set()).add(column.type)
    mixed = {name for name, types in kinds.items() if len(types) > 1}
    same = [_as_text(table, mixed & set(table.column_names)) for table in tables]
    return pa.concat_tables(same, promote_options="default").unify_dictionaries()


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for name in names:
        table = table.set_column(table.column_names.index(name), name, text_column(table[name]))
    return table
