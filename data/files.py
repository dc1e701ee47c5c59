"""One file on disk -> a table of columns: CSV in whatever encoding and with whatever separator it came, or Parquet."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from data.arrow import array, is_any, pc
from data.contract import WHITESPACE
from data.sniffing import EmptyFile, UnreadableFile, decoded, delimiter_of, encoding_of, refuse_other_kinds, start_of_utf8

ROW = "\0row"
MAX_COLUMNS = 10_000
MAX_ROW_BYTES = 16 << 20
_HEAD_BYTES = MAX_ROW_BYTES
_SWALLOWED_LINES = 3


@dataclass(frozen=True, slots=True)
class RaggedRow:
    """A row with more or fewer fields than the header: its number (the header is row 1), why, and its text."""

    row: int
    reason: str
    line: str


@dataclass(frozen=True, slots=True)
class Part:
    """One file as read. CSV columns are text as it stands there, Parquet columns keep their type; ROW numbers the rows."""

    name: str
    table: pa.Table
    encoding: str = "Parquet"
    delimiter: str | None = None
    ragged: tuple[RaggedRow, ...] = ()
    renamed: tuple[str, ...] = ()


def read_file(path: Path, name: str) -> Part:
    """The file as a Part; raises UnreadableFile (EmptyFile where nothing is in it) with a message for people."""
    try:
        if path.stat().st_size == 0:
            raise EmptyFile(f"{name} is empty (0 bytes). Export it again, with a header row.")
        return _read_parquet(path, name) if path.suffix.lower() == ".parquet" else _read_csv(path, name)
    except (pa.ArrowException, OSError, EOFError, MemoryError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UnreadableFile(f"{name} can't be read: {reason}. Export it again, or check the disk and its rights.") from error


def _read_parquet(path: Path, name: str) -> Part:
    with pa.parquet.ParquetFile(path) as file:
        _check_width(len(file.schema_arrow), name)
        table = file.read()
    names, renamed = _tidy_names(table.column_names)
    return Part(name, _numbered(table.rename_columns(names), ()), renamed=renamed)


def _read_csv(path: Path, name: str) -> Part:
    compression: Any = "gzip" if _starts(path, b"\x1f\x8b") else None
    with pa.input_stream(str(path), compression=compression) as stream:
        head = stream.read(_HEAD_BYTES)
    refuse_other_kinds(head, name)
    encoding = encoding_of(head)
    if encoding in ("UTF-8", "UTF-8-BOM"):
        try:
            with pa.input_stream(str(path), compression=compression) as stream:
                return _parse_csv(stream, start_of_utf8(head), name, encoding)
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            if isinstance(error, pa.ArrowInvalid) and "UTF8" not in str(error):
                raise
    with pa.input_stream(str(path), compression=compression) as stream:
        text, encoding = decoded(stream.read(), encoding, name)
    return _parse_csv(pa.BufferReader(text.encode()), text[:_HEAD_BYTES], name, encoding)


def _starts(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _parse_csv(source: Any, head: str, name: str, encoding: str) -> Part:
    delimiter = delimiter_of(head)
    header = _first_row(head, delimiter, name)
    _check_width(len(header), name)
    names, renamed = _tidy_names(header)
    ragged: list[RaggedRow] = []

    def reject(row: pyarrow.csv.InvalidRow) -> Literal["skip"]:
        found = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        ragged.append(RaggedRow(row.number or 0, found, row.text))
        return "skip"

    options = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=reject)
    convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    read = pyarrow.csv.ReadOptions(use_threads=False, block_size=MAX_ROW_BYTES, column_names=names, skip_rows_after_names=1)
    try:
        table = pyarrow.csv.read_csv(source, read_options=read, parse_options=options, convert_options=convert)
    except pa.ArrowInvalid as error:
        if "straddl" in str(error) or "out of sync" in str(error):
            raise UnreadableFile(_too_long(name)) from None
        raise
    _refuse_open_quote(table, ragged, delimiter, name)
    rows = tuple(ragged)
    return Part(name, _numbered(_without_empty_unnamed(table, header), rows), encoding, delimiter, rows, renamed)


def _too_long(name: str) -> str:
    return (
        f"{name} holds a row of more than {MAX_ROW_BYTES >> 20} MB. Either a quotation mark is opened and never closed, or "
        "it is not a table with one row per line. Close the quote, or export it again."
    )


def _refuse_open_quote(table: pa.Table, ragged: list[RaggedRow], delimiter: str, name: str) -> None:
    """A quotation mark that is never closed swallows whole rows into one field: then nothing after it can be trusted."""
    texts = [row.line for row in ragged]
    for column in table.columns:
        long = pc.greater(pc.count_substring(column, "\n"), _SWALLOWED_LINES)
        if is_any(long):
            texts += map(str, column.filter(long).slice(0, 100).to_pylist())
    for text in texts:
        lines = text.split("\n")[1:-1]
        like_rows = sum(line.count(delimiter) == table.num_columns - 1 for line in lines)
        if table.num_columns > 1 and len(lines) > _SWALLOWED_LINES and like_rows > 0.9 * len(lines):
            start = text.split("\n", 1)[0][-60:]
            raise UnreadableFile(
                f"{name} holds a quotation mark that is never closed, and {len(lines):,} rows disappear in one field; it is "
                f"the one that begins {start!r}. Close it, or double the quotation marks inside of quoted text."
            )


def _first_row(head: str, delimiter: str, name: str) -> list[str]:
    if len(head) >= _HEAD_BYTES and "\n" not in head and "\r" not in head:
        raise UnreadableFile(_too_long(name))
    csv.field_size_limit(MAX_ROW_BYTES)
    try:
        return next(row for row in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter) if row)
    except csv.Error:
        raise UnreadableFile(_too_long(name)) from None
    except StopIteration:
        raise EmptyFile(f"{name} is empty. Export it again, with a header row.") from None


def _check_width(columns: int, name: str) -> None:
    if columns > MAX_COLUMNS:
        raise UnreadableFile(
            f"{name} has {columns:,} columns; at most {MAX_COLUMNS:,} are read. Is the table turned on its side, or the "
            "line end missing? Export one row per line, and only the columns that may matter."
        )


def _tidy_names(names: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Names without outer blanks, unique: a repeated name gets a number. Also returns the repeated ones."""
    tidy: list[str] = []
    repeated: list[str] = []
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        unique = base = name.strip(WHITESPACE) or f"column_{position}"
        number = 1
        while unique in seen:
            number += 1
            unique = f"{base}_{number}"
        if unique != base:
            repeated.append(base)
        seen.add(unique)
        tidy.append(unique)
    return tidy, tuple(repeated)


def _without_empty_unnamed(table: pa.Table, header: list[str]) -> pa.Table:
    """Drops columns that have neither a name nor a value: what a separator at each line's end makes."""
    unnamed = [place for place, name in enumerate(header) if not name.strip(WHITESPACE)]
    empty = [place for place in unnamed if all(not value for value in table.column(place).unique().to_pylist())]
    return table.drop_columns([table.column_names[place] for place in empty]) if empty else table


def _numbered(table: pa.Table, ragged: tuple[RaggedRow, ...]) -> pa.Table:
    gaps = [row.row for row in ragged]
    numbers = np.setdiff1d(np.arange(2, table.num_rows + len(gaps) + 2), gaps, assume_unique=True)
    return table.append_column(ROW, array(numbers))
