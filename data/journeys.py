"""What the store holds of every lead's way through the funnel, column by column, as it was written: what `features.journeys` makes journeys of.

Plain SQL and lists: what reports are made of must not cost the service the libraries that training needs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from data.contract import RESERVED
from data.schema import ACCOUNTS, DEALS, LEADS, STAGES
from data.store import Store

_CHUNK = 10_000

Texts = list[str | None]


@dataclass(frozen=True, slots=True)
class StageRows:
    """Entries into stages, in any order: times in micros UTC, a stage under the funnel's name or the CRM's own."""

    lead_id: Sequence[str]
    entered_at: Sequence[int]
    stage: Sequence[str | None]
    reason: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class DealRows:
    """Deals, a row for each lead that a deal is with, in any order. `amount` None: not known. A `closed_at` may lie ahead: an open deal's plan."""

    deal_id: Sequence[str]
    lead_id: Sequence[str]
    opened_at: Sequence[int]
    closed_at: Sequence[int | None]
    outcome: Sequence[str | None]
    amount: Sequence[float | None]
    currency: Sequence[str | None]
    reason: Sequence[str | None]
    competitor: Sequence[str | None]
    stage: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """n leads in any order. `attributes`: current canonical texts (n,) of every lead's field, and with the prefix `account_` of its account's."""

    lead_id: Sequence[str]
    created_at: Sequence[int]
    attributes: Mapping[str, Sequence[str | None]]
    stages: StageRows
    deals: DealRows


def rows_of_store(store: Store, hidden: Callable[[str], bool]) -> Rows:
    """All of it but the attributes that are `hidden`, as of one instant: four queries, however many leads. Blocking."""
    with store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        leads = _leads(connection, hidden)
        stages = _columns(connection, STAGES, ("lead_id", "entered_at", "stage", "reason"))
        deals = _columns(connection, DEALS, tuple(DealRows.__dataclass_fields__))
    return Rows(leads.lead_id, leads.created_at, leads.texts.columns, StageRows(*stages), DealRows(*deals))


@dataclass(slots=True)
class Told:
    """Flat objects one after the other, turned into columns; a text that comes again is kept once."""

    hidden: Callable[[str], bool]
    columns: dict[str, Texts] = field(default_factory=dict)
    _size: int = 0
    _seen: dict[str, str] = field(default_factory=dict)

    def add(self, objects: Sequence[Mapping[str, str | None]], prefix: str, without: frozenset[str]) -> None:
        """The next rows, under the names of their fields behind `prefix`; a column that another table gave already stays as it is."""
        once = self._seen.setdefault
        for name in sorted(name for name in set().union(*objects) - without if not self.hidden(prefix + name)):
            column = self.columns.setdefault(prefix + name, [])
            if len(column) <= self._size:
                column += [None] * (self._size - len(column))
                column += [None if (text := one.get(name)) is None else once(text, text) for one in objects]

    def end(self, rows: int) -> None:
        """So many rows have been added, by every table that they come from."""
        self._size += rows
        for column in self.columns.values():
            column += [None] * (self._size - len(column))


@dataclass(slots=True)
class _Leads:
    texts: Told
    lead_id: list[str] = field(default_factory=list)
    created_at: list[int] = field(default_factory=list)


def _leads(connection: sa.Connection, hidden: Callable[[str], bool]) -> _Leads:
    accounts = {id: orjson.loads(fields) for id, fields in _streamed(connection, sa.select(ACCOUNTS.c.account_id, ACCOUNTS.c.fields))}
    found, nothing = _Leads(Told(hidden)), dict[str, str | None]()
    chosen = sa.select(LEADS.c.lead_id, LEADS.c.created_at, LEADS.c.account_id, LEADS.c.fields)
    for part in _parts(connection, chosen):
        ids, created, of, fields = zip(*part, strict=True)
        found.lead_id += ids
        found.created_at += created
        found.texts.add([orjson.loads(text) for text in fields], "", RESERVED["lead"])
        found.texts.add([accounts.get(id, nothing) for id in of], "account_", RESERVED["account"])
        found.texts.end(len(part))
    return found


def _columns(connection: sa.Connection, table: sa.Table, names: Sequence[str]) -> list[list[Any]]:
    columns: list[list[Any]] = [[] for _ in names]
    for part in _parts(connection, sa.select(*(table.c[name] for name in names))):
        for column, values in zip(columns, zip(*part, strict=True), strict=True):
            column += values
    return columns


def _streamed(connection: sa.Connection, chosen: sa.Select[Any]) -> Iterator[Sequence[Any]]:
    return (row for part in _parts(connection, chosen) for row in part)


def _parts(connection: sa.Connection, chosen: sa.Select[Any]) -> Iterable[Sequence[Sequence[Any]]]:
    return connection.execute(chosen.execution_options(yield_per=_CHUNK)).partitions()
