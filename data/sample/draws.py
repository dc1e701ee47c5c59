"""Random numbers by address: the n-th draw of a lead depends on the seed and that lead alone, never on how many leads there are."""

import numpy as np
import numpy.typing as npt
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@njit(cache=True)
def mixed(word: np.uint64) -> np.uint64:
    """splitmix64's finisher: one 64-bit word -> one that looks random. [Steele, Lea, Flood 2014]"""
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return word ^ (word >> np.uint64(31))


@njit(cache=True)
def address(seed: int, stream: int, item: int) -> np.uint64:
    """Where the draws of `item` in `stream` begin."""
    return mixed(mixed(np.uint64(seed) * _GOLDEN + np.uint64(stream)) + np.uint64(item) * _GOLDEN)


@njit(cache=True)
def uniform(state: npt.NDArray[np.uint64]) -> float:
    """The next draw in [0, 1); moves `state` (1,) on."""
    state[0] += _GOLDEN
    return (mixed(state[0]) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def uniforms(seed: int, stream: int, items: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(n,) -> (n,) draws in [0, 1), one for each item's address."""
    draws = np.empty(len(items))
    for row in range(len(items)):
        draws[row] = (address(seed, stream, items[row]) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
    return draws
