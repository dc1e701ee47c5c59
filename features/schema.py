"""The declaration of a model's row: event types, attributes and features, as a readable document with a hash. It travels in the bundle."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from data.contract import DAY
from data.funnel import fitting, is_pattern
from features.attributes import Attribute, Values
from features.declarations import (
    EVER,
    EVERY_CHANNEL,
    EVERY_TYPE,
    GROUPS,
    IN_STAGE,
    LATE,
    WINDOWS,
    EventGroup,
    EventType,
    Feature,
    declare,
    declare_colleagues,
    slot_of_channel,
    slot_of_group,
    slots_of,
)
from features.sweep import OP
from features.timeline import Codes, Program

OTHER_TYPE = "other_event"
"""Event types too rare in training to have features of their own."""
OTHER_PHRASE = "Other activity"

ACCOUNT = "lead.account_id"
"""The field from which it is known who a lead's colleagues are."""

ROLES: Mapping[str | None, int] = {None: 0, "outbound": 1, "inbound": 2}
"""What an event is in a conversation: outreach, an answer, or neither."""


@dataclass(frozen=True)
class Column:
    """One column of the model's row (float32). `text` says its value to people, `absent` that there is none. Columns of one `group` are the
    levels of one thing (`industry=retail`, `industry=(other)`), of which a lead has at most one: they are told together."""

    name: str
    unit: str
    level: str
    text: str
    absent: str
    group: str


