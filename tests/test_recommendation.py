"""The policy, case by case, and each threshold at both of its ends."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import STAGES
from data.policy import Policy, Rules
from serving.assessment import grade
from serving.gates import Firm, Held
from serving.recommendation import Situation, recommend
from serving.said import REMEMBERING, retold, sentences
from serving.words import ENGLISH, Words

POLICY, RULES = Policy(), Rules()
HELD = Held("stakeholder", "Who decides?")
CHANCE: dict[str, Any] = {"probability": 0.2, "low": 0.1, "high": 0.3, "score": 50.0, "expected": 0.2, "bar": 0.4, "pays_from": 0.4}
PROSPECT = Situation(
    "prospect", False, "opportunity", "lead", "prospect->opportunity", 28, **CHANCE, silent_days=5.0, days_in_stage=20.0, firm=Firm(60.0)
)
LEAD = PROSPECT._replace(stage="lead", next_stage="prospect", transition="lead->prospect")
OPEN = PROSPECT._replace(stage="opportunity", next_stage="customer", transition="opportunity->customer")
PAYS: dict[str, Any] = {"expected": 0.5}
NO_CHANCE: dict[str, Any] = dict.fromkeys(("transition", "probability", "low", "high", "score", "expected", "pays_from"))
OUT = Situation("lost", True, None, "lead", silent_days=2.0, days_in_stage=30.0, wanted_days=2.0)
NO_HOPE: dict[str, Any] = {"probability": 0.005, "low": 0.0, "high": 0.01, "expected": 0.005}

CASES = [
    ("advance: a contact pays, and every gate is passed", PROSPECT._replace(**PAYS), "advance", "opportunity"),
    ("work: a contact pays, and a question is open", PROSPECT._replace(**PAYS, held=HELD), "work_now", "prospect"),
    ("nurture: a contact does not pay", PROSPECT, "nurture", "prospect"),
    ("nurture: all known of it, and still it does not pay", PROSPECT._replace(firm=Firm(99.0), wanted_days=2.0), "nurture", "prospect"),
    ("nurture: a prospect gone quiet is a lead again", PROSPECT._replace(silent_days=200.0), "nurture", "lead"),
    ("nurture: a prospect that never did anything", PROSPECT._replace(silent_days=None, days_in_stage=200.0), "nurture", "lead"),
    ("advance: quiet, but worth a contact", PROSPECT._replace(**PAYS, silent_days=200.0), "advance", "opportunity"),
    ("nurture: a quiet lead is in its first stage already", LEAD._replace(silent_days=200.0), "nurture", "lead"),
    ("hold: a contact might pay, but the interval is too wide to tell", PROSPECT._replace(low=0.1, high=0.7), "hold", "prospect"),
    ("work: a contact pays, but the interval is too wide to advance", PROSPECT._replace(**PAYS, low=0.1, high=0.7), "work_now", "prospect"),
    ("nurture: even at best a contact does not pay, however wide the interval", PROSPECT._replace(bar=0.8, high=0.7), "nurture", "prospect"),
    ("hold: no model for this hop", PROSPECT._replace(**NO_CHANCE), "hold", "prospect"),
    ("disqualify: hardly a chance and no sign of life", LEAD._replace(**NO_HOPE, silent_days=90.0), "disqualify", "disqualified"),
    ("nurture: hardly a chance, but alive", LEAD._replace(**NO_HOPE, silent_days=3.0), "nurture", "lead"),
    ("disqualify: not worth its cost even at best, and silent", LEAD._replace(cost=0.31, silent_days=90.0), "disqualify", "disqualified"),
    ("nurture: at best worth its cost", LEAD._replace(cost=0.29, silent_days=90.0), "nurture", "lead"),
    ("disqualify: a company that hardly any buyer is like", LEAD._replace(firm=Firm(5.0)), "disqualify", "disqualified"),
    ("work: such a company whose contact pays", LEAD._replace(**PAYS, firm=Firm(5.0), held=HELD), "work_now", "lead"),
    ("nurture: such a company that may be worth it", LEAD._replace(firm=Firm(5.0), high=0.5), "nurture", "lead"),
    ("nurture: nothing is known of the company", LEAD._replace(firm=Firm()), "nurture", "lead"),
    ("disqualify: nobody can be reached", LEAD._replace(**PAYS, fake_contact=True), "disqualify", "disqualified"),
    ("work: an open opportunity", OPEN, "work_now", "opportunity"),
    ("work: an open opportunity that no model speaks of", OPEN._replace(**NO_CHANCE, next_stage=None), "work_now", "opportunity"),
    ("work: an open opportunity whose gates are passed is no customer yet", OPEN._replace(**PAYS), "work_now", "opportunity"),
    ("nurture: the last stage", Situation("customer", False, None, "lead"), "nurture", "customer"),
    ("recycle: out, and interested since", OUT, "recycle", "lead"),
    ("recycle: out, and interested right after", OUT._replace(wanted_days=30.0 - 1e-9), "recycle", "lead"),
    ("disqualify: out, and interested until then", OUT._replace(wanted_days=30.0), "disqualify", "lost"),
    ("disqualify: out, interested before that alone, and unsubscribed since", OUT._replace(wanted_days=40.0), "disqualify", "lost"),
    ("disqualify: out, and no more than a newsletter opened since", OUT._replace(wanted_days=None), "disqualify", "lost"),
    ("disqualify: out, and never heard of", OUT._replace(stage="disqualified", silent_days=None, wanted_days=None), "disqualify", "disqualified"),
]


@pytest.mark.parametrize(("situation", "action", "stage"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_policy(situation: Situation, action: str, stage: str) -> None:
    told = recommend(situation, POLICY)
    assert (told["action"], told["stage"]) == (action, stage)
    assert set(told) == {"action", "stage", "text", "next_step", "gate"}
    assert told["text"].endswith(".")
    assert "{" not in told["text"]


def action(situation: Situation, policy: Policy = POLICY) -> str:
    return str(recommend(situation, policy)["action"])


JUST_BELOW = 1e-9
ENDS = [
    ("work from the bar on", {"expected": 0.4}, "advance"),
    ("not below it", {"expected": 0.4 - JUST_BELOW}, "nurture"),
    ("an interval of just this width is good enough", {"low": 0.0, "high": RULES.hold_min_interval_width}, "nurture"),
    ("a wider one is not", {"low": 0.0, "high": RULES.hold_min_interval_width + JUST_BELOW}, "hold"),
    ("hold while at best a contact pays", {"low": 0.0, "high": 0.8, "bar": 0.8}, "hold"),
    ("not where it does not", {"low": 0.0, "high": 0.8, "bar": 0.8 + JUST_BELOW}, "nurture"),
    ("give a company up from this fit down", {"firm": Firm(RULES.disqualify_max_fit)}, "disqualify"),
    ("not above it", {"firm": Firm(RULES.disqualify_max_fit + JUST_BELOW)}, "nurture"),
]


@pytest.mark.parametrize(("changed", "expected"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_both_ends_of_each_threshold(changed: dict[str, Any], expected: str) -> None:
    assert action(PROSPECT._replace(**changed)) == expected


@pytest.mark.parametrize(("days", "stage"), [(0.0, "lead"), (-JUST_BELOW, "prospect")])
def test_a_silent_prospect_is_a_lead_again_from_so_many_days_on(days: float, stage: str) -> None:
    told = recommend(PROSPECT._replace(silent_days=RULES.recycle_after_silent_days + days), POLICY)
    assert (told["action"], told["stage"]) == ("nurture", stage)


@pytest.mark.parametrize(
    ("probability", "silent_days", "expected"),
    [
        (RULES.disqualify_max_probability, float(RULES.disqualify_after_silent_days), "disqualify"),
        (RULES.disqualify_max_probability + JUST_BELOW, float(RULES.disqualify_after_silent_days), "nurture"),
        (RULES.disqualify_max_probability, RULES.disqualify_after_silent_days - JUST_BELOW, "nurture"),
    ],
)
def test_both_conditions_of_giving_up(probability: float, silent_days: float, expected: str) -> None:
    assert action(LEAD._replace(probability=probability, low=0.0, high=0.02, silent_days=silent_days)) == expected


def test_the_team_moves_the_limits() -> None:
    assert action(PROSPECT._replace(bar=0.25), Policy(rules=Rules(hold_min_interval_width=0.1))) == "hold"
    assert recommend(PROSPECT, Policy(rules=Rules(recycle_after_silent_days=5)))["stage"] == "lead"
    assert action(LEAD, Policy(rules=Rules(disqualify_max_fit=60))) == "disqualify"


shares = st.floats(0, 1)


@given(probability=shares, width=st.floats(0, 0.5), value=st.floats(0, 1e6), bar=st.floats(0, 1e6), silent=st.none() | st.floats(0, 2000))
def test_a_likelier_lead_is_never_worked_less(probability: float, width: float, value: float, bar: float, silent: float | None) -> None:
    """However a lead stands, with a higher chance at the same interval's width it is at least as much worth."""
    rank = {"disqualify": 0, "nurture": 1, "advance": 2}

    def at(p: float) -> int:
        chance: dict[str, Any] = {"probability": p, "low": max(p - width / 2, 0.0), "high": min(p + width / 2, 1.0), "expected": p * value}
        return rank[action(LEAD._replace(**chance, bar=bar, silent_days=silent))]

    assert at(probability) <= at(probability + (1 - probability) / 2)


