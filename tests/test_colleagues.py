"""What others at the account did: against the oracle for any stays and any events; at the moments when people come and go; told, batch and part."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_oracle import DAY, Event, History, by_hand
from features.colleagues import ALWAYS, COLUMNS, Stays, colleagues_of, tell
from features.declarations import COLLEAGUE_WINDOWS, EventType, declare_colleagues
from features.rows import Cohort, Known, compute
from features.schema import ROLES, Schema
from features.timeline import Past
from test_sweep import timeline_of

TYPES = (
    EventType("click", "Clicked", "interest", "inbound", False),
    EventType("call", "Was called", "interest", "outbound", False),
    EventType("visit", "Visited", "interest", None, False),
)
SCHEMA = Schema(("lead", "prospect"), ("lost",), TYPES, (), colleagues=True)
BEGIN = 1_700_000_000_000_000
INSTANTS = st.one_of(
    st.integers(-20, 20).map(lambda days: BEGIN + days * DAY),
    st.tuples(st.sampled_from(COLLEAGUE_WINDOWS), st.sampled_from((-1, 0, 1))).map(lambda x: BEGIN - x[0] * DAY + x[1]),
)
EVENTS = st.lists(st.builds(Event, INSTANTS, st.sampled_from([t.name for t in TYPES])), max_size=12)
STAYS = st.dictionaries(st.just(ALWAYS) | INSTANTS, st.sampled_from(("A", "B", None)), max_size=3).map(lambda stays: tuple(sorted(stays.items())))
LEADS = st.lists(st.builds(lambda events, accounts: History(SCHEMA, BEGIN, tuple(events), accounts=accounts), EVENTS, STAYS), min_size=1, max_size=5)


def stays_of(leads: list[History]) -> Stays:
    start = np.cumsum([0, *(len(h.accounts) for h in leads)]).astype(np.int64)
    code = {None: -1, "A": 0, "B": 1}
    since = np.array([since for h in leads for since, _ in h.accounts], np.int64)
    return Stays(start, since, np.array([code[account] for h in leads for _, account in h.accounts], np.int64), 2)


def rows_of(leads: list[History], spine: list[tuple[int, int]]) -> np.ndarray:
    timeline = timeline_of(leads)
    cohort = Cohort([], timeline, Known({}, {}), colleagues_of(timeline, SCHEMA.program.role, stays_of(leads)))
    lead, as_of = np.array(spine, np.int64).reshape(-1, 2).T
    return compute(SCHEMA, cohort, lead, as_of)[:, SCHEMA.swept :]


def slowly(leads: list[History], spine: list[tuple[int, int]]) -> np.ndarray:
    others = [[h for j, h in enumerate(leads) if j != i] for i in range(len(leads))]
    return np.array([[by_hand(f, leads[i], at, others[i]) for f in declare_colleagues()] for i, at in spine], np.float32)


def told_of(leads: list[History], lead: int, as_of: int) -> Past:
    """What a system would send of the lead's colleagues: all that it holds of them at the account, later events too."""
    here = leads[lead].account(as_of)
    told = [(e.at, ROLES[h.direction(e)]) for i, h in enumerate(leads) if i != lead for e in h.events if here is not None and h.account(e.at) == here]
    return Past(BEGIN, as_of, [], [], [], [], [], [at for at, _ in told], [role for _, role in told])


@settings(max_examples=120, deadline=None)
@given(LEADS, st.data())
def test_colleagues_equal_the_oracle_and_what_is_told(leads: list[History], data: st.DataObject) -> None:
    """Of a spine in any order, with repeats; bit for bit as told one by one, and as the leads of one account alone."""
    spine = data.draw(st.lists(st.tuples(st.integers(0, len(leads) - 1), INSTANTS), min_size=1, max_size=8))
    fast = rows_of(leads, spine)
    np.testing.assert_array_equal(fast, slowly(leads, spine))
    told = np.empty((len(spine), COLUMNS), np.float32)
    tell([told_of(leads, lead, as_of) for lead, as_of in spine], told)
    np.testing.assert_array_equal(fast.view(np.int32), told.view(np.int32))


