"""Drift: whether the leads that a model is asked about now are spread as those it was trained among: by how much, and whether chance would do it.

What was is kept in the bundle (`about["inputs"]`): of each stage's open leads on recent Mondays, the shares of each input and of the score in a few
bins. Rows of one lead are not independent, so each spread says of how many independent rows it is worth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from scipy.stats import chi2

from data.funnel import Drift
from features.schema import Schema
from features.timeline import Ints
from registry.bundle import HopModel
from registry.models import Floats
from training.matrix import AnyRows, asked, columns

BINS = 10
SMOOTH = 0.5
LEAST_EXPECTED = 5.0
"""Rows that a bin must expect for the test to hold; smaller ones are taken together. [Cochran 1954]"""
LEAST_LEADS = 50
"""Fewer leads than this, then or now, are too few to tell."""

State = Literal["same", "watch", "drifted", "unknown"]


@dataclass(frozen=True)
class Spread:
    """How one thing is spread: `edges` (k,) of a number's bins, None for the levels of a category; `shares` of the rows in each bin, the last one for
    a missing value; the number of `leads`, of independent rows that all rows are worth (`effective`), and how `uneven` that is over the bins."""

    edges: Floats | None
    shares: Floats
    effective: float
    uneven: float
    leads: int

    def document(self) -> dict[str, Any]:
        edges = None if self.edges is None else self.edges.tolist()
        shares = [round(share, 9) for share in self.shares.tolist()]
        return {"edges": edges, "shares": shares, "effective": round(self.effective, 6), "uneven": round(self.uneven, 6), "leads": self.leads}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        edges = None if document["edges"] is None else np.array(document["edges"], np.float64)
        return cls(edges, np.array(document["shares"], np.float64), float(document["effective"]), float(document["uneven"]), int(document["leads"]))

    def of(self, values: Floats, lead: Ints) -> "Spread":
        """Other values (n, columns) in the same bins; `lead` (n,) is the index of each row's lead."""
        return _spread(self.edges, self.shares.size, values, lead)


@dataclass(frozen=True)
class Shift:
    """How far one thing moved: `psi` (0 none, above .25 by custom another population), the chance `p` of as large a shift where nothing moved,
    corrected for all that was looked at (nan: too few leads to tell), and what to make of both."""

    name: str
    psi: float
    p: float
    state: State


def spread_of(values: Floats, lead: Ints) -> Spread:
    """What training keeps: `values` (n, 1) of a number, binned at its own tenths, or (n, k) indicators of a category's levels."""
    if values.shape[1] > 1:
        return _spread(None, values.shape[1] + 1, values, lead)
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")) if known.size else np.zeros(0)
    return _spread(edges, edges.size + 2, values, lead)


def _spread(edges: Floats | None, bins: int, values: Floats, lead: Ints) -> Spread:
    if edges is None:
        place = np.where((values == 1).any(axis=1), (values == 1).argmax(axis=1), bins - 1)
    else:
        place = np.where(np.isnan(values[:, 0]), bins - 1, np.searchsorted(edges, values[:, 0], "left"))
    shares = np.bincount(place, minlength=bins) / max(place.size, 1)
    effect, uneven = _design_effects(place, shares, lead)
    return Spread(edges, shares, place.size / effect, uneven, int(np.unique(lead).size))


def _design_effects(place: Ints, shares: Floats, lead: Ints) -> tuple[float, float]:
    """How many times wider the shares vary than those of independent rows: the mean over all contrasts of bins, at least 1, and the square of their
    coefficient of variation. [Rao, Scott 1984]"""
    of_lead, seen = np.bincount(lead), shares > 0
    leads, free = int((of_lead > 0).sum()), int(seen.sum()) - 1
    if leads < 2 or free < 1:
        return 1.0, 0.0
    held = np.bincount(lead * shares.size + place, minlength=of_lead.size * shares.size).reshape(-1, shares.size)[:, seen].astype(np.float64)
    p, mixed = shares[seen], of_lead @ held
    of_bins = held.T @ held - np.outer(p, mixed) - np.outer(mixed, p) + np.outer(p, p) * (of_lead @ of_lead)
    effects = of_bins / np.sqrt(np.outer(p, p)) * leads / (leads - 1) / place.size
    mean = float(np.trace(effects)) / free
    uneven = float((effects**2).sum()) / free / mean**2 - 1 if mean > 0 else 0.0
    return max(1.0, mean), max(0.0, uneven)


def psi(before: Spread, now: Spread) -> float:
    """Population stability index of two spreads over the same bins, half a row added to each bin: 0 where they are equal."""
    a, b = (s.shares * s.effective + SMOOTH for s in (before, now))
    a, b = a / a.sum(), b / b.sum()
    return float(((b - a) * np.log(b / a)).sum())


