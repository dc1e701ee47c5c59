"""A column of any type -> canonical text, micros or numbers, vectorised; what can't be read is marked, never guessed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.arrow import Column, Mask, array, as_mask, is_any, pc
from data.contract import DAY, MISSING, WHITESPACE, WHOLE_NUMBER, DataError, canonical, parse_instant
from data.plain_texts import are_plain

Micros = npt.NDArray[np.int64]

_STAMP = r"^[12]\d{3}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?"
_ZONED = _STAMP + r"(Z|[+-]\d{2}:\d{2})$"
_NAIVE = _STAMP + "$"
_DATE = r"^[12]\d{3}-\d{2}-\d{2}$"
_WITH_ZONE = r"(?i)(Z|UTC|GMT|:.*[+-]\d{2}(:?\d{2})?)$"
_TIDY = (
    (r"(?i)(:\d{2}(\.\d+)?)\s*(UTC|GMT)$", r"\1Z"),
    (r"(:\d{2}(\.\d+)?)\s*([+-]\d{2})$", r"\1\3:00"),
    (r"(:\d{2}(\.\d+)?)\s*([+-]\d{2}):?(\d{2})$", r"\1\3:\4"),
    (r"(\.\d{6})\d+", r"\1"),
)
_EUROPEAN = r"^[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]+)?$"
_SURELY_EUROPEAN = r"^[+-]?([0-9]{1,3}(\.[0-9]{3})+,[0-9]+|[0-9]+,([0-9]{1,2}|[0-9]{4,})|[0-9]{4,},[0-9]+|0,[0-9]+)$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$"
_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class Times:
    """Instants of one column: `micros` (n,) with 0 where `missing` or `bad` (unparseable), both (n,); rows without a zone."""

    micros: Micros
    missing: Mask
    bad: Mask
    naive: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers of one column: `values` (n,) with NaN where missing or `bad` (not a finite number)."""

    values: npt.NDArray[np.float64]
    bad: Mask


