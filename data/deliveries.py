"""Deliveries of webhooks: claimed under a lease by whoever sends them, tried again by the schedule of Standard Webhooks, dead after its last wait."""

import secrets
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from data.schema import DELIVERIES, WEBHOOKS
from data.store import Store

State = Literal["pending", "delivered", "dead"]
IN_FLIGHT = 2
"""Deliveries to one endpoint at a time, over all processes: a slow one holds up nobody else."""

LEASE = 90_000_000
"""Micros. Whoever claimed a delivery and has not told of its end by then is taken for dead, and it is sent again."""

_SECOND = 1_000_000
BACKOFF = tuple(seconds * _SECOND for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""Micros to wait after the first, second, ... attempt that failed, as Standard Webhooks proposes. After the last one it is dead."""

_MAX_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one endpoint. `body` is the JSON that is sent; times are micros UTC."""

    id: str
    webhook_id: str
    type: str
    body: str
    created_at: int
    state: State
    attempts: int
    next_at: int | None
    last_status: int | None
    last_error: str | None
    delivered_at: int | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until its lease ends, with where it goes and the secrets that sign it."""

    id: str
    webhook_id: str
    url: str
    secrets: tuple[str, ...]
    body: str
    attempts: int
    claimed_until: int


def claim(store: Store, now: int, limit: int) -> list[Claimed]:
    """Up to `limit` deliveries whose time has come, ours alone for `LEASE`, at most `IN_FLIGHT` of each endpoint in the hands of all processes
    together. Looks before it writes: with nothing to do it takes no lock."""
    if not _any_due(store, now):
        return []
    found: list[Claimed] = []
    with store.writing.begin() as connection:
        for endpoint in connection.execute(_enabled().with_for_update(key_share=True)):
            room = min(IN_FLIGHT - _in_flight(connection, endpoint.id, now), limit - len(found))
            if room > 0:
                found += [_claimed(row, endpoint, now) for row in connection.execute(_due(now, endpoint.id).limit(room))]
        ours = DELIVERIES.update().where(DELIVERIES.c.id.in_([claimed.id for claimed in found]))
        connection.execute(ours.values(claimed_until=now + LEASE))
    return found


def _any_due(store: Store, now: int) -> bool:
    with store.engine.connect() as connection:
        return connection.execute(_due(now).limit(1)).one_or_none() is not None


def _enabled() -> sa.Select[Any]:
    return sa.select(WEBHOOKS).where(WEBHOOKS.c.disabled_at.is_(None)).order_by(WEBHOOKS.c.id)


def _due(now: int, endpoint: str | None = None) -> sa.Select[Any]:
    """From `next_at` on, that instant included, and free: a lease ends at `claimed_until`."""
    free = sa.or_(DELIVERIES.c.claimed_until.is_(None), DELIVERIES.c.claimed_until <= now)
    chosen = sa.select(DELIVERIES).where(DELIVERIES.c.state == "pending", DELIVERIES.c.next_at <= now, free)
    if endpoint is not None:
        chosen = chosen.where(DELIVERIES.c.webhook_id == endpoint)
    return chosen.order_by(DELIVERIES.c.next_at)


def _in_flight(connection: sa.Connection, endpoint: str, now: int) -> int:
    taken = DELIVERIES.c.state == "pending", DELIVERIES.c.webhook_id == endpoint, DELIVERIES.c.claimed_until > now
    return connection.scalar(sa.select(sa.func.count()).select_from(DELIVERIES).where(*taken)) or 0


def _claimed(row: Any, endpoint: Any, now: int) -> Claimed:
    signing = tuple(secret for secret, until in orjson.loads(endpoint.secret) if until is None or until > now)
    return Claimed(row.id, endpoint.id, endpoint.url, signing, row.body, row.attempts, now + LEASE)


def settle(store: Store, claimed: Claimed, status: int | None, error: str | None, now: int) -> State:
    """How the attempt ended: delivered where `error` is None; tried again after the next wait of `BACKOFF`; dead after the last. 410 disables the
    endpoint, and all that waits for it is dead. Says nothing of a delivery that was erased or claimed by another meanwhile."""
    values = _outcome(claimed.attempts + 1, status, error, now)
    ours = DELIVERIES.c.id == claimed.id, DELIVERIES.c.state == "pending", DELIVERIES.c.claimed_until == claimed.claimed_until
    with store.writing.begin() as connection:
        connection.execute(DELIVERIES.update().where(*ours).values(values))
        if status == _GONE:
            connection.execute(WEBHOOKS.update().where(WEBHOOKS.c.id == claimed.webhook_id).values(disabled_at=now))
            waiting = DELIVERIES.c.webhook_id == claimed.webhook_id, DELIVERIES.c.state == "pending"
            connection.execute(DELIVERIES.update().where(*waiting).values(state="dead", next_at=None, last_error=_DISABLED))
    state: State = values["state"]
    return state


_GONE = 410
_DISABLED = "the endpoint answered 410 Gone and is disabled"


def _outcome(attempts: int, status: int | None, error: str | None, now: int) -> dict[str, Any]:
    told = {"attempts": attempts, "last_status": status, "last_error": error, "claimed_until": None}
    if error is None:
        return told | {"state": "delivered", "next_at": None, "delivered_at": now}
    if attempts > len(BACKOFF) or status == _GONE:
        return told | {"state": "dead", "next_at": None}
    return told | {"state": "pending", "next_at": now + wait_after(attempts)}


def wait_after(attempts: int) -> int:
    """Micros until the next attempt after `attempts` failed ones (1 or more): the schedule, and up to a tenth more so that not all come at once."""
    wait = BACKOFF[attempts - 1]
    return wait + secrets.randbelow(int(wait * _MAX_JITTER) + 1)


def deliveries(store: Store, state: State | None, limit: int, after: tuple[int, str] | None = None) -> list[Delivery]:
    """The latest deliveries, newest first, of that state or of all; those behind `after`: `created_at` and id of the last one read."""
    chosen = sa.select(*_DELIVERY).order_by(DELIVERIES.c.created_at.desc(), DELIVERIES.c.id.desc()).limit(limit)
    if after is not None:
        chosen = chosen.where(sa.tuple_(DELIVERIES.c.created_at, DELIVERIES.c.id) < after)
    with store.engine.connect() as connection:
        return [Delivery(**row._asdict()) for row in connection.execute(chosen if state is None else chosen.where(DELIVERIES.c.state == state))]


_DELIVERY = tuple(DELIVERIES.c[name] for name in Delivery.__dataclass_fields__)


def delivery(store: Store, id: str) -> Delivery | None:
    """The delivery of that id, or None."""
    with store.engine.connect() as connection:
        row = connection.execute(sa.select(*_DELIVERY).where(DELIVERIES.c.id == id)).one_or_none()
    return None if row is None else Delivery(**row._asdict())


def replay(store: Store, id: str, now: int) -> Literal["queued", "unknown", "waiting", "disabled"]:
    """Send a dead or delivered one again, as it was, from the first attempt on. One that still waits, or has a disabled endpoint, is left alone."""
    with store.writing.begin() as connection:
        row = connection.execute(sa.select(DELIVERIES.c.state, DELIVERIES.c.webhook_id).where(DELIVERIES.c.id == id)).one_or_none()
        if row is None:
            return "unknown"
        if row.state == "pending":
            return "waiting"
        if _is_disabled(connection, row.webhook_id):
            return "disabled"
        again = {"state": "pending", "attempts": 0, "next_at": now, "claimed_until": None, "delivered_at": None}
        connection.execute(DELIVERIES.update().where(DELIVERIES.c.id == id).values(again))
        return "queued"


def _is_disabled(connection: sa.Connection, endpoint: str) -> bool:
    return connection.scalar(sa.select(WEBHOOKS.c.disabled_at).where(WEBHOOKS.c.id == endpoint)) is not None


def forget(store: Store, before: int) -> int:
    """Delete the deliveries made before that instant (micros) that wait for nothing any more; how many."""
    over = DELIVERIES.c.created_at < before, DELIVERIES.c.state != "pending"
    with store.writing.begin() as connection:
        return connection.execute(DELIVERIES.delete().where(*over)).rowcount
