"""The ways of leads through the funnel, out of the store and out of a dataset, beside the rules of stages done by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import DAY, STAGES, TICK
from data.funnel import Funnel
from data.ingesting import load
from data.journeys import DealRows, Rows, StageRows
from data.sample.parameters import END
from data.store import Store, open_store
from features.journeys import AHEAD, NEVER, Journeys, journeys_of, journeys_of_dataset, journeys_of_store
from worlds import sampled

NOW = 1_000 * DAY
FUNNEL = Funnel()
NAMES = (*FUNNEL.stages, *FUNNEL.exits)

Entry = tuple[str, int, str]
"""Whose, when, and which stage or exit."""


def rows(leads: dict[str, int], entries: Sequence[Entry] = (), deals: Sequence[dict[str, Any]] = (), **attributes: list[str | None]) -> Rows:
    columns = [[deal.get(field.name) for deal in deals] for field in fields(DealRows)]
    stages = StageRows([e[0] for e in entries], [e[1] for e in entries], [e[2] for e in entries], [f"why {e[1]}" for e in entries])
    return Rows(list(leads), list(leads.values()), attributes, stages, DealRows(*columns))


def spells(journeys: Journeys) -> list[tuple[str, str, int, int]]:
    columns = (journeys.lead.tolist(), journeys.stage.tolist(), journeys.entered.tolist(), journeys.left.tolist())
    return [(journeys.lead_ids[lead], journeys.names[code], entered, left) for lead, code, entered, left in zip(*columns, strict=True)]


def spells_by_hand(leads: dict[str, int], entries: Sequence[Entry], now: int) -> Iterator[tuple[str, str, int, int]]:
    for lead, created in sorted(leads.items()):
        if created > now + AHEAD:
            continue
        mine = [(max(min(at, now), min(created, now)), NAMES.index(stage)) for who, at, stage in entries if who == lead and at <= now + AHEAD]
        stood: list[tuple[int, int]] = []
        for at, code in sorted([(min(created, now), 0), *mine]):
            if not stood or stood[-1][1] != code:
                stood.append((at, code))
        ends = [*(at for at, _ in stood[1:]), NEVER]
        yield from ((lead, NAMES[code], at, end) for (at, code), end in zip(stood, ends, strict=True))


WHEN = st.one_of(st.integers(0, 9).map(lambda day: day * DAY), st.sampled_from([NOW, NOW + AHEAD, NOW + AHEAD + TICK]))
LEADS = st.dictionaries(st.sampled_from("abc"), WHEN, min_size=1)
ENTRIES = st.lists(st.tuples(st.sampled_from("abcx"), WHEN, st.sampled_from(NAMES)), max_size=12)


@settings(deadline=None)
@given(LEADS, ENTRIES)
def test_spells_are_those_of_the_rules_by_hand(leads: dict[str, int], entries: list[Entry]) -> None:
    made = journeys_of(rows(leads, entries), FUNNEL, NOW)
    assert spells(made) == list(spells_by_hand(leads, entries, NOW))
    assert made.as_of == max((entered for *_, entered, _ in spells(made)), default=NOW)


def test_a_row_within_five_minutes_ahead_counts_as_now_and_a_later_one_does_not() -> None:
    entries = [("a", NOW + AHEAD, "prospect"), ("b", NOW + AHEAD + TICK, "prospect")]
    assert spells(journeys_of(rows({"a": 0, "b": 0, "c": NOW + AHEAD + TICK}, entries), FUNNEL, NOW)) == [
        ("a", "lead", 0, NOW), ("a", "prospect", NOW, NEVER), ("b", "lead", 0, NEVER),
    ]  # fmt: skip


def test_reasons_are_those_of_the_exits_that_they_came_with() -> None:
    entries = [("a", DAY, "prospect"), ("a", 2 * DAY, "lost"), ("a", 3 * DAY, "lost"), ("a", 4 * DAY, "lead"), ("a", 5 * DAY, "disqualified")]
    made = journeys_of(rows({"a": 0}, entries), FUNNEL, NOW)
    assert made.reasons.tolist() == [None, None, f"why {2 * DAY}", None, f"why {5 * DAY}"]


def test_the_crms_own_names_are_stages() -> None:
    funnel = Funnel.from_document({"stages": {"prospect": ["Marketing Ready"]}})
    entries = [("a", DAY, "marketing-ready"), ("a", 2 * DAY, "Nobody knows this"), ("a", 3 * DAY, "Closed Won")]
    assert [stage for _, stage, *_ in spells(journeys_of(rows({"a": 0}, entries), funnel, NOW))] == ["lead", "prospect", "customer"]


def test_a_deal_with_several_leads_is_one_deal_and_a_planned_closing_is_none() -> None:
    deals: list[dict[str, Any]] = [
        {"deal_id": "D", "lead_id": "b", "opened_at": DAY, "closed_at": 5 * DAY, "outcome": "Closed Lost", "amount": 7.0, "reason": "price"},
        {"deal_id": "D", "lead_id": "a", "opened_at": DAY, "closed_at": 5 * DAY, "outcome": "Closed Lost", "amount": 7.0, "reason": "price"},
        {"deal_id": "E", "lead_id": "a", "opened_at": 2 * DAY, "closed_at": NOW + DAY, "amount": None, "competitor": "unknown"},
        {"deal_id": "F", "lead_id": "a", "opened_at": 3 * DAY, "outcome": "won"},
        {"deal_id": "G", "lead_id": "a", "opened_at": NOW + AHEAD + TICK},
        {"deal_id": "H", "lead_id": "nobody", "opened_at": DAY},
    ]
    made = journeys_of(rows({"a": 0, "b": 0}, deals=deals), FUNNEL, NOW).deals
    assert made.lead.tolist() == [0, 0, 0]
    assert made.outcome.tolist() == ["lost", None, "won"]
    assert made.closed.tolist() == [5 * DAY, NEVER, NEVER]
    assert (made.reason.tolist(), made.competitor.tolist()) == (["price", None, None], [None, None, None])
    assert np.isnan(made.amount).tolist() == [False, True, True]


def test_nothing_that_names_somebody_and_nothing_that_is_left_out_is_an_attribute() -> None:
    told: list[str | None] = ["x", None]
    every = dict.fromkeys(("source", "email", "E-Mail", "first_name", "account_name", "account_phone", "account_size", "note", "account_note"), told)
    funnel = Funnel(exclude=("lead.note", "account.size"))
    assert set(journeys_of(rows({"a": 0, "b": 0}, **every), funnel, NOW).attributes) == {"source", "account_note"}


def test_what_was_not_chosen_is_not_known() -> None:
    made = journeys_of(rows({"a": 0, "b": 0, "c": 0}, source=["web", "Select", None]), FUNNEL, NOW)
    assert made.attributes["source"].tolist() == ["web", None, None]


def test_nobody_is_no_journey() -> None:
    made = journeys_of(rows({}), FUNNEL, NOW)
    assert (made.leads, made.lead.size, made.deals.lead.size, made.as_of) == (0, 0, 0, NOW)


def test_the_store_tells_the_same_as_the_dataset_it_was_loaded_with(tmp_path: Path, store_url: str) -> None:
    whole = sampled(tmp_path / "dataset", 300, 3)
    dataset = replace(whole, events=whole.events.slice(0, 0))
    with open_store(store_url) as store:
        load(store, dataset, FUNNEL, END, lambda _: None)
        one, other = journeys_of_store(store, FUNNEL, END), journeys_of_dataset(dataset, FUNNEL)
    _same(one, other)
    assert one.leads == 300
    assert one.deals.lead.size
    assert one.stages == STAGES


def test_a_store_without_anything_is_no_journey(store_url: str) -> None:
    with open_store(store_url) as store:
        assert _of(store).leads == 0


def _of(store: Store) -> Journeys:
    return journeys_of_store(store, FUNNEL, NOW)


def _same(one: Any, other: Any) -> None:
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "deals":
            _same(mine, theirs)
        elif field.name == "attributes":
            assert mine.keys() == theirs.keys()
            assert all(mine[name].tolist() == theirs[name].tolist() for name in mine)
        elif isinstance(mine, np.ndarray) and mine.dtype == object:
            assert mine.tolist() == theirs.tolist(), field.name
        else:
            np.testing.assert_array_equal(mine, theirs, field.name)


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_rows_changes_nothing(order: int) -> None:
    leads, entries = {"b": 0, "a": DAY}, [("b", 3 * DAY, "prospect"), ("a", 2 * DAY, "prospect"), ("b", 4 * DAY, "lost")]
    made = journeys_of(rows(dict(list(leads.items())[::order]), entries[::order], source=["x", "y"][::order]), FUNNEL, NOW)
    assert made.lead_ids == ["a", "b"]
    assert made.attributes["source"].tolist() == ["y", "x"]
    assert [stage for _, stage, *_ in spells(made)] == ["lead", "prospect", "lead", "prospect", "lost"]
