"""Finds event types and attributes in the data and declares them: what has a column, what kind it is, and what is left out and why."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import pyarrow as pa

from data.arrow import Column, array, as_mask, pc
from data.contract import RESERVED, DataError, is_placeholder, parse_instant
from data.dataset import Dataset
from data.funnel import Funnel, fitting, is_pattern
from features.attributes import Attribute
from features.declarations import GROUPS, LATE, EventGroup, EventType, declare_colleagues, slot_of_channel, slot_of_group
from features.numbers import number
from features.personal import EMAILS, PERSONAL, PHONES, STAFF, plain_name
from features.schema import ACCOUNT, OTHER_PHRASE, OTHER_TYPE, Schema
from features.tables import late, stays_of

MAX_TYPES = 40
"""Event types with features of their own, the most frequent first; the others count together as OTHER_TYPE."""
MIN_EVENTS = 20
"""Events from which a type, a channel, late recording or colleagues have features: of fewer nothing can be learned."""
MAX_CHANNELS = 8
MAX_LEVELS = 24
"""Levels of a category with a column of their own, the most frequent first."""
MIN_LEVEL_COUNT = 20
MIN_LEVEL_SHARE = 0.005
"""Rows, and share of all rows, from which a level of a category or a channel is one of its own."""

_OWN_NAMES = {*GROUPS, LATE, OTHER_TYPE, *(f"colleagues_{group}" for group in GROUPS)}
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
    left_out = tuple(a for a in found if isinstance(a, LeftOut))
    schema = Schema(funnel.stages, funnel.exits, types, (), renamed)
    counted = pc.is_in(dataset.events["type"], value_set=pa.array(_counted(dataset.events, schema), pa.string()))
    events = dataset.events.select(["lead_id", "channel", "occurred_at", "recorded_at"]).filter(counted)
    schema = replace(
        schema,
        channels=_channels(events["channel"], types),
        late=int(late(events).sum()) >= MIN_EVENTS,
        event_groups=_groups(types, renamed, funnel),
        colleagues=not {"account_id", ACCOUNT} & {*funnel.exclude, *without} and _have_colleagues(dataset, events),
    )
    taken = {f.name.split("=")[0] for f in (*schema.features, *declare_colleagues())}
    return replace(schema, attributes=_distinctly_named([a for a in found if isinstance(a, Attribute)], taken)), left_out


def _counted(events: pa.Table, schema: Schema) -> list[str]:
    """The types as exported that are not left out."""
    return [name for name in pc.unique(events["type"]).drop_null().to_pylist() if schema.type_code(name) >= 0]


def _channels(channel: Column, types: Collection[EventType]) -> tuple[str, ...]:
    """The levels of the channel that are frequent enough; none where all events have the same. A type may be called like a channel's features, and
    `=` parts a column's group from its level: then the channel has none."""
    names = {t.name for t in types}
    levels = [level for level in _levels(without_placeholders(channel), MAX_CHANNELS) if "=" not in level and slot_of_channel(level) not in names]
    return tuple(levels) if len(pc.unique(channel)) > 1 else ()


def _have_colleagues(dataset: Dataset, events: pa.Table) -> bool:
    """Whether enough events are of leads at an account that others stand at as well."""
    stays = stays_of(dataset, dataset.leads).shared()
    together = np.repeat(np.arange(dataset.leads.num_rows), np.diff(stays.start))[stays.account >= 0]
    ids = dataset.leads["lead_id"].take(array(np.unique(together)))
    return int(as_mask(pc.is_in(events["lead_id"], value_set=ids.combine_chunks())).sum()) >= MIN_EVENTS


def _distinctly_named(found: Sequence[Attribute], taken: set[str]) -> tuple[Attribute, ...]:
    """An attribute that is called like a feature, or like another attribute, gets its table's name in front."""
    named: list[Attribute] = []
    for attribute in found:
        name = attribute.name
        while {name, *(c[0].split("=")[0] for c in replace(attribute, name=name).columns)} & taken:
            name = f"{attribute.inputs[0].split('.')[0]}_{name}"
        named.append(replace(attribute, name=name))
        taken |= {name, *(c[0].split("=")[0] for c in named[-1].columns)}
    return tuple(named)


def _types(events: pa.Table, funnel: Funnel) -> tuple[tuple[EventType, ...], dict[str, str | None]]:
    """The types that have features of their own, those that funnel.toml names first; and under which each name that there is, or that funnel.toml
    speaks of, counts."""
    rows = events.group_by("type").aggregate([("type", "count"), ("value", "count")])
    count: Counter[str] = Counter()
    valued: Counter[str] = Counter()
    counted = {name: _counted_as(name, funnel) for name in funnel.event_types}
    for name, n, v in zip(*(rows[c].to_pylist() for c in ("type", "type_count", "value_count")), strict=True):
        if name is not None and (own := counted.setdefault(name, _counted_as(name, funnel))) is not None:
            count[own] += n
            valued[own] += v
    named = {own for name in funnel.event_types if (own := counted[name]) is not None}
    ranked = sorted(count, key=lambda name: (name not in named, -count[name], name))
    used = {name for name in ranked[:MAX_TYPES] if count[name] >= MIN_EVENTS or name in named}
    types = [_type(name, funnel, valued[name] >= max(MIN_EVENTS, count[name] // 100)) for name in sorted(used)]
    if len(used) < len(ranked):
        types.append(EventType(OTHER_TYPE, OTHER_PHRASE, "interest", None, False))
    rare = set(ranked) - used
    counted |= {name: name for name in rare}
    return tuple(types), {
        name: OTHER_TYPE if own in rare else own for name, own in sorted(counted.items()) if own != name or own in rare or is_pattern(name)
    }


def _counted_as(name: str, funnel: Funnel) -> str | None:
    """The name that a type counts under; None: not at all."""
    declared = funnel.event_type(name)
    return None if declared.exclude else _own_name(declared.as_ or name)


def _groups(types: Sequence[EventType], renamed: Mapping[str, str | None], funnel: Funnel) -> tuple[EventGroup, ...]:
    """The team's groups of which there are types: by the names that these are exported under, or that they count under."""
    under = {t.name: {t.name, *(name for name, own in renamed.items() if own == t.name)} for t in types}
    groups: list[EventGroup] = []
    for name, group in sorted(funnel.event_groups.items()):
        held = tuple(own for own, names in under.items() if any(one in group.types or fitting(one, group.types) for one in names))
        if held:
            groups.append(EventGroup(_free(name.replace("=", "_"), {made.name for made in groups}), group.label or _words(name), group.level, held))
    return tuple(groups)


def _free(name: str, taken: Collection[str]) -> str:
    return _free(f"{name}_", taken) if name in taken else name


def _own_name(event_type: str) -> str:
    """A type that is called like a group of types gets a name of its own; `=` parts a column's group from its level, and is in no name."""
    event_type = event_type.replace("=", "_")
    return f"{event_type}_type" if event_type in _OWN_NAMES or event_type.startswith(slot_of_group("")) else event_type


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


def _levels(values: Column, most: int = MAX_LEVELS) -> tuple[str, ...]:
    counted: Mapping[str, int] = {c["values"]: c["counts"] for c in pc.value_counts(values.drop_null()).to_pylist()}
    enough = max(MIN_LEVEL_COUNT, MIN_LEVEL_SHARE * len(values))
    ranked = sorted((v for v in counted if counted[v] >= enough), key=lambda v: (-counted[v], v))
    return tuple(sorted(ranked[:most]))