def chance(before: Spread, now: Spread) -> float:
    """P(two spreads differ as much | one population): chi-square of homogeneity, small bins taken together, with Rao and Scott's second-order
    correction for the rows of a lead; nan without rows."""
    if not min(before.effective, now.effective):
        return float("nan")
    a, b = before.shares, now.shares
    pooled = (a * before.effective + b * now.effective) / (before.effective + now.effective)
    small = pooled * min(before.effective, now.effective) < LEAST_EXPECTED
    a, b, pooled = (np.append(c[~small], c[small].sum()) for c in (a, b, pooled))
    there = pooled > 0
    uneven = 1 + max(before.uneven, now.uneven)
    statistic = ((a - b)[there] ** 2 / pooled[there]).sum() / (1 / before.effective + 1 / now.effective)
    return float(chi2.sf(statistic / uneven, (there.sum() - 1) / uneven)) if there.sum() > 1 else 1.0


def shifts(pairs: Iterable[tuple[str, Spread, Spread]], limits: Drift) -> list[Shift]:
    """Each (name, before, now) judged, the largest first: it drifted, or is to be watched, where its PSI is above the limit *and* chance alone would
    not do that (Holm's correction for all of them), since the PSI of two small samples is large without any drift."""
    told = [(name, psi(a, b), chance(a, b) if min(a.leads, b.leads) >= LEAST_LEADS else np.nan) for name, a, b in pairs]
    found = [Shift(name, size, p, _state(size, p, limits)) for (name, size, _), p in zip(told, _holm([p for *_, p in told]), strict=True)]
    return sorted(found, key=lambda shift: (-shift.psi, shift.name))


def _holm(p: Sequence[float]) -> list[float]:
    """Each p-value as Holm's method corrects it for the number of those known; nan stays nan. [Holm 1979]"""
    values = np.array(p, np.float64)
    order = np.argsort(values, kind="stable")  # nan comes last
    known = int((~np.isnan(values)).sum())
    values[order[:known]] = np.minimum(np.maximum.accumulate(values[order[:known]] * np.arange(known, 0, -1)), 1.0)
    return [float(v) for v in values]


def _state(size: float, p: float, limits: Drift) -> State:
    if np.isnan(p):
        return "unknown"
    if p >= limits.p_value or size < limits.psi_warn:
        return "same"
    return "drifted" if size >= limits.psi_alarm else "watch"


def reference(schema: Schema, hops: Sequence[HopModel], X: AnyRows, lead: Ints) -> dict[str, Any]:
    """What a bundle keeps of one stage: the spread of every input that one of its `hops` weighs, and of each hop's probability, over the rows of
    open leads X (n, p); `lead` (n,) is any integer for each lead."""
    lead = np.unique(lead, return_inverse=True)[1]
    weighed = {told["feature"] for hop in hops for told in hop.evaluation.get("importance", ())}
    mine = [(name, places) for name, places in _columns(schema) if name in weighed]
    values = columns(X, [places for _, places in mine])
    inputs = {name: spread_of(held.astype(np.float64), lead).document() for (name, _), held in zip(mine, values, strict=True)}
    scores = {hop.transition: spread_of(asked(hop.probability, X)[:, None], lead).document() for hop in hops}
    return {"inputs": inputs, "scores": scores}


def input_shifts(kept: Mapping[str, Any], schema: Schema, X: AnyRows, lead: Ints, limits: Drift) -> list[Shift]:
    """How the inputs of one stage moved from what its `reference` kept to the rows X (n, p) of today's open leads."""
    lead = np.unique(lead, return_inverse=True)[1]
    before = {name: Spread.from_document(document) for name, document in kept["inputs"].items()}
    mine = [(name, places) for name, places in _columns(schema) if name in before]
    values = columns(X, [places for _, places in mine])
    found = [(name, before[name], before[name].of(held.astype(np.float64), lead)) for (name, _), held in zip(mine, values, strict=True)]
    return shifts(found, limits)


def score_shifts(kept: Mapping[str, Any], hops: Sequence[HopModel], X: AnyRows, lead: Ints, limits: Drift) -> list[Shift]:
    """The same of the probabilities that the stage's hops give."""
    lead = np.unique(lead, return_inverse=True)[1]
    before = {transition: Spread.from_document(document) for transition, document in kept["scores"].items()}
    found = ((hop.transition, before[hop.transition], asked(hop.probability, X)[:, None]) for hop in hops if hop.transition in before)
    return shifts([(name, then, then.of(values, lead)) for name, then, values in found], limits)


def _columns(schema: Schema) -> list[tuple[str, list[int]]]:
    return [(name, list(columns)) for name, columns in schema.groups]
