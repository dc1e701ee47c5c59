"""Leads and accounts into the store: created once, then changed attribute by attribute, with a history of each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
import sqlalchemy as sa

from data import pending
from data.attributes import Held
from data.contract import canonical, format_instant
from data.ids import resolved
from data.items import Item, Outcome, Refused, checked, dumped, instant, show
from data.schema import ACCOUNTS, ALIASES, CHANGES, LEADS
from data.sql import Row, among, insert
from data.store import CameBetween, Store
from data.tombstones import erased_among, hold

_NOT_VALUES = frozenset({"lead_id", "created_at", "recorded_at", "changed_at", "aliases"})
_COLUMNS = ("account_id", "owner")


@dataclass(slots=True)
class Lead(Held):
    """A lead as it is held; `new` until it is written."""

    created_at: int = 0
    recorded_at: int | None = None
    new: bool = False


@dataclass(slots=True)
class Account(Held):
    """An account as it is held."""

    new: bool = False


@dataclass(frozen=True, slots=True)
class _Sent:
    """An item that may be kept: whose, its values as canonical text, {object: external_id}, and its times (micros)."""

    id: str
    values: dict[str, str | None]
    aliases: dict[str, str]
    created_at: int | None
    recorded_at: int | None
    changed_at: int


def put_leads(store: Store, items: Sequence[Item], now: int, quiet: bool = False) -> list[Outcome]:
    """Create or change leads: `lead_id` (or an alias), `created_at` (default now), `changed_at` (default now), `aliases`, and values.

    Values that are absent stay, null clears. A changed value is appended to the lead's history.
    """

    def put(connection: sa.Connection) -> list[Outcome]:
        outcomes = keep_leads(connection, items, now)
        pending.mark(connection, changed_ids(outcomes), now, pending.priority_of(quiet), quiet)
        return outcomes

    return store.write(put)


def put_accounts(store: Store, items: Sequence[Item], now: int, quiet: bool = False) -> list[Outcome]:
    """Create or change accounts: `account_id`, `changed_at` (default now), and values; the leads of changed ones are to be rescored."""

    def put(connection: sa.Connection) -> list[Outcome]:
        outcomes = keep_accounts(connection, items, now)
        changed = changed_ids(outcomes)
        theirs = sa.select(LEADS.c.lead_id).where(among(connection, LEADS.c.account_id, changed))
        pending.mark(connection, list(connection.scalars(theirs)) if changed else [], now, pending.priority_of(quiet), quiet)
        return outcomes

    return store.write(put)


def keep_leads(connection: sa.Connection, items: Sequence[Item], now: int) -> list[Outcome]:
    """`put_leads` in the caller's transaction, without marking any for rescoring."""
    hold(connection)
    outcomes, sent = _read(items, "lead_id", now)
    owners = resolved(connection, {one.id for one in sent.values()})
    erased = erased_among(connection, {id for one in sent.values() for id in (one.id, *one.aliases.values())} - owners.keys())
    held = read_leads(connection, set(owners.values()))
    _add_histories(connection, "lead", held, [(owners[one.id], one) for one in sent.values() if one.id in owners])
    for place, one in sent.items():
        if erased & {one.id, *one.aliases.values()}:
            outcomes[place] = Outcome("refused", one.id, "Erased", "the lead was erased and is not taken in again.")
        else:
            outcomes[place] = _put_lead(held, owners.get(one.id, one.id), one, now)
    write_leads(connection, [held[id] for id in changed_ids(outcomes.values())], now)
    _add_aliases(connection, [(place, sent[place].aliases) for place in sent if outcomes[place].error is None], outcomes, now)
    return [outcomes[place] for place in range(len(items))]


def _put_lead(held: dict[str, Lead], id: str, one: _Sent, now: int) -> Outcome:
    created, recorded = one.created_at, one.recorded_at
    lead = held.get(id)
    if lead is None:
        began = now if created is None else created
        values = {name: value for name, value in one.values.items() if value is not None}
        held[id] = Lead(id, values, began, now, {}, {}, began, recorded, True)
        return Outcome("created", id, detail=None if created is not None else f"created_at is not given: {format_instant(now)} is taken.")
    told = lead.put(one.values, one.changed_at)
    later = created is not None and created > lead.created_at
    if created is not None and created < lead.created_at:
        lead.created_at, told = created, True
    if recorded is not None and lead.recorded_at is not None and recorded < lead.recorded_at:
        lead.recorded_at, told = recorded, True
    kept = f"created_at stays {format_instant(lead.created_at)}: a later one is ignored." if later else None
    return Outcome("updated" if told else "unchanged", id, detail=kept)


