"""What lost deals had in common: each thing known of a deal and its lead, beside the deals of which it is not true, as far as chance allows."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from typing import Any

import numpy as np

from data.contract import DAY
from features.journeys import NEVER, Journeys, Objects
from features.timeline import Ints
from serving.reports.groups import LEAST_LEADS, Group, Grouping, by_value
from serving.reports.survival import Mask, Z

LEAST_OF_EACH = 20
"""Lost and won ones from which on they are compared."""
FALSE_SHARE = 0.1
"""Of the differences that are called proven, so many may be chance's. [Benjamini and Hochberg 1995]"""
MOST_TOLD = 20
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Ended:
    """m deals, or stays in a stage, that were won or lost: whose, since when, and whether lost."""

    of: str
    lead: Ints
    begun: Ints
    lost: Mask
    amounts: Objects

    @property
    def enough(self) -> bool:
        return LEAST_OF_EACH <= int(self.lost.sum()) <= self.lost.size - LEAST_OF_EACH


def in_common(journeys: Journeys, left_out: Collection[str]) -> dict[str, Any]:
    """`of`: what was compared, `deals`, or `stays` as opportunity where too few deals tell; None where those are too few as well.

    `facts`: the likeliest to matter first. `share` of those with this value were lost, drawn towards `others`, the share among those with another
    known value, by how little its values differ beyond chance (empirical Bayes, normal in log-odds); `low` to `high` is the 90 % interval. `proven`:
    a difference that is beyond chance though so many were looked at. Values are those of now, not of when the deal was open."""
    ended = next((one for one in (_of_deals(journeys), _of_stays(journeys)) if one.enough), None)
    if ended is None:
        return {"of": None, "lost": 0, "won": 0, "facts": []}
    found = [told for name, kind, made in _facts(journeys, ended, left_out) for told in _values(name, kind, made, ended)]
    facts = sorted(_weighed(found), key=lambda fact: (not fact["proven"], -abs(fact["share"] - fact["others"]), fact["fact"], fact["value"]))
    return {"of": ended.of, "lost": int(ended.lost.sum()), "won": int((~ended.lost).sum()), "facts": facts[:MOST_TOLD]}


def _of_deals(journeys: Journeys) -> Ended:
    deals = journeys.deals
    closed = deals.outcome != None  # noqa: E711 - each element is asked
    currencies, counts = np.unique(deals.currency[closed].astype(str), return_counts=True)
    main = currencies[np.argmax(counts)] if currencies.size else ""
    amounts = np.empty(deals.amount.size, object)
    known = ~np.isnan(deals.amount) & (deals.currency.astype(str) == main)
    amounts[known] = [repr(float(amount)) for amount in deals.amount[known].tolist()]
    return Ended("deals", deals.lead[closed], deals.opened[closed], deals.outcome[closed] == "lost", amounts[closed])


def _of_stays(journeys: Journeys) -> Ended:
    """Stays in the stage before the last that ended in the last, or in an exit."""
    last = len(journeys.stages) - 1
    after = np.append(journeys.stage[1:], -1)[: journeys.stage.size]
    chosen = (journeys.stage == last - 1) & (journeys.left != NEVER) & (after >= last)
    return Ended("stays", journeys.lead[chosen], journeys.entered[chosen], after[chosen] > last, np.full(int(chosen.sum()), None, object))


