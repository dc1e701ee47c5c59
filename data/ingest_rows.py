"""Events, stages and deals into the store: rows of a lead, each kept once."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from data import pending
from data.colleagues import colleagues
from data.contract import STAGES as OUR_STAGES
from data.contract import TABLES, canonical
from data.funnel import Funnel
from data.ids import resolved
from data.items import Item, Outcome, Refused, checked, extras, instant, show
from data.schema import DEALS, EVENTS, STAGES
from data.sql import Row, among, among_keys, insert
from data.store import CameBetween, Store
from data.tombstones import erased_among, hold

_KNOWN = {name: frozenset(TABLES[name].known) for name in ("events", "stages", "deals")}
_DEAL_TIMES = frozenset(TABLES["deals"].times)


@dataclass(slots=True)
class _Rows:
    """A call on its way: the outcomes so far by place, and the items that may be kept with the lead that each belongs to."""

    outcomes: dict[int, Outcome]
    kept: list[tuple[int, str, Item]]


def add_events(store: Store, items: Sequence[Item], now: int, quiet: bool = False, with_colleagues: bool = False) -> list[Outcome]:
    """Add events: `lead_id` (or an alias), `occurred_at`, `type` and what else the contract names.

    The same `event_id` again changes nothing; without one the same content as often as before changes nothing. `with_colleagues`: what happens with
    a lead is news of its `colleagues`, too. History (`quiet`) is left to the nightly sweep there: loading it costs as little as ever.
    """
    return _marking(store, lambda connection: keep_events(connection, items, now), now, quiet, with_colleagues and not quiet)


def add_stages(store: Store, items: Sequence[Item], now: int, quiet: bool = False, *, funnel: Funnel) -> list[Outcome]:
    """Add stage entries: `lead_id` (or an alias), `entered_at`, `stage` by any name that the funnel knows, kept as it was sent."""
    return _marking(store, lambda connection: keep_stages(connection, items, now, funnel), now, quiet)


def put_deals(store: Store, items: Sequence[Item], now: int, quiet: bool = False) -> list[Outcome]:
    """Create or change deals, one for each `deal_id` and `lead_id` (or alias). What is absent stays, null clears."""
    return _marking(store, lambda connection: keep_deals(connection, items, now), now, quiet)


def event_key(event_id: str | None, content: Sequence[Any], occurrence: int) -> bytes:
    """16 bytes that tell an event from every other: its `event_id`, else the rest of its columns, lead_id first, and the how-maniest such it is."""
    parts = ("id", event_id) if event_id is not None else ("row", occurrence, *content)
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()


Kept = tuple[list[Outcome], set[str]]
"""The outcomes in order of the items, and the leads that have something new."""


def _marking(store: Store, keep: Callable[[sa.Connection], Kept], now: int, quiet: bool, with_colleagues: bool = False) -> list[Outcome]:
    def work(connection: sa.Connection) -> list[Outcome]:
        outcomes, leads = keep(connection)
        others = colleagues(connection, leads) if with_colleagues else []
        pending.mark(connection, leads, now, pending.priority_of(quiet), quiet, others)
        return outcomes

    return store.write(work)


def keep_events(connection: sa.Connection, items: Sequence[Item], now: int) -> Kept:
    """`add_events` in the caller's transaction, without marking any lead for rescoring."""
    rows = _sorted_out(connection, items)
    seen: Counter[Row] = Counter()
    given: dict[bytes, Row] = {}
    places: dict[bytes, list[tuple[int, bool]]] = {}
    for place, lead, item in rows.kept:
        try:
            content = _event(lead, item, now)
        except Refused as refused:
            rows.outcomes[place] = refused.outcome
            continue
        event_id = canonical(item.get("event_id"))
        as_sent = (lead, item["occurred_at"], item.get("recorded_at"), *content[3:])  # a time ahead of the clock stays the same when sent again
        key = event_key(event_id, as_sent, seen[as_sent])
        seen[as_sent] += event_id is None
        row = (key, *content[:-1], event_id, content[-1], now)
        places.setdefault(key, []).append((place, given.setdefault(key, row)[1:-1] == row[1:-1]))
    held = (
        {bytes(row[0]): tuple(row) for row in connection.execute(sa.select(EVENTS).where(among_keys(connection, EVENTS.c.key, list(given))))}
        if given
        else {}
    )
    fresh = [given[key] for key in sorted(given.keys() - held.keys())]
    if insert(connection, EVENTS, fresh) != len(fresh):
        raise CameBetween
    for key, sent in places.items():
        _settle_event(rows.outcomes, sent, given[key], held.get(key))
    return [rows.outcomes[place] for place in range(len(items))], {row[1] for row in fresh}


