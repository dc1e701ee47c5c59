"""Webhook endpoints, and what is to be told to them: written down in the transaction of what it tells of, sent later (data/deliveries.py)."""

import secrets
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from data.contract import HOUR, format_instant
from data.schema import DELIVERIES, WEBHOOKS

if TYPE_CHECKING:
    from data.store import Store  # which tells of a promotion, through here

TYPES = ("score.changed", "stage.recommended", "model.promoted")
OLD_SECRET_SIGNS = 24 * HOUR
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where deliveries go, without its secret. Times are micros UTC; `disabled_at` is set where the receiver answered 410 Gone."""

    id: str
    url: str
    types: tuple[str, ...]
    description: str | None
    created_at: int
    disabled_at: int | None


def enqueue(connection: sa.Connection, type: str, lead_id: str | None, body: dict[str, Any], now: int) -> int:
    """In the caller's transaction: one delivery for each endpoint that wants `type`, its `data` being `body`; how many. Order per lead is not
    promised: a delivery that is tried again comes after later ones, and `timestamp` says when it was true."""
    wanting = [row.id for row in _living(connection) if type in row.types.split()]
    if wanting:
        message = orjson.dumps({"type": type, "timestamp": format_instant(now), "data": body}).decode()
        told = {"type": type, "lead_id": lead_id, "body": message, "created_at": now, "state": "pending", "attempts": 0, "next_at": now}
        connection.execute(DELIVERIES.insert(), [{"id": _name("msg"), "webhook_id": id} | told for id in wanting])
    return len(wanting)


def _living(connection: sa.Connection) -> list[Any]:
    """Held until the caller's transaction ends: an endpoint removed meanwhile would break it."""
    chosen = sa.select(WEBHOOKS.c.id, WEBHOOKS.c.types).where(WEBHOOKS.c.disabled_at.is_(None)).order_by(WEBHOOKS.c.created_at, WEBHOOKS.c.id)
    return list(connection.execute(chosen.with_for_update(read=True, key_share=True)))


def _name(kind: str) -> str:
    return f"{kind}_{secrets.token_urlsafe(18)}"


def _fresh_secret() -> str:
    return "whsec_" + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def add_endpoint(store: "Store", url: str, types: Collection[str], description: str | None, now: int) -> tuple[str, Endpoint]:
    """A new endpoint: (its secret, shown this once, its record). The URL has been checked by the caller."""
    secret = _fresh_secret()
    row = {"id": _name("wh"), "url": url, "types": " ".join(sorted(set(types))), "description": description, "created_at": now}
    with store.writing.begin() as connection:
        connection.execute(WEBHOOKS.insert().values(row | {"secret": _kept([(secret, None)])}))
        return secret, _endpoint(_row(connection, str(row["id"])))


def endpoints(store: "Store") -> list[Endpoint]:
    """Every endpoint, oldest first."""
    with store.engine.connect() as connection:
        return [_endpoint(row) for row in connection.execute(sa.select(WEBHOOKS).order_by(WEBHOOKS.c.created_at, WEBHOOKS.c.id))]


def remove_endpoint(store: "Store", id: str) -> bool:
    """Forget the endpoint and its deliveries, sent or not; False where there is none of that id."""
    with store.writing.begin() as connection:
        connection.execute(DELIVERIES.delete().where(DELIVERIES.c.webhook_id == id))
        return connection.execute(WEBHOOKS.delete().where(WEBHOOKS.c.id == id)).rowcount > 0


def rotate(store: "Store", id: str, now: int) -> tuple[str, Endpoint] | None:
    """A new secret for the endpoint, which enables it again if it was disabled; the one before signs too for `OLD_SECRET_SIGNS`. None if unknown."""
    with store.writing.begin() as connection:
        row = _row(connection, id)
        if row is None:
            return None
        secret = _fresh_secret()
        before = [(old, now + OLD_SECRET_SIGNS) for old, until in orjson.loads(row.secret) if until is None]
        values = {"secret": _kept([(secret, None), *before]), "disabled_at": None}
        connection.execute(WEBHOOKS.update().where(WEBHOOKS.c.id == id).values(values))
        return secret, _endpoint(_row(connection, id))


def _kept(secrets_: list[tuple[str, int | None]]) -> str:
    return orjson.dumps(secrets_).decode()


def _row(connection: sa.Connection, id: str) -> Any:
    return connection.execute(sa.select(WEBHOOKS).where(WEBHOOKS.c.id == id)).one_or_none()


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(row.id, row.url, tuple(row.types.split()), row.description, row.created_at, row.disabled_at)
