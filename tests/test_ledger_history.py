"""Why a score changed: the parts sum to the last bit, and each holds what it is named for, planted one by one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import SCHEMA, bundle, linear, promote
from data import ledger
from data.contract import DAY, parse_instant
from data.facts import facts_of
from data.funnel import Funnel
from data.ingest import add_events, add_stages, put_accounts, put_deals, put_leads
from data.instants import instants_of
from data.ledger import ScoreRecord
from data.policy import Policy
from data.store import Store, open_store
from registry.bundle import Bundle
from serving.colleagues import request_of
from serving.errors import ServiceError
from serving.explained import Explainer, probability_parts, score_parts
from serving.replay import scorer_of

START = parse_instant("2026-06-01T00:00:00Z")
CHANCE = st.floats(0, 1)
SCORE = st.integers(0, 100)


@settings(deadline=None)
@given(CHANCE, CHANCE, CHANCE, CHANCE)
def test_the_parts_of_a_probability_sum_to_the_last_bit(before: float, aged: float, informed: float, after: float) -> None:
    parts = probability_parts(before, aged, informed, after)
    assert parts["lead"] + parts["time"] + parts["model"] + parts["population"] == after - before
    assert parts["lead"] == informed - aged
    assert parts["time"] == aged - before
    assert abs(parts["population"]) < 1e-15


@settings(deadline=None)
@given(SCORE, SCORE, SCORE, SCORE, SCORE)
def test_the_parts_of_a_score_sum(before: int, aged: int, informed: int, ranked: int, after: int) -> None:
    parts = score_parts(before, aged, informed, ranked, after)
    assert parts["lead"] + parts["time"] + parts["model"] + parts["population"] == after - before


def silent(odds: float = -1.0) -> Bundle:
    """A funnel in which a page view counts for a week, and each day in the stage takes a little away."""
    effects = {"pricing_page_view_count_7d": 0.5, "budget": 1e-5, "time_in_stage": -0.05}
    model = linear(odds, effects)
    return replace(bundle(), hops=tuple(replace(hop, model=model) if hop.stage == "lead" else hop for hop in bundle().hops))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        promote(store, "1", silent())
        put_leads(store, [{"lead_id": "L-1", "created_at": START - 5 * DAY, "budget": 20_000}], START)
        yield store


def rescored(store: Store, at: int, version: str = "1", source: str = "store") -> ScoreRecord:
    """What a rescoring at that instant would put into the ledger, put there."""
    facts = facts_of(store, ["L-1"])["L-1"]
    (one,) = scorer_of(store, version, Policy()).score_many([request_of(facts, None)], at, source=source)
    assert not isinstance(one, ServiceError)
    ledger.insert(store, [one[1]])
    return one[1]


def history(store: Store) -> list[dict[str, Any]]:
    return Explainer(store, "L-1", lambda version: scorer_of(store, version, Policy()), START + 90 * DAY).history(ledger.of_lead(store, "L-1", 50))


def views(store: Store, at: int, count: int) -> None:
    add_events(store, [{"lead_id": "L-1", "occurred_at": at - n, "type": "pricing_page_view"} for n in range(count)], at)


def risen(first: ScoreRecord, second: ScoreRecord) -> float:
    """By how much the probability is higher."""
    assert first.probability is not None
    assert second.probability is not None
    return second.probability - first.probability


def climbed(first: ScoreRecord, second: ScoreRecord) -> float:
    """By how much the score is higher."""
    assert first.score is not None
    assert second.score is not None
    return second.score - first.score


def parts(item: dict[str, Any]) -> dict[str, float]:
    """The parts of the probability that are there, checked to sum, with those of the score."""
    change = item["change"]
    for told in (change["probability"], change["score"]):
        assert told["lead"] + told["time"] + told["model"] + told["population"] == told["after"] - told["before"]
    assert change["probability"]["after"] == item["probability"]
    assert change["score"]["after"] == item["score"]
    return {name: change["probability"][name] for name in ("lead", "time", "model") if change["probability"][name] != 0.0}


def test_the_first_score_has_nothing_before_it(store: Store) -> None:
    rescored(store, START)
    (item,) = history(store)
    assert item["change"] is None


def test_time_alone(store: Store) -> None:
    first, second = rescored(store, START), rescored(store, START + 3 * DAY)
    newest, _ = history(store)
    assert parts(newest) == {"time": risen(first, second)}
    assert newest["change"]["since"] == first.score_id
    assert newest["change"]["rebuilt"] is True
    assert [(m["feature"], m["before"], m["after"]) for m in newest["change"]["moved"]] == [("time_in_stage", 5.0, 8.0)]
    assert newest["change"]["moved"][0]["effect"] == pytest.approx(-0.15)


def test_new_facts_alone(store: Store) -> None:
    """The second score a moment after the first: what comes in between is the lead's doing."""
    first = rescored(store, START)
    views(store, START + 1, 3)
    second = rescored(store, START + 1)
    newest, _ = history(store)
    found = parts(newest)
    assert found["lead"] == pytest.approx(risen(first, second), abs=1e-9)
    assert abs(found.get("time", 0.0)) < 1e-9
    (moved,) = [m for m in newest["change"]["moved"] if abs(m["effect"]) > 1e-6]
    assert (moved["feature"], moved["before"], moved["after"]) == ("pricing_page_view_count_7d", 0.0, 3.0)
    assert "3 times" in moved["text"]


