"""One lead as a person sees it: who it is, all that is held on it, what people said of it, and two that become one."""

from collections.abc import Collection
from typing import Any

import orjson
import sqlalchemy as sa

from data.contract import DataError
from data.erasing import erase
from data.ids import names_of, resolved
from data.items import is_text
from data.merging import merge
from data.refusals import ErasedLead, SameLead, UnknownLead, living
from data.schema import ACCOUNTS, ALIASES, CHANGES, DEALS, EVENTS, FEEDBACK, LEADS, SCORES, STAGES
from data.store import Store
from data.tombstones import erased_among, hold

__all__ = ["ErasedLead", "SameLead", "UnknownLead", "add_feedback", "erase", "held_on", "is_erased", "merge", "resolve"]

_ORDER = {EVENTS: "occurred_at", STAGES: "entered_at", DEALS: "opened_at", FEEDBACK: "at"}
_OWN = {"key", "extra", "fields", "features"}
"""Columns that say how the store keeps something, not what it holds."""


def resolve(store: Store, ids: Collection[str]) -> dict[str, str]:
    """{given id or alias: lead_id}; unknown ones are absent."""
    with store.engine.connect() as connection:
        return resolved(connection, ids)


def is_erased(store: Store, id: str) -> bool:
    """Whether the lead of this id (or alias) was erased."""
    with store.engine.connect() as connection:
        return is_text(id) and bool(erased_among(connection, {id}))


def held_on(store: Store, lead_id: str) -> dict[str, Any]:
    """All that is held on the lead of this id or alias, rows by time, times as micros: `lead`, `account`, `changes` (the account's too), `aliases`,
    `events`, `stages`, `deals`, `scores` (without the model's rows) and `feedback`. Of one that was only ever sent to be scored there are `scores`
    and nothing else. Raises UnknownLead, ErasedLead."""
    with store.engine.connect() as connection:
        id = _held_as(connection, lead_id)
        lead = connection.execute(sa.select(LEADS).where(LEADS.c.lead_id == id)).one_or_none()
        account_id = None if lead is None else lead.account_id
        account = connection.execute(sa.select(ACCOUNTS).where(ACCOUNTS.c.account_id == account_id)).one_or_none()
        found: dict[str, Any] = {
            "lead": {} if lead is None else _plain(lead),
            "account": {} if account is None else _plain(account),
            "changes": _changes(connection, id, account_id),
            "aliases": _rows(connection, sa.select(ALIASES).where(ALIASES.c.lead_id == id).order_by(ALIASES.c.object, ALIASES.c.external_id)),
        }
        for table, at in _ORDER.items():
            found[table.name] = _rows(connection, sa.select(table).where(table.c.lead_id == id).order_by(table.c[at]))
        named = SCORES.c.lead_id.in_(names_of(connection, id))
        found["scores"] = _rows(connection, sa.select(SCORES).where(named).order_by(SCORES.c.at))
    return found


def _held_as(connection: sa.Connection, id: str) -> str:
    """The lead_id that an id or alias means, or the id under which the ledger alone has scores; raises UnknownLead or ErasedLead."""
    try:
        return living(connection, id)
    except UnknownLead:
        if is_text(id) and connection.scalar(sa.select(SCORES.c.score_id).where(SCORES.c.lead_id == id).limit(1)) is not None:
            return id
        raise


def add_feedback(
    store: Store,
    lead_id: str,
    now: int,
    *,
    score_id: str | None = None,
    action: str | None = None,
    stage: str | None = None,
    useful: bool | None = None,
    reason: str | None = None,
    by: str | None = None,
) -> int:
    """Keep what a person said of a lead or its score (an override: `action`, `stage`); returns the entry's id. Raises UnknownLead, ErasedLead."""
    if not all(is_text(text) for text in (score_id, action, stage, reason, by) if text is not None):
        raise DataError("feedback must be text without NUL characters and lone surrogates. Leave them out.")
    told = {"score_id": score_id, "action": action, "stage": stage, "useful": useful, "reason": reason, "by": by, "at": now}

    def add(connection: sa.Connection) -> int:
        hold(connection)
        row = FEEDBACK.insert().values(lead_id=living(connection, lead_id), **told).returning(FEEDBACK.c.id)
        return int(connection.execute(row).scalar_one())

    return store.write(add)


def _changes(connection: sa.Connection, lead_id: str, account_id: str | None) -> list[dict[str, Any]]:
    lead = sa.and_(CHANGES.c.object == "lead", CHANGES.c.id == lead_id)
    account = sa.and_(CHANGES.c.object == "account", CHANGES.c.id == account_id)
    order = (CHANGES.c.changed_at, CHANGES.c.object, CHANGES.c.field)
    return _rows(connection, sa.select(CHANGES).where(sa.or_(lead, account)).order_by(*order))


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [_plain(row) for row in connection.execute(query)]


def _plain(row: sa.Row[Any]) -> dict[str, Any]:
    """The row without what the store keeps for itself, its further columns beside the others."""
    held: dict[str, Any] = row._asdict()
    more: dict[str, Any] = orjson.loads(held.get("fields") or held.get("extra") or b"{}")
    return {name: value for name, value in held.items() if name not in _OWN} | more
