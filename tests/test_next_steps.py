"""The table of next steps: what suits a stage, a gate and a level of interest, less what the lead has had."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import SCHEMA
from data.contract import STAGES
from data.policy import DEAL_STAGES, Gate, Policy, State, Step
from serving.next_steps import NextSteps, Wanted, ranked

GATES: tuple[Gate | None, ...] = (None, "organization", "opportunity", "stakeholder")
LEVELS: tuple[State, ...] = ("unknown", "likely", "known")
STEPS = (
    Step(text="article"),
    Step(text="guide", gates=("opportunity",), had=("email_open",)),
    Step(text="sheet", levels=("known",), had=("pricing_page_view", "seance")),
    Step(text="visit", kind="contact", deals=("closing",)),
    Step(text="call", kind="contact"),
    Step(text="ask", kind="contact", gates=("stakeholder",)),
)
KEPT = NextSteps.of({"lead": STEPS}, SCHEMA)
AT = {column.name: i for i, column in enumerate(SCHEMA.columns)}


def row(*types: str) -> np.ndarray:
    X = np.zeros(len(SCHEMA.columns), np.float32)
    for name in types:
        X[AT[f"{name}_count_ever"]] = 2.0
    return X


@pytest.mark.parametrize(
    ("wanted", "had", "expected"),
    [
        (Wanted("lead", None, "unknown", False), (), "article"),
        (Wanted("lead", "opportunity", "unknown", False), (), "guide"),
        (Wanted("lead", "opportunity", "unknown", False), ("email_open",), "article"),
        (Wanted("lead", None, "unknown", True), (), "visit"),
        (Wanted("lead", None, "unknown", True, "proposal"), (), "call"),
        (Wanted("lead", None, "unknown", True, "closing"), (), "visit"),
        (Wanted("lead", "stakeholder", "unknown", True), (), "ask"),
        (Wanted("customer", None, "unknown", True), (), None),
    ],
)
def test_the_best_step(wanted: Wanted, had: tuple[str, ...], expected: str | None) -> None:
    assert KEPT.first(wanted, row(*had)) == expected


def test_what_was_had_is_left_out_for_good() -> None:
    """Any of the listed types counts, however often; one that training never saw never does."""
    only = NextSteps.of({"lead": (STEPS[2],)}, SCHEMA)
    wanted = Wanted("lead", None, "known", False)
    assert (only.first(wanted, row()), only.first(wanted, row("pricing_page_view")), only.first(wanted, row("email_open"))) == (
        "sheet",
        None,
        "sheet",
    )
    assert only.first(wanted) == "sheet", "without a row nothing is known to have been had"


@given(
    st.lists(st.sampled_from(STEPS), max_size=8),
    st.sampled_from(GATES),
    st.sampled_from(LEVELS),
    st.booleans(),
    st.sampled_from([None, *DEAL_STAGES]),
)
def test_the_order_by_hand(steps: list[Step], gate: Gate | None, level: State, personal: bool, deal: Any) -> None:
    """Of the wanted kind first, then the gate's own, then those for any gate, then as listed; none that is for another level or deal."""
    wanted = Wanted("lead", gate, level, personal, deal)
    expected = []
    for kind in ("contact", "content") if personal else ("content", "contact"):
        for distance in (0, 1, 2):
            for step in steps:
                far = 1 if not step.gates else 0 if gate in step.gates else 2
                suits = (not step.levels or level in step.levels) and (not step.deals or deal is None or deal in step.deals)
                if step.kind == kind and far == distance and suits:
                    expected.append(step)
    assert ranked(steps, wanted) == expected


def test_the_default_table_leaves_nobody_without_a_step() -> None:
    """Every stage, gate, level and deal stage has content or a contact even for those that had all that can be had."""
    table = Policy().next_steps
    for stage, gate, level, personal, deal in product(STAGES[:-1], GATES, LEVELS, (False, True), (None, *DEAL_STAGES)):
        left = [step for step in ranked(table[stage], Wanted(stage, gate, level, personal, deal)) if not step.had]
        assert left, (stage, gate, level, personal, deal)


def test_open_deals_get_the_step_of_their_stage() -> None:
    steps = NextSteps(Policy().next_steps)
    found = {deal: steps.first(Wanted("opportunity", None, "known", True, deal)) for deal in DEAL_STAGES}
    assert found == {
        "prospecting": "Call to agree on a first meeting",
        "discovery": "Give a demo",
        "proposal": "Send a proposal",
        "closing": "Send the contract",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Negotiation/Review", "closing"),
        ("PROPOSAL", "proposal"),
        ("proposal sent", "proposal"),
        ("Needs Analysis", "discovery"),
        ("Qualification", "prospecting"),
        ("Angebot", None),
        ("", None),
    ],
)
def test_the_words_of_common_crms_for_a_deals_stages(name: str, expected: str | None) -> None:
    assert Policy().deal_stage(name) == expected


def test_the_teams_own_words_win() -> None:
    policy = Policy(deal_stages={"closing": ("Angebot", "Demo")})
    assert (policy.deal_stage("angebot"), policy.deal_stage("demo"), policy.deal_stage("quote")) == ("closing", "closing", "proposal")
    assert policy == Policy(deal_stages={"closing": ("Angebot", "Demo")}) != Policy(), "what it remembers of its own words makes no other policy"
