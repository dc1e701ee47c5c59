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
from features.attributes import Attribute, Values
from features.declarations import EVER, GROUPS, IN_STAGE, WINDOWS, EventType, Feature, declare
from features.sweep import OP
from features.timeline import Codes, Program

OTHER_TYPE = "other_event"
"""Event types too rare in training to have features of their own."""
OTHER_PHRASE = "Other activity"


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
    leave it out."""

    stages: tuple[str, ...]
    exits: tuple[str, ...]
    types: tuple[EventType, ...]
    attributes: tuple[Attribute, ...]
    renamed: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every column of a schema must have a name of its own; these stand twice: {twice[:5]}.")

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        return declare(self.types)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every column in the row's order: the timeline's features, then each attribute's."""
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
        counted = self.renamed.get(name, name)
        return -1 if counted is None else self._codes.get(counted, -1)

    def knows_type(self, name: str) -> bool:
        """Whether training saw this event type, or funnel.toml speaks of it."""
        return name in self.renamed or name in self._codes

    def stage_code(self, stage: str) -> int:
        """Index of a stage in order; exits follow the stages. Raises KeyError for any other name."""
        return self._stage_codes[stage]

    @cached_property
    def _stage_codes(self) -> dict[str, int]:
        return {stage: i for i, stage in enumerate((*self.stages, *self.exits))}

    @cached_property
    def program(self) -> Program:
        """The timeline's features compiled for the sweep."""
        slots = {name: i for i, name in enumerate((*(t.name for t in self.types), *GROUPS))}
        windows = {days: i for i, days in enumerate(WINDOWS)} | {IN_STAGE: len(WINDOWS), EVER: -1}
        fs = self.features
        other = [slots[f.other] if isinstance(f.other, str) else windows[f.other] for f in fs]
        return Program(
            member=_membership(self.types, slots),
            slots=len(slots),
            windows=np.array([days * DAY for days in WINDOWS], np.int64),
            op=np.array([OP[f.op] for f in fs], np.int16),
            slot=np.array([slots[f.slot] for f in fs], np.int16),
            window=np.array([windows[f.window] for f in fs], np.int16),
            other=np.array(other, np.int16),
        )

    def document(self) -> dict[str, Any]:
        """Plain JSON: what is authored and, for readers, the columns that follow from it."""
        return {
            "stages": list(self.stages),
            "exits": list(self.exits),
            "types": [asdict(t) for t in self.types],
            "attributes": [a.document() | {"inputs": list(a.inputs), "levels": list(a.levels)} for a in self.attributes],
            "renamed": dict(sorted(self.renamed.items())),
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


def _membership(types: tuple[EventType, ...], slots: Mapping[str, int]) -> Codes:
    member = np.full((len(types), 3), -1, np.int16)
    for i, t in enumerate(types):
        member[i, 0], member[i, 1] = i, slots["all"]
        if t.direction:
            member[i, 2] = slots[t.direction]
    return member
