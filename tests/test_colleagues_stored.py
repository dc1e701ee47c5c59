"""Colleagues in the store: whose events count for whom, now and at an earlier instant, who is rescored for them, and that nothing is left behind."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from numpy.testing import assert_array_equal

from accounts import MINDING, NOW, SCHEMA, T, at_account, known, settle, waiting
from bundles import promote
from data import ledger
from data.colleagues import MOST_AT_ACCOUNT, colleagues, together
from data.contract import DAY, HOUR, MOST_COLLEAGUES, TICK
from data.facts import facts_of
from data.funnel import Funnel
from data.ingest import add_events, put_leads
from data.leads import erase, merge
from data.pending import CHANGED, SWEPT
from data.policy import Policy
from data.store import Store, open_store
from data.stored import read_store
from features.rows import compute
from features.tables import cohort_of
from registry.models import Rows
from serving.colleagues import around, request_of
from serving.contract import ScoreRequest
from serving.errors import ServiceError
from serving.explained import Explainer
from serving.replay import scorer_of


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


def test_any_past_of_the_accounts_is_found_again(store_url: str) -> None:
    """After every call what is known of others is kept by hand; later, asked for that instant, it is the same."""
    with open_store(store_url) as store:
        calls: list[list[dict[str, Any]]] = [
            [{"lead_id": "L-1", "occurred_at": T + DAY, "type": "email_open"}],
            [{"lead_id": "L-2", "occurred_at": T + 2 * DAY, "type": "call"}, {"lead_id": "L-3", "occurred_at": T, "type": "call"}],
            [{"lead_id": "L-2", "occurred_at": T + 2 * DAY, "recorded_at": T + 4 * DAY, "type": "email_open", "channel": "web"}],
        ]
        put_leads(store, [{"lead_id": f"L-{n}", "created_at": T, "account_id": "A"} for n in range(1, 4)], T)
        seen: dict[int, Rows] = {}
        for at, call in enumerate(calls, T + 10 * DAY):
            add_events(store, call, at)
            seen[at] = known(store, "L-1", "L-2", "L-4")
            if call is calls[1]:
                put_leads(
                    store, [{"lead_id": "L-3", "account_id": "B", "changed_at": T - DAY}, {"lead_id": "L-4", "created_at": T, "account_id": "B"}], at
                )
                seen[at] = known(store, "L-1", "L-2", "L-4")
        for at, rows in seen.items():
            assert_array_equal(known(store, "L-1", "L-2", "L-4", until=at), rows)
        assert len({rows.tobytes() for rows in seen.values()}) == len(calls)


def test_a_lead_that_is_not_held_or_stands_alone_has_nobody(store: Store) -> None:
    put_leads(store, [{"lead_id": "alone", "created_at": T, "account_id": "own"}, {"lead_id": "nowhere", "created_at": T}], T)
    add_events(store, [{"lead_id": "alone", "occurred_at": T, "type": "call"}], NOW)
    assert together(store, ["alone", "nowhere", "unknown"]).ids == ()
    for row in known(store, "alone", "nowhere", "unknown"):
        assert row.tolist()[:-2] == [0.0] * 6
        assert np.isnan(row[-2:]).all()


def test_many_leads_take_as_many_queries_as_one(store_url: str) -> None:
    asked: list[str] = []
    with open_store(store_url) as store:
        put_leads(store, [{"lead_id": f"L-{n}", "created_at": T, "account_id": f"A-{n // 3}"} for n in range(300)], NOW)
        add_events(store, [{"lead_id": f"L-{n % 300}", "occurred_at": T + n, "type": "call"} for n in range(1_500)], NOW)
        sa.event.listen(store.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
        for size in (1, 300):
            asked.clear()
            assert len(together(store, [f"L-{n}" for n in range(size)]).ids) == max(3, size)
            assert len([text for text in asked if text.startswith(("SELECT", "WITH"))]) <= 6


def test_who_ever_stood_at_an_account_is_found_by_its_index() -> None:
    with open_store("sqlite://") as store, store.engine.connect() as connection:
        asked: list[Any] = []
        sa.event.listen(store.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2:4]))
        with store.writing.begin() as writing:
            writing.exec_driver_sql("INSERT INTO leads VALUES ('a', 0, NULL, 'A', NULL, '{}', 0, 0), ('b', 0, NULL, 'A', NULL, '{}', 0, 0)")
        together(store, ["a"])
        plans = [
            " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values))
            for text, values in list(asked)
            if "changes.value IN" in text
        ]
        assert any("changes_account" in plan for plan in plans), plans


@pytest.mark.parametrize("extra", [0, 1])
def test_a_collective_account_has_no_colleagues_anywhere(extra: int) -> None:
    """At both ends of what an account may hold; of those who ever stood there some have left, and some came back."""
    many = MOST_COLLEAGUES + extra
    with open_store("sqlite://") as store:
        put_leads(store, [{"lead_id": f"L-{n:04}", "created_at": T, "account_id": "unknown"} for n in range(many)], NOW)
        put_leads(store, [{"lead_id": f"L-{n:04}", "account_id": "left", "changed_at": T + DAY} for n in range(1, many, 2)], NOW)
        for days, account in ((3, "unknown"), (4, "left"), (5, "unknown")):
            put_leads(store, [{"lead_id": f"L-{n:04}", "account_id": account, "changed_at": T + days * DAY} for n in range(5, many, 2)], NOW)
        add_events(store, [{"lead_id": id, "occurred_at": at, "type": "call"} for id, at in (("L-0002", T), ("L-0003", T + 2 * DAY))], NOW)
        rows = known(store, "L-0000", "L-0001", "L-0002")
        ever = [column.name for column in SCHEMA.columns][SCHEMA.swept :].index("colleagues_all_count_ever")
        assert rows[:, ever].tolist() == ([0, 1, 0] if extra else [1, 1, 0])
        cohort = cohort_of(read_store(store, funnel=Funnel(), now=NOW)[0], SCHEMA)
        assert_array_equal(compute(SCHEMA, cohort, np.arange(3), np.full(3, NOW, np.int64))[:, SCHEMA.swept :], rows)


def test_news_of_one_lead_is_news_of_its_colleagues_that_waits_for_it(store: Store) -> None:
    small, _ = at_account(store, "small", 3), at_account(store, "other", 2)
    event = {"lead_id": "small-1", "occurred_at": T, "type": "call", "event_id": "e"}
    add_events(store, [event], NOW, with_colleagues=True)
    assert waiting(store) == dict.fromkeys(small, SWEPT) | {"small-1": CHANGED}
    settle(store)
    add_events(store, [event], NOW, with_colleagues=True)
    assert waiting(store) == {}, "nothing new"
    add_events(store, [event | {"event_id": "f"}], NOW)
    assert waiting(store) == {"small-1": CHANGED}, "no model asks for it"


def test_a_backfill_marks_nobody_else(store: Store) -> None:
    at_account(store, "small", 3)
    add_events(store, [{"lead_id": "small-1", "occurred_at": T, "type": "call"}], NOW, quiet=True, with_colleagues=True)
    assert waiting(store) == {"small-1": SWEPT}


@pytest.mark.parametrize("extra", [0, 1])
def test_a_large_account_waits_for_the_night(store: Store, extra: int) -> None:
    ids = at_account(store, "large", MOST_AT_ACCOUNT + extra)
    add_events(store, [{"lead_id": "large-0", "occurred_at": T, "type": "call"}], NOW, with_colleagues=True)
    assert set(waiting(store)) == ({"large-0"} if extra else set(ids))


def test_one_call_marks_no_more_than_it_may(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.colleagues.MOST_AT_ONCE", 4)
    ids = [*at_account(store, "one", 5), *at_account(store, "two", 5)]
    with store.engine.connect() as connection:
        assert len(colleagues(connection, ids)) == 4
        assert colleagues(connection, []) == []


def test_what_was_marked_as_its_own_news_stays_so(store: Store) -> None:
    at_account(store, "small", 2)
    add_events(store, [{"lead_id": "small-0", "occurred_at": T, "type": "call"}], NOW, with_colleagues=True)
    add_events(store, [{"lead_id": "small-1", "occurred_at": T, "type": "call"}], NOW, with_colleagues=True)
    assert waiting(store) == {"small-0": CHANGED, "small-1": CHANGED}


def test_of_an_erased_lead_its_colleagues_know_nothing(store: Store) -> None:
    at_account(store, "small", 3)
    calls = [{"lead_id": f"small-{n}", "occurred_at": T + n, "type": "email_open"} for n in (0, 1)]
    add_events(store, calls[:1], NOW)
    without = known(store, "small-0", "small-2")
    add_events(store, calls[1:], NOW)
    settle(store)
    assert not np.array_equal(known(store, "small-0", "small-2"), without, equal_nan=True)
    erase(store, "small-1", NOW)
    assert_array_equal(known(store, "small-0", "small-2"), without)
    assert waiting(store) == {"small-0": SWEPT, "small-2": SWEPT}, "their scores counted what it did"


def test_what_a_merged_lead_did_is_one_s_own(store: Store) -> None:
    at_account(store, "small", 3)
    at_account(store, "other", 2)
    put_leads(store, [{"lead_id": "other-0", "account_id": "small", "changed_at": T + 5 * DAY}], NOW)
    calls = [("small-0", T + DAY), ("small-1", T + 2 * DAY), ("other-0", T + 3 * DAY), ("other-0", T + 6 * DAY)]
    add_events(store, [{"lead_id": id, "occurred_at": at, "type": "email_open"} for id, at in calls], NOW)
    settle(store)
    ever = [column.name for column in SCHEMA.columns][SCHEMA.swept :].index("colleagues_all_count_ever")
    assert known(store, "small-0", "small-1", "small-2", "other-1")[:, ever].tolist() == [2, 2, 3, 1]
    merge(store, "small-0", "small-1", NOW)
    assert known(store, "small-0", "small-2", "small-1", "other-1")[:, ever].tolist() == [1, 3, 0, 1]
    assert waiting(store) == {"small-0": CHANGED, "small-2": SWEPT, "other-0": SWEPT}
    read, _ = read_store(store, funnel=Funnel(), now=NOW)
    cohort = cohort_of(read, SCHEMA)
    rows = compute(SCHEMA, cohort, np.arange(4), np.full(4, NOW, np.int64))[:, SCHEMA.swept :]
    assert_array_equal(known(store, *cohort.lead_ids), rows)


def test_the_history_tells_news_of_colleagues_from_time(store: Store) -> None:
    """Without anything new of its own the lead's score rose because others at its account were active; later it falls again, which is time."""
    promote(store, "1", MINDING)
    at_account(store, "small", 2)
    for at in (NOW, NOW + TICK, NOW + 40 * DAY):
        (one,) = scorer_of(store, "1", Policy()).score_many([stored_request(store, "small-0")], at, source="store")
        assert not isinstance(one, ServiceError)
        ledger.insert(store, [one[1]])
        if at == NOW:
            add_events(store, [{"lead_id": "small-1", "occurred_at": NOW - HOUR, "type": "email_open"}], NOW + TICK)
    explainer = Explainer(store, "small-0", lambda version: scorer_of(store, version, Policy()), NOW + 50 * DAY)
    aged, informed, _ = explainer.history(ledger.of_lead(store, "small-0", 10))
    assert informed["change"]["rebuilt"]
    assert aged["change"]["rebuilt"]
    assert informed["change"]["probability"]["lead"] > 0.05
    assert abs(informed["change"]["probability"]["time"]) < 1e-9
    assert aged["change"]["probability"]["time"] < -0.05
    assert [one["feature"] for one in informed["change"]["moved"]] == ["colleagues_inbound_count_30d"]


def stored_request(store: Store, id: str) -> ScoreRequest:
    return request_of(facts_of(store, [id])[id], around(store, [id], SCHEMA))
