"""How well a lead's company matches the ideal customer profile, read off the model's row, so that every way of scoring says the same."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.attributes import MISSING
from features.schema import Schema
from registry.models import Rows
from registry.profile import Part, Profile, Said, Trait, said_points
from serving.gates import NOTHING_KNOWN, Firm

LEVEL = "organization"


class _Read(NamedTuple):
    """One attribute of the profile: what people call it, its columns of the row, the levels that they stand for (None: missing; a number has one
    column and no levels), and the attribute itself."""

    called: str
    columns: range
    levels: tuple[str | None, ...]
    trait: Trait


@dataclass(frozen=True)
class Firms:
    """The profile's attributes of level `organization` that the schema's row holds. `least`: the fit that passes; None for an average lead's."""

    schema: Schema
    profile: Profile | None
    least: float | None = None

    def of(self, row: Rows) -> Firm:
        """The company of one row (p,)."""
        if not self._reads:
            return NOTHING_KNOWN
        columns, points_of = self._levels
        found = [points_of[place] for place in np.flatnonzero(row[columns] == 1.0).tolist()]
        found += [(name, points_at(row.item(at))) for name, at, points_at in self._numbers]
        known = [points for _, points in found if points is not None]
        missing = self._first([name for name, points in found if points is None]) if len(known) < len(found) else None
        return Firm(self._percentile(sum(known)) if known else None, self._enough, missing)

    def _first(self, names: Sequence[str]) -> str:
        """That which the profile has first."""
        return next(read.called for read in self._reads if read.called in names)

    def _percentile(self, points: float) -> float | None:
        return None if self.profile is None else self.profile.percentile(points, LEVEL)

    @cached_property
    def _enough(self) -> float:
        average = self._percentile(0.0)
        return self.least if self.least is not None else 50.0 if average is None else average

    @cached_property
    def _levels(self) -> tuple[NDArray[np.int64], list[tuple[str, float | None]]]:
        """Every column of a level, and the attribute's name and the level's points, None for a missing value."""
        listed = [
            (at, (read.called, _points(read.trait.part(level)))) for read in self._reads for at, level in zip(read.columns, read.levels, strict=False)
        ]
        return np.array([at for at, _ in listed], np.int64), [told for _, told in listed]

    @cached_property
    def _numbers(self) -> list[tuple[str, int, Callable[[float], float | None]]]:
        return [(read.called, read.columns[0], _of_number(read.trait)) for read in self._reads if not read.levels]

    @cached_property
    def _reads(self) -> tuple[_Read, ...]:
        """Only attributes that count: what says nothing of a company is not worth a question."""
        place = {column.name: i for i, column in enumerate(self.schema.columns)}
        attributes = {attribute.inputs[0]: attribute for attribute in self.schema.attributes if attribute.kind in ("number", "category")}
        found = []
        for trait in () if self.profile is None else self.profile.traits:
            attribute = attributes.get(trait.column)
            if attribute is not None and trait.level == LEVEL and not trait.ignored and trait.counts:
                names = [told[0] for told in attribute.columns]
                levels = [name.split("=", 1)[1] for name in names] if attribute.kind == "category" else []
                begin, called = place[names[0]], trait.column.split(".", 1)[1].replace("_", " ")
                found.append(_Read(called, range(begin, begin + len(names)), tuple(None if level == MISSING else level for level in levels), trait))
        return tuple(found)


def _of_number(trait: Trait) -> Callable[[float], float | None]:
    """The points of a number, as `Trait.part` gives those of its text: numbers differ from lead to lead, so that nothing is gained by remembering.
    The row rounds a number to single precision, and so are the edges here, or 0.1 would not be in the band that begins with it."""
    edges = [_rounded(band.begin) for band in trait.values[1:] if band.begin is not None]
    bands = trait.values or (None,)
    if trait.between is None:
        points = [said_points("learned", band) for band in bands]
        return lambda value: points[bisect_right(edges, value)] if value == value else None
    lowest, highest = map(_rounded, trait.between)
    wanted, unwanted = ([said_points(said, band) for band in bands] for said in _WANTED)

    def points_of(value: float) -> float | None:
        return (wanted if lowest <= value <= highest else unwanted)[bisect_right(edges, value)] if value == value else None

    return points_of


_WANTED: tuple[Said, Said] = ("wanted", "unwanted")


def _rounded(value: float) -> float:
    return float(np.float32(value))


def _points(part: Part | None) -> float | None:
    return None if part is None else part.points
