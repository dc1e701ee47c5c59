"""`python -m features.warm`: compiles every kernel into its cache, so that no request and no fresh process ever waits for it."""

import numpy as np

from data.contract import DAY
from features.colleagues import Stays, colleagues_of
from features.declarations import EventType
from features.rows import Cohort, Known, compute, compute_told
from features.schema import Schema
from features.sorting import BLOCK_ROWS, sort_rows
from features.timeline import Past, build


def warm() -> None:
    """Runs each kernel once, on next to nothing: milliseconds where the cache is warm, seconds where it is not."""
    types = (EventType("email_open", "Opened an e-mail", "interest", "inbound", True),)
    schema = Schema(("lead", "prospect"), ("lost",), types, (), colleagues=True)
    one, at = np.zeros(1, np.int64), np.full(1, DAY, np.int64)
    nothing = np.zeros(0, np.int64)
    timeline = build(at, (one, one.astype(np.int16), at, at), (nothing, nothing.astype(np.int16), nothing), 2)
    timeline.standing(one, at)
    many = np.zeros(BLOCK_ROWS + 1, np.int64)
    sort_rows(1, many, many, many.astype(np.int16), many)
    alone = colleagues_of(timeline, schema.program.role, Stays(np.arange(2), at, one, 1))
    compute(schema, Cohort([""], timeline, Known({}, {}), alone), one, at)
    compute_told(schema, [Past(DAY, DAY, [DAY], [0], [0.0], [], [], [DAY], [2])], [()])


if __name__ == "__main__":
    warm()