@pytest.mark.parametrize(
    ("situation", "text"),
    [
        (PROSPECT._replace(**PAYS), "20% chance to become an opportunity within 28 days. A contact pays from 40% on."),
        (LEAD, "20% chance to become a prospect within 28 days. A contact pays from 40% on: worth keeping warm, not worth a call today."),
        (LEAD._replace(probability=0.0449), "4.5% chance to become a prospect within 28 days. A contact pays from 40% on: worth keeping warm,"),
        (LEAD._replace(**PAYS, pays_from=0.1), "A contact pays from 10% on."),
        (LEAD._replace(**PAYS, pays_from=0.0996), "A contact pays from 10% on."),
        (LEAD._replace(**PAYS, pays_from=0.0449), "A contact pays from 4.5% on."),
        (LEAD._replace(**PAYS, pays_from=1 / 500), "A contact pays from 0.2% on."),
        (LEAD._replace(**PAYS, pays_from=0.0004), "A contact pays, however small the chance."),
        (LEAD._replace(**PAYS, pays_from=None), "A contact pays, however small the chance."),
        (LEAD._replace(pays_from=0.0021), "A contact pays from 0.2% on: worth keeping warm"),
        (LEAD._replace(pays_from=0.0004), "Worth keeping warm, not worth a call today."),
        (LEAD._replace(pays_from=1.2), "Worth keeping warm, not worth a call today."),
        (LEAD._replace(pays_from=None), "Worth keeping warm, not worth a call today."),
        (LEAD._replace(outcome="Con{verted}", horizon_days=0), "20% chance of a yes in 'Con{verted}'. A contact pays"),
        (LEAD._replace(**NO_HOPE, silent_days=90.0), "0.5% chance to become a prospect within 28 days. No sign of life for 90 days."),
        (OPEN._replace(silent_days=130.0), "without a sign of life for 130 days: find out whether the deal is still on."),
        (OPEN._replace(**NO_CHANCE), "An open opportunity: bring the deal to its next stage."),
    ],
)
def test_what_is_said(situation: Situation, text: str) -> None:
    assert text in recommend(situation, POLICY)["text"]


