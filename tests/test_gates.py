"""Need, ability, desire and authority read off the row, the company against the profile, and the gate that holds a lead back."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import bundle
from data.contract import DAY, format_instant, parse_instant
from data.funnel import Correction, Funnel
from data.policy import Facet, Facts, Policy, State
from features.attributes import Attribute
from features.declarations import EventType
from features.schema import Schema
from registry.bundle import Bundle
from registry.corrections import corrected
from registry.profile import Profile, Trait, Value
from serving.advising import Adviser
from serving.contract import ScoreRequest
from serving.evidence import FACETS, Evidence
from serving.firms import Firms
from serving.gates import Firm, held_at
from serving.scorer import Scorer
from serving.words import ENGLISH

SCHEMA = Schema(
    ("lead", "prospect", "opportunity", "customer"),
    ("disqualified", "lost"),
    (
        EventType("email_open", "Opened an e-mail", "interest", "inbound", False),
        EventType("email_reply", "Replied to an e-mail", "interest", "inbound", False),
        EventType("demo_request", "Asked for a demo", "opportunity", "inbound", False),
        EventType("calculator", "Used the calculator", "opportunity", "inbound", False),
        EventType("email_sent", "Was sent an e-mail", "interest", "outbound", False),
    ),
    (
        Attribute("industry", "category", ("account.industry",), "organization", "Industry", ("it", "retail")),
        Attribute("employees", "number", ("account.employees",), "organization", "Employees"),
        Attribute("budget", "number", ("lead.annual_budget",), "opportunity", "Budget"),
        Attribute("decision_maker", "category", ("lead.Decision maker?",), "opportunity", "Decision maker", ("Nein", "ja")),
        Attribute("job_title", "title", ("lead.job_title",), "stakeholder", "Job title"),
    ),
)
AT = {column.name: i for i, column in enumerate(SCHEMA.columns)}
EVIDENCE = Evidence(SCHEMA, Policy().facts)


def row(**values: float) -> Any:
    """A lead that did nothing and of which nothing is known, but for these columns (`__is__` stands for =, `__dot__` for a point)."""
    X = np.full(len(SCHEMA.columns), np.nan, np.float32)
    X[: len(SCHEMA.features)] = 0.0
    for name in ("industry", "decision_maker", "job_title"):
        X[AT[f"{name}=(missing)"]] = 1.0
    for name, value in values.items():
        column = name.replace("__is__", "=").replace("__dot__", ".")
        X[AT[column]] = value
        if "=" in column:
            X[AT[f"{column.split('=')[0]}=(missing)"]] = 0.0
    return X


def states(**values: float) -> dict[str, str]:
    return {facet: state for facet, (state, _) in EVIDENCE.known(row(**values)).items()}


NOTHING = dict.fromkeys(FACETS, "unknown")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"demo_request_count_ever": 1}, {"need": "known"}),
        ({"demo_request_count_30d": 1, "inbound_count_30d": 1, "demo_request_count_ever": 1}, {"need": "known", "desire": "known"}),
        ({"calculator_count_ever": 2}, {"need": "likely"}),
        ({"inbound_count_30d": 1}, {"desire": "likely"}),
        ({"inbound_count_ever": 9}, {}),
        ({"email_reply_count_30d": 1}, {"desire": "known"}),
        ({"email_sent_count_ever": 5, "outbound_count_30d": 5}, {}),
        ({"budget": 20_000}, {"ability": "known"}),
        ({"budget": 0}, {}),
        ({"decision_maker__is__ja": 1}, {"authority": "known"}),
        ({"decision_maker__is__Nein": 1}, {}),
        ({"decision_maker__is__(other)": 1}, {"authority": "known"}),
        ({"job_title__dot__seniority": 4}, {"authority": "known"}),
        ({"job_title__dot__seniority": 3}, {"authority": "likely"}),
        ({"job_title__dot__seniority": 2}, {}),
    ],
)
def test_which_facts_show_what(values: dict[str, float], expected: dict[str, str]) -> None:
    assert states(**values) == NOTHING | expected


def test_each_state_says_its_facts() -> None:
    X = row(demo_request_count_ever=3, demo_request_count_30d=1, email_reply_count_30d=2, job_title__dot__seniority=5, budget=20_000)
    told = EVIDENCE.told(EVIDENCE.known(X), X)
    assert told == {
        "need": {"state": "known", "because": ["Asked for a demo 3 times so far"]},
        "ability": {"state": "known", "because": ["Budget is 20,000"]},
        "desire": {"state": "known", "because": ["Replied to an e-mail twice in the last 30 days", "Asked for a demo once in the last 30 days"]},
        "authority": {"state": "known", "because": ["Seniority of the role: 5 of 6"]},
    }


def test_the_team_says_what_shows_a_need() -> None:
    own = Evidence(SCHEMA, Policy(facts={"need": Facts(known=("calculator",), likely=("industry",))}).facts)
    assert [own.known(row(calculator_count_ever=1))["need"][0], own.known(row(industry__is__it=1))["need"][0]] == ["known", "likely"]
    assert own.known(row(budget=1))["ability"][0] == "known", "what is not told stays as it is"
    assert own.can_be_known("need")
    assert not Evidence(SCHEMA, Policy(facts={"ability": Facts()}).facts).can_be_likely("ability")


@pytest.mark.parametrize("name", ["seniority_director", "seniority_level", "seniority_", "seniority_4.5"])
def test_a_seniority_that_is_no_rank_shows_nothing(name: str) -> None:
    own = Evidence(SCHEMA, Policy(facts={"authority": Facts(known=(name,))}).facts)
    assert own.known(row(job_title__dot__seniority=6))["authority"] == ("unknown", [])


@given(st.lists(st.dictionaries(st.sampled_from(sorted(AT)), st.sampled_from([0.0, 0.9999, 1.0, 3.0, 4.0, 6.0, float("nan")])), max_size=3))
@settings(deadline=None, max_examples=40)
def test_the_facts_of_each_lead_are_its_own(leads: list[dict[str, float]]) -> None:
    """However many were read before, each is told what it shows, by hand: the columns one by one."""
    for values in leads:
        X = row()
        for name, told in values.items():
            X[AT[name]] = told
        shown = {facet: [X[probe.column] >= probe.least for probe in probes] for facet, (_, probes) in EVIDENCE.known(X).items()}
        assert all(all(there) for there in shown.values())
        assert EVIDENCE.known(X) == Evidence(SCHEMA, Policy().facts).known(X)


def value(name: str, points: float, begin: float | None = None, end: float | None = None) -> Value:
    return Value(name, 100, 10, float(np.exp(points)), 0.5, 2.0, points, begin=begin, end=end)


def trait(name: str, column: str, kind: Any, *values: Value) -> Trait:
    return Trait(name, column, kind, "organization", name.title(), 1.0, values, 0, 0, False)


PROFILE = Profile(
    "customer",
    90,
    300,
    30,
    0.7,
    (
        trait("industry", "account.industry", "category", value("it", 0.5), value("retail", -0.5), value("(other)", -0.2)),
        trait("employees", "account.employees", "number", value("1-49", -0.4, None, 50), value("50+", 0.4, 50, None)),
    ),
    {"": (), "organization": tuple(sorted(np.linspace(-1, 1, 201)))},
)
FIRMS = Firms(SCHEMA, PROFILE)


@given(st.sampled_from([None, "it", "retail", "(other)"]), st.none() | st.integers(1, 100_000))
def test_the_fit_off_the_row_is_the_profiles_own(industry: str | None, employees: int | None) -> None:
    values: dict[str, float] = {} if industry is None else {f"industry__is__{industry}": 1.0}
    values |= {} if employees is None else {"employees": float(employees)}
    expected = PROFILE.fit({"account.industry": industry, "account.employees": None if employees is None else str(employees)}, level="organization")
    found = FIRMS.of(row(**values))
    assert found.fit == expected.score
    assert found.missing == (expected.missing[0] if expected.missing else None)
    assert found.enough == 50.0, "an average lead's"


@pytest.mark.parametrize("between", [None, (0.1, 0.3), (0.1, 0.1), (0.2, 0.3)])
@pytest.mark.parametrize("text", ["0.05", "0.1", "0.2", "0.3", "0.7", "0.8", "16777217"])
def test_a_number_at_an_edge_counts_as_its_text_does(text: str, between: tuple[float, float] | None) -> None:
    """The row holds 0.1 in single precision, which is a little more; 0.3 a little more, 0.7 a little less."""
    bands = [value("<0.1", -0.4, None, 0.1), value("0.1-0.3", 0.1, 0.1, 0.3), value("0.3-0.7", 0.2, 0.3, 0.7), value("0.7+", 0.4, 0.7)]
    profile = replace(PROFILE, traits=(trait("employees", "account.employees", "number", *bands),))
    profile = profile if between is None else corrected(profile, {"employees": Correction(between=between)})
    assert Firms(SCHEMA, profile).of(row(employees=float(text))).fit == profile.fit({"account.employees": text}, level="organization").score


@pytest.mark.parametrize(("employees", "expected"), [(49, "too few"), (50, "enough"), (999, "enough"), (1000, "too many")])
def test_the_teams_own_range_counts_at_both_ends(employees: int, expected: str) -> None:
    wanted = Firms(SCHEMA, corrected(PROFILE, {"employees": Correction(between=(50, 999))}))
    firm = wanted.of(row(employees=employees))
    assert firm.fit is not None
    assert (firm.fit >= firm.enough) == (expected == "enough")


def test_without_a_profile_nothing_is_asked_of_the_company() -> None:
    assert Firms(SCHEMA, None).of(row()) == Firm()
    assert held_at(Firm(), dict.fromkeys(FACETS, "known"), dict.fromkeys(FACETS, "known")) is None


STATES: tuple[State, ...] = ("unknown", "likely", "known")
ALL: Mapping[Facet, State] = dict.fromkeys(FACETS, "known")
SOME: Mapping[Facet, State] = dict.fromkeys(FACETS, "likely")
GOOD = Firm(80.0, 50.0)


@pytest.mark.parametrize(
    ("firm", "known", "gate", "question"),
    [
        (GOOD, ALL, None, None),
        (Firm(50.0, 50.0), ALL, None, None),
        (Firm(49.9, 50.0), ALL, "organization", "The company is unlike those who bought: what would it buy this for?"),
        (Firm(20.0, 50.0, "industry"), ALL, "organization", "Which industry is the company in?"),
        (Firm(None, 50.0, "head count"), ALL, "organization", "What is known of the company's head count?"),
        (GOOD, {**ALL, "need": "unknown"}, "opportunity", "Which problem do they want to solve, and what does it cost them today?"),
        (GOOD, {**ALL, "ability": "unknown"}, "opportunity", "Is there a budget for this, or who would grant one?"),
        (GOOD, {**ALL, "desire": "unknown"}, "opportunity", "By when do they want it solved?"),
        (GOOD, {**ALL, "authority": "unknown"}, "stakeholder", "Who decides on a purchase like this, and who else has a say?"),
        (GOOD, {**ALL, "need": "unknown", "authority": "unknown"}, "opportunity", "Which problem do they want to solve, and what does it cost"),
    ],
)
def test_the_first_gate_that_is_not_passed(firm: Firm, known: Mapping[Facet, State], gate: str | None, question: str | None) -> None:
    held = held_at(firm, known, SOME)
    assert (held and held.told(ENGLISH)["name"]) == gate
    assert question is None or (held is not None and held.told(ENGLISH)["question"].startswith(question))


def test_later_likely_is_not_enough_and_the_company_is_not_held_against_the_profile_again() -> None:
    held = held_at(GOOD, {**ALL, "authority": "likely"}, ALL)
    assert held is not None
    assert held.told(ENGLISH) == {"name": "stakeholder", "question": "Can they decide this themselves, or who at the company signs?"}
    poor = Firm(5.0, 50.0)
    assert (held_at(poor, ALL, ALL, qualified=True), held_at(poor, ALL, ALL) is None) == (None, False)


def test_every_combination_by_hand() -> None:
    order: dict[str, int] = {"unknown": 0, "likely": 1, "known": 2}
    for need, ability, desire, authority, least in product(STATES, STATES, STATES, STATES, STATES):
        held = held_at(GOOD, {"need": need, "ability": ability, "desire": desire, "authority": authority}, dict.fromkeys(FACETS, least))
        lacking = min(order[need], order[ability], order[desire]) < order[least]
        expected = "opportunity" if lacking else "stakeholder" if order[authority] < order[least] else None
        assert (held and held.gate) == expected


def with_types(*types: EventType) -> Bundle:
    """The small bundle, knowing these event types and no chance ahead."""
    whole = bundle()
    return replace(whole, schema=replace(whole.schema, types=(*whole.schema.types, *types)), hops=())


NOW = parse_instant("2026-06-01T00:00:00Z")
DEALS = {
    "open": {"deal_id": "1", "opened_at": "2026-05-01T00:00:00Z", "stage": "Proposal Sent"},
    "later": {"deal_id": "2", "opened_at": "2026-05-20T00:00:00Z", "stage": "negotiation"},
    "not yet": {"deal_id": "3", "opened_at": "2026-07-01T00:00:00Z", "stage": "demo"},
    "won": {"deal_id": "4", "opened_at": "2026-05-25T00:00:00Z", "stage": "demo", "outcome": "won"},
    "closed later": {"deal_id": "5", "opened_at": "2026-05-25T00:00:00Z", "closed_at": "2026-06-02T00:00:00Z", "outcome": "lost", "stage": "demo"},
    "overdue": {"deal_id": "8", "opened_at": "2026-05-25T00:00:00Z", "closed_at": "2026-05-30T00:00:00Z", "stage": "demo"},
    "just closed": {"deal_id": "9", "opened_at": "2026-05-25T00:00:00Z", "closed_at": "2026-06-01T00:00:00Z", "outcome": "won", "stage": "demo"},
    "strange": {"deal_id": "6", "opened_at": "2026-05-25T00:00:00Z", "stage": "limbo"},
    "untold": {"deal_id": "7", "opened_at": "2026-05-25T00:00:00Z"},
}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((), None),
        (("open",), "proposal"),
        (("later", "open"), "closing"),
        (("open", "not yet"), "proposal"),
        (("open", "won"), "proposal"),
        (("open", "closed later"), "discovery"),
        (("open", "overdue"), "discovery"),
        (("open", "just closed"), "proposal"),
        (("open", "strange"), None),
        (("open", "untold"), None),
    ],
)
def test_the_stage_of_the_deal_that_is_open(sent: tuple[str, ...], expected: str | None) -> None:
    request = ScoreRequest.model_validate({"lead": {}, "deals": [DEALS[name] for name in sent]})
    assert Adviser(bundle(), Policy()).deal_stage(request.deals, NOW) == expected


DAYS_AGO = {"exit": 5, "before": 10, "at": 5, "since": 2, "unsubscribed": 1}
INTEREST = EventType("meeting", "Met us", "interest", "inbound", False)
UNSUBSCRIBE = EventType("email_unsubscribe", "Unsubscribed", "interest", "inbound", False)


@pytest.mark.parametrize(
    ("events", "action"),
    [
        ({"meeting": "before"}, "disqualify"),
        ({"meeting": "before", "email_unsubscribe": "unsubscribed"}, "disqualify"),
        ({"meeting": "at"}, "disqualify"),
        ({"meeting": "since"}, "recycle"),
        ({"meeting": "since", "email_unsubscribe": "before"}, "recycle"),
        ({}, "disqualify"),
    ],
)
def test_only_interest_since_the_exit_brings_a_lead_back(events: dict[str, str], action: str) -> None:
    """Of a scorer that knows meetings, from the body of `POST /v1/score` on: an unsubscribe is a sign of life and no sign of interest."""
    whole = with_types(INTEREST, UNSUBSCRIBE)
    body = {
        "lead": {"created_at": "2026-03-01T00:00:00Z"},
        "stages": [{"entered_at": format_instant(NOW - DAYS_AGO["exit"] * DAY), "stage": "disqualified"}],
        "events": [{"occurred_at": format_instant(NOW - DAYS_AGO[when] * DAY), "type": name} for name, when in events.items()],
    }
    told = Scorer.of(whole, "1", Funnel()).answer(ScoreRequest.model_validate(body), NOW)["recommendation"]
    assert told["action"] == action


def test_desire_is_dated_by_what_makes_it_known_and_else_by_what_makes_it_likely() -> None:
    places = {name: AT[f"{name}_recency"] for name in ("email_reply", "demo_request", "inbound")}
    assert EVIDENCE.desire_recency == (places["email_reply"], places["demo_request"])
    fewer = replace(SCHEMA, types=SCHEMA.types[:1])
    assert [fewer.columns[at].name for at in Evidence(fewer, Policy().facts).desire_recency] == ["inbound_recency"]


def test_an_answer_says_all_of_it() -> None:
    """An open opportunity whose proposal is out, from the body of `POST /v1/score` to the step of its deal."""
    body = {
        "lead": {"created_at": "2026-03-01T00:00:00Z", "budget": 20_000},
        "stages": [{"entered_at": "2026-05-01T00:00:00Z", "stage": "opportunity"}],
        "events": [{"occurred_at": "2026-05-30T00:00:00Z", "type": "pricing_page_view"}],
        "deals": [DEALS["open"]],
    }
    told = Scorer.of(bundle(), "1", Funnel()).answer(ScoreRequest.model_validate(body), NOW)["recommendation"]
    assert (told["action"], told["stage"], told["next_step"], told["gate"]) == ("work_now", "opportunity", "Send a proposal", None)
    assert told["known"]["need"] == {"state": "known", "because": ["It is an opportunity: interest was expressed in a deal worth pursuing."]}
    assert told["known"]["ability"] == {"state": "known", "because": ["Budget is 20,000"]}
    assert told["known"]["authority"] == {"state": "unknown", "because": []}


def test_what_was_said_of_many_leads_is_said_of_each() -> None:
    """Facts are remembered by what the row shows: no lead is told another's."""
    scorer = Scorer.of(bundle(), "1", Funnel())
    bodies: list[dict[str, Any]] = [
        {"lead": {"created_at": "2026-05-01T00:00:00Z", **budget}, "events": events}
        for budget, events in product(
            (dict[str, int](), {"budget": 0}, {"budget": 5}), ([], [{"occurred_at": "2026-05-30T00:00:00Z", "type": "pricing_page_view"}])
        )
    ]
    requests = [ScoreRequest.model_validate(body) for body in bodies]
    once = [Scorer.of(bundle(), "1", Funnel()).answer(request, NOW + DAY)["recommendation"] for request in requests]
    assert [scorer.answer(request, NOW + DAY)["recommendation"] for request in [*requests, *requests]] == [*once, *once]
    assert len({repr(one) for one in once}) == 4


def test_corrections_of_the_profile_are_read_live() -> None:
    whole = bundle()
    known = replace(whole, about={**whole.about, "icp": replace(PROFILE, traits=PROFILE.traits[:1]).document()})
    body = ScoreRequest.model_validate({"lead": {"created_at": "2026-05-01T00:00:00Z"}, "account": {"industry": "retail"}})

    def gate(funnel: Funnel) -> Any:
        return Scorer.of(known, "1", funnel).answer(body, NOW)["recommendation"]["gate"]["name"]

    assert (gate(Funnel()), gate(Funnel(icp={"industry": Correction(wanted=("retail",))}))) == ("organization", "opportunity")