@settings(max_examples=100, deadline=None)
@given(LEADS, LEADS, INSTANTS)
def test_leads_of_other_accounts_and_the_future_change_nothing(leads: list[History], strangers: list[History], as_of: int) -> None:
    spine = [(i, as_of) for i in range(len(leads))]
    elsewhere = [replace(h, accounts=tuple((since, None) for since, _ in h.accounts)) for h in strangers]
    later = [
        replace(h, events=(*h.events, Event(as_of + 1, "click")), accounts=(*h.accounts, (max(as_of, BEGIN + 30 * DAY) + 1, "B"))) for h in leads
    ]
    before = rows_of(leads, spine)
    np.testing.assert_array_equal(before, rows_of([*leads, *elsewhere], spine))
    np.testing.assert_array_equal(before, rows_of(later, spine))


def value(name: str, as_of: int, *leads: History) -> float:
    """One feature of the first lead."""
    return float(rows_of(list(leads), [(0, as_of)])[0, [f.name for f in declare_colleagues()].index(name)])


def at(account: str, *events: Event, since: int = ALWAYS, then: tuple[tuple[int, str | None], ...] = ()) -> History:
    return History(SCHEMA, BEGIN, events, accounts=((since, account), *then))


@pytest.mark.parametrize("days", COLLEAGUE_WINDOWS)
def test_a_window_is_open_at_its_start_and_closed_at_its_end(days: int) -> None:
    instants = [BEGIN - days * DAY, BEGIN - days * DAY + 1, BEGIN, BEGIN + 1]
    assert [value(f"colleagues_all_count_{days}d", BEGIN, at("A"), at("A", Event(t, "visit"))) for t in instants] == [0, 1, 1, 0]


def test_ones_own_events_are_not_a_colleagues() -> None:
    mine, theirs = [Event(BEGIN - i * DAY, "click") for i in range(3)], [Event(BEGIN - 5 * DAY, "click"), Event(BEGIN - 4 * DAY, "call")]
    told = [value(name, BEGIN, at("A", *mine), at("A", *theirs)) for name in ("colleagues_inbound_count_30d", "colleagues_outbound_count_30d")]
    assert told == [1, 1]
    assert value("colleagues_inbound_recency", BEGIN, at("A", *mine), at("A", *theirs)) == 5
    assert value("colleagues_all_recency", BEGIN, at("A", *mine), at("A", *theirs)) == 4


def test_an_event_stays_with_the_account_at_which_its_lead_stood() -> None:
    """Whoever leaves takes nothing along, and brings nothing."""
    left = at("A", Event(BEGIN - 2 * DAY, "click"), Event(BEGIN, "click"), then=((BEGIN, "B"),))
    assert value("colleagues_all_count_ever", BEGIN, at("A"), left) == 1
    assert value("colleagues_all_count_ever", BEGIN, at("B"), left) == 1
    assert value("colleagues_all_count_ever", BEGIN - 1, at("B"), left) == 0


def test_who_comes_sees_what_was_before_and_who_has_no_account_sees_nothing() -> None:
    colleague = at("A", Event(BEGIN - DAY, "click"))
    comes = History(SCHEMA, BEGIN, (), accounts=((BEGIN, "A"), (BEGIN + DAY, None)))
    assert [value("colleagues_all_count_ever", when, comes, colleague) for when in (BEGIN - 1, BEGIN, BEGIN + DAY - 1, BEGIN + DAY)] == [0, 1, 1, 0]
    assert np.isnan(value("colleagues_all_recency", BEGIN - 1, comes, colleague))


def test_a_cohort_made_without_colleagues_is_refused() -> None:
    timeline = timeline_of([at("A")])
    with pytest.raises(ValueError, match="cohort_of"):
        compute(SCHEMA, Cohort([], timeline, Known({}, {})), np.zeros(1, np.int64), np.zeros(1, np.int64))


def test_a_role_below_zero_is_left_out() -> None:
    row = np.empty((1, COLUMNS), np.float32)
    tell([Past(BEGIN, BEGIN, [], [], [], [], [], [BEGIN, BEGIN - DAY], [-1, 2])], row)
    assert row[0, 0] == 1
    assert row[0, -1] == 1
