"""The ideal customer profile: who became a customer against who did not, attribute by attribute, and how well anybody matches it."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from math import isnan, log
from typing import Any, Literal, NamedTuple, Self

from data.contract import is_placeholder
from features.attributes import OTHER
from features.numbers import number
from features.titles import parse_title

SENIORITIES = ("assistant", "specialist", "senior", "manager", "director", "vice president", "chief")
"""The seniorities 0 to 6 of a job title, in a word each."""
Kind = Literal["category", "number", "seniority", "function"]
Said = Literal["learned", "wanted", "unwanted"]
_KEPT = 16_384
"""Values of one attribute whose part is remembered."""


@dataclass(frozen=True)
class Value:
    """One value, or band of numbers from `begin` to `end` (None: open; the last of whole numbers, else the first of the next band).

    Of `leads` who had it `reached` got there; `lift` is their shrunken rate over that of all whose value is known, `low` to `high` its 90 % interval.
    `points`: what it adds to a fit. `said`: by whom."""

    name: str
    leads: int
    reached: int
    lift: float
    low: float
    high: float
    points: float
    said: Said = "learned"
    begin: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Trait:
    """One attribute of the profile. `weight` 0 to 1: how much of its lift counts beside the other attributes. `missing` leads had no value, of whom
    `missing_reached` got there: told, but never counted, since many fields are filled in for those who are worked on. `undated`: no history says
    since when most values are known. `caution`: what the leak report says of it. `between`: the range that the team wants."""

    name: str
    column: str
    kind: Kind
    level: str
    label: str
    weight: float
    values: tuple[Value, ...]
    missing: int
    missing_reached: int
    undated: bool
    caution: str | None = None
    ignored: bool = False
    between: tuple[float, float] | None = None

    @cached_property
    def counts(self) -> bool:
        """Whether any value of it says something of the fit."""
        return self.between is not None or any(value.points for value in self.values)

    @cached_property
    def part(self) -> Callable[[str | None], "Part | None"]:
        """What one value, canonical text, says of the fit; None where it is not known."""
        return lru_cache(maxsize=_KEPT)(self._part)

    def _part(self, text: str | None) -> "Part | None":
        if text is None or is_placeholder(text):
            return None
        read = self._band(text) if self.kind == "number" else self._named(text)
        if read is None:
            return None
        name, found, points, said = read
        return Part(self.name, self.level, name, found.lift if found is not None else 1.0, points, said)

    def _named(self, text: str) -> "_Read | None":
        name = self._word(text)
        if name is None:
            return None
        found = self._by_name.get(name) or self._by_name.get(name.casefold()) or self._by_name.get(OTHER)
        return (name, None, 0.0, "learned") if found is None else (name, found, found.points, found.said)

    def _word(self, text: str) -> str | None:
        if self.kind == "seniority":
            rank = parse_title(text).seniority
            return None if rank is None else SENIORITIES[rank]
        return parse_title(text).function if self.kind == "function" else text

    def _band(self, text: str) -> "_Read | None":
        amount = number(text)
        if isnan(amount):
            return None
        found = self.values[bisect_right(self._edges, amount)] if self.values else None
        if self.between is not None:
            said: Said = "wanted" if self.between[0] <= amount <= self.between[1] else "unwanted"
            return text, found, said_points(said, found), said
        return (text, None, 0.0, "learned") if found is None else (found.name, found, found.points, found.said)

    @cached_property
    def _by_name(self) -> dict[str, Value]:
        return {value.name.casefold(): value for value in reversed(self.values)} | {value.name: value for value in self.values}

    @cached_property
    def _edges(self) -> list[float]:
        return [value.begin for value in self.values[1:] if value.begin is not None]


class Part(NamedTuple):
    """What one attribute adds to a fit: `points` in logarithms of lift, 0 for an average lead."""

    attribute: str
    level: str
    value: str
    lift: float
    points: float
    said: Said


class Unused(NamedTuple):
    """A correction that can't be applied: `name` as funnel.toml has it; no attribute is meant (`close`: the name most like it), or the attribute
    (`close`: its label) is a number and has no wanted values, or is none and has no range, or too few companies have the value (`close`) for the
    model's row to tell it from others: it counts in a fit, and not in what to do next; or its `value` is a misspelt one (`close`: the right one)."""

    name: str
    why: Literal["unknown", "a number", "no number", "rare", "misspelt"]
    close: str | None
    value: str | None = None