def _event(lead: str, item: Item, now: int) -> Row:
    occurred, recorded = instant(item, "occurred_at", now), instant(item, "recorded_at", now)
    kind, value = canonical(item.get("type")), item.get("value")
    if occurred is None or kind is None:
        raise Refused("MissingValue", "occurred_at and type must be filled.", lead)
    number = None if value is None else float(value)
    return (lead, occurred, recorded, kind, number, canonical(item.get("channel")), canonical(item.get("detail")), extras(item, _KNOWN["events"]))


def _settle_event(outcomes: dict[int, Outcome], sent: list[tuple[int, bool]], given: Row, held: Row | None) -> None:
    """The first of one key is new where nothing is held; the others change nothing, and say so where they differ."""
    same_as_held = held is None or held[1:-1] == given[1:-1]
    for number, (place, same_as_first) in enumerate(sent):
        told = None if same_as_held and same_as_first else "an event of this event_id is held with other content: the first one stands."
        outcomes[place] = Outcome("created" if held is None and number == 0 else "unchanged", given[8], detail=told)


def keep_stages(connection: sa.Connection, items: Sequence[Item], now: int, funnel: Funnel) -> Kept:
    """`add_stages` in the caller's transaction, without marking any lead for rescoring."""
    rows = _sorted_out(connection, items)
    known: dict[str, str | None] = {}
    given: dict[Row, Row] = {}
    places: dict[int, Row] = {}
    for place, lead, item in rows.kept:
        try:
            row = _stage(lead, item, now, funnel, known)
        except Refused as refused:
            rows.outcomes[place] = refused.outcome
            continue
        places[place] = row[:3]
        given.setdefault(row[:3], row)
    held = _held_stages(connection, {key[0] for key in given})
    fresh = [given[key] for key in sorted(given.keys() - held)]
    if insert(connection, STAGES, fresh) != len(fresh):
        raise CameBetween
    for place, key in places.items():
        rows.outcomes[place] = Outcome("unchanged" if key in held else "created", key[0])
        held.add(key)
    return [rows.outcomes[place] for place in range(len(items))], {row[0] for row in fresh}


def _stage(lead: str, item: Item, now: int, funnel: Funnel, known: dict[str, str | None]) -> Row:
    entered, name = instant(item, "entered_at", now), canonical(item.get("stage"))
    if entered is None or name is None:
        raise Refused("MissingValue", "entered_at and stage must be filled.", lead)
    if name not in known:
        known[name] = funnel.stage_of(name)
    if known[name] is None:
        expected = f"one of {', '.join((*OUR_STAGES, *funnel.exits))}, or a name that funnel.toml gives to one of them"
        raise Refused("UnknownStage", f"stage must be {expected}; got {show(name)}.", lead)
    return (lead, entered, name, canonical(item.get("reason")), extras(item, _KNOWN["stages"]), now)


def _held_stages(connection: sa.Connection, leads: set[str]) -> set[Row]:
    wanted = sa.select(STAGES.c.lead_id, STAGES.c.entered_at, STAGES.c.stage).where(among(connection, STAGES.c.lead_id, leads))
    return {tuple(row) for row in connection.execute(wanted)} if leads else set()


