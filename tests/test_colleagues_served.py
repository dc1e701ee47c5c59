"""Channels, late records and colleagues where leads are scored one by one: what is sent, and what the store holds, make the rows of a dataset."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from accounts import MINDING, NOW, SCHEMA, T
from bundles import bundle, promote
from data.contract import DAY, HOUR, TICK, format_instant
from data.facts import facts_of
from data.funnel import Funnel
from data.home import clock
from data.ingest import add_events, put_leads
from data.store import Store, open_store
from data.stored import read_store
from features.rows import compute
from features.tables import cohort_of
from registry.models import Rows
from service import running
from serving.colleagues import around, request_of
from serving.contract import ScoreRequest
from serving.errors import ServiceError
from serving.scorer import Scorer

SCORER = Scorer.of(MINDING, "1", Funnel())

TIMES = st.integers(-20, 120).map(lambda days: T + days * DAY)
RECORDED = st.sampled_from([None, -HOUR, 0, DAY, DAY + TICK, 3 * DAY])
CHANNELS = st.sampled_from([None, "mail", " web ", "fax", "-", "Mail"])
TYPES = st.sampled_from(["email_open", "pricing_page_view", "call", "seance"])
ACCOUNTS = st.sampled_from([None, "A", "B"])


@dataclass(frozen=True)
class Told:
    """One lead of a small world: its account at first, moves to others, and its events as a system would send them."""

    account: str | None
    moves: list[tuple[int, str | None]]
    events: list[tuple[int, int | None, str, str | None]]

    def account_at(self, at: int) -> str | None:
        """By hand: until it first moved, it was always where it was when it was created."""
        return next((value for since, value in reversed(self.moves) if since <= at), self.account)

    def rows(self) -> list[dict[str, Any]]:
        return [
            {"occurred_at": at, "type": kind}
            | ({"channel": channel} if channel is not None else {})
            | ({"recorded_at": at + after} if after is not None else {})
            for at, after, kind, channel in self.events
        ]


EVENTS = st.lists(st.tuples(TIMES, RECORDED, TYPES, CHANNELS), max_size=5)
MOVES = st.lists(st.tuples(st.integers(1, 100).map(lambda days: T + days * DAY + HOUR), ACCOUNTS), max_size=2, unique_by=lambda move: move[0])
LEADS = st.lists(st.builds(Told, ACCOUNTS, MOVES.map(sorted), EVENTS), min_size=1, max_size=5)


def keep(store: Store, leads: Sequence[Told], prefix: str) -> list[str]:
    """The leads into the store, as a system would tell them; their ids."""
    ids = [f"{prefix}-{n}" for n in range(len(leads))]
    accounts = [None if lead.account is None else f"{prefix}-{lead.account}" for lead in leads]
    put_leads(store, [{"lead_id": id, "created_at": T, "account_id": account} for id, account in zip(ids, accounts, strict=True)], T)
    moves = [(since, id, account) for id, lead in zip(ids, leads, strict=True) for since, account in lead.moves]
    for since, id, account in sorted(moves, key=lambda move: move[0]):
        put_leads(store, [{"lead_id": id, "account_id": None if account is None else f"{prefix}-{account}", "changed_at": since}], NOW)
    add_events(store, [{"lead_id": id, **row} for id, lead in zip(ids, leads, strict=True) for row in lead.rows()], NOW)
    return ids


def counted(row: Mapping[str, Any]) -> int:
    return int(max(row["occurred_at"], row.get("recorded_at") or 0))


def body(leads: Sequence[Told], n: int, as_of: int) -> dict[str, Any]:
    """The lead as a CRM would send it, with what others did while they were at the account at which it stands at as_of, later events too."""
    here = leads[n].account_at(as_of)
    others = [row for m, lead in enumerate(leads) for row in lead.rows() if m != n and here is not None and lead.account_at(counted(row)) == here]
    return {
        "lead": {"lead_id": f"sent-{n}", "created_at": format_instant(T), "account_id": here},
        "events": [_sent(row) for row in leads[n].rows()],
        "account_events": [_sent(row) for row in others],
        "as_of": format_instant(as_of),
    }


def _sent(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: format_instant(value) if name.endswith("_at") else value for name, value in row.items()}


def rows_of(scored: Sequence[Any]) -> Rows:
    found = []
    for one in scored:
        assert not isinstance(one, ServiceError), one
        found.append(np.frombuffer(one[1].features, "<f4"))
    return np.array(found)


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    with open_store("sqlite://") as store:
        yield store


PREFIXES = (f"w{number}" for number in itertools.count())


@settings(max_examples=25, deadline=None)
@given(leads=LEADS, days=st.lists(st.integers(0, 130), min_size=5, max_size=5))
def test_the_store_a_request_and_a_dataset_make_the_same_row(memory: Store, leads: list[Told], days: list[int]) -> None:
    """To the last bit, of any lead at any instant: channels, late records, colleagues who come and go."""
    ids, instants = keep(memory, leads, next(PREFIXES)), [T + day * DAY + HOUR for day in days[: len(leads)]]
    cohort = cohort_of(read_store(memory, funnel=Funnel(), now=NOW)[0], SCHEMA)
    lead = np.array([list(cohort.lead_ids).index(id) for id in ids], np.int64)
    expected = compute(SCHEMA, cohort, lead, np.array(instants, np.int64))
    facts, others = facts_of(memory, ids), around(memory, ids, SCHEMA)
    held = [request_of(facts[id], others).model_copy(update={"as_of": at}) for id, at in zip(ids, instants, strict=True)]
    assert_array_equal(rows_of(SCORER.score_many(held, NOW)), expected)
    sent = [ScoreRequest.model_validate(body(leads, n, at)) for n, at in enumerate(instants)]
    assert_array_equal(rows_of(SCORER.score_many(sent, NOW)), expected)
    assert_array_equal(rows_of([SCORER.score(request, NOW) for request in sent]), expected)


@pytest.mark.parametrize(
    "change, warns",
    [
        ({}, False),
        ({"account": {"industry": "it"}}, True),
        ({"lead": {"account_id": "A-1"}}, True),
        ({"lead": {"account_id": "-"}}, False),
        ({"account": {"industry": "it"}, "account_events": [{"occurred_at": "2023-11-15", "type": "call"}]}, False),
    ],
)
def test_that_nothing_was_told_of_colleagues_is_said_where_there_may_be_some(change: dict[str, Any], warns: bool) -> None:
    answer = SCORER.answer(ScoreRequest.model_validate({"lead": {}} | change), NOW)
    said = [warning for warning in answer["warnings"] if "account_events" in warning]
    assert said == (["account_events are not given: the score assumes that nothing happened with others at the account."] if warns else [])


def test_a_model_without_colleagues_says_that_it_does_not_use_them() -> None:
    events = [{"occurred_at": "2023-11-15", "type": "never heard of"}]
    answer = Scorer.of(bundle(), "1", Funnel()).answer(
        ScoreRequest.model_validate({"lead": {}, "account": {"industry": "it"}, "account_events": events}), NOW
    )
    assert [warning for warning in answer["warnings"] if "account_events" in warning] == ["account_events are not used by this model."]
    assert not any("event types" in warning for warning in answer["warnings"])


def test_an_unknown_type_of_a_colleague_is_named_once() -> None:
    row = {"occurred_at": "2023-11-15", "type": "seance"}
    answer = SCORER.answer(ScoreRequest.model_validate({"lead": {}, "events": [row], "account_events": [row, row | {"type": "ritual"}]}), NOW)
    assert [warning for warning in answer["warnings"] if "event types" in warning] == [
        "event types that this model does not know are not used: ritual, seance."
    ]


def test_the_service_scores_a_lead_again_when_a_colleague_does_something(home: Path) -> None:
    with open_store(f"sqlite:///{home / 'leadscore.db'}") as store:
        promote(store, "1", MINDING)
    with running(home) as client:
        for id in ("L-1", "L-2"):
            assert client.put(f"/v1/leads/{id}", json={"created_at": "2026-01-01", "account_id": "A"}).status_code == 200
        before = scored(client, "L-1", 0.0)
        client.post("/v1/events", json={"items": [{"lead_id": "L-2", "occurred_at": format_instant(clock() - HOUR), "type": "email_open"}]})
        after = scored(client, "L-1", before["probability"])
        assert after["probability"] > before["probability"]
        assert "Activity by colleagues at the account" in after["reasons"][0]["text"]
        assert after["warnings"] == []


def scored(client: Any, id: str, above: float) -> dict[str, Any]:
    """The lead's score from the store, once it is above that."""
    for _ in range(600):
        answer = client.get(f"/v1/leads/{id}/score")
        if answer.status_code == 200 and answer.json()["probability"] > above:
            found: dict[str, Any] = answer.json()
            return found
        time.sleep(0.05)
    raise AssertionError(f"not scored: {answer.text}")