def text_column(column: Column) -> Column:
    """Every value by the rule of `contract.canonical`, null where nothing is known; `pa.string()`, same length."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_integer(kind):
        column = column.cast(pa.string())
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _mapped(column, lambda value: canonical(value.decode("utf-8", "replace")))
    elif not pa.types.is_string(kind):
        return _mapped(column, _nested_text if pa.types.is_nested(kind) else canonical)
    return pa.chunked_array([_canonical_chunk(chunk) for chunk in column.chunks], type=pa.string())


def instant_column(column: Column) -> Times:
    """ISO-8601 text, timestamps or dates as micros UTC, by the rule of `contract.parse_instant`."""
    if pa.types.is_date(column.type):
        days = column.cast(pa.date32(), safe=False).cast(pa.int32())
        return _typed_times(days, lambda values: values * DAY + (DAY - 1), naive=False)
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        return _typed_times(stamps, lambda values: values, naive=column.type.tz is None)
    parts = [_chunk_times(chunk) for chunk in text_column(column).chunks]
    if not parts:
        return Times(np.empty(0, np.int64), np.empty(0, bool), np.empty(0, bool), 0)
    return Times(
        np.concatenate([part.micros for part in parts]),
        np.concatenate([part.missing for part in parts]),
        np.concatenate([part.bad for part in parts]),
        sum(part.naive for part in parts),
    )


def number_column(column: Column) -> Numbers:
    """Numbers as float64; `1,234.5` is read as 1234.5. Text that is no finite number is bad."""
    text = text_column(column)
    missing = as_mask(text.is_null())
    plain = as_mask(pc.match_substring_regex(text, _NUMBER))
    if not (plain | missing).all():
        grouped = pc.match_substring_regex(text, _THOUSANDS)
        text = pc.if_else(grouped, pc.replace_substring(text, ",", ""), text)
        plain = as_mask(pc.match_substring_regex(text, _NUMBER))
    clean = pc.replace_substring_regex(pc.if_else(array(plain), text, None), r"^\+", "")
    values = clean.cast(pa.float64()).to_numpy()
    values = np.where(np.isfinite(values), values, np.nan)
    return Numbers(values, np.isnan(values) & ~missing)


def plain_numbers(column: Column) -> Column:
    """`1.234,5` -> `1234.5`, whatever else may stand there."""
    plain: Column = pc.replace_substring(pc.replace_substring(column, ".", ""), ",", ".")
    return plain


class DecimalCommas:
    """Finds the columns of a file with decimal commas while its rows go by.

    With `,` as the separator at least one value must be unmistakable (`12,5`, `1.234,5`); `1,234` alone is left as it is.
    """

    def __init__(self, delimiter: str | None) -> None:
        self._delimiter = delimiter
        self._proved: dict[str, bool] | None = None

    def see(self, columns: Mapping[str, Column]) -> None:
        """The next rows: always the same columns."""
        if self._delimiter is None:
            return
        if self._proved is None:
            texts = [name for name, column in columns.items() if pa.types.is_string(column.type)]
            self._proved = {name: False for name in texts if _european(columns[name].slice(0, _SAMPLE)) is not None}
        for name, proved in list(self._proved.items()):
            values = _european(columns[name])
            if values is None:
                del self._proved[name]
            elif not proved:
                proof = pc.match_substring_regex(values, _SURELY_EUROPEAN) if self._delimiter == "," else pc.match_substring(values, ",")
                self._proved[name] = is_any(proof)

    def found(self) -> list[str]:
        """The columns in which every value seen reads as a number that way, and one of them as nothing else."""
        return [name for name, proved in (self._proved or {}).items() if proved]


def is_number(text: Column) -> Column:
    """Which of the texts read as a plain number; null where null."""
    numeric: Column = pc.match_substring_regex(text, _NUMBER)
    return numeric


def _european(column: Column) -> "Column | None":
    """The values of the column as text; None where one of them has not that form."""
    values: Column = text_column(column).drop_null()
    return values if pc.all(pc.match_substring_regex(values, _EUROPEAN)).as_py() is not False else None


def _nested_text(value: object) -> str | None:
    return canonical(json.dumps(value, default=str, ensure_ascii=False))


def _mapped(column: Column, rule: Callable[[Any], str | None]) -> Column:
    """The rule applied to each distinct value once (to each value where the type knows no equality)."""
    if pa.types.is_nested(column.type):
        values = [None if value is None else rule(value) for value in column.to_pylist()]
        return pa.chunked_array([array(values, pa.string())])
    coded: Any = column.combine_chunks().dictionary_encode()
    words = array([None if word is None else rule(word) for word in coded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([words.take(coded.indices)])


def _canonical_chunk(chunk: Any) -> Any:
    if len(chunk) > _SAMPLE and are_plain(chunk):
        return chunk
    coded = chunk.dictionary_encode() if len(chunk) > _SAMPLE and _repeats(chunk) else None
    if coded is not None:
        return _canonical_values(coded.dictionary).take(coded.indices)
    return _canonical_values(chunk)


def _repeats(chunk: Any) -> bool:
    return len(chunk.slice(0, _SAMPLE).unique()) < _SAMPLE // 2


def _canonical_values(values: Any) -> Any:
    trimmed = pc.utf8_trim(values, characters=WHITESPACE)
    lower = pc.ascii_lower(trimmed)
    whole = pc.match_substring_regex(trimmed, WHOLE_NUMBER)
    if is_any(whole):
        trimmed = pc.replace_substring_regex(trimmed, WHOLE_NUMBER, r"\1")
    boolean = pc.is_in(lower, value_set=array(["true", "false"]))
    if is_any(boolean):
        trimmed = pc.if_else(boolean, lower, trimmed)
    return pc.if_else(pc.is_in(lower, value_set=array(sorted(MISSING))), None, trimmed)


def _typed_times(column: Column, to_micros: Callable[[Micros], Micros], naive: bool) -> Times:
    missing = as_mask(column.is_null())
    micros = to_micros(pc.fill_null(column, 0).cast(pa.int64()).to_numpy())
    return Times(np.where(missing, 0, micros), missing, np.zeros(len(missing), bool), int((~missing).sum()) * naive)


def _chunk_times(text: Any) -> Times:
    micros, missing, naive = np.zeros(len(text), np.int64), as_mask(text.is_null()), 0
    left = ~missing
    for pattern, zone, shift in ((_ZONED, "UTC", 0), (_NAIVE, None, 0), (_DATE, None, DAY - 1)):
        rows = np.flatnonzero(as_mask(pc.match_substring_regex(text, pattern)) & left) if left.any() else left[:0]
        values = _cast(text if len(rows) == len(text) else text.take(array(rows)), zone) if len(rows) else None
        if values is not None:
            micros[rows], left[rows] = values + shift, False
            naive += len(rows) * (pattern == _NAIVE)
    rest = np.flatnonzero(left)
    bad = np.zeros(len(text), np.bool_)
    if len(rest):
        micros[rest], bad[rest], more = _one_by_one(text.take(array(rest)))
        naive += more
    return Times(micros, missing, bad, naive)


def _one_by_one(text: Any) -> tuple[Micros, Mask, int]:
    """Micros, which are bad, and how many name no zone, for texts that are not all of one common form."""
    if len(text) > _SAMPLE:
        tidy = text
        for pattern, plain in _TIDY:
            tidy = pc.replace_substring_regex(tidy, pattern, plain)
        if not tidy.equals(text):
            again = _chunk_times(tidy)
            return again.micros, again.bad, again.naive
    micros, bad = np.zeros(len(text), np.int64), np.zeros(len(text), np.bool_)
    for row, word in enumerate(text.to_pylist()):
        try:
            micros[row] = parse_instant(word)
        except DataError:
            bad[row] = True
    zoneless = as_mask(pc.match_substring(text, ":")) & ~as_mask(pc.match_substring_regex(text, _WITH_ZONE))
    return micros, bad, int((zoneless & ~bad).sum())


def _cast(text: Any, zone: str | None) -> Micros | None:
    """Micros of well-formed texts; None where one of them is no real instant (30 February), to be read one by one."""
    try:
        micros: Micros = text.cast(pa.timestamp("us", zone)).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return micros
