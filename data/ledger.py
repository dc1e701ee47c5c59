"""The ledger: every score given, with the model's row and the bundle's version, so that any of them can be given again."""

import struct
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from data.ids import names_of
from data.schema import ERASED_SCORES, SCORES
from data.sql import insert as write
from data.store import Store
from data.tombstones import erased_among, hold

BATCH = 500
"""Rows in one transaction at most: nobody waits long for the write lock."""

_COUNT = struct.Struct("<I")
_LONGEST_ID = 2_600
"""Bytes that an index of PostgreSQL takes of a text beside an instant."""


class ScoreRecord(NamedTuple):
    """One score as it was given. Times are micros UTC; `features` is the model's row, float32 little-endian; `source` is request, batch, store (a
    rescoring) or shadow (the same by the version that scores along, told to nobody). Where nothing lay ahead of the lead the numbers are None;
    `score` is what was answered, a whole number 0-100."""

    score_id: str
    lead_id: str | None
    at: int
    as_of: int
    stage: str
    version: str
    source: str
    probability: float | None
    low: float | None
    high: float | None
    score: float | None
    grade: str | None
    action: str | None
    features: bytes


Place = tuple[int, str]
"""Where a reading of a lead's scores stopped: `at` and `score_id` of the last one read."""


def insert(store: Store, records: Iterable[ScoreRecord]) -> int:
    """Put the records that are not there yet, at most `BATCH` a transaction; how many were new. The same score_id twice is one score.

    Of a lead that was erased nothing is kept but the score's id: that it is gone, not that it never was.
    """
    waiting, added = iter(records), 0
    while batch := list(islice(waiting, BATCH)):
        added += store.write(partial(put, records=batch))
    return added


def thinned(features: bytes) -> bytes:
    """A row as it stands in the table: how many values, a bit for each that is not zero, and those: 600 bytes of a row's 1,350 in 3 µs,
    where zlib needs 27 µs for 360."""
    values: NDArray[np.uint32] = np.frombuffer(features, "<u4")
    kept = values != 0
    return b"".join((_COUNT.pack(values.size), np.packbits(kept).tobytes(), values[kept].tobytes()))


def restored(content: bytes) -> bytes:
    """Inverse of `thinned`, to the last bit: nan and -0.0 too."""
    (count,) = _COUNT.unpack_from(content)
    begin = _COUNT.size + (count + 7) // 8
    values: NDArray[np.uint32] = np.zeros(count, "<u4")
    values[np.unpackbits(np.frombuffer(content[_COUNT.size : begin], np.uint8), count=count).view(bool)] = np.frombuffer(content[begin:], "<u4")
    return values.tobytes()


def put(connection: sa.Connection, records: Sequence[ScoreRecord]) -> int:
    """The same in the caller's transaction, all at once."""
    hold(connection)
    erased = erased_among(connection, {record.lead_id for record in records if record.lead_id is not None})
    once = {record.score_id: record for record in records}
    write(connection, ERASED_SCORES, [(r.score_id, r.at) for r in once.values() if r.lead_id in erased])
    return write(connection, SCORES, [_row(connection, r) for r in once.values() if r.lead_id not in erased])


def _row(connection: sa.Connection, record: ScoreRecord) -> tuple[Any, ...]:
    lead_id = _fitting(record.lead_id) if record.lead_id and connection.dialect.name == "postgresql" else record.lead_id
    score = None if record.score is None else float(record.score)
    return record._replace(lead_id=lead_id, score=score, features=thinned(record.features))


def _fitting(lead_id: str) -> str:
    """As much of an id, which may be any text that was sent for a score, as PostgreSQL takes in; an id of a lead that it holds is not changed."""
    return lead_id.replace("\0", "\ufffd").encode()[:_LONGEST_ID].decode(errors="ignore")


def get(store: Store, score_id: str) -> ScoreRecord | None:
    """The score of that id, or None."""
    with store.engine.connect() as connection:
        row = connection.execute(sa.select(SCORES).where(SCORES.c.score_id == score_id)).one_or_none()
    return None if row is None else _record(row)


def was_erased(store: Store, score_id: str) -> bool:
    """Whether that score was erased together with its lead."""
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(ERASED_SCORES.c.score_id).where(ERASED_SCORES.c.score_id == score_id)) is not None


def of_lead(store: Store, lead_id: str, limit: int, after: Place | None = None) -> list[ScoreRecord]:
    """The lead's scores that were told, newest first, at most `limit`, those `after` a place: given under its id or any of its aliases."""
    with store.engine.connect() as connection:
        chosen = _newest(connection, lead_id)
        if after is not None:
            chosen = chosen.where(sa.tuple_(SCORES.c.at, SCORES.c.score_id) < after)
        return [_record(row) for row in connection.execute(chosen.limit(limit))]


def last_stored(store: Store, lead_id: str, before: int) -> ScoreRecord | None:
    """The lead's latest score of source `store` that was given before that instant (micros), or None."""
    with store.engine.connect() as connection:
        chosen = _newest(connection, lead_id).where(SCORES.c.source == "store", SCORES.c.at < before)
        row = connection.execute(chosen.limit(1)).one_or_none()
    return None if row is None else _record(row)


def _newest(connection: sa.Connection, lead_id: str) -> sa.Select[Any]:
    of_lead = SCORES.c.lead_id.in_(names_of(connection, lead_id)), SCORES.c.source != "shadow"
    return sa.select(SCORES).where(*of_lead).order_by(SCORES.c.at.desc(), SCORES.c.score_id.desc())


def _record(row: Any) -> ScoreRecord:
    told = {name: getattr(row, name) for name in ScoreRecord._fields if name != "features"}
    return ScoreRecord(**told, features=restored(row.features))


def forget(store: Store, before: int) -> int:
    """Delete the scores given before that instant (micros), and the notes of those erased before it; how many scores went."""
    _delete(store, ERASED_SCORES.c.score_id, ERASED_SCORES.c.erased_at < before)
    return _delete(store, SCORES.c.score_id, SCORES.c.at < before)


def _delete(store: Store, key: sa.Column[str], old: sa.ColumnElement[bool]) -> int:
    gone, last = 0, BATCH
    some = sa.delete(key.table).where(key.in_(sa.select(key).where(old).limit(BATCH)))
    while last == BATCH:
        last = store.write(lambda connection: connection.execute(some).rowcount)
        gone += last
    return gone
