"""What makes a field suspicious without proof: its name, that it is a key, that it goes missing together with others, that one value holds most of
the conversions."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.arrow import Column, as_mask, pc
from data.contract import DataError, parse_instant
from data.funnel import Funnel
from features.numbers import number
from training.leak_fill import MIN_FILLED, MIN_LEADS, TIMES_FILLED
from training.leak_names import is_key, telling_word
from training.leak_removal import Leak, is_kept

NEARLY_ALL = 0.95
MIN_ROWS = 50
MIN_MISSING = 0.05
"""A handful of rows may lack several fields because one form failed."""
MOST_NAMED = 6
MIN_ENTITIES = 20
"""Fewer values than this are kinds of leads (an origin, an occupation), not entities (an owner, a campaign, an account)."""
MAX_ENTITIES = 0.5
LARGE_SHARE = 0.25
MORE_OFTEN = 2.0
_NOT_KEYS = frozenset({"email", "phone", "job_title"})

Outcomes = NDArray[np.int8]


def suspect_columns(table: pa.Table, y: Outcomes | None, funnel: Funnel, prefix: str = "lead", timed: bool = False) -> tuple[Leak, ...]:
    """The suspicious columns of a table of attributes, in its order; `y` (rows,) 0/1 says who converted, where one knows.

    Columns are called `lead.Last Activity` with that `prefix`. Where the data has times (`timed`) a suspect is kept and named; in a file without
    times it is left out, unless funnel.toml keeps it. There a field that only one outcome has is proven by that: of all others no such table tells.
    """
    together = _missing_together(table)
    found = []
    for field in table.column_names:
        column, proof = f"{prefix}.{field}", None if timed or y is None else _filled_by_outcome(table[field], y)
        reasons = list(_reasons(field, table[field], y, together))
        if proof is not None:
            found.append(Leak(column, proof, is_kept(column, funnel.keep), "proven"))
        elif reasons:
            found.append(Leak(column, "; ".join(reasons), timed or is_kept(column, funnel.keep), "suspected"))
    return tuple(found)


def _filled_by_outcome(values: Column, y: Outcomes) -> str | None:
    filled, won = as_mask(values.is_valid()), y == 1
    if min(int(won.sum()), int((~won).sum())) < MIN_LEADS:
        return None
    yes, no = float(filled[won].mean()), float(filled[~won].mean())
    if max(yes, no) < MIN_FILLED or max(yes, no) < TIMES_FILLED * min(yes, no):
        return None
    return f"filled for {yes:.0%} of those who converted and {no:.0%} of the others: people fill it in afterwards"


def _reasons(field: str, values: Column, y: Outcomes | None, together: Mapping[str, list[str]]) -> Iterator[str]:
    key = _identifier(field, values)
    if key is not None:
        yield key
    word = telling_word(field)
    if word is not None:
        yield f"its name ({word!r}) speaks of an outcome or of somebody's judgement, which may have been written down afterwards"
    if field in together:
        yield f"{_listed(together[field])} are missing in exactly the same rows: filled in together, at a moment that nothing tells"
    entity = None if y is None or key is not None else entity_suspect(values, y)
    if entity is not None:
        yield entity


def _listed(fields: Sequence[str]) -> str:
    more = len(fields) - MOST_NAMED
    return f"{', '.join(fields[:MOST_NAMED])} and {more} more" if more > 0 else f"{', '.join(fields[:-1])} and {fields[-1]}"


def _identifier(field: str, values: Column) -> str | None:
    """Nearly every value stands once, and it is text or a key by its spread or name. Amounts differ in every row as well: they span magnitudes."""
    there = values.drop_null()
    distinct = pc.unique(there).to_pylist()
    if field in _NOT_KEYS or len(there) < MIN_ROWS or len(distinct) < NEARLY_ALL * len(there):
        return None
    numbers = np.array([number(str(v)) for v in distinct])
    if np.isfinite(numbers).mean() < NEARLY_ALL:
        return (
            None if _dates(distinct) else "nearly every value is different: an identifier or free text, from which only single leads can be learned"
        )
    numbers = numbers[np.isfinite(numbers)]
    whole = bool(np.all(numbers == np.rint(numbers)))
    return "a number that differs in nearly every row: an identifier" if whole and (is_key(field) or _like_keys(numbers)) else None


def _dates(distinct: list[str]) -> bool:
    try:
        return all(parse_instant(str(v)) for v in sorted(distinct)[:20])
    except DataError:
        return False


def _like_keys(numbers: NDArray[np.float64]) -> bool:
    """Of one magnitude, or spread evenly from the lowest to the highest, as serial and drawn numbers are."""
    ordered = np.sort(numbers)
    low, high = float(ordered[0]), float(ordered[-1])
    even = np.abs(ordered - np.linspace(low, high, ordered.size)).max() <= max(0.05, 1.4 / ordered.size**0.5) * max(high - low, 1.0)
    return even or (low >= 1_000 and high < 10 * low)


def _missing_together(table: pa.Table) -> dict[str, list[str]]:
    """field -> all fields that are missing in exactly the same rows as it, where there are several that tell different things: a city and its
    country, of which one follows from the other, are one thing."""
    groups: dict[bytes, list[str]] = {}
    for field in table.column_names:
        missing = as_mask(table[field].is_null())
        if max(MIN_MISSING * missing.size, MIN_ROWS) <= missing.sum() < missing.size:
            groups.setdefault(np.packbits(missing).tobytes(), []).append(field)
    several = [fields for fields in groups.values() if len(fields) > 1 and not _one_thing([table[f] for f in fields])]
    return {field: fields for fields in several for field in fields}


def _one_thing(columns: Sequence[Column]) -> bool:
    """Whether all columns follow from one of them."""
    coded = [np.asarray(pc.fill_null(c.combine_chunks().dictionary_encode().indices, -1), np.int64) for c in columns]
    return any(all(_follows(mine, theirs) for theirs in coded) for mine in coded)


def _follows(mine: NDArray[np.int64], theirs: NDArray[np.int64]) -> bool:
    pairs = np.unique(mine * (int(theirs.max()) + 2) + theirs).size
    return bool(pairs == np.unique(mine).size)


def entity_suspect(values: Column, y: Outcomes) -> str | None:
    """One of many values that holds a large share of the conversions, far more than its share of the rows. Which one is not said: it may be
    somebody's name, and the reason goes into the record."""
    encoded = values.combine_chunks().dictionary_encode()
    entities, rows = len(encoded.dictionary), len(values)
    if not MIN_ENTITIES <= entities <= MAX_ENTITIES * rows:
        return None
    codes = np.asarray(pc.fill_null(encoded.indices, entities), np.int64)
    all_of, won_by = (np.bincount(codes, w, entities + 1)[:entities] for w in (np.ones(rows), y.astype(np.float64)))
    top = int(np.argmax(won_by))
    share, size = won_by[top] / max(y.sum(), 1), all_of[top] / rows
    if won_by[top] < MIN_ROWS or share < LARGE_SHARE or share < MORE_OFTEN * size:
        return None
    return f"one of its {entities} values has {share:.0%} of the conversions and {size:.0%} of the rows"
