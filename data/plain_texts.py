"""Texts that surely are what they mean: a look at their bytes, where the rules of `contract.canonical` would cost fifty times as much."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]


def are_plain(chunk: Any) -> bool:
    """Whether every value of an Arrow array of strings is there and is its own canonical text. False tells nothing."""
    return not chunk.null_count and bool(_all_plain(*bytes_of(chunk)))


def bytes_of(chunk: Any) -> tuple[npt.NDArray[np.int32], Bytes]:
    """Where each text of an Arrow array of strings begins (n + 1,), and the bytes of all of them."""
    _, offsets, data = chunk.buffers()
    begin = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1] if len(chunk) else np.zeros(1, np.int32)
    return begin, np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)


@njit(cache=True)
def is_plain(content, begin, end):  # type: ignore[no-untyped-def]
    """Printable ASCII without a blank, a point (`5.0` is `5`) or a hash, and too long, or begun otherwise, to be a word for "nothing" or "true"."""
    size = end - begin
    if size == 0:
        return False
    for at in range(begin, end):
        c = content[at]
        if c <= 32 or c >= 127 or c == 46 or c == 35:
            return False
    first = content[begin] | np.uint8(32)
    return size > 5 or (first != 110 and first != 116 and first != 102 and first != 45)


@njit(cache=True)
def _all_plain(begin, content):  # type: ignore[no-untyped-def]
    plain = True
    for i in range(begin.size - 1):
        plain = plain and is_plain(content, begin[i], begin[i + 1])
    return plain
