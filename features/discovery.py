"""Finds event types and attributes in the data and declares them: what has a column, what kind it is, and what is left out and why."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import pyarrow as pa

from data.arrow import Column, pc
from data.contract import RESERVED, DataError, is_placeholder, parse_instant
from data.dataset import Dataset
from data.funnel import Funnel
from features.attributes import Attribute
from features.declarations import GROUPS, EventType, declare
from features.numbers import number
from features.personal import EMAILS, PERSONAL, PHONES, STAFF, plain_name
from features.schema import OTHER_PHRASE, OTHER_TYPE, Schema

MAX_TYPES = 40
MIN_EVENTS = 20
MAX_LEVELS = 24
MIN_LEVEL_COUNT = 20
MIN_LEVEL_SHARE = 0.005

_TITLES = ("job_title", "title", "position", "role", "job")
_LEVELS = {
    "job_title": "stakeholder",
    "email": "stakeholder",
    "phone": "stakeholder",
    "country": "organization",
    "source": "interest",
}


@dataclass(frozen=True)
class LeftOut:
    """A column that is not used, and why, in words for people."""

    column: str
    why: str


def discover(dataset: Dataset, funnel: Funnel, without: Collection[str] = ()) -> tuple[Schema, tuple[LeftOut, ...]]:
    """The schema of a dataset. `without` names further columns to leave out ("lead.tags")."""
    types, renamed = _types(dataset.events, funnel)
    found = [
        *_attributes("lead", dataset.leads, funnel, without),
        *_attributes("account", dataset.accounts, funnel, without),
    ]
    attributes = _distinctly_named([a for a in found if isinstance(a, Attribute)], types)
    left_out = tuple(a for a in found if isinstance(a, LeftOut))
    return Schema(funnel.stages, funnel.exits, types, attributes, renamed), left_out


def _distinctly_named(found: Sequence[Attribute], types: Sequence[EventType]) -> tuple[Attribute, ...]:
    """An attribute that is called like a feature, or like another attribute, gets its table's name in front."""
    taken = {f.name.split("=")[0] for f in declare(types)}
    named: list[Attribute] = []
    for attribute in found:
        name = attribute.name
        while {name, *(c[0].split("=")[0] for c in replace(attribute, name=name).columns)} & taken:
            name = f"{attribute.inputs[0].split('.')[0]}_{name}"
        named.append(replace(attribute, name=name))
        taken |= {name, *(c[0].split("=")[0] for c in named[-1].columns)}
    return tuple(named)


