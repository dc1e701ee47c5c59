"""One file on disk -> a table of columns: CSV in whatever encoding and with whatever separator it came, or Parquet."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from data.arrow import array, is_any, pc
from data.contract import WHITESPACE
from data.recoding import Recoded, is_utf8, recoded_start
from data.sniffing import EmptyFile, UnreadableFile, delimiter_of, encoding_of, refuse_other_kinds, start_of_utf8

ROW = "\0row"
MAX_COLUMNS = 10_000
MAX_ROW_BYTES = 16 << 20
_HEAD_BYTES = MAX_ROW_BYTES
_SWALLOWED_LINES = 3
_PARQUET_ROWS = 1 << 17


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


@dataclass(slots=True)
class Stream:
    """One file, batch by batch, in memory bounded by a block of it. `ragged` grows and `unnamed` (columns without a name and, so far, a value)
    shrinks while it is read."""

    name: str
    encoding: str
    delimiter: str | None
    renamed: tuple[str, ...]
    columns: tuple[str, ...]
    batches: Iterator[pa.Table]
    ragged: list[RaggedRow] = field(default_factory=list)
    unnamed: set[str] = field(default_factory=set)
    _rows: int = 2

    def __iter__(self) -> Iterator[pa.Table]:
        """Tables of at least no row, the first always there; raises UnreadableFile with a message for people."""
        try:
            for table in self.batches:
                self.unnamed -= {name for name in self.unnamed if is_any(pc.not_equal(table[name], ""))}
                yield self._numbered(table)
        except _UNREADABLE as error:
            raise _unreadable(self.name, error) from error

    def _numbered(self, table: pa.Table) -> pa.Table:
        """With the number of each row in the file; those of ragged rows are gaps."""
        gaps = [row.row for row in self.ragged if row.row >= self._rows]
        numbers = np.setdiff1d(np.arange(self._rows, self._rows + table.num_rows + len(gaps)), gaps, assume_unique=True)[: table.num_rows]
        self._rows = int(numbers[-1]) + 1 if numbers.size else self._rows
        return table.append_column(ROW, array(numbers))


_UNREADABLE = (pa.ArrowException, OSError, EOFError, MemoryError)


def read_file(path: Path, name: str) -> Part:
    """The file as a Part; raises UnreadableFile (EmptyFile where nothing is in it) with a message for people."""
    stream = stream_of(path, name)
    tables = list(stream)
    table = pa.concat_tables(tables).drop_columns(sorted(stream.unnamed))
    return Part(name, table, stream.encoding, stream.delimiter, tuple(stream.ragged), stream.renamed)


def stream_of(path: Path, name: str) -> Stream:
    """The file as a Stream; raises UnreadableFile (EmptyFile where nothing is in it) with a message for people."""
    try:
        if path.stat().st_size == 0:
            raise EmptyFile(f"{name} is empty (0 bytes). Export it again, with a header row.")
        return _open_parquet(path, name) if path.suffix.lower() == ".parquet" else _open_csv(path, name)
    except _UNREADABLE as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: BaseException) -> UnreadableFile:
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return UnreadableFile(f"{name} can't be read: {reason}. Export it again, or check the disk and its rights.")


def _open_parquet(path: Path, name: str) -> Stream:
    with pa.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
    _check_width(len(schema), name)
    names, renamed = _tidy_names(schema.names)
    return Stream(name, "Parquet", None, renamed, tuple(names), _parquet_batches(path, names))


def _parquet_batches(path: Path, names: list[str]) -> Iterator[pa.Table]:
    with pa.parquet.ParquetFile(path) as file:
        yield file.schema_arrow.empty_table().rename_columns(names)
        for batch in file.iter_batches(_PARQUET_ROWS):
            yield pa.Table.from_batches([batch]).rename_columns(names)


def _open_csv(path: Path, name: str) -> Stream:
    gzipped = _starts(path, b"\x1f\x8b")
    with _bytes_of(path, gzipped) as stream:
        head = stream.read(_HEAD_BYTES)
    refuse_other_kinds(head, name)
    encoding = encoding_of(head)
    if encoding in ("UTF-8", "UTF-8-BOM"):
        with _bytes_of(path, gzipped) as stream:
            plain = is_utf8(stream)
        if plain:
            return _csv_stream(lambda: _bytes_of(path, gzipped), start_of_utf8(head), name, encoding)
    with _bytes_of(path, gzipped) as stream:
        start, encoding = recoded_start(stream, encoding, name, _HEAD_BYTES)
    return _csv_stream(lambda: Recoded(_bytes_of(path, gzipped), encoding, name), start, name, encoding)


def _bytes_of(path: Path, gzipped: bool) -> Any:
    compression: Any = "gzip" if gzipped else None
    return pa.input_stream(str(path), compression=compression)


def _starts(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _csv_stream(source: Callable[[], Any], head: str, name: str, encoding: str) -> Stream:
    delimiter = delimiter_of(head)
    header = _first_row(head, delimiter, name)
    _check_width(len(header), name)
    names, renamed = _tidy_names(header)
    ragged: list[RaggedRow] = []
    unnamed = {names[place] for place, column in enumerate(header) if not column.strip(WHITESPACE)}
    return Stream(name, encoding, delimiter, renamed, tuple(names), _csv_batches(source, delimiter, names, ragged, name), ragged, unnamed)


def _csv_batches(source: Callable[[], Any], delimiter: str, names: list[str], ragged: list[RaggedRow], name: str) -> Iterator[pa.Table]:
    def reject(row: pyarrow.csv.InvalidRow) -> Literal["skip"]:
        found = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        ragged.append(RaggedRow(row.number or 0, found, row.text))
        return "skip"

    options = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=reject)
    convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    read = pyarrow.csv.ReadOptions(use_threads=False, block_size=MAX_ROW_BYTES, column_names=names, skip_rows_after_names=1)
    try:
        with source() as stream, pyarrow.csv.open_csv(stream, read_options=read, parse_options=options, convert_options=convert) as batches:
            yield batches.schema.empty_table()
            for batch in batches:
                table = pa.Table.from_batches([batch])
                _refuse_open_quote(table, [], delimiter, name)
                yield table
            _refuse_open_quote(batches.schema.empty_table(), ragged, delimiter, name)
    except pa.ArrowInvalid as error:
        if "straddl" in str(error) or "out of sync" in str(error):
            raise UnreadableFile(_too_long(name)) from None
        raise


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
