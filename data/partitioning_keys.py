"""Ids as numbers of 64 bits: the same id the same number, in any file, on any machine. Two ids with one number cost nothing but balance."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from data.arrow import Column, array, as_mask
from data.columns import text_column
from data.plain_texts import are_plain, bytes_of, is_plain

Keys = npt.NDArray[np.uint64]
LEAD, ACCOUNT, EVENT = np.uint64(1), np.uint64(2), np.uint64(3)
"""What an id names: a lead and an account of the same id are two things."""
NO_KEY = np.uint64(0)


def keys_of(column: Column, kind: np.uint64) -> Keys:
    """(n,) keys of a column of ids as written, by the rule of `contract.canonical`; NO_KEY where there is none."""
    if not pa.types.is_string(column.type):
        column = text_column(column)
    parts = [_of_chunk(chunk, kind) for chunk in column.chunks]
    return np.concatenate([np.empty(0, np.uint64), *parts])


def _of_chunk(chunk: Any, kind: np.uint64) -> Keys:
    keys, plain = _hashed_chunk(chunk, kind)
    odd = np.flatnonzero(~plain)
    if odd.size:
        tidy = text_column(pa.chunked_array([chunk.take(array(odd))])).combine_chunks()
        keys[odd] = np.where(as_mask(tidy.is_valid()), _hashed_chunk(tidy, kind)[0], NO_KEY)
    return keys


def _hashed_chunk(chunk: Any, kind: np.uint64) -> tuple[Keys, npt.NDArray[np.bool_]]:
    begin, content = bytes_of(chunk)
    keys, plain = np.empty(len(chunk), np.uint64), np.empty(len(chunk), np.bool_)
    _hash(begin, content, kind, keys, plain)
    if chunk.null_count:
        keys[as_mask(chunk.is_null())] = NO_KEY
    return keys, plain


@njit(cache=True)
def _hash(begin, content, kind, keys, plain):  # type: ignore[no-untyped-def]
    """FNV-1a, mixed once more (splitmix64). `plain`: surely its own canonical text."""
    for i in range(keys.size):
        h = np.uint64(14695981039346656037) ^ kind
        for at in range(begin[i], begin[i + 1]):
            h = (h ^ np.uint64(content[at])) * np.uint64(1099511628211)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        h = h ^ (h >> np.uint64(31))
        keys[i] = h if h != np.uint64(0) else np.uint64(1)
        plain[i] = is_plain(content, begin[i], begin[i + 1])


@njit(cache=True)
def spread(keys, parts):  # type: ignore[no-untyped-def]
    """The part of each key, were it alone: (n,) int32 in [0, parts)."""
    out = np.empty(keys.size, np.int32)
    for i in range(keys.size):
        out[i] = np.int32((keys[i] >> np.uint64(20)) % np.uint64(parts))
    return out


@njit(cache=True)
def shelved(keys, parts):  # type: ignore[no-untyped-def]
    """An open table of distinct keys and the part of each, that `found` looks into."""
    size = 16
    while size < 2 * keys.size:
        size *= 2
    slots, values = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    for i in range(keys.size):
        at = np.int64(keys[i] & np.uint64(size - 1))
        while slots[at] != np.uint64(0):
            at = (at + 1) & (size - 1)
        slots[at], values[at] = keys[i], parts[i]
    return slots, values


@njit(cache=True)
def found(slots, values, keys, parts):  # type: ignore[no-untyped-def]
    """The part of each key: of one that is not there, by itself (`spread`)."""
    out = np.empty(keys.size, np.int32)
    last = slots.size - 1
    for i in range(keys.size):
        at = np.int64(keys[i] & np.uint64(last))
        while slots[at] != np.uint64(0) and slots[at] != keys[i]:
            at = (at + 1) & last
        known = slots[at] == keys[i] and keys[i] != np.uint64(0)
        out[i] = values[at] if known else np.int32((keys[i] >> np.uint64(20)) % np.uint64(parts))
    return out


def warm() -> None:
    """Compiles every kernel into its cache, for the first large file not to wait for it."""
    one = pa.chunked_array([["L-000001"]])
    are_plain(one.chunk(0))
    keys = keys_of(one, LEAD)
    slots, values = shelved(keys, spread(keys, 2))
    found(slots, values, keys, 2)
