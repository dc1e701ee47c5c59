"""The score along a lead's time: every moment is what scoring the lead as it was known then would have said."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import bundle
from data.contract import DAY, HOUR, format_instant
from data.facts import Facts
from data.funnel import Funnel
from serving.contract import ScoreRequest
from serving.retrospect import MOST_MOMENTS, Moment, along, moments
from serving.scorer import Scorer

NOW = 1_800_000_000_000_000
BEGAN = NOW - 60 * DAY
SCORER = Scorer.of(bundle(), "1", Funnel())

instants = st.integers(0, 60 * 24).map(lambda hours: BEGAN + hours * HOUR)
events = st.lists(st.tuples(instants, st.sampled_from(["pricing_page_view", "email_open"]), st.integers(0, 3)), max_size=12)
budgets = st.lists(st.tuples(instants, st.none() | st.sampled_from(["1000", "90000"])), max_size=4, unique_by=lambda change: change[0])


def facts(happened: list[tuple[int, str, int]] = (), stages: list[tuple[int, str]] = (), **lead: Any) -> Facts:  # type: ignore[assignment]
    rows = [{"occurred_at": at, "type": type, "recorded_at": at + late * DAY} for at, type, late in happened]
    return Facts({"created_at": format_instant(BEGAN), **lead}, {}, rows, [{"entered_at": at, "stage": stage} for at, stage in stages])


def history(changes: list[tuple[int, str | None]]) -> list[dict[str, Any]]:
    return [{"object": "lead", "id": "L", "field": "budget", "changed_at": at, "value": value} for at, value in changes]


def by_hand(known: Facts, changes: list[tuple[int, str | None]], at: int) -> Moment:
    """One request for one moment, with nothing in it that was not known at it."""
    lead = {name: value for name, value in known.lead.items() if name != "budget"}
    if changes:
        told = [value for since, value in sorted(changes) if since <= at]
        lead |= {"budget": told[-1]} if told and told[-1] is not None else {}
    elif "budget" in known.lead:
        lead["budget"] = known.lead["budget"]
    counted = [event for event in known.events if max(event["occurred_at"], event["recorded_at"]) <= at]
    stages = [row for row in known.stages if row["entered_at"] <= at]
    request = ScoreRequest.model_construct(lead=lead, account={}, events=counted, stages=stages, deals=[], account_events=[], stage=None, as_of=at)
    answer = SCORER.answer(request, NOW)
    return Moment(at, answer["stage"], answer["probability"], answer["score"])


@settings(max_examples=40, deadline=None)
@given(events, budgets, st.none() | instants)
def test_each_moment_is_what_would_have_been_said_then(
    happened: list[tuple[int, str, int]], changes: list[tuple[int, str | None]], qualified: int | None
) -> None:
    known = facts(happened, [] if qualified is None else [(qualified, "prospect")], budget="77")
    found = along(SCORER, known, None, history(changes), NOW)
    assert found == [by_hand(known, changes, moment.as_of) for moment in found]
    assert [moment.as_of for moment in found] == moments(known, BEGAN, NOW)


@given(events, st.integers(0, 59).map(lambda days: BEGAN + days * DAY))
def test_moments_begin_with_the_lead_and_end_with_now(happened: list[tuple[int, str, int]], entered: int) -> None:
    found = moments(facts(happened, [(entered, "prospect"), (NOW + DAY, "opportunity")]), BEGAN, NOW)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (BEGAN, NOW)
    assert entered in found
    counted = {at + late * DAY for at, _, late in happened}
    assert counted & set(found) == {at for at in counted if BEGAN <= at <= NOW}, "each of a few events is a moment"


def test_a_lead_of_very_many_events_is_asked_at_few_moments() -> None:
    busy = facts([(BEGAN + n * HOUR // 20, "email_open", 0) for n in range(20_000)])
    few = moments(busy, BEGAN, NOW)
    assert 20 <= len(few) < len(moments(facts([(BEGAN + n * HOUR, "email_open", 0) for n in range(1_000)]), BEGAN, NOW)) <= MOST_MOMENTS + 2
    assert few[0] == BEGAN
    assert few[-1] == NOW


def test_a_lead_that_is_moved_to_and_fro_by_its_crm_is_asked_at_no_more_moments() -> None:
    flapping = facts([])
    rows = [{"entered_at": BEGAN + n * HOUR // 10, "stage": ("lead", "prospect")[n % 2]} for n in range(3_000)]
    found = moments(replace(flapping, stages=rows), BEGAN, NOW)
    assert 20 <= len(found) <= MOST_MOMENTS + 2
    assert (found[0], found[-1]) == (BEGAN, NOW)


def test_a_lead_of_this_moment_has_one() -> None:
    assert moments(facts(), NOW, NOW) == [NOW]


def test_one_that_is_not_there_yet_has_none() -> None:
    assert along(SCORER, Facts({"created_at": format_instant(NOW + DAY)}, {}), None, [], NOW) == []


def test_an_account_counts_from_when_the_lead_belonged_to_it() -> None:
    known = Facts({"created_at": format_instant(BEGAN), "account_id": "A"}, {"account_id": "A", "industry": "it"})
    joined = {"object": "lead", "id": "L", "field": "account_id", "changed_at": NOW - 10 * DAY, "value": "A"}
    found = along(SCORER, known, None, [joined], NOW)
    chances = {moment.as_of >= NOW - 10 * DAY: moment.probability for moment in found}
    assert chances[True] != chances[False]
    always = along(SCORER, known, None, [], NOW)
    assert {moment.probability for moment in always} == {chances[True]}