def test_new_facts_and_time_are_told_apart(store: Store) -> None:
    """Views that wear off are time; those that come in are the lead."""
    views(store, START, 2)
    first = rescored(store, START)
    views(store, START + 8 * DAY, 1)
    rescored(store, START + 8 * DAY)
    newest, _ = history(store)
    odds = [-1.0 + 1e-5 * 20_000 + 0.5 * count - 0.05 * days for count, days in ((2, 5), (0, 13), (1, 13))]
    chances = [1 / (1 + np.exp(-o)) for o in odds]
    assert first.probability == pytest.approx(chances[0], rel=1e-6)
    assert parts(newest) == {"time": pytest.approx(chances[1] - chances[0], rel=1e-5), "lead": pytest.approx(chances[2] - chances[1], rel=1e-5)}


def test_a_changed_attribute_is_a_new_fact(store: Store) -> None:
    rescored(store, START)
    put_leads(store, [{"lead_id": "L-1", "created_at": START - 5 * DAY, "budget": 90_000}], START + 1)
    rescored(store, START + 2)
    newest, _ = history(store)
    assert parts(newest)["lead"] > 0.1
    assert newest["change"]["rebuilt"] is True
    assert newest["change"]["moved"][0]["feature"] == "budget"


def test_a_new_model_and_a_new_population(store: Store) -> None:
    """A bundle with other odds moves the probability; one with another population only the score."""
    richer = tuple(replace(hop, population=np.linspace(0.5, 0.95, 19)) for hop in silent(-0.5).hops)
    promote(store, "2", silent(-0.5))
    promote(store, "3", replace(silent(-0.5), hops=richer))
    first, second, third = (rescored(store, START + n, version) for n, version in enumerate(("1", "2", "3")))
    by_population, by_model, _ = history(store)
    assert parts(by_model)["model"] == pytest.approx(risen(first, second), abs=1e-9)
    assert by_model["change"]["score"]["model"] == climbed(first, second) > 0
    assert by_model["change"]["score"]["population"] == 0
    assert abs(parts(by_population).get("model", 0.0)) < 1e-9
    assert by_population["change"]["score"]["population"] == climbed(second, third) < 0
    assert {m["feature"] for m in by_population["change"]["moved"]} <= {"time_in_stage"}


def test_a_model_with_other_columns(store: Store) -> None:
    """The old bundle sees the new facts through its own columns."""
    fewer = replace(SCHEMA, types=SCHEMA.types[:2])
    width = len(fewer.columns)
    zero, one = np.zeros(width), np.ones(width)
    low, high = np.full(width, -1e30), np.full(width, 1e30)
    model = replace(linear(0.3, {}), coefficient=zero, missing=zero, low=low, high=high, logged=np.zeros(width, bool), center=zero, scale=one)
    promote(store, "2", replace(silent(), schema=fewer, hops=tuple(replace(hop, model=model) for hop in silent().hops)))
    rescored(store, START)
    views(store, START + 1, 2)
    rescored(store, START + 2, "2")
    newest, _ = history(store)
    assert set(parts(newest)) >= {"lead", "model"}
    assert newest["change"]["probability"]["lead"] > 0.2
    assert newest["change"]["rebuilt"] is True


