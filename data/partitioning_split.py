"""The raw tables streamed once, out of core, each row to the partition of its lead, as it was written: what it means is settled there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from data.arrow import Column, array, pc
from data.columns import DecimalCommas, text_column
from data.contract import TABLES
from data.files import Stream, stream_of
from data.folder import Origin
from data.mapping import Source
from data.partitioning_groups import Groups, Parts, Tie
from data.partitioning_keys import ACCOUNT, EVENT, LEAD, NO_KEY, Keys, keys_of
from data.sniffing import UnreadableFile
from data.sources import files_of, note_file, note_unreadable
from data.validation import Inspection

MANIFEST = "split.json"
CONTESTED = "contested.npy"
_GIVEN = "raw"
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")

Share = Callable[[str, float], None]
"""Hears what is being done, and the share of it that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a table, dealt out: where its rows are, and what only the whole file could tell. `place` is that of the file in its
    table, `source` how the mapping renames its columns."""

    table: str
    place: int
    label: str
    rows: int
    commas: tuple[str, ...]
    unnamed: tuple[str, ...]
    source: dict[str, Any] | None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The piece of its JSON values."""
        return cls(**{**document, "commas": tuple(document["commas"]), "unnamed": tuple(document["unnamed"])})

    def path(self, work: Path, part: int) -> Path:
        """The rows of one partition."""
        return work / _GIVEN / f"{self.table}-{self.place}" / f"{part}.arrow"


def split(folder_files: Mapping[str, Sequence[Origin]], work: Path, parts: int, inspection: Inspection, share: Share) -> tuple[list[Piece], int]:
    """Deals every file of every table out under `work`; returns the pieces and the size of the largest group of ids that stays together."""
    groups = _groups(folder_files, parts, share)
    pieces, shelf = [], _Shelf(work, parts)
    sizes = {(name, place): path.stat().st_size for name, place, path, *_ in _files(folder_files)}
    done, total = 0, sum(sizes.values()) or 1
    for name, place, path, label, source in _files(folder_files):
        try:
            pieces.append(_dealt(name, place, path, label, source, groups, work, shelf, inspection))
        except UnreadableFile as error:
            note_unreadable(name, error, inspection)
        done += sizes[name, place]
        share(f"dealing {label} out", done / total)
    shelf.settle()
    return pieces, groups.largest


def _files(origins: Mapping[str, Sequence[Origin]]) -> Iterator[tuple[str, int, Path, str, Source | None]]:
    for name in TABLES:
        for place, (path, label, source) in enumerate(files_of(origins[name])):
            yield name, place, path, label, source


def _groups(origins: Mapping[str, Sequence[Origin]], parts: int, share: Share) -> Groups:
    if parts == 1:
        return Groups.of([], 1)
    ties: list[Tie] = []
    for name, _, path, label, source in _files(origins):
        if name not in _TIES:
            continue
        share(f"finding out which leads belong together in {label}", 0.0)
        try:
            ties += [_TIES[name](table, source) for table in stream_of(path, label)]
        except UnreadableFile:
            continue  # told when it is dealt out
    return Groups.of(ties, parts)


def _given(table: pa.Table, ours: str, source: Source | None) -> "Column | None":
    """The column that becomes `ours`, as the mapping says; None where there is none."""
    if source is None or (ours not in source.columns and ours not in source.constant):
        taken = source is not None and ours in {*source.columns.values(), *source.drop}
        return table[ours] if ours in table.column_names and not taken else None
    if ours in source.constant:
        return pa.chunked_array([array([str(source.constant[ours])] * table.num_rows, pa.string())])
    theirs = source.columns[ours]
    return table[theirs] if theirs in table.column_names else None


def _keys(table: pa.Table, ours: str, source: Source | None, kind: np.uint64) -> Keys:
    column = _given(table, ours, source)
    return np.full(table.num_rows, NO_KEY) if column is None else keys_of(column, kind)


def _tie_of_leads(table: pa.Table, source: Source | None) -> Tie:
    return Tie(_keys(table, "lead_id", source, LEAD), _keys(table, "account_id", source, ACCOUNT))


def _tie_of_aliases(table: pa.Table, source: Source | None) -> Tie:
    return Tie(_keys(table, "lead_id", source, LEAD), _keys(table, "external_id", source, LEAD))


def _tie_of_changes(table: pa.Table, source: Source | None) -> Tie:
    """A lead and the accounts that it was ever at."""
    moved = _says(table, "object", source, "lead") & _says(table, "field", source, "account_id")
    return Tie(_keys(table, "id", source, LEAD)[moved], _keys(table, "value", source, ACCOUNT)[moved])


def _says(table: pa.Table, ours: str, source: Source | None, word: str) -> Any:
    column = _given(table, ours, source)
    if column is None:
        return np.zeros(table.num_rows, np.bool_)
    said = pc.equal(pc.ascii_lower(text_column(column)) if ours == "object" else text_column(column), word)
    return np.asarray(pc.fill_null(said, False), np.bool_)