def keep_accounts(connection: sa.Connection, items: Sequence[Item], now: int) -> list[Outcome]:
    """`put_accounts` in the caller's transaction, without marking any lead for rescoring."""
    hold(connection)
    outcomes, sent = _read(items, "account_id", now)
    held = _read_accounts(connection, {one.id for one in sent.values()})
    _add_histories(connection, "account", held, [(one.id, one) for one in sent.values() if one.id in held])
    for place, one in sent.items():
        account = held.get(one.id)
        if account is None:
            values = {name: value for name, value in one.values.items() if value is not None}
            held[one.id] = Account(one.id, values, now, now, {}, {}, True)
            outcomes[place] = Outcome("created", one.id)
        else:
            told = account.put(one.values, one.changed_at)
            outcomes[place] = Outcome("updated" if told else "unchanged", one.id)
    _write_accounts(connection, [held[id] for id in changed_ids(outcomes.values())], now)
    return [outcomes[place] for place in range(len(items))]


def _read(items: Sequence[Item], key: str, now: int) -> tuple[dict[int, Outcome], dict[int, _Sent]]:
    """(refusals, items that may be kept), both by their place."""
    refused: dict[int, Outcome] = {}
    sent: dict[int, _Sent] = {}
    for place, item in enumerate(items):
        try:
            id = checked(item, key)
            values = {name: canonical(value) for name, value in item.items() if name not in _NOT_VALUES and name != key}
            created, recorded, changed = (instant(item, name, now) for name in ("created_at", "recorded_at", "changed_at"))
            aliases = {checked(alias, "object"): checked(alias, "external_id") for alias in item.get("aliases") or ()}
            sent[place] = _Sent(id, values, aliases, created, recorded, now if changed is None else changed)
        except Refused as error:
            refused[place] = error.outcome
    return refused, sent


def changed_ids(outcomes: Iterable[Outcome]) -> list[str]:
    """The ids of what was created or updated, sorted."""
    return sorted({str(outcome.id) for outcome in outcomes if outcome.status in ("created", "updated")})


def _add_histories(connection: sa.Connection, object: str, held: Mapping[str, Held], items: Iterable[tuple[str, _Sent]]) -> None:
    """Read the histories of those that may change, and for accounts since when they count."""
    seen: set[str] = set()
    changing: dict[str, Held] = {}
    for id, one in items:
        if id in seen or any(value != held[id].values.get(name) for name, value in one.values.items()):
            changing[id] = held[id]
        seen.add(id)
    if not changing:
        return
    read_histories(connection, object, changing)
    if object == "account":
        first = sa.select(LEADS.c.account_id, sa.func.min(LEADS.c.created_at)).where(among(connection, LEADS.c.account_id, changing))
        for id, created in connection.execute(first.group_by(LEADS.c.account_id)):
            changing[id].since = min(changing[id].since, created)


def settle_values(connection: sa.Connection, objects: Collection[tuple[str, str]], now: int) -> None:
    """Let the latest entry of each history be the current value, after histories of these (object, id) were written from elsewhere."""
    leads = read_leads(connection, [id for object, id in objects if object == "lead"])
    accounts = _read_accounts(connection, [id for object, id in objects if object == "account"])
    for kind, held in (("lead", leads), ("account", accounts)):
        if held:
            read_histories(connection, kind, held)
    write_leads(connection, [leads[id] for id in sorted(leads) if leads[id].settle()], now)
    _write_accounts(connection, [accounts[id] for id in sorted(accounts) if accounts[id].settle()], now)


def read_leads(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Lead]:
    """The leads of these ids, without their histories, locked where a lock is needed."""
    rows = sa.select(LEADS).where(among(connection, LEADS.c.lead_id, list(ids))).order_by(LEADS.c.lead_id).with_for_update()
    found: dict[str, Lead] = {}
    for row in connection.execute(rows):
        values = {name: value for name in _COLUMNS if (value := getattr(row, name)) is not None} | _parsed(row.fields)
        found[row.lead_id] = Lead(row.lead_id, values, row.created_at, row.ingested_at, {}, {}, row.created_at, row.recorded_at)
    return found