def test_another_stage_is_a_new_fact_and_an_exit_no_chance(store: Store) -> None:
    rescored(store, START)
    add_stages(store, [{"lead_id": "L-1", "entered_at": START + 1, "stage": "prospect"}], START + 1, funnel=Funnel())
    rescored(store, START + 2)
    add_stages(store, [{"lead_id": "L-1", "entered_at": START + 3, "stage": "lost"}], START + 3, funnel=Funnel())
    rescored(store, START + 4)
    lost, prospect, _ = history(store)
    assert "lead" in parts(prospect)
    assert (lost["stage"], lost["probability"], lost["change"]) == ("lost", None, None)


def test_scores_of_requests_are_compared_with_the_stores_last(store: Store) -> None:
    first = rescored(store, START)
    rescored(store, START + DAY, source="request")
    third = rescored(store, START + 2 * DAY, source="request")
    items = history(store)
    assert [item["change"] and item["change"]["since"] for item in items] == [first.score_id, first.score_id, None]
    page = Explainer(store, "L-1", lambda version: scorer_of(store, version, Policy()), START + 90 * DAY).history([third])
    assert page == items[:1], "also where the last one is on another page"


def test_facts_that_no_longer_tell_the_old_score_are_owned_up_to(store: Store) -> None:
    """A score of which the store holds other facts: the parts still sum, and it is said."""
    first = rescored(store, START)
    views(store, START - DAY, 2)
    rescored(store, START + DAY)
    newest, _ = history(store)
    parts(newest)
    assert newest["change"]["since"] == first.score_id
    assert newest["change"]["rebuilt"] is False


def test_a_bundle_that_is_no_longer_held_explains_nothing(store: Store) -> None:
    ledger.insert(store, [rescored(store, START)._replace(score_id="0", version="lost", at=START + 1)])
    newest, _ = history(store)
    assert newest["change"] is None


def test_a_long_history_holds_no_more_facts_than_a_short_one(store: Store) -> None:
    for day in range(6):
        views(store, START + day * DAY, 2)
        rescored(store, START + day * DAY)
    explainer = Explainer(store, "L-1", lambda version: scorer_of(store, version, Policy()), START + 90 * DAY)
    explained = explainer.history(ledger.of_lead(store, "L-1", 50))
    assert [item["change"]["rebuilt"] for item in explained[:-1]] == [True] * 5
    assert len(explainer._facts) <= 2


def test_paging_gives_every_score_once_newest_first(store: Store) -> None:
    for n in range(7):
        ledger.insert(store, [rescored(store, START)._replace(score_id=f"x{n}", at=START + n // 3)])
    every = ledger.of_lead(store, "L-1", 100)
    assert [(r.at, r.score_id) for r in every] == sorted(((r.at, r.score_id) for r in every), reverse=True)
    pages, after = [], None
    while page := ledger.of_lead(store, "L-1", 4, after):
        pages += page
        after = page[-1].at, page[-1].score_id
    assert pages == every


def test_between_two_instants_the_store_knows_the_same(store: Store) -> None:
    """Whatever is ingested, the account's and late changes too: the facts of any instant are those of the last one at which something was learned."""
    put_accounts(store, [{"account_id": "A-1", "industry": "it"}, {"account_id": "A-2", "industry": "retail"}], START + 10)
    put_leads(store, [{"lead_id": "L-1", "created_at": START - 5 * DAY, "account_id": "A-1", "budget": 1}], START + 20)
    put_leads(store, [{"lead_id": "L-1", "created_at": START - 5 * DAY, "budget": 7, "changed_at": START - DAY}], START + 30)
    put_leads(store, [{"lead_id": "L-1", "created_at": START - 5 * DAY, "account_id": "A-2"}], START + 40)
    put_accounts(store, [{"account_id": "A-1", "industry": "retail"}], START + 50)
    put_accounts(store, [{"account_id": "A-2", "industry": "it"}], START + 60)
    views(store, START + 70, 2)
    add_stages(store, [{"lead_id": "L-1", "entered_at": START - DAY, "stage": "prospect"}], START + 80, funnel=Funnel())
    put_deals(store, [{"lead_id": "L-1", "deal_id": "D", "opened_at": START}], START + 90)
    put_leads(store, [{"lead_id": "L-2", "created_at": START}], START + 95)
    instants = instants_of(store, "L-1")
    assert instants_of(store, "L-9") == []
    assert START + 95 not in instants
    told = [repr(facts_of(store, ["L-1"], until=START + n)) for n in range(-1, 100)]
    changed = [START + n for n in range(100) if told[n + 1] != told[n]]
    assert changed == [START + n for n in (0, 20, 40, 60, 70, 80, 90)]
    assert set(changed) <= set(instants)