@dataclass(frozen=True)
class Layout:
    """`order` (columns,) brings each group's columns together, `starts` (groups,) says where each begins, `firm` (groups,) which are
    firmographics; the others are engagement."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    firm: NDArray[np.bool_]


@dataclass(frozen=True)
class Schema:
    """What a row holds, found from the data once, then fixed. `renamed` maps an event type as exported to the name it counts under, None to
    leave it out; patterns in it stand for types that training did not see. `channels` are those of events that have features of their own; `late` and
    `colleagues` say whether there are features of events that were recorded late, and of what others at the same account did.

    An event's *kind* is all that is counted of it in one number: its type, its channel, whether it was recorded late."""

    stages: tuple[str, ...]
    exits: tuple[str, ...]
    types: tuple[EventType, ...]
    attributes: tuple[Attribute, ...]
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    late: bool = False
    colleagues: bool = False
    event_groups: tuple[EventGroup, ...] = ()

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every column of a schema must have a name of its own; these stand twice: {twice[:5]}.")

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """What is counted rather than known: of the timeline, then of colleagues."""
        return (*self._swept, *(declare_colleagues() if self.colleagues else ()))

    @cached_property
    def _swept(self) -> tuple[Feature, ...]:
        return declare(self.types, self.channels, self.late, self.event_groups)

    @property
    def swept(self) -> int:
        """How many columns the timeline's sweep fills; those of colleagues follow."""
        return len(self._swept)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every column in the row's order: the timeline's features, colleagues', then each attribute's."""
        timeline = [Column(f.name, f.unit, f.level, f.text, f.absent, f.name.split("=")[0]) for f in self.features]
        firm = [Column(name, unit, a.level, text, absent, name.split("=")[0]) for a in self.attributes for name, unit, text, absent in a.columns]
        return (*timeline, *firm)

    @cached_property
    def groups(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """(name, column indices) of everything that is told as one reason, in the row's order."""
        of: dict[str, list[int]] = {}
        for i, column in enumerate(self.columns):
            of.setdefault(column.group, []).append(i)
        return tuple((name, tuple(indices)) for name, indices in of.items())

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The attribute columns that are read, such as `lead.industry`, without repeats."""
        return tuple(dict.fromkeys(i for a in self.attributes for i in a.inputs))

    @cached_property
    def places(self) -> tuple[tuple[Attribute, tuple[int, ...]], ...]:
        """Each attribute and the places of its inputs among `inputs`."""
        at = {column: i for i, column in enumerate(self.inputs)}
        return tuple((attribute, tuple(at[column] for column in attribute.inputs)) for attribute in self.attributes)

    @cached_property
    def writers(self) -> tuple[tuple[Callable[[Values], bytes], Callable[[Values], Values]], ...]:
        """What writes each attribute, and what picks its values out of those of `inputs`."""
        picks = (itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1)) for _, places in self.places)
        return tuple((attribute.written, pick) for (attribute, _), pick in zip(self.places, picks, strict=True))

    @cached_property
    def used(self) -> frozenset[str]:
        """The same, for looking up."""
        return frozenset(self.inputs)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {t.name: i for i, t in enumerate(self.types)}

    @cached_property
    def layout(self) -> "Layout":
        """Where the groups are in a row, for summing effects."""
        groups = self.groups
        starts = np.cumsum([0, *(len(columns) for _, columns in groups)])[:-1]
        firm = np.array([columns[0] >= len(self.features) for _, columns in groups], bool)
        return Layout(np.array([i for _, columns in groups for i in columns], np.int64), starts, firm)

    def type_code(self, name: str) -> int:
        """Index of an event type as exported; -1 for one that is left out, or that training never saw."""
        counted = self.renamed.get(self._known_as(name), name)
        return -1 if counted is None else self._codes.get(counted, -1)

    @property
    def kinds_per_type(self) -> int:
        """Kinds k, k + 1, ... of one type follow each other: `kind // kinds_per_type` is the type's code."""
        return (len(self.channels) + 1) * (2 if self.late else 1)

    def kind_code(self, type_name: str, channel: str | None, late: bool) -> int:
        """The kind of an event: of its type as exported, its channel (None: not known), and whether it was `recorded_late`; -1: left out."""
        code = self.type_code(type_name)
        return code if code < 0 else code * self.kinds_per_type + self.kind_of_channel(channel) + (1 if late and self.late else 0)

    def kind_of_channel(self, channel: str | None) -> int:
        """What the channel adds to a kind; one without features of its own counts as none."""
        return self._channel_codes.get(channel, len(self.channels)) * (2 if self.late else 1)

    @cached_property
    def _channel_codes(self) -> dict[str | None, int]:
        return {channel: i for i, channel in enumerate(self.channels)}

    def knows_type(self, name: str) -> bool:
        """Whether training saw this event type, or funnel.toml speaks of it."""
        return self._known_as(name) in self.renamed or name in self._codes

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """What funnel.toml says of types that fit a pattern."""
        return tuple(filter(is_pattern, self.renamed))

    def _known_as(self, name: str) -> str:
        """The name, or the pattern that a type fits which training never saw."""
        seen = not self.patterns or name in self.renamed or name in self._codes
        return name if seen else fitting(name, self.patterns) or name

    def stage_code(self, stage: str) -> int:
        """Index of a stage in order; exits follow the stages. Raises KeyError for any other name."""
        return self._stage_codes[stage]

    @cached_property
    def _stage_codes(self) -> dict[str, int]:
        return {stage: i for i, stage in enumerate((*self.stages, *self.exits))}

    @cached_property
    def program(self) -> Program:
        """The timeline's features compiled for the sweep."""
        names = slots_of(self.types, self.channels, self.late, self.event_groups)
        slots = {name: i for i, name in enumerate(names)}
        first = slots | {EVERY_TYPE: 0, EVERY_CHANNEL: len(self.types) + len(GROUPS)}
        windows = {days: i for i, days in enumerate(WINDOWS)} | {IN_STAGE: len(WINDOWS), EVER: -1}
        size = {EVERY_TYPE: len(self.types), EVERY_CHANNEL: len(self.channels)}
        second = [size.get(f.slot, slots[f.other] if isinstance(f.other, str) else windows[f.other]) for f in self._swept]
        fs = self._swept
        return Program(
            member=_membership(self, slots),
            role=np.repeat([ROLES[t.direction] for t in self.types], self.kinds_per_type).astype(np.int8),
            slots=len(slots),
            windows=np.array([days * DAY for days in WINDOWS], np.int64),
            op=np.array([OP[f.op] for f in fs], np.int16),
            slot=np.array([first[f.slot] for f in fs], np.int16),
            window=np.array([windows[f.window] for f in fs], np.int16),
            other=np.array(second, np.int16),
        )

    def document(self) -> dict[str, Any]:
        """Plain JSON: what is authored and, for readers, the columns that follow from it."""
        return {
            "stages": list(self.stages),
            "exits": list(self.exits),
            "types": [asdict(t) for t in self.types],
            "attributes": [a.document() | {"inputs": list(a.inputs), "levels": list(a.levels)} for a in self.attributes],
            "renamed": dict(sorted(self.renamed.items())),
            "channels": list(self.channels),
            "late": self.late,
            "colleagues": self.colleagues,
            "event_groups": [asdict(group) for group in self.event_groups],
            "columns": [asdict(c) for c in self.columns],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Inverse of `document`. Raises ValueError if the columns it lists are not the ones this version declares."""
        schema = cls(
            tuple(document["stages"]),
            tuple(document["exits"]),
            tuple(EventType(**t) for t in document["types"]),
            tuple(Attribute(**a | {"inputs": tuple(a["inputs"]), "levels": tuple(a["levels"])}) for a in document["attributes"]),
            dict(document["renamed"]),
            tuple(document.get("channels", ())),
            bool(document.get("late")),
            bool(document.get("colleagues")),
            tuple(EventGroup(**group | {"types": tuple(group["types"])}) for group in document.get("event_groups", ())),
        )
        listed = [c["name"] for c in document["columns"]]
        if listed != [c.name for c in schema.columns]:
            raise ValueError("this bundle was trained with another set of features than this version of leadscore declares; retrain it.")
        return schema

    @cached_property
    def hash(self) -> str:
        """sha256 of the document: two schemas with the same hash make the same row from the same history."""
        return hashlib.sha256(json.dumps(self.document(), sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.hash)


def _membership(schema: Schema, slots: Mapping[str, int]) -> Codes:
    """(kinds, k): the type's slot, all, its direction; where there are any, its channel, late, and each of the team's groups."""
    width, channels = schema.kinds_per_type, [slots[slot_of_channel(channel)] for channel in schema.channels]
    rows = []
    for i, t in enumerate(schema.types):
        for k in range(width):
            channel, late = divmod(k, 2) if schema.late else (k, 0)
            row = [i, slots["all"], slots[t.direction] if t.direction else -1]
            row += [[*channels, -1][channel]] if channels else []
            row += [slots[LATE] if late else -1] if schema.late else []
            row += [slots[slot_of_group(group.name)] if t.name in group.types else -1 for group in schema.event_groups]
            rows.append(row)
    return np.array(rows, np.int16).reshape(len(rows), 3 + bool(channels) + schema.late + len(schema.event_groups))
