"""The score file: rows in order of likelihood, from one table or from many sorted parts, as CSV or Parquet, whole or not at all."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from data.contract import DataError
from serving.spreadsheet import cell

FORMATS = (".csv", ".parquet")
ROWS = 1_024
"""Of one part in memory at once, while parts are merged."""
_GROUP = 16_384
_MAY_RUN = (
    "^[\\s\\x0b\\x1c-\\x1f\\x85\\p{Z}\"'\u00a0\ufeff\u200b-\u200f\u2060]*[=+\\-@\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b]|[;\\t\\r\\n]"
)
"""What a cell must have in it to be run as a formula by some spreadsheet; most have not."""


def in_order(table: pa.Table) -> pa.Table:
    """Most likely first, ids break ties, those without a chance (null) at the end."""
    order = pc.sort_indices(table, sort_keys=[("probability", "descending"), ("lead_id", "ascending")])
    return table.take(order).combine_chunks()


def write_scores(tables: Iterable[pa.Table], schema: pa.Schema, out: str) -> None:
    """Sorted tables, one after the other, to `.csv` or `.parquet`: the file appears under its name only once it is complete, and its bytes do not
    tell how the rows were dealt into tables.

    In a CSV a lead_id or a reason that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    path = Path(out)
    if path.suffix not in FORMATS:
        raise DataError(f"--out must end in .csv or .parquet; got {out}. Name it accordingly.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with _writer(part, schema, path.suffix) as write:
        for table in _in_groups(tables, schema):
            write(_safe_to_open(table) if path.suffix == ".csv" else table)
    part.replace(path)


@contextmanager
def _writer(part: Path, schema: pa.Schema, suffix: str) -> Iterator[Any]:
    if suffix == ".csv":
        with pyarrow.csv.CSVWriter(str(part), schema) as csv:
            yield csv.write_table
        return
    with pyarrow.parquet.ParquetWriter(str(part), schema) as parquet:
        yield lambda table: parquet.write_table(table, row_group_size=_GROUP)


def _in_groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in tables of one size; one without a row where there is none."""
    waiting, rows, told = [schema.empty_table()], 0, False
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        while rows >= _GROUP:
            together = pa.concat_tables(waiting)
            yield together.slice(0, _GROUP).combine_chunks()
            waiting, rows, told = [together.slice(_GROUP)], rows - _GROUP, True
    if rows or not told:
        yield pa.concat_tables(waiting).combine_chunks()


def _safe_to_open(table: pa.Table) -> pa.Table:
    for name in ("lead_id", "reasons"):
        column = table[name]
        if not pc.any(pc.match_substring_regex(column, _MAY_RUN)).as_py():
            continue
        table = table.set_column(table.column_names.index(name), name, pa.array([cell(text) for text in column.to_pylist()], pa.string()))
    return table


def merged(parts: Sequence[Path]) -> Iterator[pa.Table]:
    """The rows of sorted Arrow files in one order, ROWS of each in memory at once."""
    cursors = [cursor for path in parts if (cursor := _Cursor(path)).fill()]
    try:
        while cursors:
            last = min(cursor.last for cursor in cursors)
            yield in_order(pa.concat_tables([cursor.upto(last) for cursor in cursors]))
            cursors = [cursor for cursor in cursors if cursor.fill()]
    finally:
        for cursor in cursors:
            cursor.close()


_Key = tuple[float, str]
_NO_CHANCE = 1.0
"""Behind every probability: keys hold them negated."""


class _Cursor:
    """Where one part has been read up to."""

    def __init__(self, path: Path) -> None:
        self._source = pa.OSFile(str(path), "rb")
        self._file = pa.ipc.open_file(self._source)
        self._next = 0
        self._table = self._file.schema.empty_table()
        self._keys: list[_Key] = []

    @property
    def last(self) -> _Key:
        """The key of the last row in memory."""
        return self._keys[-1]

    def fill(self) -> bool:
        """Reads on where nothing is left in memory; whether there is a row."""
        while not self._keys and self._next < self._file.num_record_batches:
            self._table = pa.Table.from_batches([self._file.get_batch(self._next)])
            self._next += 1
            chances = [_NO_CHANCE if chance is None else -chance for chance in self._table["probability"].to_pylist()]
            self._keys = list(zip(chances, map(str, self._table["lead_id"].to_pylist()), strict=True))
        if not self._keys:
            self.close()
        return bool(self._keys)

    def upto(self, key: _Key) -> pa.Table:
        """Takes the rows that come before the key or have it."""
        size = bisect_right(self._keys, key)
        taken, self._table, self._keys = self._table.slice(0, size), self._table.slice(size), self._keys[size:]
        return taken

    def close(self) -> None:
        """Nothing more is read."""
        self._source.close()