def test_small_limits_are_told_in_any_language() -> None:
    """From what the sentences were made of, as the store has it."""
    said = recommend(PROSPECT._replace(**PAYS, pays_from=0.0021), POLICY, words=REMEMBERING)
    again = retold({"text": str(said["text"])}, {"text": sentences(said)["text"]}, Words("de"), lambda *_: "")["text"]
    assert again.endswith("Ein Kontakt lohnt sich ab 0,2\N{NO-BREAK SPACE}%.")


@pytest.mark.parametrize("situation", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_remembered_is_what_is_said(situation: Situation) -> None:
    """Told in English from what the sentences were made of, as they are stored, each comes out as it was said."""
    said = recommend(situation, POLICY, words=REMEMBERING)
    plain = recommend(situation, POLICY)
    assert said == plain
    stored = {name: str(part) if isinstance(part, str) else part for name, part in said.items()}
    stored["gate"] = plain["gate"]
    assert retold(stored, sentences(said), ENGLISH, lambda *_: "") == plain


def test_work_takes_the_contact_and_nurture_the_content() -> None:
    policy = Policy(next_steps={"prospect": ("Send a card", {"text": "Visit", "kind": "contact"})})  # type: ignore[dict-item]
    assert recommend(PROSPECT._replace(**PAYS, held=HELD), policy)["next_step"] == "Visit"
    assert recommend(PROSPECT, policy)["next_step"] == "Send a card"
    assert recommend(PROSPECT._replace(**PAYS), policy)["next_step"] == "Call to agree on a first meeting", "advancing takes that of the stage ahead"


@pytest.mark.parametrize("situation", [PROSPECT._replace(low=0.0, high=0.9), PROSPECT._replace(fake_contact=True)])
def test_nothing_is_to_be_done_while_holding_or_after_giving_up(situation: Situation) -> None:
    assert recommend(situation, POLICY)["next_step"] is None


def test_a_stage_without_steps_has_no_next_step() -> None:
    assert recommend(PROSPECT, Policy(next_steps={"prospect": ()}))["next_step"] is None


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_next_steps_by_default(stage: str) -> None:
    assert POLICY.next_steps[stage]


@pytest.mark.parametrize(("score", "expected"), [(100, "A"), (90, "A"), (89.999, "B"), (70, "B"), (69.999, "C"), (40, "C"), (39.999, "D"), (0, "D")])
def test_grades_start_at_their_score(score: float, expected: str) -> None:
    assert grade(score, POLICY.grades) == expected
