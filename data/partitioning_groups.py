"""Which leads belong together: those of one account, now or ever, and those that one alias may mean. What is told of them goes to one partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.partitioning_keys import NO_KEY, Keys, found, shelved, spread

Parts = npt.NDArray[np.int32]


class Tie(NamedTuple):
    """Ids that belong together, pair by pair: (n,) keys each. A lead alone is tied to NO_KEY."""

    one: Keys
    other: Keys


@dataclass(frozen=True, slots=True)
class Groups:
    """Where the rows of each id go. `largest` is the size of the largest group of ids that had to stay together."""

    parts: int
    slots: Keys
    values: Parts
    largest: int

    @classmethod
    def of(cls, ties: Sequence[Tie], parts: int) -> "Groups":
        """A group goes where its least key says: the order of rows changes nothing. Memory: some 50 bytes for each lead and account."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        one, other = (np.concatenate([np.empty(0, np.uint64), *side]) for side in zip(*ties, strict=True)) if ties else (_NONE, _NONE)
        tied = (one != NO_KEY) & (other != NO_KEY)
        ids = np.unique(np.concatenate([one, other]))
        ids = ids[ids != NO_KEY]
        if not ids.size:
            slots, values = shelved(ids, np.empty(0, np.int32))
            return cls(parts, slots, values, 0)
        a, b = np.searchsorted(ids, one[tied]), np.searchsorted(ids, other[tied])
        _, group = connected_components(coo_array((np.ones(a.size, np.int8), (a, b)), shape=(ids.size, ids.size)), directed=False)
        _, first = np.unique(group, return_index=True)  # ids are sorted: the first of a group is its least
        slots, values = shelved(ids, spread(ids[first], parts)[group])
        return cls(parts, slots, values, int(np.bincount(group).max()))

    def of_keys(self, keys: Keys) -> Parts:
        """(n,) partitions; an id that nothing is known of goes where it falls."""
        return np.asarray(found(self.slots, self.values, keys, self.parts), np.int32)


_NONE = np.empty(0, np.uint64)
