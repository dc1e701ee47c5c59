"""What the store knows of many leads: the shape of a score's request, now and as of an earlier instant, against a slow oracle."""

import itertools
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import format_instant
from data.facts import Facts, facts_of
from data.funnel import Funnel
from data.ingest import add_events, add_stages, put_accounts, put_deals, put_leads
from data.store import Store, open_store
from serving.contract import ScoreRequest

T = 1_700_000_000_000_000
NOW = T + 86_400_000_000


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


def test_facts_are_what_a_checked_request_is(store: Store) -> None:
    put_accounts(store, [{"account_id": "X", "industry": "mining"}], NOW)
    put_leads(store, [{"lead_id": "A", "created_at": T, "account_id": "X", "country": "SE"}, {"lead_id": "B", "created_at": T}], NOW)
    add_events(store, [{"lead_id": "A", "occurred_at": T + n, "type": "call", "value": n} for n in (5, 3, 4)], NOW)
    add_stages(store, [{"lead_id": "A", "entered_at": T + n, "stage": s} for n, s in ((2, "opportunity"), (1, "prospect"))], NOW, funnel=Funnel())
    put_deals(store, [{"lead_id": "A", "deal_id": "D", "opened_at": T, "amount": 5}], NOW)
    body = {
        "lead": {"lead_id": "A", "created_at": format_instant(T), "account_id": "X", "country": "SE"},
        "account": {"account_id": "X", "industry": "mining"},
        "events": [{"occurred_at": format_instant(T + n), "type": "call", "value": n} for n in (3, 4, 5)],
        "stages": [{"entered_at": format_instant(T + n), "stage": s} for n, s in ((1, "prospect"), (2, "opportunity"))],
        "deals": [{"deal_id": "D", "opened_at": format_instant(T), "amount": 5}],
    }
    asked = ScoreRequest.model_validate(body)
    found = facts_of(store, ["A", "B", "nobody"])
    assert found["A"] == Facts(
        asked.lead, asked.account, [dict(e) for e in asked.events], [dict(s) for s in asked.stages], [dict(d) for d in asked.deals]
    )
    assert found["B"] == Facts({"lead_id": "B", "created_at": format_instant(T)}, {})
    assert set(found) == {"A", "B"}


def test_until_holds_back_what_came_later(store: Store) -> None:
    put_accounts(store, [{"account_id": "X", "industry": "mining"}, {"account_id": "Y", "industry": "steel"}], NOW)
    put_leads(store, [{"lead_id": "A", "created_at": T, "account_id": "X", "size": "1"}], NOW)
    add_events(store, [{"lead_id": "A", "occurred_at": T, "type": "call"}], NOW)
    before = facts_of(store, ["A"])
    put_leads(store, [{"lead_id": "A", "size": "2", "title": "CFO", "account_id": "Y"}], NOW + 10)
    put_accounts(store, [{"account_id": "X", "industry": "gold"}], NOW + 10)
    add_events(store, [{"lead_id": "A", "occurred_at": T + 1, "type": "call"}], NOW + 10)
    after = facts_of(store, ["A"])
    assert facts_of(store, ["A"], until=NOW) == facts_of(store, ["A"], until=NOW + 9) == before
    assert facts_of(store, ["A"], until=NOW + 10) == after
    assert after["A"].account == {"account_id": "Y", "industry": "steel"}
    assert facts_of(store, ["A"], until=NOW - 1) == {}


steps = st.lists(st.tuples(st.sampled_from(("size", "title")), st.sampled_from(("1", "2", None)), st.booleans()), min_size=1, max_size=6)


def test_any_past_is_found_again() -> None:
    """After every call the facts are kept by hand; later, asked for that instant, the store gives the same."""
    ids = (f"L-{number}" for number in itertools.count())
    with open_store("sqlite://") as store:

        @settings(max_examples=25, deadline=None)
        @given(steps)
        def check(told: list[tuple[str, str | None, bool]]) -> None:
            id = next(ids)
            put_leads(store, [{"lead_id": id, "created_at": T, "size": "1"}], NOW)
            seen = {NOW: facts_of(store, [id])}
            for at, (name, value, event) in enumerate(told, NOW + 1):
                put_leads(store, [{"lead_id": id, name: value}], at)
                add_events(store, [{"lead_id": id, "occurred_at": T, "type": "call", "value": at}][: int(event)], at)
                seen[at] = facts_of(store, [id])
            for at, facts in seen.items():
                assert facts_of(store, [id], until=at) == facts

        check()


def test_many_leads_take_as_many_queries_as_one(store: Store) -> None:
    put_leads(store, [{"lead_id": f"L-{n}", "created_at": T, "account_id": f"X-{n}"} for n in range(500)], NOW)
    put_accounts(store, [{"account_id": f"X-{n}", "industry": "mining"} for n in range(500)], NOW)
    add_events(store, [{"lead_id": f"L-{n % 500}", "occurred_at": T + n, "type": "call"} for n in range(5_000)], NOW)
    counts = []
    asked: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    for size in (1, 500):
        asked.clear()
        found = facts_of(store, [f"L-{n}" for n in range(size)])
        counts.append(len(asked))
        assert len(found) == size
        assert all(len(facts.events) == 10 and facts.account["industry"] == "mining" for facts in found.values())
    assert counts[0] == counts[1] <= 6