def keep_deals(connection: sa.Connection, items: Sequence[Item], now: int) -> Kept:
    """`put_deals` in the caller's transaction, without marking any lead for rescoring."""
    rows = _sorted_out(connection, items)
    ids = {lead for _, lead, _ in rows.kept}
    wanted = sa.select(DEALS).where(among(connection, DEALS.c.lead_id, ids)).order_by(DEALS.c.deal_id, DEALS.c.lead_id).with_for_update()
    held: dict[Row, dict[str, Any]] = {(row.deal_id, row.lead_id): row._asdict() for row in connection.execute(wanted)} if ids else {}
    before = set(held)
    changed: set[Row] = set()
    for place, lead, item in rows.kept:
        try:
            rows.outcomes[place] = _put_deal(held, changed, lead, item, now)
        except Refused as refused:
            rows.outcomes[place] = refused.outcome
    _write_deals(connection, [(key in before, tuple(held[key].values())) for key in sorted(changed)])
    return [rows.outcomes[place] for place in range(len(items))], {lead for _, lead in changed}


def _put_deal(held: dict[Row, dict[str, Any]], changed: set[Row], lead: str, item: Item, now: int) -> Outcome:
    deal = checked(item, "deal_id")
    sent = {name: _deal_value(item, name, now) for name in item if name in _KNOWN["deals"] and name not in ("deal_id", "lead_id")}
    more = extras(item, _KNOWN["deals"])
    sent |= {"extra": more} if more is not None else {}
    was = held.get((deal, lead))
    if (was or {"opened_at": None}).get("opened_at") is None and sent.get("opened_at") is None:
        raise Refused("MissingValue", "opened_at must be filled.", deal)
    if was is None:
        was = dict.fromkeys(DEALS.c.keys()) | {"deal_id": deal, "lead_id": lead, "ingested_at": now}
        status: Any = "created"
    else:
        sent = {name: value for name, value in sent.items() if value is not None or name != "opened_at"}
        status = "updated" if any(was[name] != value for name, value in sent.items()) else "unchanged"
    if status != "unchanged":
        held[deal, lead] = was | sent | {"changed_at": now}
        changed.add((deal, lead))
    return Outcome(status, deal)


def _deal_value(item: Item, name: str, now: int) -> Any:
    value = item[name]
    if name == "opened_at":
        return instant(item, name, now)
    if value is None or name in _DEAL_TIMES:
        return value
    return float(value) if name == "amount" else canonical(value)


def _write_deals(connection: sa.Connection, rows: Iterable[tuple[bool, Row]]) -> None:
    listed = list(rows)
    fresh = [row for known, row in listed if not known]
    if insert(connection, DEALS, fresh) != len(fresh):
        raise CameBetween
    columns = [column.name for column in DEALS.c if column.name not in ("deal_id", "lead_id", "ingested_at")]
    insert(connection, DEALS, [row for known, row in listed if known], update=columns)


def _sorted_out(connection: sa.Connection, items: Sequence[Item]) -> _Rows:
    """Refuse what has no lead; the others with the lead_id that each means."""
    hold(connection)
    outcomes: dict[int, Outcome] = {}
    given: dict[int, str] = {}
    for place, item in enumerate(items):
        try:
            given[place] = checked(item, "lead_id")
        except Refused as refused:
            outcomes[place] = refused.outcome
    owners = resolved(connection, set(given.values()))
    strangers = set(given.values()) - owners.keys()
    erased = erased_among(connection, strangers) if strangers else set()
    for place, id in given.items():
        if id not in owners:
            outcomes[place] = _stranger(id, id in erased)
    return _Rows(outcomes, [(place, owners[id], items[place]) for place, id in given.items() if id in owners])


def _stranger(id: str, erased: bool) -> Outcome:
    if erased:
        return Outcome("refused", id, "Erased", "the lead was erased: nothing more of it is taken in.")
    return Outcome("refused", id, "UnknownLead", "no lead and no alias has this id. Put the lead first.")