def _types(events: pa.Table, funnel: Funnel) -> tuple[tuple[EventType, ...], dict[str, str | None]]:
    rows = events.group_by("type").aggregate([("type", "count"), ("value", "count")])
    count: Counter[str] = Counter()
    valued: Counter[str] = Counter()
    renamed: dict[str, str | None] = {name: None if t.exclude else t.as_ for name, t in funnel.event_types.items() if t.exclude or t.as_}
    for name, n, v in zip(*(rows[c].to_pylist() for c in ("type", "type_count", "value_count")), strict=True):
        if name is None:
            continue
        declared = funnel.event_type(name)
        counted = None if declared.exclude else _own_name(declared.as_ or name)
        if counted != name:
            renamed[name] = counted
        if counted is not None:
            count[counted] += n
            valued[counted] += v
    ranked = sorted(count, key=lambda name: (-count[name], name))
    used = [name for name in ranked[:MAX_TYPES] if count[name] >= MIN_EVENTS]
    types = [_type(name, funnel, valued[name] >= max(MIN_EVENTS, count[name] // 100)) for name in sorted(used)]
    if len(used) < len(ranked):
        renamed |= {name: OTHER_TYPE for name in ranked if name not in used}
        types.append(EventType(OTHER_TYPE, OTHER_PHRASE, "interest", None, False))
    return tuple(types), renamed


def _own_name(event_type: str) -> str:
    """A type that is called like a group of types gets a name of its own."""
    return f"{event_type}_type" if event_type in (*GROUPS, OTHER_TYPE) else event_type


def _type(name: str, funnel: Funnel, has_value: bool) -> EventType:
    declared = funnel.event_type(name)
    return EventType(name, declared.label or _words(name), declared.level, declared.direction, has_value)


def _words(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _attributes(table: str, rows: pa.Table, funnel: Funnel, without: Collection[str]) -> Iterator[Attribute | LeftOut]:
    for field in sorted(rows.column_names):
        column = f"{table}.{field}"
        if field in RESERVED[table]:
            continue
        if column in without or {field, column} & set(funnel.exclude):
            yield LeftOut(column, "left out by funnel.toml" if column not in without else "left out by the leak report")
        elif plain_name(field) in PERSONAL:
            yield LeftOut(column, "personal data never reach a model")
        elif plain_name(field) in STAFF:
            yield LeftOut(column, "who works a lead is no fact about it, and a person's name never reaches a model")
        else:
            values = without_placeholders(rows[field])
            if values.null_count < len(values):
                yield _declared(table, field, values)


def _declared(table: str, field: str, values: Column) -> Attribute | LeftOut:
    column = f"{table}.{field}"
    name = field if table == "lead" else f"account_{field}"
    label = _words(name)
    level = "organization" if table == "account" else _LEVELS.get(field, "opportunity")
    if column == "lead.email" or (table == "lead" and plain_name(field) in EMAILS and _all(values, lambda v: "@" in v)):
        return Attribute("email", "email", (column, "account.domain"), "stakeholder", "Email")
    if column == "lead.phone" or (table == "lead" and plain_name(field) in PHONES and _all(values, _is_phone)):
        return Attribute("phone", "phone", (column, "lead.country"), "stakeholder", "Phone")
    if _is_title(field, values):
        return Attribute(name, "title", (column,), "stakeholder", label)
    if _all_numbers(values):
        why = _identifier(values)
        return LeftOut(column, why) if why else Attribute(name, "number", (column,), level, label)
    if _all(values, _is_date):
        return LeftOut(column, "dates without a history")
    if _all(values, lambda v: "@" in v):
        return LeftOut(column, "personal data never reach a model")
    levels = _levels(values)
    if not levels:
        return LeftOut(column, "nearly every value is different: an identifier or free text")
    return Attribute(name, "category", (column,), level, label, levels)


def _is_title(field: str, values: Column) -> bool:
    """A column of job titles; one called so in passing (`job`, `role`) that names a few kinds of work, over and over, is a category."""
    if plain_name(field) not in _TITLES or _all_numbers(values):
        return False
    return plain_name(field) == "job_title" or len(pc.unique(values.drop_null())) > MAX_LEVELS


def without_placeholders(values: Column) -> Column:
    """The column with null where `Select`, `unknown` or the like stands: nobody chose anything there."""
    said = [v for v in pc.unique(values).drop_null().to_pylist() if is_placeholder(v)]
    return pc.if_else(pc.is_in(values, value_set=pa.array(said, pa.string())), None, values) if said else values


def _all(values: Column, test: Callable[[str], bool]) -> bool:
    """At least nine tenths of up to 2,000 distinct values pass."""
    distinct = pc.unique(values).drop_null().to_pylist()
    sample = sorted(distinct)[:: max(1, len(distinct) // 2000)]
    return sum(test(v) for v in sample) >= 0.9 * len(sample)


def _all_numbers(values: Column) -> bool:
    return _all(values, lambda v: isfinite(number(v)))


def _is_phone(value: str) -> bool:
    return sum(c.isdigit() for c in value) >= 6


def _is_date(value: str) -> bool:
    try:
        parse_instant(value)
    except DataError:
        return False
    return True


def _identifier(values: Column) -> str | None:
    """Whole numbers that differ in nearly every row and are spread evenly are serial numbers or keys: quantities crowd at the low end."""
    there = np.array([number(v) for v in values.drop_null().to_pylist()])
    there = np.sort(there[np.isfinite(there)])
    whole = bool(np.all(there == np.rint(there)))
    if there.size < 50 or not whole or np.unique(there).size < 0.99 * there.size:
        return None
    even = np.linspace(there[0], there[-1], there.size)
    apart = np.abs(there - even).max() / (there[-1] - there[0])
    return "a number that differs in every row: an identifier" if apart < max(0.05, 1.4 / there.size**0.5) else None


def _levels(values: Column) -> tuple[str, ...]:
    counted: Mapping[str, int] = {c["values"]: c["counts"] for c in pc.value_counts(values.drop_null()).to_pylist()}
    enough = max(MIN_LEVEL_COUNT, MIN_LEVEL_SHARE * len(values))
    ranked = sorted((v for v in counted if counted[v] >= enough), key=lambda v: (-counted[v], v))
    return tuple(sorted(ranked[:MAX_LEVELS]))