_TIES: Mapping[str, Callable[[pa.Table, Source | None], Tie]] = {"leads": _tie_of_leads, "changes": _tie_of_changes, "aliases": _tie_of_aliases}


def _parts_of(name: str, table: pa.Table, source: Source | None, groups: Groups) -> Parts:
    """(n,) partitions of the rows."""
    if groups.parts == 1:
        return np.zeros(table.num_rows, np.int32)
    if name == "accounts":
        return groups.of_keys(_keys(table, "account_id", source, ACCOUNT))
    if name == "changes":
        of_account = _says(table, "object", source, "account")
        return groups.of_keys(np.where(of_account, _keys(table, "id", source, ACCOUNT), _keys(table, "id", source, LEAD)))
    keys = _keys(table, "lead_id", source, LEAD)
    if name == "leads":  # one without an id is told of beside its account
        keys = np.where(keys == NO_KEY, _keys(table, "account_id", source, ACCOUNT), keys)
    return groups.of_keys(keys)


def _dealt(
    name: str, place: int, path: Path, label: str, source: Source | None, groups: Groups, work: Path, shelf: "_Shelf", inspection: Inspection
) -> Piece:
    stream = stream_of(path, label)
    piece = Piece(name, place, label, 0, (), (), None if source is None else source.model_dump(mode="json"))
    piece.path(work, 0).parent.mkdir(parents=True, exist_ok=True)
    commas, rows, writers = DecimalCommas(stream.delimiter), 0, list[Any]()
    with ExitStack() as stack:
        for table in _ahead(stream):
            if not writers:
                writers += [
                    stack.enter_context(pa.ipc.new_stream(str(piece.path(work, part)), table.schema, options=_COMPRESSED))
                    for part in range(groups.parts)
                ]
                continue
            rows += table.num_rows
            commas.see({column: table[column] for column in stream.columns})
            part = _parts_of(name, table, source, groups)
            _write(table, part, writers)
            if name == "events":
                shelf.add(_keys(table, "event_id", source, EVENT), part)
    note_file(name, stream, rows, inspection)
    return replace(piece, rows=rows, commas=tuple(commas.found()), unnamed=tuple(sorted(stream.unnamed)))


def _ahead(stream: Stream) -> Iterator[pa.Table]:
    """The stream's tables, the next one read while this one is dealt out: Arrow gives the lock back while it reads."""
    tables = iter(stream)
    with ThreadPoolExecutor(1, "reading") as reader:
        coming = reader.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = reader.submit(next, tables, None)
            yield table


def _write(table: pa.Table, part: Parts, writers: Sequence[Any]) -> None:
    """The rows to the writers of their partitions, in their order."""
    if len(writers) > 1:
        table = table.take(array(np.argsort(part.astype(np.uint16), kind="stable")))
    begin = 0
    for writer, size in zip(writers, np.bincount(part, minlength=len(writers)).tolist(), strict=True):
        if size:
            writer.write_table(table.slice(begin, size))
        begin += size


class _Shelf:
    """Finds the ids of events that are in more than one partition, out of core: sorted into files by their keys, then file by file."""

    def __init__(self, work: Path, parts: int) -> None:
        self._work, self._parts = work, parts

    def add(self, keys: Keys, part: Parts) -> None:
        """The next events' ids, and where they went."""
        if self._parts == 1:
            return
        there = keys != NO_KEY
        keys, part = keys[there], part[there]
        shelf = (keys % np.uint64(self._parts)).astype(np.uint16)
        order = np.argsort(shelf, kind="stable")
        keys, part = keys[order], part[order]
        ends = np.cumsum(np.bincount(shelf, minlength=self._parts))
        for number, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            for kind, values in (("keys", keys), ("parts", part)):
                with self._path(kind, number).open("ab") as file:
                    file.write(values[begin:end].data)

    def settle(self) -> None:
        """Writes the keys that several partitions have, sorted, and removes the files."""
        contested = [np.empty(0, np.uint64)]
        for number in range(self._parts if self._path("keys", 0).exists() else 0):
            keys, part = np.fromfile(self._path("keys", number), np.uint64), np.fromfile(self._path("parts", number), np.int32)
            order = np.lexsort((part, keys))
            keys, part = keys[order], part[order]
            contested.append(np.unique(keys[1:][(keys[1:] == keys[:-1]) & (part[1:] != part[:-1])]))
            for kind in ("keys", "parts"):
                self._path(kind, number).unlink()
        np.save(self._work / CONTESTED, np.sort(np.concatenate(contested)))

    def _path(self, kind: str, number: int) -> Path:
        return self._work / f"event-{kind}-{number}.bin"