_Read = tuple[str, Value | None, float, Said]


class Fit(NamedTuple):
    """How well somebody matches the profile: `score` 0-100, the mid-rank percentile among the leads that the profile was learned from, None where
    nothing that counts is known; `parts` of the known attributes, `missing` the names of the others, both with those first that usually say most."""

    score: float | None
    parts: tuple[Part, ...]
    missing: tuple[str, ...]


WANTED_LIFT, UNWANTED_LIFT = 2.0, 0.25


def said_points(said: Said, learned: Value | None) -> float:
    """The points of a value as the team corrects it: wanted counts as a doubled chance at least, unwanted as a quarter at most."""
    points = 0.0 if learned is None else learned.points
    if said == "wanted":
        return round(max(log(WANTED_LIFT), points), 6)
    return round(min(log(UNWANTED_LIFT), points), 6) if said == "unwanted" else points


@dataclass(frozen=True)
class Profile:
    """`target`: the stage whose reaching within `days` is told (None: whenever); `leads` were followed for so long, `reached` of them got there.
    `target` None: not enough evidence, and only what the team says counts. `auc`: how well the fit tells leads apart that it was not learned from.
    `spread[level]` ("" for all): sorted points of those leads, thinned out evenly."""

    target: str | None
    days: int | None
    leads: int
    reached: int
    auc: float | None
    traits: tuple[Trait, ...]
    spread: Mapping[str, tuple[float, ...]]
    unused: tuple["Unused", ...] = ()

    def fit(self, fields: Mapping[str, str | None], level: str | None = None) -> Fit:
        """The fit of one lead, from the canonical texts of its fields by column ("account.industry", "lead.job_title"); what is not there is not
        known. `level`: by the attributes of this qualification level alone."""
        parts, missing, points, counted = list[Part](), list[str](), 0.0, False
        for trait, column, part_of, counts in self._counting[level or ""]:
            part = part_of(fields.get(column))
            if part is None:
                missing.append(trait)
            else:
                parts.append(part)
                points += part.points
                counted |= counts
        return Fit(self.percentile(points, level or "") if counted else None, tuple(parts), tuple(missing))

    def percentile(self, points: float, level: str = "") -> float | None:
        """Mid-rank of these points among those of the leads that the profile was learned from, 0-100; None where it was learned from nobody."""
        among = self.spread.get(level, ())
        if not among:
            return None
        return 50.0 * (bisect_left(among, points - _TIE) + bisect_right(among, points + _TIE)) / len(among)

    @cached_property
    def _counting(self) -> Mapping[str, tuple[tuple[str, str, Callable[[str | None], Part | None], bool], ...]]:
        """By level, "" for all: name, column, `part` and whether it counts, of every attribute that is not ignored."""
        used = [t for t in self.traits if not t.ignored]
        return {
            level: tuple((t.name, t.column, t.part, t.counts) for t in used if level in ("", t.level))
            for level in ("", "organization", "opportunity", "stakeholder", "interest")
        }

    def document(self) -> dict[str, Any]:
        """Plain JSON, readable, to be read back by `from_document`."""
        told = asdict(self) | {"spread": {level: list(points) for level, points in self.spread.items()}}
        return {name: value for name, value in told.items() if name != "unused"}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Inverse of `document`."""
        traits = tuple(_trait(trait) for trait in document["traits"])
        spread = {level: tuple(points) for level, points in document["spread"].items()}
        return cls(**{**document, "traits": traits, "spread": spread})


_TIE = 1e-9


def _trait(document: Mapping[str, Any]) -> Trait:
    between = document["between"]
    values = tuple(Value(**value) for value in document["values"])
    return Trait(**{**document, "values": values, "between": None if between is None else (between[0], between[1])})
