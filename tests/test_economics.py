"""What a contact must bring: values, cost and capacity against slow, obvious counting."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import LEAD_ODDS, bundle, hop, linear
from data.policy import Policy
from registry.bundle import Bundle, HopModel
from registry.models import Constant
from serving.economics import WORKING_DAYS, Economics, Worth

OPEN = {"lead": 190.0, "prospect": 38.0}


def made(open_leads: Mapping[str, float] = OPEN, **populations: Any) -> Bundle:
    """The small funnel with so many leads open in a week; `populations` by stage and target, such as lead_prospect."""
    whole = bundle()
    hops = tuple(_with(one, populations.get(one.transition.replace("->", "_") if one.direct else "ahead")) for one in whole.hops)
    return replace(whole, hops=hops, about={**whole.about, "open_leads": dict(open_leads)})


def _with(one: HopModel, population: Any) -> HopModel:
    return one if population is None else replace(one, population=np.sort(np.asarray(population, np.float64)))


def policy(calls: int = 40, cost: float | None = None, **values: float) -> Policy:
    return Policy(capacity_per_day=calls, cost_of_contact=cost, value_of_conversion={name.replace("_", "->"): v for name, v in values.items()})


def test_without_values_what_counts_is_to_get_to_the_end() -> None:
    found = Economics.of(made(), policy())
    assert found.worths == {"lead": Worth("opportunity", 1.0), "prospect": Worth("opportunity", 1.0)}
    assert not found.told
    assert found.expected("lead", {"prospect": 0.5, "opportunity": 0.2}) == 0.2
    assert found.expected("prospect", {"opportunity": 0.3}) == 0.3
    assert found.expected("lost", {}) is None
    assert found.expected("lead", {}) is None


def test_values_that_are_told_count_and_the_others_follow() -> None:
    usual = 0.5  # the mean of the small funnel's population
    late = Economics.of(made(), policy(prospect_opportunity=900.0))
    assert late.worths == {"lead": Worth("opportunity", 900.0), "prospect": Worth("opportunity", 900.0)}
    early = Economics.of(made(), policy(lead_prospect=150.0))
    assert early.worths["lead"] == Worth("prospect", 150.0)
    assert early.worths["prospect"].value == pytest.approx(150.0 / usual)
    both = Economics.of(made(), policy(lead_prospect=150.0, prospect_opportunity=900.0))
    assert both.worths == {"lead": Worth("prospect", 150.0), "prospect": Worth("opportunity", 900.0)}


def test_a_value_that_skips_a_stage_is_that_of_getting_there() -> None:
    assert Economics.of(made(), policy(lead_opportunity=900.0)) == Economics.of(made(), policy(prospect_opportunity=900.0))
    assert Economics.of(made(), policy(lead_opportunity=800.0, prospect_opportunity=900.0)).worths["lead"] == Worth("opportunity", 900.0)
    assert not Economics.of(made(), policy(opportunity_customer=900.0)).told, "nobody gets to be a customer here: that value weighs nothing"


def by_hand(population: Mapping[str, list[float]], open_leads: Mapping[str, float], calls: int) -> float:
    """Every waiting lead one by one, the best first, until the week is full."""
    waiting = sorted(((p, open_leads[stage] / len(ps)) for stage, ps in population.items() for p in ps), reverse=True)
    room = float(WORKING_DAYS * calls)
    for p, leads in waiting:
        room -= leads
        if room <= 1e-9:
            return p
    return 0.0


chances = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=30)


@given(chances, chances, st.integers(1, 300), st.integers(1, 300), st.integers(1, 100))
def test_the_price_is_what_the_last_contact_of_a_week_would_bring(leads: list[float], prospects: list[float], n: int, m: int, calls: int) -> None:
    open_leads = {"lead": float(n), "prospect": float(m)}
    whole = made(open_leads, lead_prospect=leads, ahead=[1.0] * len(leads), prospect_opportunity=prospects)
    found = Economics.of(whole, policy(calls))
    expected = by_hand({"lead": leads, "prospect": prospects}, open_leads, calls)
    assert found.price == pytest.approx(expected) or near_the_edge(open_leads, leads, prospects, calls)


def near_the_edge(open_leads: Mapping[str, float], leads: list[float], prospects: list[float], calls: int) -> bool:
    """Whether rounding alone decides which of two neighbours is the last."""
    marks = [open_leads["lead"] / len(leads) * i + open_leads["prospect"] / len(prospects) * j for i in range(31) for j in range(31)]
    return min(abs(mark - WORKING_DAYS * calls) for mark in marks) < 1e-6


@given(st.integers(1, 200), st.integers(1, 200))
def test_more_capacity_never_raises_the_bar(few: int, more: int) -> None:
    bars = [Economics.of(made(), policy(calls)).bar for calls in sorted((few, few + more))]
    assert bars[0] >= bars[1]


def test_capacity_for_all_leaves_the_cost_as_the_bar() -> None:
    found = Economics.of(made(), policy(10_000, cost=12.5, prospect_opportunity=900.0))
    assert (found.price, found.floor, found.bar) == (0.0, 12.5, 12.5)


def test_both_ends_of_the_week() -> None:
    """190 + 38 leads wait: at 228 contacts a week the last one of them is the last contact; one more, and there is time for all."""
    one_day = {"lead": 190.0 / WORKING_DAYS, "prospect": 38.0 / WORKING_DAYS}
    exact = made({stage: n * WORKING_DAYS / 228 * 5 for stage, n in one_day.items()}, lead_prospect=[0.4], ahead=[1.0], prospect_opportunity=[0.9])
    assert Economics.of(exact, policy(1)).price == pytest.approx(0.4)
    assert Economics.of(exact, policy(2)).price == 0.0


def test_a_cost_without_values_is_in_no_currency_and_does_not_count() -> None:
    assert Economics.of(made(), policy(cost=12.5)) == Economics.of(made(), policy())


def test_without_a_cost_calling_at_random_breaks_even() -> None:
    whole = made({"lead": 300.0, "prospect": 100.0}, lead_prospect=[0.1, 0.3], ahead=[0.5, 0.5], prospect_opportunity=[0.2, 0.6])
    assert Economics.of(whole, policy(10_000)).floor == pytest.approx((300 * (0.05 + 0.15) / 2 + 100 * 0.4) / 400)


def test_a_bundle_that_does_not_say_how_many_wait_has_no_price() -> None:
    whole = replace(made(), about={})
    found = Economics.of(whole, policy(1))
    assert found.price == 0.0
    assert found.floor == pytest.approx(np.mean([np.mean(np.linspace(0.05, 0.95, 19) ** 2), 0.5]))


def test_a_step_that_could_not_be_learned_ends_the_way() -> None:
    whole = made()
    short = replace(whole, hops=tuple(one for one in whole.hops if one.transition == "lead->prospect"))
    assert Economics.of(short, policy()).worths == {"lead": Worth("prospect", 1.0)}


def test_open_opportunities_do_not_queue_with_the_leads() -> None:
    whole = made()
    path = (*whole.path, "customer")
    late = hop("opportunity", "opportunity->customer", Constant(0.0))
    ahead = [replace(hop(stage, "opportunity->customer", linear(LEAD_ODDS, {})), population=np.ones(19)) for stage in ("lead", "prospect")]
    longer = replace(whole, path=path, hops=(*whole.hops, *ahead, late), about={"open_leads": {**OPEN, "opportunity": 1e6}})
    assert Economics.of(longer, policy()).worths["opportunity"] == Worth("customer", 1.0)
    assert Economics.of(longer, policy()).price == Economics.of(whole, policy()).price


def test_what_the_nearest_step_is_worth_to_this_lead() -> None:
    """Its own chance of what may follow counts, not the usual one; a value that was told of that very step stands."""
    reach = {"prospect": 0.5, "opportunity": 0.2}
    late = Economics.of(made(), policy(prospect_opportunity=900.0))
    assert late.of_conversion("lead", "lead->prospect", reach) == pytest.approx(900 * 0.4)
    assert late.of_conversion("prospect", "prospect->opportunity", {"opportunity": 0.3}) == 900.0
    assert Economics.of(made(), policy(lead_prospect=150.0)).of_conversion("lead", "lead->prospect", reach) == 150.0
    assert Economics.of(made(), policy()).of_conversion("lead", "lead->prospect", reach) is None
    assert late.of_conversion("customer", "", {}) is None
