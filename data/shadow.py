"""The version that scores along: which one it is, and what it said beside the champion. Its scores are in the ledger alone, with source `shadow`."""

from typing import NamedTuple

import sqlalchemy as sa

from data.schema import BUNDLES, CHAMPIONS, SCORES, SHADOWS
from data.store import Store

SOURCE = "shadow"


class Pair(NamedTuple):
    """What two versions said of one lead at the same instant (micros), when both stood before the same: `champion` and `shadow` are (probability,
    score 0-100 as told, grade) of each."""

    lead_id: str
    as_of: int
    stage: str
    champion: tuple[float, float, str]
    shadow: tuple[float, float, str]


def let_score_along(store: Store, version: str, now: int) -> None:
    """From now on this version scores along, and no other; its bundle must be in the store."""

    def put(connection: sa.Connection) -> None:
        connection.execute(SHADOWS.delete())
        connection.execute(SHADOWS.insert().values(version=version, since=now))

    store.write(put)


def end(store: Store) -> None:
    """Nothing scores along any more."""
    store.write(lambda connection: connection.execute(SHADOWS.delete()))


def scoring_along(store: Store) -> tuple[str, int] | None:
    """(version, since when in micros); None where nothing does, or where what did is the champion by now."""
    serves = sa.select(CHAMPIONS.c.version).order_by(CHAMPIONS.c.seq.desc()).limit(1).scalar_subquery()
    held = sa.select(BUNDLES.c.version)
    chosen = sa.select(SHADOWS.c.version, SHADOWS.c.since).where(SHADOWS.c.version.in_(held), sa.func.coalesce(serves, "") != SHADOWS.c.version)
    with store.engine.connect() as connection:
        row = connection.execute(chosen).one_or_none()
    return None if row is None else (str(row.version), int(row.since))


def pairs(store: Store, champion: str, shadow: str) -> list[Pair]:
    """What both versions said of the same leads at the same instants, in order of time."""
    beside, mine = SCORES.alias("beside"), SCORES
    told = ("probability", "score", "grade")
    chosen = (
        sa.select(mine.c.lead_id, mine.c.as_of, mine.c.stage, *(mine.c[name] for name in told), *(beside.c[name] for name in told))
        .join_from(mine, beside, sa.and_(mine.c.lead_id == beside.c.lead_id, mine.c.at == beside.c.at, mine.c.stage == beside.c.stage))
        .where(mine.c.source == "store", mine.c.version == champion, beside.c.source == SOURCE, beside.c.version == shadow)
        .where(mine.c.probability.is_not(None), beside.c.probability.is_not(None))
        .order_by(mine.c.at, mine.c.lead_id)
    )
    with store.engine.connect() as connection:
        return [Pair(row[0], row[1], row[2], (row[3], row[4], row[5]), (row[6], row[7], row[8])) for row in connection.execute(chosen)]
