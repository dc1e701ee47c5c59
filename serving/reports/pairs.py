"""From one stage to a later one: how many went, how likely and how fast, whoever came too late to have had the time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any

import numpy as np

from data.contract import DAY
from features.journeys import NEVER, Journeys
from features.timeline import Ints
from serving.reports.survival import Curve, Mask, days, difference, kaplan_meier

WEEK = 7
NEARLY_ALL = 0.9
"""The horizon: by when this part of those who ever go has gone."""
PART_OF_HISTORY = 6
POINTS = 40
PARTS = {"p25": 0.25, "median": 0.5, "p75": 0.75}
NOTABLE = 0.05
"""Chance that any group of one table is called different though none is."""


@dataclass(frozen=True)
class Pair:
    """The m leads that reached one stage: when, when they reached the later one (NEVER), and whether they have left the funnel. A stage that was
    skipped counts as reached; who left and came back counts from the first time on, and as gone whenever they went: leaving is not a failure that
    nothing can mend."""

    begins: str
    ends: str
    lead: Ints
    entry: Ints
    done: Ints
    out: Mask
    as_of: int

    def of(self, chosen: Mask) -> "Pair":
        """The same of some of these leads, (m,)."""
        return Pair(self.begins, self.ends, self.lead[chosen], self.entry[chosen], self.done[chosen], self.out[chosen], self.as_of)

    @property
    def happened(self) -> Mask:
        return np.asarray(self.done != NEVER)

    def curve(self) -> Curve:
        """The share that got there by so long after the first stage."""
        followed = self.as_of - self.entry
        return kaplan_meier(np.where(self.happened, self.done - self.entry, followed), self.happened, followed)


def first_reached(journeys: Journeys) -> Ints:
    """(stages, n) instants of the first entry into each stage or a later one, NEVER for none."""
    found = np.full((len(journeys.stages), journeys.leads), NEVER)
    for code in range(len(journeys.stages)):
        rows = np.flatnonzero((journeys.stage >= code) & (journeys.stage < len(journeys.stages)))
        who, first = np.unique(journeys.lead[rows], return_index=True)
        found[code, who] = journeys.entered[rows[first]]
    return found


def standing_out(journeys: Journeys) -> Mask:
    """(n,) who stands in an exit now."""
    out = np.zeros(journeys.leads, bool)
    last = journeys.left == NEVER
    out[journeys.lead[last]] = journeys.stage[last] >= len(journeys.stages)
    return out


def pairs_of(journeys: Journeys) -> list[Pair]:
    """Every stage with every later one, in order, where anybody reached either."""
    reached, out = first_reached(journeys), standing_out(journeys)
    used = [code for code in range(len(journeys.stages)) if np.any(reached[code] != NEVER)]
    found = []
    for first, later in combinations(used, 2):
        lead = np.flatnonzero(reached[first] != NEVER)
        done = reached[later][lead]
        found.append(Pair(journeys.stages[first], journeys.stages[later], lead, reached[first][lead], done, out[lead], journeys.as_of))
    return found


def horizon_of(curve: Curve) -> int | None:
    """Days within which nine of ten that ever go have gone, in whole weeks, at most a sixth of the time that is told of: else nearly every month were
    too young to be compared. None where nobody went, or nobody was watched for a week."""
    nearly = curve.quantile(NEARLY_ALL, curve.limit)
    if nearly is None or curve.limit < WEEK * DAY:
        return None
    weeks = min(ceil(nearly / (WEEK * DAY)), curve.limit // (PART_OF_HISTORY * WEEK * DAY))
    return int(WEEK * max(weeks, 1))


def counts(pair: Pair) -> dict[str, int]:
    """How many entered, went on, and of the others are still in the funnel, or out of it."""
    gone = pair.happened
    return {
        "entered": int(gone.size),
        "converted": int(gone.sum()),
        "open": int((~gone & ~pair.out).sum()),
        "out": int((~gone & pair.out).sum()),
    }


def told(pair: Pair, curve: Curve, horizon: int | None) -> dict[str, Any]:
    """One pair as a document tells it; `within` is the share by `horizon` days, None where too few were watched for so long, `so_far` by the end of
    what can be told."""
    limit, took = curve.limit, {name: curve.quantile(part, curve.limit) for name, part in PARTS.items()}
    return (
        {"from": pair.begins, "to": pair.ends, **counts(pair), "horizon_days": horizon}
        | {"within": None if horizon is None else curve.at(horizon * DAY)}
        | {"followed_days": days(limit), "so_far": curve.at(limit) if limit else None}
        | {"days": None if took["median"] is None else {name: days(at) for name, at in took.items()}}
    )


def points(curve: Curve, horizon: int | None) -> list[list[float]]:
    """[day, share, low, high] at even steps from 0 to twice the horizon, or as far as can be told: what a chart is drawn from."""
    end = min(curve.limit, 2 * horizon * DAY) if horizon is not None else 0
    if end < DAY:
        return []
    every = [round(end * step / POINTS) for step in range(POINTS + 1)]
    return [[days(at), share["share"], share["low"], share["high"]] for at in every if (share := curve.at(at)) is not None]


def beside_the_rest(pair: Pair, chosen: Mask, curve: Curve, horizon: int | None, groups: int) -> str | None:
    """`higher` or `lower` where the chosen leads' share by the horizon is so beyond chance, all groups of the table taken together; else None."""
    rest = pair.of(~chosen)
    z = None if horizon is None or not rest.entry.size else difference(curve, rest.curve(), horizon * DAY)
    if z is None or abs(z) < _strict(groups):
        return None
    return "higher" if z > 0 else "lower"


def _strict(groups: int) -> float:
    """Standard errors that only NOTABLE / groups of all differences by chance exceed, either way."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - NOTABLE / (2 * max(groups, 1)))


def grouped(pairs: Sequence[Pair], chosen: Sequence[Mask], horizons: Mapping[tuple[str, str], int | None], groups: int) -> list[dict[str, Any]]:
    """The pairs of one group, `chosen` the leads of each that belong to it, at the horizons of all leads so that groups can be compared."""
    found = []
    for pair, mine in zip(pairs, chosen, strict=True):
        horizon, part = horizons[pair.begins, pair.ends], pair.of(mine)
        curve = part.curve()
        found.append(told(part, curve, horizon) | {"differs": beside_the_rest(pair, mine, curve, horizon, groups)})
    return found
