"""The ideal customer profile as it is learned: who became a customer against who did not, from what was known of them on their first day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.arrow import Column, pc
from data.contract import DAY, is_placeholder
from data.dataset import Dataset
from features.attributes import OTHER, Attribute
from features.numbers import number
from features.rows import Cohort
from features.schema import Schema
from features.tables import ints, positions
from features.timeline import Ints, Timeline
from features.titles import FUNCTIONS, parse_title
from registry.profile import SENIORITIES, Kind, Profile, Trait, Value
from training.bands import Band, bands_of
from training.choice import MIN_CONVERTED_LEADS
from training.horizon import CENSORED, CONVERTED, SHARE, WEEK, WEEK_DAYS, cumulative_incidence
from training.labels import NEVER, Hop, first_entry
from training.leak_fill import fields_of_leads
from training.leak_removal import Leak
from training.recording import recorded_since
from training.weighing import Lifts, Told, weighed

MANY = 50
"""Leads that got there from which a stage is looked at in place of an earlier one."""
FIRST_DAY = DAY
"""What was known so long after the creation counts: a lead is often looked up within minutes of its form."""
MOST_OF_HISTORY = 3
MOSTLY = 0.5
PLACES = 201


@dataclass(frozen=True)
class Followed:
    """The leads (m,) that were followed for `days` (None: for ever) from `as_of` (m,) on, and whether each reached `target` in that time."""

    target: str | None
    days: int | None
    lead: Ints
    as_of: Ints
    y: NDArray[np.int8]

    @property
    def reached(self) -> int:
        return int(self.y.sum())

    @property
    def enough(self) -> int:
        """The smaller of both sides."""
        return min(self.reached, self.y.size - self.reached)


def learn_profile(dataset: Dataset, schema: Schema, cohort: Cohort, path: Sequence[int], leaks: Sequence[Leak], data_end: int, seed: int) -> Profile:
    """The profile of a funnel whose leads stand in the stages `path` (codes). What `schema` left out (proven leaks, what funnel.toml excludes) is no
    part of it, nor is what a person could be reached by.

    The target is the furthest stage that MANY leads reached, else the furthest that enough did for a model, else none.
    """
    found = [followed(cohort.timeline, schema.stages[code], code, path[0], data_end) for code in reversed(path[1:])]
    told = next((f for f in found if f.enough >= MANY), next((f for f in found if f.enough >= MIN_CONVERTED_LEADS), None))
    if told is None:
        everybody = np.arange(cohort.timeline.leads, dtype=np.int64)
        told = Followed(None, None, everybody, cohort.timeline.created + FIRST_DAY, np.zeros(everybody.size, np.int8))
    return of_followed(dataset, schema, cohort, told, _accounts(dataset, cohort)[told.lead], leaks, seed)


def followed(timeline: Timeline, target: str, code: int, first: int, data_end: int) -> Followed:
    """Everybody who was created `days` and a day before data_end, and while entries of the target were recorded. Whoever got there on the first day
    is left out: nobody knows what was known of them before.

    `days`: within which 90 % of those who ever get there do, in whole weeks, at most a third of the history: so that recent leads, who had less time,
    don't count as those who did not.
    """
    lead = np.arange(timeline.leads, dtype=np.int64)
    as_of = timeline.created + FIRST_DAY
    entered = first_entry(timeline, code, lead, timeline.created, strictly=False)
    days = _days(timeline.created, entered, data_end)
    since = recorded_since(timeline, Hop(first, code, days), data_end)
    asked = (timeline.created >= since) & (as_of <= data_end - days * DAY) & (entered > as_of)
    got_there = (entered != NEVER) & (entered - np.minimum(as_of, entered) <= days * DAY)
    return Followed(target, days, lead[asked], as_of[asked], got_there[asked].astype(np.int8))


def _days(created: Ints, entered: Ints, data_end: int) -> int:
    seen = entered <= data_end
    times, chance = cumulative_incidence(
        np.maximum(np.where(seen, entered, data_end) - created, 0), np.where(seen, CONVERTED, CENSORED).astype(np.int64)
    )
    if not times.size:
        return WEEK_DAYS
    micros = int(times[np.searchsorted(chance, SHARE * chance[-1] * (1 - 1e-12))])
    history = data_end - int(np.quantile(created, 0.01))
    return int(min(max(-(-micros // WEEK), 1), max(history // (MOST_OF_HISTORY * WEEK), 1)) * WEEK_DAYS)


def of_followed(dataset: Dataset, schema: Schema, cohort: Cohort, told: Followed, cluster: Ints, leaks: Sequence[Leak], seed: int) -> Profile:
    """The profile of these leads, the attributes that say most first; those of one `cluster` (m,) share their luck."""
    groups = [group for attribute in schema.attributes for group in _groups(attribute, cohort, told)]
    found = weighed([Told(g.code, len(g.names)) for g in groups], told.y, cluster, seed)
    undated = _undated(dataset, cohort, told.lead)
    cautions = {leak.column: leak.why for leak in leaks if leak.column in schema.used}
    traits = [_trait(group, lifts, told.y, group.column in undated, cautions) for group, lifts in zip(groups, found.lifts, strict=True)]
    spread = _spread(traits, groups, told.y.size)
    traits.sort(key=lambda trait: (-_says(trait), trait.name))
    return Profile(told.target, told.days, told.y.size, told.reached, found.auc, tuple(traits), spread)


def _trait(group: "_Group", lifts: Lifts, y: NDArray[np.int8], undated: bool, cautions: Mapping[str, str]) -> Trait:
    values = tuple(
        Value(name, int(leads), int(reached), lift, low, high, round(lifts.weight * float(np.log(lift)), 6), begin=band.begin, end=band.end)
        for name, band, leads, reached, lift, low, high in zip(group.names, group.bands, *lifts.columns, strict=True)
    )
    return Trait(
        name=group.name,
        column=group.column,
        kind=group.kind,
        level=group.level,
        label=group.label,
        weight=lifts.weight,
        values=values,
        missing=int((group.code < 0).sum()),
        missing_reached=int(y[group.code < 0].sum()),
        undated=undated,
        caution=cautions.get(group.column),
    )


def _says(trait: Trait) -> float:
    """Variance of what the attribute adds to a fit."""
    leads, points = np.array([v.leads for v in trait.values], np.float64), np.array([v.points for v in trait.values])
    return float(leads @ points**2 / leads.sum()) if leads.sum() else 0.0


@dataclass(frozen=True)
class _Group:
    """An attribute as the profile tells it: `code` (m,) the value of each lead, an index of `names`, -1 where it is not known."""

    name: str
    column: str
    kind: Kind
    level: str
    label: str
    names: tuple[str, ...]
    bands: tuple[Band, ...]
    code: Ints


def _groups(attribute: Attribute, cohort: Cohort, told: Followed) -> Iterator[_Group]:
    """None of what a person could be reached by, two of a job title, one of any other."""
    if attribute.kind in ("email", "phone"):
        return
    column = attribute.inputs[0]
    codes, texts = cohort.known.at(column, told.lead, told.as_of)
    given = [None if text is None or is_placeholder(text) else text for text in texts]
    if attribute.kind == "number":
        yield _numbers(attribute, column, codes, given)
    elif attribute.kind == "title":
        read = [parse_title(text) for text in given]
        ranks = [None if title.seniority is None else SENIORITIES[title.seniority] for title in read]
        yield _named(attribute, column, "seniority", SENIORITIES, codes, ranks)
        yield _named(attribute, column, "function", FUNCTIONS, codes, [title.function for title in read])
    else:
        words = [text if text is None or text in attribute.levels else OTHER for text in given]
        yield _named(attribute, column, "category", (*attribute.levels, OTHER), codes, words)


def _named(attribute: Attribute, column: str, kind: Kind, names: Sequence[str], codes: Ints, words: Sequence[str | None]) -> _Group:
    place: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    code = ints([place.get(word, -1) for word in words])[codes]
    there = np.unique(code[code >= 0])
    kept = tuple(names[i] for i in there.tolist())
    code = np.where(code >= 0, np.searchsorted(there, code), -1)
    name, label = attribute.name, attribute.label
    if kind in ("seniority", "function"):
        name, label = f"{name}_{kind}", f"{label}: {kind}"
    return _Group(name, column, kind, attribute.level, label, kept, tuple(Band(n, None, None) for n in kept), code)


def _numbers(attribute: Attribute, column: str, codes: Ints, texts: Sequence[str | None]) -> _Group:
    amount = np.array([number(text) for text in texts], np.float64)[codes]
    there = ~np.isnan(amount)
    bands = bands_of(amount[there]) if there.any() else ()
    edges = np.array([band.begin for band in bands[1:]], np.float64)
    code = np.where(there, np.searchsorted(edges, np.where(there, amount, 0.0), side="right"), -1)
    return _Group(attribute.name, column, "number", attribute.level, attribute.label, tuple(band.name for band in bands), bands, code)


def _accounts(dataset: Dataset, cohort: Cohort) -> Ints:
    """(n,) a number of each lead's account, in the order of its first lead; a lead without one is alone."""
    rows = positions(_ids(cohort), dataset.leads["lead_id"])
    coded = dataset.leads["account_id"].combine_chunks().dictionary_encode()
    account = ints(pc.fill_null(coded.indices, -1))[rows]
    account = np.where(account >= 0, account, len(coded.dictionary) + np.arange(account.size))
    _, first, which = np.unique(account, return_index=True, return_inverse=True)
    return ints(np.argsort(np.argsort(first)))[which]


def _ids(cohort: Cohort) -> Column:
    return pa.chunked_array([pa.array(cohort.lead_ids, pa.string())])


def _undated(dataset: Dataset, cohort: Cohort, lead: Ints) -> set[str]:
    """Columns of which no history says since when most of the values are known."""
    fields = ((f.column, f.filled[lead], f.undated[lead]) for f in fields_of_leads(dataset, cohort.lead_ids))
    return {column for column, filled, undated in fields if (filled & undated).sum() > MOSTLY * filled.sum()}


def _spread(traits: Sequence[Trait], groups: Sequence[_Group], leads: int) -> dict[str, tuple[float, ...]]:
    """The points of the leads by level ("" for all), PLACES of them, evenly thinned out."""
    points: dict[str, NDArray[np.float64]] = {"": np.zeros(leads)}
    for trait, group in zip(traits, groups, strict=True):
        each = np.array([*(value.points for value in trait.values), 0.0])[group.code]  # -1, not known, is the last: no points
        points[""] = points[""] + each
        points[trait.level] = points.get(trait.level, np.zeros(leads)) + each
    places = (np.arange(PLACES) + 0.5) / PLACES
    return {level: tuple(np.quantile(of, places).round(6).tolist()) for level, of in sorted(points.items()) if leads}
