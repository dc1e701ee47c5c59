"""A table as written -> the same table typed, with every rule that needs no other table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from data.arrow import Column, Mask, array, as_mask, pc
from data.arrow import table as make_table
from data.columns import instant_column, number_column, text_column
from data.contract import TABLES, Table, canonical, end_of_day
from data.files import ROW
from data.sources import did_you_mean
from data.tallies import Tally, examples, must_parse
from data.validation import FILE, Inspection, as_written

CLOCK_TOLERANCE = 5 * 60 * 1_000_000
_MAY_LIE_AHEAD = {("deals", "closed_at")}
_MAY_BE_EMPTY = {("changes", "value")}
_REASONS = {"unparseable_time": "is not a time in ISO-8601 (2026-11-21T10:00:00Z)", "future_time": "is not at or before now"}


@dataclass(slots=True)
class Typing:
    """A table on its way: as written, its typed columns, and which rows can't stay (and why, the first reason counting)."""

    name: str
    raw: pa.Table
    inspection: Inspection
    columns: dict[str, Any] = field(default_factory=dict)
    rejected: list[tuple[Mask, str]] = field(default_factory=list)

    @property
    def declared(self) -> Table:
        """The contract's declaration of this table."""
        return TABLES[self.name]

    def which(self, mask: Mask) -> dict[str, Any]:
        """Count and examples of the marked rows, by the table's first id, else by row number."""
        ids = next((column for column in self.declared.ids if column in self.raw.column_names), ROW)
        marked = self.raw[ids].filter(array(mask)).slice(0, 200)
        shown = [value for value in marked.to_pylist() if canonical(value)]
        rows = self.raw[ROW].filter(array(mask)).slice(0, 5).to_pylist()
        return {"count": int(mask.sum()), "examples": examples(shown) or tuple(f"row {row}" for row in rows)}

    def tally(self, rule: str, column: str, mask: Mask, values: bool = False) -> Tally:
        """How many of the rows are marked, and what stands there."""
        if not mask.any():
            return Tally(rule, self.name, column, 0, len(mask))
        there = as_written(self.raw[column].filter(array(mask)).slice(0, 100)).to_pylist() if values else []
        return Tally(rule, self.name, column, of=len(mask), values=examples(value or "(empty)" for value in there), **self.which(mask))


def typed_table(name: str, raw: pa.Table, now: int, inspection: Inspection, elsewhere: "Column | None" = None) -> pa.Table | None:
    """Typed columns of the rows that may stay; None (with errors noted) where a required column is missing. `elsewhere` are ids of events whose
    first row is in another part of the dataset."""
    missing = [column for column in TABLES[name].required if column not in raw.column_names]
    for column in missing:
        _report_missing(name, column, raw.column_names, inspection)
    if missing:
        return None
    table = Typing(name, raw, inspection)
    for column in raw.column_names:
        if column not in (ROW, FILE):
            _type_column(table, column, now)
    typed = _without_rejected(table)
    _report_duplicates(name, typed, inspection)
    return _first_of_each_event(typed, elsewhere, inspection) if name == "events" else typed


def empty_table(name: str) -> pa.Table:
    """The table without a row: every column that the contract names, with its type."""
    return _complete(name, make_table({}))


def _report_missing(name: str, column: str, present: list[str], inspection: Inspection) -> None:
    shown = [other for other in present if other not in (ROW, FILE)]
    message = f"{name} must have a column {column!r}; it has {', '.join(shown[:12])}{', ...' if len(shown) > 12 else ''}"
    fix = did_you_mean(column, shown)
    inspection.error("missing_column", name, column, message, f"{fix} Name it in mapping.toml, or add the column.")


def _type_column(table: Typing, column: str, now: int) -> None:
    if column in table.declared.times:
        _type_times(table, column, now)
    elif column in table.declared.numbers:
        _type_numbers(table, column)
    else:
        text = text_column(table.raw[column])
        if column in table.declared.required and (table.name, column) not in _MAY_BE_EMPTY:
            _require(table, column, text)
        table.columns[column] = text


