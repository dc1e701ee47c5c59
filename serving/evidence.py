"""Which facts show a lead's need, ability to buy, desire and authority: read off the model's row, so that every way of scoring says the same."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.policy import Facet, Facts, State
from features.attributes import MISSING, Attribute
from features.fold import fold
from features.schema import Schema
from registry.models import Rows
from serving.said import Fact
from serving.texts import sentence

FACETS: tuple[Facet, ...] = ("need", "ability", "desire", "authority")
SHOWN = 2
"""Facts told of each state at most."""
FADES = "30d"
"""Desire fades: an event shows it for so long. A need, once shown, is a need."""
_NO = frozenset(map(fold, ("no", "none", "false", "0", "n", "nein", "keine", "nej", "ingen", "não", "nenhum", "nei", "否", "无", "没有")))


class Probe(NamedTuple):
    """One fact: there where the row's column is `least` at least (nan is not), told by the column's sentence."""

    column: int
    least: float


Known = Mapping[Facet, tuple[State, Sequence[Probe]]]
"""Each facet's state, and the facts that make it so."""


@dataclass(frozen=True)
class Evidence:
    """The facts of one schema under one policy: what the row may show, by facet, what makes it known before what makes it likely."""

    schema: Schema
    facts: Mapping[Facet, Facts]

    def known(self, row: Rows) -> Known:
        """Of one row (p,): each facet's state and up to `SHOWN` facts that make it so. Not to be changed: leads that show the same share it."""
        return self._of_shown((row[self._columns] >= self._leasts).tobytes())

    def told(self, found: Known, row: Rows) -> dict[str, dict[str, Any]]:
        """The same as an answer has it, facts in words."""
        fact = self._fact
        return {facet: {"state": state, "because": [fact(p.column, row.item(p.column)) for p in shown]} for facet, (state, shown) in found.items()}

    @cached_property
    def _fact(self) -> Callable[[int, float], Fact]:
        """Counts and ranks are few, so that most facts have been told before."""
        columns = self.schema.columns
        return lru_cache(maxsize=_KEPT)(lambda at, value: Fact.of(sentence(columns[at], value), columns[at].name, value))

    @cached_property
    def _probes(self) -> tuple[tuple[Facet, tuple[tuple[int, Probe], ...], tuple[tuple[int, Probe], ...]], ...]:
        """(facet, what makes it known, what makes it likely), each probe with its place among `columns`."""
        place = iter(range(len(self._listed)))
        return tuple(
            (facet, tuple((next(place), probe) for probe in known), tuple((next(place), probe) for probe in likely))
            for facet, known, likely in self._sides
        )

    @cached_property
    def _of_shown(self) -> Callable[[bytes], Known]:
        """From which facts are there, as one byte each: numbers differ from lead to lead, what they show seldom does."""
        return lru_cache(maxsize=4_096)(lambda shown: {facet: _state(shown, known, likely) for facet, known, likely in self._probes})

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        """Those of all probes, in their order."""
        return np.array([probe.column for probe in self._listed], np.int64)

    @cached_property
    def _leasts(self) -> NDArray[np.float64]:
        return np.array([probe.least for probe in self._listed])

    @cached_property
    def desire_recency(self) -> tuple[int, ...]:
        """Columns of the days since each event that shows desire: what makes it known; where this schema has none of that, what makes it likely."""
        facts = self.facts["desire"]
        known, likely = (
            tuple(at for name in names if (at := self._place.get(f"{name}_recency")) is not None) for names in (facts.known, facts.likely)
        )
        return known or likely

    @cached_property
    def _listed(self) -> list[Probe]:
        return [probe for _, known, likely in self._sides for probe in (*known, *likely)]

    @cached_property
    def _sides(self) -> list[tuple[Facet, list[Probe], list[Probe]]]:
        found = []
        for facet in FACETS:
            facts = self.facts[facet]
            known, likely = ([probe for name in names for probe in self._of_fact(name, facet)] for names in (facts.known, facts.likely))
            if facet == "need":
                likely += [
                    probe
                    for kind in self.schema.types
                    if kind.level == "opportunity" and kind.direction == "inbound"
                    for probe in self._of_type(kind.name, facet)
                ]
            found.append((facet, list(dict.fromkeys(known)), [probe for probe in dict.fromkeys(likely) if probe not in known]))
        return found

    def can_be_known(self, facet: Facet) -> bool:
        """Whether this schema has anything that could show it for certain."""
        return any(known for name, known, _ in self._sides if name == facet)

    def can_be_likely(self, facet: Facet) -> bool:
        """Whether it has anything that could show it at all."""
        return any(known or likely for name, known, likely in self._sides if name == facet)

    def _of_fact(self, name: str, facet: Facet) -> Iterator[Probe]:
        yield from self._of_type(name, facet)
        for attribute in self.schema.attributes:
            yield from self._of_attribute(attribute, name)

    def _of_type(self, name: str, facet: Facet) -> Iterator[Probe]:
        column = self._place.get(f"{name}_count_{FADES if facet == 'desire' else 'ever'}")
        if column is not None:
            yield Probe(column, 1.0)

    def _of_attribute(self, attribute: Attribute, name: str) -> Iterator[Probe]:
        if attribute.kind == "title":
            rank = name.removeprefix(_SENIORITY)
            if name.startswith(_SENIORITY) and rank.isdecimal():
                yield Probe(self._place[f"{attribute.name}.seniority"], float(rank))
        elif f"_{name}_" in f"_{_words(attribute.inputs[0].split('.', 1)[1])}_":
            if attribute.kind == "number":
                yield Probe(self._place[attribute.name], _SOMETHING)
            elif attribute.kind == "category":
                levels = [told[0] for told in attribute.columns if told[0].split("=", 1)[1] != MISSING and fold(told[0].split("=", 1)[1]) not in _NO]
                yield from (Probe(self._place[level], 1.0) for level in levels)

    @cached_property
    def _place(self) -> Mapping[str, int]:
        return {column.name: i for i, column in enumerate(self.schema.columns)}


_SENIORITY = "seniority_"
_SOMETHING = 1e-9
_KEPT = 16_384


def _words(name: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in fold(name)).split())


def _state(shown: bytes, known: Sequence[tuple[int, Probe]], likely: Sequence[tuple[int, Probe]]) -> tuple[State, list[Probe]]:
    found = [probe for at, probe in known if shown[at]]
    if found:
        return "known", found[:SHOWN]
    found = [probe for at, probe in likely if shown[at]]
    return ("likely", found[:SHOWN]) if found else ("unknown", found)
