"""The policy, case by case, and each threshold at both of its ends."""

from dataclasses import replace

import pytest

from data.contract import STAGES
from data.funnel import Policy, Rules
from serving.assessment import grade
from serving.recommendation import Situation, recommend

POLICY = Policy()
PROSPECT = Situation("prospect", False, "opportunity", "lead", 0.2, 0.1, 0.3, 50.0, silent_days=5.0, days_in_stage=20.0)
LEAD = replace(PROSPECT, stage="lead", next_stage="prospect")
NO_CHANCE = {"probability": None, "low": None, "high": None, "score": None}

CASES = [
    ("advance: likely enough", replace(PROSPECT, probability=0.6, low=0.5, high=0.7), "advance", "opportunity"),
    ("advance: among the best of its stage", replace(PROSPECT, score=95.0), "advance", "opportunity"),
    ("work: above most of its stage", replace(PROSPECT, score=80.0), "work_now", "prospect"),
    ("nurture: neither", PROSPECT, "nurture", "prospect"),
    ("recycle: a prospect gone quiet", replace(PROSPECT, silent_days=200.0), "recycle", "lead"),
    ("recycle: a prospect that never did anything", replace(PROSPECT, silent_days=None, days_in_stage=200.0), "recycle", "lead"),
    ("nurture: a quiet lead is in its first stage already", replace(LEAD, silent_days=200.0), "nurture", "lead"),
    ("hold: the interval is too wide", replace(PROSPECT, low=0.1, high=0.7, score=99.0), "hold", "prospect"),
    ("hold: no model for this hop", replace(PROSPECT, **NO_CHANCE), "hold", "prospect"),
    (
        "disqualify: hardly a chance and no sign of life",
        replace(LEAD, probability=0.005, low=0.0, high=0.01, silent_days=90.0),
        "disqualify",
        "disqualified",
    ),
    ("nurture: hardly a chance, but alive", replace(LEAD, probability=0.005, low=0.0, high=0.01, silent_days=3.0), "nurture", "lead"),
    (
        "disqualify: nobody can be reached",
        replace(LEAD, fake_contact=True, probability=0.9, low=0.8, high=0.95, score=99.0),
        "disqualify",
        "disqualified",
    ),
    ("nurture: the last stage", Situation("customer", False, None, "lead"), "nurture", "customer"),
    ("recycle: out, and active since", Situation("lost", True, None, "lead", silent_days=2.0, days_in_stage=30.0), "recycle", "lead"),
    ("disqualify: out, and silent since", Situation("lost", True, None, "lead", silent_days=40.0, days_in_stage=30.0), "disqualify", "lost"),
    ("disqualify: out, and never heard of", Situation("disqualified", True, None, "lead", days_in_stage=30.0), "disqualify", "disqualified"),
]


@pytest.mark.parametrize(("situation", "action", "stage"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_policy(situation: Situation, action: str, stage: str) -> None:
    told = recommend(situation, POLICY)
    assert (told["action"], told["stage"]) == (action, stage)
    assert set(told) == {"action", "stage", "text", "next_step"}
    assert told["text"].endswith(".")


def action(situation: Situation, policy: Policy = POLICY) -> str:
    return str(recommend(situation, policy)["action"])


RULES = Rules()
JUST_BELOW = 1e-9
ENDS = [
    ("advance from this probability on", {"probability": RULES.advance_min_probability}, "advance"),
    ("not below it", {"probability": RULES.advance_min_probability - JUST_BELOW}, "nurture"),
    ("advance from this score on", {"score": RULES.advance_min_score}, "advance"),
    ("work below it", {"score": RULES.advance_min_score - JUST_BELOW}, "work_now"),
    ("work from this score on", {"score": RULES.work_min_score}, "work_now"),
    ("not below it", {"score": RULES.work_min_score - JUST_BELOW}, "nurture"),
    ("an interval of just this width is good enough", {"low": 0.0, "high": RULES.hold_min_interval_width}, "nurture"),
    ("a wider one is not", {"low": 0.0, "high": RULES.hold_min_interval_width + JUST_BELOW}, "hold"),
    ("recycle from so many silent days on", {"silent_days": float(RULES.recycle_after_silent_days)}, "recycle"),
    ("not a moment before", {"silent_days": RULES.recycle_after_silent_days - JUST_BELOW}, "nurture"),
]


@pytest.mark.parametrize(("changed", "expected"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_both_ends_of_each_threshold(changed: dict[str, float], expected: str) -> None:
    assert action(replace(PROSPECT, **changed)) == expected


@pytest.mark.parametrize(
    ("probability", "silent_days", "expected"),
    [
        (RULES.disqualify_max_probability, float(RULES.disqualify_after_silent_days), "disqualify"),
        (RULES.disqualify_max_probability + JUST_BELOW, float(RULES.disqualify_after_silent_days), "nurture"),
        (RULES.disqualify_max_probability, RULES.disqualify_after_silent_days - JUST_BELOW, "nurture"),
    ],
)
def test_both_conditions_of_giving_up(probability: float, silent_days: float, expected: str) -> None:
    assert action(replace(LEAD, probability=probability, low=0.0, high=0.02, silent_days=silent_days)) == expected


def test_the_team_moves_the_thresholds() -> None:
    assert action(PROSPECT, Policy(rules=Rules(advance_min_probability=0.2))) == "advance"
    assert action(PROSPECT, Policy(rules=Rules(hold_min_interval_width=0.1))) == "hold"


def test_work_takes_the_most_personal_step_and_nurture_the_lightest() -> None:
    policy = Policy(next_steps={"prospect": ("Send a card", "Visit")})
    assert recommend(replace(PROSPECT, score=80.0), policy)["next_step"] == "Visit"
    assert recommend(PROSPECT, policy)["next_step"] == "Send a card"
    assert recommend(replace(PROSPECT, score=95.0), policy)["next_step"] == "Give a demo", "advancing takes the first step of the stage ahead"


@pytest.mark.parametrize("situation", [replace(PROSPECT, low=0.0, high=0.9), replace(PROSPECT, fake_contact=True)])
def test_nothing_is_to_be_done_while_holding_or_after_giving_up(situation: Situation) -> None:
    assert recommend(situation, POLICY)["next_step"] is None


def test_a_stage_without_steps_has_no_next_step() -> None:
    assert recommend(PROSPECT, Policy(next_steps={"prospect": ()}))["next_step"] is None


@pytest.mark.parametrize("stage", STAGES[:-1])
def test_every_stage_has_next_steps_by_default(stage: str) -> None:
    assert POLICY.next_steps[stage]


@pytest.mark.parametrize(("score", "expected"), [(100, "A"), (90, "A"), (89.999, "B"), (70, "B"), (69.999, "C"), (40, "C"), (39.999, "D"), (0, "D")])
def test_grades_start_at_their_score(score: float, expected: str) -> None:
    assert grade(score, POLICY.grades) == expected