def _type_times(table: Typing, column: str, now: int) -> None:
    times = instant_column(table.raw[column])
    required = column in table.declared.required
    _refuse(table, column, times.bad | (times.missing & required), "unparseable_time")
    micros = times.micros
    if (table.name, column) not in _MAY_LIE_AHEAD:
        ahead = micros > now
        later = (micros > now + CLOCK_TOLERANCE) & (micros != end_of_day(now))  # a date alone of today: the day is not over yet
        _refuse(table, column, later, "future_time")
        micros = np.where(ahead, now, micros)
    if times.naive:
        table.inspection.naive[f"{table.name}.{column}"] = times.naive
    table.columns[column] = pa.chunked_array([array(micros, mask=times.missing | times.bad)])


def _refuse(table: Typing, column: str, bad: Mask, rule: str) -> None:
    """Rejects the rows, unless one of them is enough to stop."""
    table.inspection.tally(table.tally(rule, column, bad, values=True))
    if bad.any() and not must_parse(table.name, column):
        table.rejected.append((bad, f"{column} {_REASONS[rule]}"))


def _type_numbers(table: Typing, column: str) -> None:
    numbers = number_column(table.raw[column])
    if numbers.bad.any():
        table.inspection.tally(table.tally("not_a_number", column, numbers.bad, values=True))
    table.columns[column] = pa.chunked_array([array(numbers.values, mask=np.isnan(numbers.values))])


def _require(table: Typing, column: str, text: Column) -> None:
    empty = as_mask(text.is_null()) if text.null_count else np.zeros(len(text), np.bool_)
    table.inspection.tally(table.tally("missing_id" if column in table.declared.ids else "missing_value", column, empty))
    if text.null_count and column not in table.declared.key:
        table.rejected.append((empty, f"{column} is empty"))


def _without_rejected(table: Typing) -> pa.Table:
    gone = np.zeros(table.raw.num_rows, bool)
    for mask, reason in table.rejected:
        table.inspection.reject(table.name, table.raw, mask & ~gone, reason)
        gone |= mask
    typed = _complete(table.name, make_table({**table.columns, ROW: table.raw[ROW], FILE: table.raw[FILE]}))
    return typed.filter(array(~gone)) if gone.any() else typed


def _complete(name: str, table: pa.Table) -> pa.Table:
    declared = TABLES[name]
    for column in declared.known:
        if column not in table.column_names:
            kind = pa.int64() if column in declared.times else pa.float64() if column in declared.numbers else pa.string()
            table = table.append_column(column, pa.nulls(table.num_rows, kind))
    return table


def _report_duplicates(name: str, table: pa.Table, inspection: Inspection) -> None:
    key = TABLES[name].key
    again = _repeated(table, key) if key else np.zeros(0, np.bool_)
    if again.any():
        shown = examples(table[key[0]].filter(array(again)).slice(0, 200).to_pylist())
        inspection.tally(Tally("duplicate_id", name, key[0], int(again.sum()), examples=shown))


def _first_of_each_event(events: pa.Table, elsewhere: "Column | None", inspection: Inspection) -> pa.Table:
    again = _repeated(events, ("event_id",))
    if elsewhere is not None:
        again |= as_mask(pc.is_in(events["event_id"], value_set=elsewhere))
    if again.any():
        shown = examples(events["event_id"].filter(array(again)).slice(0, 200).to_pylist())
        inspection.tally(Tally("duplicate_id", "events", "event_id", int(again.sum()), examples=shown))
    return inspection.reject("events", events, again, "event_id was there before")


def _repeated(table: pa.Table, key: Sequence[str]) -> Mask:
    """Which rows repeat an earlier row's key; rows with an empty key never do."""
    joined: Any = table[key[0]] if len(key) == 1 else pc.binary_join_element_wise(*(table[part] for part in key), "\x1f")
    known = as_mask(joined.is_valid())
    again = np.zeros(table.num_rows, bool)
    if pc.count_distinct(joined).as_py() == known.sum():
        return again
    codes = joined.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(known)
    _, first = np.unique(codes[rows], return_index=True)
    again[rows] = True
    again[rows[first]] = False
    return again
