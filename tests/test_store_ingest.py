"""Ingestion: created once, changed with a history, never twice, item by item; in both databases."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from data.contract import DAY, end_of_day
from data.funnel import Funnel
from data.ingest import Outcome, add_events, add_stages, put_accounts, put_deals, put_leads
from data.leads import held_on, resolve
from data.schema import METADATA, PENDING
from data.store import Store, open_store

T = 1_700_000_000_000_000
"""When most of this happened; `NOW` is a day later."""
NOW = T + 86_400_000_000
FIVE_MINUTES = 300_000_000


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.error or outcome.status for outcome in outcomes]


def history(store: Store, id: str) -> list[tuple[str, int, str | None]]:
    return [(row["field"], row["changed_at"], row["value"]) for row in held_on(store, id)["changes"]]


def pending(store: Store) -> dict[str, tuple[int, bool]]:
    with store.engine.connect() as connection:
        return {row.lead_id: (row.priority, bool(row.quiet)) for row in connection.execute(sa.select(PENDING))}


def forget_pending(store: Store) -> None:
    store.write(lambda connection: connection.execute(sa.delete(PENDING)))


def lead(id: str = "A", **more: Any) -> dict[str, Any]:
    return {"lead_id": id, "created_at": T, **more}


def test_a_lead_is_created_once(store: Store) -> None:
    assert put_leads(store, [lead(email="a@b.se", employees=5.0, trial=True)], NOW) == [Outcome("created", "A")]
    assert put_leads(store, [lead(email=" a@b.se ", employees="5", trial="TRUE"), {"lead_id": "A"}], NOW + 1) == [Outcome("unchanged", "A")] * 2
    held = held_on(store, "A")
    assert {name: held["lead"][name] for name in ("created_at", "email", "employees", "trial")} == {
        "created_at": T, "email": "a@b.se", "employees": "5", "trial": "true",
    }  # fmt: skip
    assert held["changes"] == []


def test_a_lead_without_a_time_counts_from_now_and_says_so(store: Store) -> None:
    (outcome,) = put_leads(store, [{"lead_id": "A"}], NOW)
    assert outcome.status == "created"
    assert "2023-11-15T22:13:20Z is taken" in str(outcome.detail)
    assert held_on(store, "A")["lead"]["created_at"] == NOW


def test_a_changed_value_keeps_the_one_before_from_the_beginning(store: Store) -> None:
    put_leads(store, [lead(country="SE", owner="eva", account_id="X")], T + 5)
    (outcome,) = put_leads(store, [lead(country="NO", owner="ann", account_id="Y", title="CFO")], NOW)
    assert outcome.status == "updated"
    assert history(store, "A") == [
        ("account_id", T, "X"), ("country", T, "SE"), ("owner", T, "eva"),
        ("account_id", NOW, "Y"), ("country", NOW, "NO"), ("owner", NOW, "ann"), ("title", NOW, "CFO"),
    ]  # fmt: skip
    now = held_on(store, "A")["lead"]
    assert (now["country"], now["owner"], now["account_id"], now["title"]) == ("NO", "ann", "Y", "CFO")


def test_the_first_value_counts_from_the_creation_whether_or_not_it_changes_later(store: Store) -> None:
    """Unknown until `recorded_at` for those alone that change one day, it would tell training which."""
    put_leads(store, [lead(recorded_at=T + 7, country="SE")], NOW)
    put_leads(store, [lead(country="NO")], NOW + 1)
    assert history(store, "A") == [("country", T, "SE"), ("country", NOW + 1, "NO")]


def test_null_clears_and_absent_stays(store: Store) -> None:
    put_leads(store, [lead(country="SE", title="CFO")], T)
    assert statuses(put_leads(store, [lead(country=None), lead(country="N/A"), lead(phone=None)], NOW)) == ["updated", "unchanged", "unchanged"]
    assert history(store, "A") == [("country", T, "SE"), ("country", NOW, None)]
    now = held_on(store, "A")["lead"]
    assert "country" not in now
    assert now["title"] == "CFO"


def test_an_old_change_is_history_and_nothing_else(store: Store) -> None:
    put_leads(store, [lead(size="1")], T)
    put_leads(store, [lead(size="3", changed_at=T + 30)], NOW)
    assert statuses(put_leads(store, [lead(size="2", changed_at=T + 20)], NOW + 1)) == ["updated"]
    assert statuses(put_leads(store, [lead(size="2", changed_at=T + 20), lead(size="2", changed_at=T + 25)], NOW + 2)) == ["unchanged"] * 2
    assert history(store, "A") == [("size", T, "1"), ("size", T + 20, "2"), ("size", T + 30, "3")]
    assert held_on(store, "A")["lead"]["size"] == "3"
    put_leads(store, [lead(size="0", changed_at=T - 10)], NOW + 3)
    assert history(store, "A")[0] == ("size", T - 10, "0")
    assert held_on(store, "A")["lead"]["size"] == "3"


def test_created_at_only_moves_back(store: Store) -> None:
    put_leads(store, [lead()], NOW)
    later, earlier = put_leads(store, [lead() | {"created_at": T + 1}, lead() | {"created_at": T - 1}], NOW)
    assert (later.status, earlier.status) == ("unchanged", "updated")
    assert "a later one is ignored" in str(later.detail)
    assert held_on(store, "A")["lead"]["created_at"] == T - 1


def test_accounts_change_like_leads_and_their_leads_are_scored_again(store: Store) -> None:
    put_leads(store, [lead("A", account_id="X"), lead("B", account_id="X"), lead("C", account_id="Y")], NOW)
    forget_pending(store)
    assert statuses(put_accounts(store, [{"account_id": "X", "industry": "mining"}, {"account_id": "Z"}], NOW, quiet=True)) == ["created"] * 2
    assert pending(store) == {"A": (1, True), "B": (1, True)}
    assert statuses(put_accounts(store, [{"account_id": "X", "industry": "Mining"}], NOW + 5)) == ["updated"]
    assert pending(store) == {"A": (0, False), "B": (0, False)}
    assert held_on(store, "A")["account"]["industry"] == "Mining"
    # What stood before stood for every lead of the account, the oldest too.
    assert history(store, "A") == [("industry", T, "mining"), ("industry", NOW + 5, "Mining")]


def test_an_event_counts_once(store: Store) -> None:
    put_leads(store, [lead()], NOW)
    named = {"lead_id": "A", "occurred_at": T, "type": "call", "value": 2, "event_id": "e1", "campaign": "spring"}
    bare = {"lead_id": "A", "occurred_at": T, "type": "call"}
    assert statuses(add_events(store, [named, named, bare, bare], NOW)) == ["created", "unchanged", "created", "created"]
    assert statuses(add_events(store, [bare, named, bare, bare], NOW)) == ["unchanged", "unchanged", "unchanged", "created"]
    (other,) = add_events(store, [named | {"value": 3}], NOW)
    assert (other.status, other.id) == ("unchanged", "e1")
    assert "the first one stands" in str(other.detail)
    events = held_on(store, "A")["events"]
    assert [(row["event_id"], row["value"], row.get("campaign")) for row in events].count(("e1", 2.0, "spring")) == 1
    assert len(events) == 4


def test_what_has_no_lead_is_refused_alone(store: Store) -> None:
    put_leads(store, [lead()], NOW)
    row = {"occurred_at": T, "type": "call"}
    found = add_events(store, [{"lead_id": "?", **row}, {"lead_id": "A", **row}, {"lead_id": " - ", **row}, {"lead_id": "A", "occurred_at": T}], NOW)
    assert statuses(found) == ["UnknownLead", "created", "MissingId", "MissingValue"]
    assert statuses(put_deals(store, [{"lead_id": "?", "deal_id": "D", "opened_at": T}], NOW)) == ["UnknownLead"]
    assert statuses(add_stages(store, [{"lead_id": "?", "entered_at": T, "stage": "lead"}], NOW, funnel=Funnel())) == ["UnknownLead"]


def test_stages_by_any_name_the_funnel_knows(store: Store) -> None:
    put_leads(store, [lead()], NOW)
    funnel = Funnel.from_document({"stages": {"prospect": ["SQL accepted"]}})
    items = [{"lead_id": "A", "entered_at": T + n, "stage": name} for n, name in enumerate(("SQL accepted", "opportunity", "zork"))]
    assert statuses(add_stages(store, items, NOW, funnel=funnel)) == ["created", "created", "UnknownStage"]
    assert statuses(add_stages(store, items, NOW, funnel=funnel)) == ["unchanged", "unchanged", "UnknownStage"]
    assert [row["stage"] for row in held_on(store, "A")["stages"]] == ["SQL accepted", "opportunity"]


def test_a_deal_is_as_it_was_last_told(store: Store) -> None:
    put_leads(store, [lead()], NOW)
    deal = {"lead_id": "A", "deal_id": "D", "opened_at": T}
    told = [deal, deal | {"amount": 500, "region": "north"}, {"lead_id": "A", "deal_id": "D", "outcome": "won", "closed_at": NOW + 10**12}, deal]
    assert statuses(put_deals(store, told, NOW)) == ["created", "updated", "updated", "unchanged"]
    (held,) = held_on(store, "A")["deals"]
    assert (held["opened_at"], held["closed_at"], held["outcome"], held["amount"], held["region"]) == (T, NOW + 10**12, "won", 500.0, "north")
    assert statuses(put_deals(store, [deal | {"amount": None}, {"lead_id": "A", "deal_id": "E"}], NOW)) == ["updated", "MissingValue"]
    assert held_on(store, "A")["deals"][0]["amount"] is None


@pytest.mark.parametrize("ahead", [-1, 0, 1, FIVE_MINUTES, FIVE_MINUTES + 1])
def test_five_minutes_ahead_count_as_now_and_no_more(store: Store, ahead: int) -> None:
    put_leads(store, [lead()], NOW)
    event = {"lead_id": "A", "occurred_at": NOW + ahead, "type": "call"}
    (outcome,) = add_events(store, [event], NOW)
    assert (outcome.error == "FutureTime") == (ahead > FIVE_MINUTES)
    assert [row["occurred_at"] for row in held_on(store, "A")["events"]] == ([] if ahead > FIVE_MINUTES else [min(NOW, NOW + ahead)])
    (outcome,) = put_leads(store, [lead("B") | {"created_at": NOW + ahead}], NOW)
    assert (outcome.error == "FutureTime") == (ahead > FIVE_MINUTES)


@pytest.mark.parametrize("day, refused", [(0, False), (1, True)])
def test_a_date_alone_of_today_counts_as_now(store: Store, day: int, refused: bool) -> None:
    (outcome,) = put_leads(store, [lead("B") | {"created_at": end_of_day(NOW) + day * DAY}], NOW)
    assert (outcome.error == "FutureTime") == refused
    assert refused or held_on(store, "B")["lead"]["created_at"] == NOW


def test_an_event_ahead_of_the_clock_that_is_sent_again_is_the_same(store: Store) -> None:
    put_leads(store, [lead()], NOW)
    event = {"lead_id": "A", "occurred_at": NOW + 1_000, "type": "call"}
    assert statuses(add_events(store, [event], NOW) + add_events(store, [event], NOW + 500)) == ["created", "unchanged"]


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b", "\udfff"])
def test_text_that_no_database_holds_is_refused_and_nothing_breaks(store: Store, bad: str) -> None:
    items = [lead(bad), lead("A", title=bad), lead("A", **{bad: 1}), lead("A", aliases=[{"object": "contact", "external_id": bad}]), lead("B")]
    assert statuses(put_leads(store, items, NOW)) == ["BadText"] * 4 + ["created"]
    row = {"lead_id": "B", "occurred_at": T, "type": "call"}
    assert statuses(add_events(store, [row | {"detail": bad}, row | {"event_id": bad}, row | {"lead_id": bad}, row], NOW)) == ["BadText"] * 3 + [
        "created"
    ]
    assert resolve(store, [bad, "B"]) == {"B": "B"}


def test_everything_accepts_an_alias(store: Store) -> None:
    aliases = [{"object": "contact", "external_id": "C1"}, {"object": "person", "external_id": "P1"}]
    put_leads(store, [lead(aliases=aliases)], NOW)
    assert put_leads(store, [{"lead_id": "C1", "title": "CFO"}], NOW)[0].id == "A"
    assert statuses(add_events(store, [{"lead_id": "P1", "occurred_at": T, "type": "call"}], NOW)) == ["created"]
    assert statuses(add_events(store, [{"lead_id": "A", "occurred_at": T, "type": "call"}], NOW)) == ["unchanged"]
    assert add_stages(store, [{"lead_id": "C1", "entered_at": T, "stage": "prospect"}], NOW, funnel=Funnel())[0].id == "A"
    put_deals(store, [{"lead_id": "C1", "deal_id": "D", "opened_at": T}], NOW)
    held = held_on(store, "C1")
    assert [len(held[name]) for name in ("aliases", "events", "stages", "deals")] == [2, 1, 1, 1]
    assert resolve(store, ["A", "C1", "P1", "?"]) == {"A": "A", "C1": "A", "P1": "A"}


def test_an_alias_stays_with_its_first_lead(store: Store) -> None:
    alias = {"object": "contact", "external_id": "C1"}
    first, second = put_leads(store, [lead("A", aliases=[alias]), lead("B", aliases=[alias])], NOW)
    assert first.detail is None
    assert "alias of another lead and stays there" in str(second.detail)
    assert resolve(store, ["C1"]) == {"C1": "A"}
    # One name for two leads, under two kinds of object, means neither.
    put_leads(store, [lead("B", aliases=[{"object": "person", "external_id": "C1"}])], NOW)
    assert resolve(store, ["C1"]) == {}


def test_what_changed_is_to_be_scored_again_and_nothing_else(store: Store) -> None:
    put_leads(store, [lead("A"), lead("B"), lead("C")], NOW, quiet=True)
    assert pending(store) == {"A": (1, True), "B": (1, True), "C": (1, True)}, "history waits for what happens now"
    forget_pending(store)
    event = {"occurred_at": T, "type": "call"}
    put_leads(store, [lead("A")], NOW)
    add_events(store, [{"lead_id": "B", **event}], NOW)
    add_events(store, [{"lead_id": "B", **event}], NOW)
    assert pending(store) == {"B": (0, False)}
    forget_pending(store)
    add_events(store, [{"lead_id": "B", **event}], NOW)
    assert pending(store) == {}


def test_ten_thousand_in_one_call(store: Store) -> None:
    many = [lead(f"L-{n}", country="SE") for n in range(10_000)]
    assert set(statuses(put_leads(store, many, NOW))) == {"created"}
    assert set(statuses(put_leads(store, many, NOW))) == {"unchanged"}
    events = [{"lead_id": f"L-{n % 7}", "occurred_at": T, "type": "call", "event_id": f"e{n}"} for n in range(10_000)]
    assert set(statuses(add_events(store, events, NOW))) == {"created"}
    assert set(statuses(add_events(store, events[::-1], NOW))) == {"unchanged"}


def test_nothing_in_nothing_out(store: Store) -> None:
    assert [put_leads(store, [], NOW), put_accounts(store, [], NOW), add_events(store, [], NOW), put_deals(store, [], NOW)] == [[]] * 4


def test_a_call_that_fails_kept_nothing(store: Store) -> None:
    put_leads(store, [lead()], NOW)
    rows = [{"lead_id": "A", "occurred_at": T + n, "type": "call"} for n in range(3)]
    with pytest.raises(TypeError):
        add_events(store, [*rows, {"lead_id": "A", "occurred_at": "yesterday", "type": "call"}], NOW)
    assert held_on(store, "A")["events"] == []


def test_two_services_may_say_the_same_at_once(store_url: str, store: Store) -> None:
    """Each in another order, so that their locks cross: every item is created by exactly one of them, and no change is lost."""
    ids = [f"L-{n:02d}" for n in range(40)]
    told: list[list[Outcome]] = []

    def service(number: int) -> None:
        with open_store(store_url) as own:
            order = ids if number % 2 else ids[::-1]
            for _ in range(3):
                found = put_leads(own, [lead(id, **{f"by_{number}": str(number)}) for id in order], NOW + number)
                found += add_events(own, [{"lead_id": id, "occurred_at": T, "type": "call", "event_id": f"e-{id}"} for id in order], NOW)
                found += put_accounts(own, [{"account_id": id, "seen": "yes"} for id in order], NOW)
                told.append(found)

    threads = [threading.Thread(target=service, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 12
    assert sum(outcome.status == "created" for found in told for outcome in found) == 3 * len(ids)
    for id in ids:
        held = held_on(store, id)
        assert {name: held["lead"].get(name) for name in ("by_0", "by_1", "by_2", "by_3")} == {f"by_{n}": str(n) for n in range(4)}
        assert len(held["events"]) == 1


def test_every_table_of_the_schema_is_there(store: Store) -> None:
    assert set(METADATA.tables) <= set(sa.inspect(store.engine).get_table_names())