def _facts(journeys: Journeys, ended: Ended, left_out: Collection[str]) -> Iterator[tuple[str, str, Grouping]]:
    """(name, kind, groups of the m) of everything that may be in common: attributes, and what the histories themselves tell."""
    for name, texts in sorted(journeys.attributes.items()):
        if name not in left_out:
            yield name, "attribute", by_value(texts[ended.lead])
    yield "amount", "history", by_value(ended.amounts)
    before = ((ended.begun - journeys.created[ended.lead]) // DAY).astype(str).astype(object)
    yield "days_before", "history", by_value(before)
    yield "returned", "history", by_value(np.where(_had_left(journeys, ended), "yes", "no").astype(object))


def _had_left(journeys: Journeys, ended: Ended) -> Mask:
    """(m,) whether the lead had left the funnel before, and come back."""
    first = np.full(journeys.leads, NEVER)
    rows = np.flatnonzero(journeys.stage >= len(journeys.stages))
    who, index = np.unique(journeys.lead[rows], return_index=True)
    first[who] = journeys.entered[rows[index]]
    return np.asarray(first[ended.lead] < ended.begun)


def _values(name: str, kind: str, made: Grouping, ended: Ended) -> Iterator[dict[str, Any]]:
    """Each named group of enough, beside all others of whom the fact is known; of two that are all there is, the one that is lost more."""
    named = [(group, made.code == place) for place, group in enumerate(made.groups) if group.kind == "value"]
    known = np.isin(made.code, [place for place, group in enumerate(made.groups) if group.kind != "missing"])
    told = [_beside(name, kind, group, mine, known & ~mine, ended.lost) for group, mine in named if mine.sum() >= LEAST_LEADS]
    told = [one for one in told if one["rest"] >= LEAST_LEADS]
    twins = len(told) == 2 and int(known.sum()) == sum(one["lost"] + one["won"] for one in told)
    yield from [max(told, key=lambda one: float(one["z"]))] if twins else told


def _beside(name: str, kind: str, group: Group, mine: Mask, rest: Mask, lost: Mask) -> dict[str, Any]:
    """The difference in log-odds and its variance, a half added to each count. [Haldane 1956]"""
    with_it, without = (lost[mine].sum(), mine.sum() - lost[mine].sum()), (lost[rest].sum(), rest.sum() - lost[rest].sum())
    (a, b), (c, d) = ((float(n) + 0.5 for n in pair) for pair in (with_it, without))
    theta, variance = log(a / b) - log(c / d), 1 / a + 1 / b + 1 / c + 1 / d
    said = {"fact": name, "kind": kind, "value": group.value, "begin": group.begin, "end": group.end}
    counted = {"lost": int(with_it[0]), "won": int(with_it[1]), "rest": int(rest.sum())}
    return said | counted | {"base": log(c / d), "theta": theta, "variance": variance, "z": theta / sqrt(variance)}


def _weighed(found: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Drawn towards none by how much values differ beyond chance: those of the same fact, and no less than those of all facts do."""
    of_all = _between(found)
    between = {name: max(_between([one for one in found if one["fact"] == name]), of_all) for name in {one["fact"] for one in found}}
    bar = _bar([erfc(abs(one["z"]) / sqrt(2)) for one in found])
    for one in found:
        kept = between[one["fact"]] / (between[one["fact"]] + one["variance"])
        middle, half = kept * one["theta"], Z * sqrt(kept * one["variance"])
        shares = {
            name: _share(one["base"] + by) for name, by in (("share", middle), ("low", middle - half), ("high", middle + half), ("others", 0.0))
        }
        told = {name: one[name] for name in ("fact", "kind", "value", "begin", "end", "lost", "won")}
        yield told | shares | {"proven": erfc(abs(one["z"]) / sqrt(2)) <= bar}


def _between(found: Sequence[dict[str, Any]]) -> float:
    """The variance of the differences beyond that of chance, around none, by moments. [DerSimonian and Laird 1986]"""
    excess = sum(one["z"] ** 2 for one in found) - len(found)
    return max(excess / sum(1 / one["variance"] for one in found), _SMALLEST) if found else _SMALLEST


def _bar(chances: Sequence[float]) -> float:
    """The largest p that is still proven; below 0 where none is."""
    ordered = sorted(chances)
    passing = [p for place, p in enumerate(ordered, 1) if p <= FALSE_SHARE * place / len(ordered)]
    return max(passing, default=-1.0)


def _share(log_odds: float) -> float:
    return round(1 / (1 + exp(-log_odds)), 6)
