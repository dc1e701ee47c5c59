"""Event types that are the echo of a stage are left out; those that the next transition is learned from stay."""

from dataclasses import replace

import numpy as np
import pytest

from data.contract import DAY, TICK
from data.dataset import Dataset
from data.funnel import EventType, Funnel
from data.tables import empty_table
from features.discovery import discover
from features.tables import cohort_of
from training.labels import path
from training.leak_events import MIN_LEADS, event_leaks, without_events
from training.leaks import Leak
from worlds import with_rows

BEGIN = 1_700_000_000_000_000
LEADS, CONVERTED, WON = 200, 80, 40
ENTERED = BEGIN + 10 * DAY
WON_AT = BEGIN + 40 * DAY


def world(events: list[tuple[int, int, str]]) -> Dataset:
    """200 leads; 80 are prospects on day 10, 40 of them customers on day 40, by way of an opportunity on day 20. (lead, at, type) as given, and
    page views of everybody."""
    tables = {name: empty_table(name) for name in ("leads", "accounts", "events", "stages", "deals", "changes", "aliases")}
    tables["leads"] = with_rows(tables["leads"], [{"lead_id": f"L-{i:04}", "created_at": BEGIN} for i in range(LEADS)])
    stages = [(range(CONVERTED), ENTERED, "prospect"), (range(CONVERTED - 20), BEGIN + 20 * DAY, "opportunity"), (range(WON), WON_AT, "customer")]
    rows = [{"lead_id": f"L-{i:04}", "entered_at": at, "stage": stage} for leads, at, stage in stages for i in leads]
    rows += [{"lead_id": f"L-{i:04}", "entered_at": BEGIN + 90 * DAY, "stage": "lost"} for i in range(WON)]
    tables["stages"] = with_rows(tables["stages"], rows)
    told = [*events, *((i, BEGIN + (i % 60) * DAY, "page_view") for i in range(LEADS))]
    tables["events"] = with_rows(tables["events"], [{"lead_id": f"L-{i:04}", "occurred_at": at, "type": kind} for i, at, kind in told])
    return Dataset(**tables, digest="made by hand")


def found(dataset: Dataset, funnel: Funnel | None = None) -> tuple[Leak, ...]:
    funnel = funnel or Funnel()
    schema, _ = discover(dataset, funnel)
    timeline = cohort_of(dataset, schema).timeline
    return event_leaks(schema, timeline, path(timeline), funnel)


def columns(events: list[tuple[int, int, str]]) -> list[str]:
    return [leak.column for leak in found(world(events))]


def test_ordinary_engagement_is_no_echo() -> None:
    assert columns([]) == []


@pytest.mark.parametrize(("after", "leaks"), [(0, True), (DAY, True), (DAY + TICK, False), (-TICK, False)])
def test_what_comes_with_a_stage_is_its_echo(after: int, leaks: bool) -> None:
    """At the very instant and up to a day later; what comes before it may announce it, what comes later tells how it goes on."""
    assert columns([(i, ENTERED + after, "mql_created") for i in range(CONVERTED)]) == (["event.mql_created"] if leaks else [])


def test_what_follows_the_last_stage_is_of_no_use_however_late() -> None:
    (leak,) = found(world([(i, WON_AT + (1 + i) * DAY, "invoice") for i in range(WON)]))
    assert leak.column == "event.invoice"
    assert "entry into customer" in leak.why
    assert (leak.kind, leak.kept) == ("proven", False)


def test_what_follows_an_earlier_stage_for_weeks_is_kept() -> None:
    assert columns([(i, ENTERED + (1 + i % 20) * DAY, "proposal") for i in range(CONVERTED)]) == []


@pytest.mark.parametrize(("early", "leaks"), [(4, True), (5, False)])
def test_a_twentieth_may_come_early(early: int, leaks: bool) -> None:
    events = [(i, ENTERED - (DAY if i < early else 0), "mql_created") for i in range(CONVERTED)]
    assert columns(events) == (["event.mql_created"] if leaks else [])


def test_one_that_others_have_as_well_is_honest() -> None:
    assert columns([(i, ENTERED, "mql_created") for i in range(CONVERTED + 2)]) == []


@pytest.mark.parametrize(("leads", "leaks"), [(MIN_LEADS, True), (MIN_LEADS - 1, False)])
def test_few_leads_prove_nothing(leads: int, leaks: bool) -> None:
    assert bool(columns([(i, ENTERED, "mql_created") for i in range(leads)])) == leaks


@pytest.mark.parametrize("name", ["invoice", "event.invoice"])
def test_the_team_may_keep_it(name: str) -> None:
    (leak,) = found(world([(i, WON_AT, "invoice") for i in range(WON)]), Funnel(keep=(name,)))
    assert leak.kept


def test_an_echo_is_left_out_under_every_name_it_is_exported_by() -> None:
    events = [(i, WON_AT, ("invoice", "Rechnung")[i % 2]) for i in range(WON)]
    funnel = Funnel(event_types={"Rechnung": EventType.model_validate({"as": "invoice"})})
    dataset = world(events)
    schema, _ = discover(dataset, funnel)
    (leak,) = found(dataset, funnel)
    after, _ = discover(dataset, without_events(funnel, schema, {leak.column}))
    assert [t.name for t in after.types] == ["page_view"]
    assert {after.type_code("invoice"), after.type_code("Rechnung")} == {-1}


def test_the_order_of_rows_changes_nothing() -> None:
    dataset = world([(i, WON_AT, "invoice") for i in range(WON)])
    shuffled = dataset.events.take(np.random.default_rng(0).permutation(dataset.events.num_rows))
    assert found(dataset) == found(replace(dataset, events=shuffled))
