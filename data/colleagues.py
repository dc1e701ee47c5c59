"""Who shares an account with a lead, and what happened with them: in columns, read once for all leads that are asked about together."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects import postgresql

from data.contract import MOST_COLLEAGUES
from data.schema import CHANGES, EVENTS, LEADS
from data.sql import among
from data.store import Store

Ints = NDArray[np.int64]

ALWAYS = int(np.iinfo(np.int64).min)
"""Since when a lead without a history of accounts has stood at its account, and since when the store knows it."""
MOST_AT_ACCOUNT = 50
"""Leads of one account that are rescored when something happens with one of them; at a larger one they wait for the nightly sweep."""
MOST_AT_ONCE = 2_000
"""Leads that one call has rescored for what happened with others; any more wait for the nightly sweep."""


@dataclass(frozen=True)
class Together:
    """Leads `ids` that ever stood at the same accounts, and all of their events. `event_lead` indexes `ids`, `event_type` indexes `types`, and
    `event_time` is when an event counted; rows in any order. From `stay_since` on `stay_lead` stood at `stay_account` (below `accounts`; -1 elsewhere
    or nowhere). `..._known` is since when the store has the row. All times are micros UTC."""

    ids: Sequence[str]
    accounts: int
    types: Sequence[str]
    event_lead: Ints
    event_type: Ints
    event_time: Ints
    event_known: Ints
    stay_lead: Ints
    stay_since: Ints
    stay_account: Ints
    stay_known: Ints

    def until(self, instant: int) -> "Together":
        """What the store knew of it at that instant."""
        event, stay = self.event_known <= instant, self.stay_known <= instant
        if event.all() and stay.all():
            return self
        events = {name: getattr(self, name)[event] for name in ("event_lead", "event_type", "event_time", "event_known")}
        return replace(self, **events, **{name: getattr(self, name)[stay] for name in ("stay_lead", "stay_since", "stay_account", "stay_known")})


_NOTHING: Ints = np.zeros(0, np.int64)
_NOBODY = Together((), 0, (), *(_NOTHING,) * 8)


def together(store: Store, lead_ids: Collection[str]) -> Together:
    """Everybody who ever stood at an account at which one of these leads ever stood, in one snapshot. An account without others is left out, and one
    at which more than `MOST_COLLEAGUES` leads ever stood. Six queries at most, however many leads; what they cost grows with the events there."""
    with store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        now_at, ever_at = _members(connection, _small(connection, _accounts_of(connection, lead_ids)))
        shared = {account: n for n, account in enumerate(sorted(a for a, leads in ever_at.items() if 1 < len(leads) <= MOST_COLLEAGUES))}
        ids = sorted({id for account in shared for id in ever_at[account]})
        if not ids:
            return _NOBODY
        place = {id: n for n, id in enumerate(ids)}
        types, events = _events(connection, ids)
        return Together(ids, len(shared), types, *events, *_stays(connection, place, now_at, shared))


def colleagues(connection: sa.Connection, lead_ids: Collection[str]) -> list[str]:
    """The leads that now share an account with one of these, themselves included: at most `MOST_AT_ONCE`, and none of an account of more than
    `MOST_AT_ACCOUNT` leads."""
    if not lead_ids:
        return []
    own = sa.select(LEADS.c.account_id).where(among(connection, LEADS.c.lead_id, lead_ids), LEADS.c.account_id.is_not(None)).distinct().subquery()
    other, many = LEADS.alias("other"), LEADS.alias("many")
    beyond = sa.select(many.c.lead_id).where(many.c.account_id == own.c.account_id).limit(1).offset(MOST_AT_ACCOUNT).scalar_subquery()
    found = sa.select(other.c.lead_id).join(own, other.c.account_id == own.c.account_id).where(beyond.is_(None))
    return list(connection.scalars(found.limit(MOST_AT_ONCE)))


# In words of SQL, not as parameters: so SQLite knows that the index of these very rows will do.
_MOVED = sa.and_(CHANGES.c.object == sa.literal_column("'lead'"), CHANGES.c.field == sa.literal_column("'account_id'"))


def _accounts_of(connection: sa.Connection, lead_ids: Collection[str]) -> set[str]:
    """Every account at which one of the leads ever stood."""
    now = sa.select(LEADS.c.account_id).where(among(connection, LEADS.c.lead_id, lead_ids))
    before = sa.select(CHANGES.c.value).where(_MOVED, among(connection, CHANGES.c.id, lead_ids))
    return {account for account in connection.scalars(now.union(before)) if account is not None}


def _small(connection: sa.Connection, accounts: Collection[str]) -> list[str]:
    """The accounts without those that are certainly too large: nobody reads who stands there."""
    given = _numbered(connection, list(accounts)).c.value
    now = sa.select(LEADS.c.lead_id).where(LEADS.c.account_id == given).limit(1).offset(MOST_COLLEAGUES).scalar_subquery()
    before = sa.select(CHANGES.c.id).where(_MOVED, CHANGES.c.value == given).group_by(CHANGES.c.id).limit(1).offset(MOST_COLLEAGUES).scalar_subquery()
    return list(connection.scalars(sa.select(given).where(now.is_(None), before.is_(None)))) if accounts else []


def _members(connection: sa.Connection, accounts: Collection[str]) -> tuple[dict[str, str], dict[str, set[str]]]:
    """({lead: its account now}, {account: leads that ever stood there}), of these accounts."""
    if not accounts:
        return {}, {}
    now = connection.execute(sa.select(LEADS.c.lead_id, LEADS.c.account_id).where(among(connection, LEADS.c.account_id, accounts))).all()
    before = connection.execute(sa.select(CHANGES.c.id, CHANGES.c.value).where(_MOVED, among(connection, CHANGES.c.value, accounts))).all()
    ever: dict[str, set[str]] = defaultdict(set)
    for id, account in (*now, *before):
        ever[account].add(id)
    return {row[0]: row[1] for row in now}, ever


def _stays(connection: sa.Connection, place: dict[str, int], now_at: dict[str, str], accounts: dict[str, int]) -> Sequence[Ints]:
    """(lead, since, account, known) of each stay: by the history of the lead's account where there is one, else its account all along. Where a lead
    stood first, by what was known so far, when it was created or before, it always did: of two such stays the one that was known later counts."""
    change = CHANGES.c
    rows = sa.select(change.id, change.changed_at, change.value, change.ingested_at, LEADS.c.created_at).join(LEADS, LEADS.c.lead_id == change.id)
    rows = rows.where(_MOVED, among(connection, change.id, place)).order_by(change.ingested_at, change.changed_at)
    found: list[tuple[int, int, int, int]] = []
    first: dict[str, int] = {}
    for id, since, value, known, created in connection.execute(rows):
        stay = (place[id], since, accounts.get(value, -1), known)
        if since < first.get(id, created + 1):
            first[id] = since
            found.append((stay[0], ALWAYS, *stay[2:]))
        found.append(stay)
    moved = {row[0] for row in found}
    found += [(n, ALWAYS, accounts.get(now_at.get(id, ""), -1), ALWAYS) for id, n in place.items() if n not in moved]
    return [np.array(column, np.int64) for column in zip(*found, strict=True)]


def _events(connection: sa.Connection, ids: Sequence[str]) -> tuple[list[str], Sequence[Ints]]:
    """(types, (lead, type, time, known)). The database writes them down as numbers, a text for each type: as rows they cost half as much again, and
    all of that keeps the requests of the same process waiting."""
    lead, event = _numbered(connection, ids), EVENTS.c
    counted = sa.case((event.recorded_at > event.occurred_at, event.recorded_at), else_=event.occurred_at)
    told = [sa.cast(number, sa.Text) for number in (lead.c.key, counted, event.ingested_at)]
    texts = sa.func.aggregate_strings(told[0] + "," + told[1] + "," + told[2], ",")
    rows = connection.execute(sa.select(event.type, texts).select_from(lead.join(EVENTS, event.lead_id == lead.c.value)).group_by(event.type)).all()
    tables = [np.array(orjson.loads(f"[{text}]"), np.int64).reshape(-1, 3) for _, text in rows]
    first = 1 if connection.dialect.name == "postgresql" else 0
    owner, time, known = (np.concatenate([table[:, n] for table in tables]) if tables else _NOTHING for n in range(3))
    kind = np.repeat(np.arange(len(rows), dtype=np.int64), [len(table) for table in tables])
    return [type for type, _ in rows], (owner - first, kind, time, known)


def _numbered(connection: sa.Connection, ids: Sequence[str]) -> Any:
    """The ids as rows (key, value), in order: from 0 in SQLite, from 1 in PostgreSQL."""
    if connection.dialect.name == "postgresql":
        listed = sa.func.unnest(sa.cast(list(ids), postgresql.ARRAY(sa.Text)))
        return listed.table_valued("value", with_ordinality="key", name="listed").render_derived()
    return sa.func.json_each(orjson.dumps(list(ids)).decode()).table_valued("key", "value", name="listed")
