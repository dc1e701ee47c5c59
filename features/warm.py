"""`python -m features.warm`: compiles every kernel into its cache, so that no request and no fresh process ever waits for it."""

import numpy as np

from data.contract import DAY
from features.declarations import EventType
from features.rows import Known, compute, compute_told
from features.schema import Schema
from features.timeline import Past, build


def warm() -> None:
    """Runs each kernel once on a history of one event: microseconds where the cache is warm, seconds where it is not."""
    schema = Schema(("lead", "prospect"), ("lost",), (EventType("email_open", "Opened an e-mail", "interest", "inbound", True),), ())
    one, at = np.zeros(1, np.int64), np.full(1, DAY, np.int64)
    nothing = np.zeros(0, np.int64)
    timeline = build(at, (one, one.astype(np.int16), at, at), (nothing, nothing.astype(np.int16), nothing), 2)
    timeline.standing(one, at)
    compute(schema, timeline, Known({}, {}), one, at)
    compute_told(schema, [Past(DAY, DAY, [DAY], [0], [0.0], [], [])], [()])


if __name__ == "__main__":
    warm()
