"""What contacting a lead is worth, and what a contact must bring: from the policy's values, cost and capacity, and from who else is waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from data.policy import Policy
from registry.bundle import FLAT_PATH, Bundle, transitions
from registry.models import Floats

WORKING_DAYS = 5
"""A week's contacts are spread over the leads that are open in that week, each contacted once at most."""
AT_HAND = "opportunity"
"""Whoever stands there is worked on in any case, and is not weighed against the others."""


class Worth(NamedTuple):
    """How the leads of a stage are weighed: by the chance to reach `target`, which is worth `value`."""

    target: str
    value: float


@dataclass(frozen=True)
class Economics:
    """`bar`: the expected value that a contact must bring, the larger of `floor` and `price`.

    `floor` is what a contact costs; where that is not told, what the average open lead is worth: whoever calls at random just breaks even. `price`
    is what the last contact of a week's capacity would bring elsewhere, 0 where there is time for all. `worths` is by stage. Values are in the
    currency of `value_of_conversion`; where nothing is told, in conversions to the last stage (`told` False).
    """

    worths: Mapping[str, Worth]
    floor: float
    price: float
    told: bool

    @classmethod
    def of(cls, bundle: Bundle, policy: Policy) -> Self:
        """From the bundle's own population: open leads of each stage on recent Mondays, and how many there are (`about["open_leads"]`)."""
        worths, told = _worths(bundle, policy), bool(_told(bundle, policy.value_of_conversion))
        counts = bundle.about.get("open_leads", {})
        waiting = [
            (values, float(counts.get(stage, 0)) / values.size)
            for stage, worth in worths.items()
            if stage != AT_HAND and (values := _population(bundle, stage, worth)).size
        ]
        cost = policy.cost_of_contact
        floor = cost if told and cost is not None else _mean(waiting)
        price = 0.0 if bundle.path == FLAT_PATH else _price(waiting, float(WORKING_DAYS * policy.capacity_per_day))
        return cls(worths, floor, price, told)

    @property
    def bar(self) -> float:
        return max(self.floor, self.price)

    def expected(self, stage: str, reach: Mapping[str, float]) -> float | None:
        """What a contact with a lead in `stage` is worth, from its chances to reach each later stage; None where they are not known."""
        worth = self.worths.get(stage)
        chance = None if worth is None else reach.get(worth.target)
        return None if worth is None or chance is None else chance * worth.value

    def of_conversion(self, stage: str, transition: str, reach: Mapping[str, float]) -> float | None:
        """What it is worth that a lead in `stage` makes its nearest `transition`, with its own chances of what may follow; None where no value was
        told."""
        worth, nearest = self.worths.get(stage), transition.split("->")[-1]
        if worth is None or not self.told:
            return None
        return worth.value if worth.target == nearest else worth.value * reach[worth.target] / reach[nearest]


def _worths(bundle: Bundle, policy: Policy) -> dict[str, Worth]:
    """Each stage by the nearest later one that the team has given a value, else by the last that the bundle knows the way to."""
    told = _told(bundle, policy.value_of_conversion)
    values, found = _values(bundle, told), {}
    for stage in bundle.path[:-1]:
        ahead = [hop.transition for hop in bundle.hops_from(stage)]
        if ahead:
            chosen = next((step for step in ahead if step in told), ahead[-1])
            found[stage] = Worth(chosen.split("->")[-1], values[chosen])
    return found


def _told(bundle: Bundle, values: Mapping[str, float]) -> dict[str, float]:
    """The value of each step that the team speaks of; `lead->opportunity` says what an opportunity is worth, wherever it came from."""
    steps = transitions(bundle.path)
    by_target = {step.split("->")[-1]: step for step in steps}
    skips = {by_target[target]: value for name, value in values.items() if (target := name.split("->")[-1]) in by_target}
    return skips | {step: values[step] for step in steps if step in values}


def _values(bundle: Bundle, told: Mapping[str, float]) -> dict[str, float]:
    """Every step's value. One that is not told follows from the step after it, times the usual chance to take that; else from the one before it,
    divided by its own; where no value is told the last one counts 1."""
    steps = transitions(bundle.path)
    usual = {hop.transition: float(hop.population.mean()) for hop in bundle.hops if hop.direct and hop.population.size}
    values: dict[str, float] = {step: told[step] for step in steps if step in told}
    if not values:
        values[steps[-1]] = 1.0
    for step, following in reversed(list(pairwise(steps))):
        if step not in values and following in values:
            values[step] = values[following] * usual.get(following, 1.0)
    for before, step in pairwise(steps):
        if step not in values:
            values[step] = values[before] / (usual.get(step) or 1.0)
    return values


def _population(bundle: Bundle, stage: str, worth: Worth) -> Floats:
    """What the open leads of a stage are worth, sorted. Who is likely to take one step is taken to be likely to take the next."""
    chances = np.ones(1)
    for hop in bundle.hops_from(stage):
        chances = chances * hop.population if hop.population.size else np.empty(0)
        if hop.transition.split("->")[-1] == worth.target:
            break
    return np.asarray(chances * worth.value)


def _mean(waiting: Sequence[tuple[Floats, float]]) -> float:
    """Of all that wait; where nobody counted them, each stage counts the same."""
    weights = [values.size * weight for values, weight in waiting]
    if not sum(weights):
        weights = [1.0] * len(waiting)
    return sum(float(values.mean()) * w for (values, _), w in zip(waiting, weights, strict=True)) / sum(weights) if waiting else 0.0


def _price(waiting: Sequence[tuple[Floats, float]], calls: float) -> float:
    """The expected value of the `calls`-th best of those that wait, each row standing for `weight` leads; 0 where there are not so many."""
    if not waiting:
        return 0.0
    values = np.concatenate([values for values, _ in waiting])
    weights = np.concatenate([np.full(values.size, weight) for values, weight in waiting])
    best = np.argsort(-values, kind="stable")
    reached = np.cumsum(weights[best])
    at = int(np.searchsorted(reached, calls, "left"))
    return float(values[best[at]]) if at < best.size else 0.0
