"""The rows of many landmarks, of which a block at a time is in memory: float32 in a file, picked by index and never copied whole."""

import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from data.contract import DataError
from data.home import leadscore_home
from features.rows import Cohort, compute_in_blocks
from features.schema import Schema
from features.timeline import Ints
from registry.models import Floats, Rows

BLOCK = 65_536
"""Rows that are in memory at once."""
AT_ONCE = 1 << 28
"""Bytes of single columns that one pass over the rows brings into memory."""
Picked = slice | Ints | NDArray[np.bool_]


@dataclass(frozen=True)
class Held:
    """What a matrix lies in: `rows` (n, p), read through a map of the file. Where they lie on a cluster as well, `grower` grows trees there (see
    `training.cluster`)."""

    rows: Rows
    map: mmap.mmap | None
    grower: Callable[..., Any] | None = None

    def forget(self) -> None:
        """What was read counts no longer as memory of this process; the system keeps it as long as there is room."""
        if self.map is not None and hasattr(self.map, "madvise"):
            self.map.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class Matrix:
    """Rows of `held`, all in order or those at `index` (m,). A part of them (`matrix[mask]`) is another index on the same file; `numpy.asarray` makes
    an array of them, which is for parts that are small."""

    held: Held
    index: Ints | None = None

    def __len__(self) -> int:
        return len(self.held.rows) if self.index is None else int(self.index.size)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.held.rows.shape[1]

    def __getitem__(self, picked: Picked) -> "Matrix":
        every = np.arange(len(self), dtype=np.int64) if self.index is None else self.index
        return type(self)(self.held, every[picked])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the rows of a matrix lie in a file: an array of them is always a copy.")
        return np.array(self._at(slice(None)), dtype)

    def _at(self, part: slice) -> Rows:
        return self.held.rows[part] if self.index is None else self.held.rows[self.index[part]]

    def blocks(self, rows: int = BLOCK) -> Iterator[Rows]:
        """All rows in order, so many at a time."""
        for begin in range(0, len(self), rows):
            part = self._at(slice(begin, begin + rows))
            yield part.copy() if self.index is None else part
            self.held.forget()


AnyRows: TypeAlias = Rows | Matrix
"""(n, p) float32: an array, as where rows are few, or a matrix."""
RowsOf = Callable[[Schema, Cohort, Ints, Ints], Matrix]
"""The rows of a spine: schema, its leads, (m,) index of the lead, (m,) as_of."""


def rows_of(schema: Schema, cohort: Cohort, lead: Ints, as_of: Ints) -> Matrix:
    """`features.compute` of a spine, a block at a time."""
    return written(len(schema.columns), compute_in_blocks(schema, cohort, lead, as_of, BLOCK))


def written(width: int, parts: Iterable[Rows]) -> Matrix:
    """The parts (n, width), one below the other. They lie in LEADSCORE_HOME (where there is none, among the system's temporary
    files), in a file without a name that ends with the process. DataError where the disk is full."""
    home = leadscore_home() if leadscore_home().is_dir() else Path(tempfile.gettempdir())
    with tempfile.TemporaryFile(dir=home, buffering=0) as file:
        for part in parts:
            _write(file, np.ascontiguousarray(part, np.float32), home)
        size = file.tell()
        if not size:
            return Matrix(Held(np.zeros((0, width), np.float32), None))
        mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    return Matrix(Held(np.frombuffer(mapped, np.float32).reshape(-1, width), mapped))


def _write(file: IO[bytes], part: Rows, home: Path) -> None:
    left = part.reshape(-1).view(np.uint8).data
    try:
        while left.nbytes:
            left = left[file.write(left) :]
    except OSError as error:
        raise DataError(
            f"the rows that are learned from must fit on the disk of {home}; after {file.tell() / 1e9:,.1f} GB it says: "
            f"{error.strerror}. Make room, or set LEADSCORE_HOME to a disk that has it."
        ) from None


def blocks(X: AnyRows, rows: int = BLOCK) -> Iterator[Rows]:
    """All rows in order, so many at a time."""
    if isinstance(X, Matrix):
        yield from X.blocks(rows)
    else:
        yield from (X[begin : begin + rows] for begin in range(0, len(X), rows))


def asked(answer: Callable[[Rows], Floats], X: AnyRows) -> Floats:
    """What a model says of all rows: (n, ...), asked block by block."""
    said = [answer(block) for block in blocks(X)]
    return np.concatenate(said) if said else answer(np.zeros(X.shape, np.float32))


def useful_columns(X: AnyRows) -> NDArray[np.int64]:
    """Indices of the columns that are not the same in every row."""
    differ = np.zeros(X.shape[1], bool)
    for found in _differing(X):
        differ |= found
    return np.flatnonzero(differ)


def differ(X: AnyRows) -> bool:
    """Whether any column is useful: known from the first rows, as a rule."""
    return any(found.any() for found in _differing(X))


def _differing(X: AnyRows) -> Iterator[NDArray[np.bool_]]:
    first: Rows | None = None
    for block in blocks(X):
        first = block[:1] if first is None else first
        yield ~((first == block) | (np.isnan(block) & np.isnan(first))).all(axis=0)


def columns(X: AnyRows, groups: Sequence[Sequence[int]]) -> Iterator[Rows]:
    """(n, k) of each group of columns. One pass over the rows brings as many groups as fit into AT_ONCE bytes."""
    widest = max(AT_ONCE // (4 * max(len(X), 1)), 1)
    for some in _together(groups, widest):
        chosen = [column for group in some for column in group]
        parts = [block[:, chosen] for block in blocks(X)]
        found = np.concatenate(parts) if parts else np.zeros((0, len(chosen)), np.float32)
        at = 0
        for group in some:
            yield found[:, at : at + len(group)]
            at += len(group)


def _together(groups: Sequence[Sequence[int]], widest: int) -> Iterator[list[Sequence[int]]]:
    some: list[Sequence[int]] = []
    for group in groups:
        if some and sum(map(len, some)) + len(group) > widest:
            yield some
            some = []
        some.append(group)
    if some:
        yield some