def write_leads(connection: sa.Connection, leads: Sequence[Lead], now: int) -> None:
    """Write them and the changes that came; raises CameBetween where a new one is there by now."""
    rows = [(lead.new, _lead_row(lead, now)) for lead in leads]
    fresh = [row for new, row in rows if new]
    if insert(connection, LEADS, fresh) != len(fresh):
        raise CameBetween
    columns = ("created_at", "recorded_at", "account_id", "owner", "fields", "changed_at")
    insert(connection, LEADS, [row for new, row in rows if not new], update=columns)
    write_changes(connection, "lead", leads, now)


def write_changes(connection: sa.Connection, object: str, held: Iterable[Held], now: int) -> None:
    """Append what changed to the history."""
    entries = [(one.id, name, at, *entry) for one in held for (name, at), entry in sorted(one.written.items())]
    rows = [(object, id, name, at, value, now if known is None else known) for id, name, at, value, known in entries]
    insert(connection, CHANGES, rows, update=("value", "ingested_at"))


def _lead_row(lead: Lead, now: int) -> Row:
    fields = dumped({name: value for name, value in lead.values.items() if name not in _COLUMNS})
    account, owner = (lead.values.get(name) for name in _COLUMNS)
    return (lead.id, lead.created_at, lead.recorded_at, account, owner, fields, lead.ingested_at, now)


def _read_accounts(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Account]:
    rows = sa.select(ACCOUNTS).where(among(connection, ACCOUNTS.c.account_id, list(ids))).order_by(ACCOUNTS.c.account_id).with_for_update()
    return {row.account_id: Account(row.account_id, _parsed(row.fields), row.ingested_at, row.ingested_at) for row in connection.execute(rows)}


def _write_accounts(connection: sa.Connection, accounts: Sequence[Account], now: int) -> None:
    rows = [(account.new, (account.id, dumped(account.values), account.ingested_at, now)) for account in accounts]
    fresh = [row for new, row in rows if new]
    if insert(connection, ACCOUNTS, fresh) != len(fresh):
        raise CameBetween
    insert(connection, ACCOUNTS, [row for new, row in rows if not new], update=("fields", "changed_at"))
    write_changes(connection, "account", accounts, now)


def read_histories(connection: sa.Connection, object: str, held: Mapping[str, Held]) -> None:
    """Add to each what is held of its values' history."""
    rows = sa.select(CHANGES.c.id, CHANGES.c.field, CHANGES.c.changed_at, CHANGES.c.value)
    for id, name, at, value in connection.execute(rows.where(CHANGES.c.object == object, among(connection, CHANGES.c.id, held))):
        held[id].histories.setdefault(name, {})[at] = value


def _add_aliases(connection: sa.Connection, given: Sequence[tuple[int, dict[str, str]]], outcomes: dict[int, Outcome], now: int) -> None:
    """Give the leads their aliases; one that another lead has stays there, and the outcome says so."""
    wanted = [(place, object, external) for place, aliases in given for object, external in aliases.items() if external != outcomes[place].id]
    if not wanted:
        return
    rows: dict[tuple[str, str], Row] = {}
    for place, object, external in wanted:
        rows.setdefault((object, external), (object, external, outcomes[place].id, now))
    added = insert(connection, ALIASES, sorted(rows.values()))
    taken = sa.select(ALIASES).where(among(connection, ALIASES.c.external_id, {external for _, external in rows}))
    owners = {(row.object, row.external_id): (row.lead_id, row.ingested_at) for row in connection.execute(taken)}
    for place, object, external in wanted:
        outcome = outcomes[place]
        owner, _ = owners[object, external]
        if owner != outcome.id:
            told = f"{object} {show(external)} is an alias of another lead and stays there. Merge the two if they are one."
            outcomes[place] = replace(outcome, detail=" ".join(filter(None, (outcome.detail, told))))
        elif added and outcome.status == "unchanged":
            outcomes[place] = replace(outcome, status="updated")


def _parsed(fields: str) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(fields)
    return found
