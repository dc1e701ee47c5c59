"""`python -m registry.warm`: compiles every tree kernel into its cache, so that no request and no fresh process ever waits for it."""

import numpy as np

from registry.trees import Trees, contributions, raw_score


def warm() -> None:
    """Runs each kernel once on a tree of one split: microseconds where the cache is warm, seconds where it is not."""
    one, many, none = np.zeros(1, np.int32), np.ones(2), np.zeros(1, np.bool_)
    starts, leaf_starts = np.array([0, 1], np.int32), np.array([0, 2], np.int32)
    left, right, cover = np.array([-1], np.int32), np.array([-2], np.int32), np.array([2.0])
    trees = Trees(("x",), "binary", starts, leaf_starts, one, one, np.zeros(1), none, none, left, right, cover, many, many, np.zeros(1, np.int64), 1)
    rows = np.zeros((1, 1), np.float32)
    raw_score(trees, rows)
    contributions(trees, rows)


if __name__ == "__main__":
    warm()
