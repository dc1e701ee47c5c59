"""The loss report: counts by hand, a planted cause among things that mean nothing, and what it never shows."""

from typing import Any

import jsonschema_rs
import numpy as np
import orjson
import pytest

from histories import Way, journeys
from serving.answers_reports import LossesAnswer
from serving.reports.losses import LEAST_SAID, loss_report
from serving.reports.resemblance import LEAST_OF_EACH

SCHEMA = LossesAnswer.model_json_schema()


def report(ways: list[Way], left_out: tuple[str, ...] = (), **others: Any) -> dict[str, Any]:
    found = loss_report(journeys(ways, **others), left_out)
    jsonschema_rs.validate(SCHEMA, orjson.loads(orjson.dumps(found)))
    return found


def deal(lead: int, outcome: str | None, **others: Any) -> dict[str, Any]:
    return {"lead": lead, "outcome": outcome, "opened": 10, "closed": 40 if outcome else None, "currency": "EUR", "amount": 100.0} | others


def test_deals_are_counted_once_with_their_sums_and_times() -> None:
    deals = [
        deal(0, "won", closed=20), deal(0, "lost", reason="Price", competitor="Acme"), deal(1, "lost", amount=None, reason="price "),
        deal(2, "lost", reason="PRICE", currency="SEK"), deal(2, "lost", reason="Kim left"), deal(3, None), deal(3, "lost", closed=None),
    ]  # fmt: skip
    found = report([[]] * 4, deals=deals)
    assert {name: found["deals"][name] for name in ("won", "lost", "open")} == {"won": 1, "lost": 5, "open": 1}
    assert found["deals"]["win_rate"]["share"] == pytest.approx(1 / 6, abs=1e-6)
    assert found["deals"]["days"] == {"won": 10.0, "lost": 30.0}
    assert found["deals"]["amounts"]["lost"] == [{"currency": "EUR", "deals": 3, "amount": 300.0}, {"currency": "SEK", "deals": 1, "amount": 100.0}]
    assert [(one["value"], one["kind"], one["count"]) for one in found["reasons"]] == [
        ("PRICE", "value", 3),
        (None, "other", 1),
        (None, "missing", 1),
    ]
    assert sum(month["lost"] for month in found["months"]) == 4, "of one nobody knows when it closed"
    assert sum(month["won"] for month in found["months"]) == 1


def test_what_was_said_once_or_twice_is_never_shown() -> None:
    deals = [deal(0, "lost", reason=f"Spoke with Kim {n}", competitor="Kim & sons") for n in range(LEAST_SAID - 1)]
    found = report([[(5, "disqualified")]], deals=deals, reasons={(0, "disqualified"): "Kim has moved"})
    assert "Kim" not in orjson.dumps(found).decode()


def test_competitors_tell_who_was_beaten_where_won_deals_say_so() -> None:
    deals = [deal(n, "lost", competitor="Acme") for n in range(6)] + [deal(6, "won", competitor="ACME"), deal(7, "won"), deal(8, "lost")]
    found = report([[]] * 9, deals=deals)["competitors"]
    assert [(one["value"], one["count"], one["won"], one["win_rate"]["share"]) for one in found] == [("Acme", 6, 1, pytest.approx(1 / 7, abs=1e-6))]


def test_exits_tell_from_where_why_and_who_came_back() -> None:
    ways: list[Way] = [
        [(5, "disqualified"), (9, "lead"), (12, "disqualified")],
        *[[(5, "prospect"), (8, "disqualified")]] * 4,
        [(5, "prospect"), (6, "opportunity"), (8, "lost")],
    ]
    found = {one["exit"]: one for one in report(ways, reasons={(n, "disqualified"): "no budget" for n in range(4)})["exits"]}
    gone = found["disqualified"]
    assert (gone["count"], gone["leads"], gone["now"], gone["returned"]) == (6, 5, 5, 1)
    assert [(one["stage"], one["count"]) for one in gone["from"]] == [("lead", 2), ("prospect", 4)]
    assert [(one["value"], one["count"], one["returned"]) for one in gone["reasons"]] == [("no budget", 5, 1), (None, 1, 0)]
    assert [(one["stage"], one["count"]) for one in found["lost"]["from"]] == [("opportunity", 1)]


def world(seed: int, effect: float, deals: int = 400) -> dict[str, Any]:
    """Deals of which those of small firms are lost more often by `effect`, and ten attributes that mean nothing."""
    rng = np.random.default_rng(seed)
    size = rng.choice(["small", "medium", "large"], deals)
    lost = rng.random(deals) < 0.45 + effect * (size == "small")
    noise = {f"noise_{n}": rng.choice(["a", "b", "c", "d"], deals).tolist() for n in range(10)}
    told = [deal(n, "lost" if gone else "won") for n, gone in enumerate(lost.tolist())]
    return report([[]] * deals, deals=told, account_size=size.tolist(), **noise)["common"]  # type: ignore[no-any-return]


def test_a_planted_cause_is_found_and_told_first() -> None:
    hits, shares = 0, []
    for seed in range(12):
        found = world(seed, 0.25)
        first = found["facts"][0]
        hits += (first["fact"], first["value"], first["proven"]) == ("account_size", "small", True)
        shares += [fact["low"] <= 0.7 <= fact["high"] for fact in found["facts"] if (fact["fact"], fact["value"]) == ("account_size", "small")]
    assert hits >= 11
    assert np.mean(shares) >= 0.8


def test_where_nothing_matters_little_is_called_proven() -> None:
    called = [sum(fact["proven"] for fact in world(seed, 0.0)["facts"]) for seed in range(20)]
    assert np.mean([n > 0 for n in called]) <= 0.25


def test_shrinking_brings_shares_nearer_to_the_truth() -> None:
    raw, drawn = [], []
    for seed in range(10):
        for fact in world(seed, 0.0)["facts"]:
            raw.append(abs(fact["lost"] / (fact["lost"] + fact["won"]) - 0.45))
            drawn.append(abs(fact["share"] - 0.45))
    assert np.mean(drawn) < 0.7 * np.mean(raw)


def test_what_the_outcome_fills_in_is_left_out() -> None:
    deals = [deal(n, "lost" if n % 2 else "won") for n in range(100)]
    told = {"lost_to": ["someone" if n % 2 else "nobody" for n in range(100)]}
    assert report([[]] * 100, deals=deals, **told)["common"]["facts"][0]["fact"] == "lost_to"
    assert not [fact for fact in report([[]] * 100, ("lost_to",), deals=deals, **told)["common"]["facts"] if fact["fact"] == "lost_to"]


def test_without_deals_stays_as_opportunity_tell_and_too_few_tell_nothing() -> None:
    lost: Way = [(5, "opportunity"), (20, "lost")]
    won: Way = [(5, "opportunity"), (20, "customer")]
    found = report([lost] * LEAST_OF_EACH + [won] * LEAST_OF_EACH, source=["web", "fair"] * LEAST_OF_EACH)["common"]
    assert (found["of"], found["lost"], found["won"]) == ("stays", LEAST_OF_EACH, LEAST_OF_EACH)
    assert report([lost] * LEAST_OF_EACH + [won] * (LEAST_OF_EACH - 1))["common"] == {"of": None, "lost": 0, "won": 0, "facts": []}


def test_having_left_before_is_known_of_a_deal() -> None:
    back: Way = [(1, "disqualified"), (5, "lead"), (10, "opportunity")]
    deals = [deal(n, "lost" if n < 50 else "won", opened=10) for n in range(100)]
    facts = report([back] * 50 + [[(10, "opportunity")]] * 50, deals=deals)["common"]["facts"]
    assert [(fact["fact"], fact["value"], fact["lost"], fact["won"]) for fact in facts if fact["fact"] == "returned"] == [("returned", "yes", 50, 0)]
