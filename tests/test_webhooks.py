"""Webhooks in the store: who is told what, claims and leases, the schedule of attempts, replays; on SQLite and PostgreSQL."""

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import orjson
import pytest

from bundles import bundle, promote
from data import deliveries, webhooks
from data.contract import HOUR, TICK, format_instant
from data.deliveries import BACKOFF, IN_FLIGHT, LEASE, Claimed
from data.store import Store, open_store

NOW = 1_795_000_000_000_000
URL = "https://crm.example.com/hook"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        yield opened


def endpoint(store: Store, *types: str, url: str = URL) -> str:
    return webhooks.add_endpoint(store, url, types or ("score.changed",), None, NOW)[1].id


def tell(store: Store, n: int = 1, type: str = "score.changed", now: int = NOW) -> None:
    with store.writing.begin() as connection:
        for i in range(n):
            webhooks.enqueue(connection, type, f"L-{i}", {"lead_id": f"L-{i}"}, now)


def only(store: Store) -> deliveries.Delivery:
    (found,) = deliveries.deliveries(store, None, 10)
    return found


def claimed_one(store: Store, now: int) -> Claimed:
    (found,) = deliveries.claim(store, now, 10)
    return found


def test_each_endpoint_that_wants_the_type_is_told(store: Store) -> None:
    both, other = endpoint(store, "score.changed", "model.promoted"), endpoint(store, "stage.recommended")
    tell(store)
    tell(store, type="stage.recommended")
    found = {(d.webhook_id, d.type) for d in deliveries.deliveries(store, "pending", 10)}
    assert found == {(both, "score.changed"), (other, "stage.recommended")}
    body = orjson.loads(next(d.body for d in deliveries.deliveries(store, None, 10) if d.type == "score.changed"))
    assert body == {"type": "score.changed", "timestamp": format_instant(NOW), "data": {"lead_id": "L-0"}}


def test_what_is_told_goes_with_the_transaction_it_is_told_in(store: Store) -> None:
    endpoint(store)
    with store.writing.connect() as connection, connection.begin() as transaction:
        webhooks.enqueue(connection, "score.changed", "L-1", {}, NOW)
        transaction.rollback()
    assert deliveries.deliveries(store, None, 10) == []


def test_promotions_and_rollbacks_are_told_where_they_happen(store: Store) -> None:
    endpoint(store, "model.promoted")
    promote(store, "1", bundle())
    promote(store, "2", bundle(-2.0))
    store.rollback()
    told = [orjson.loads(d.body)["data"] for d in deliveries.deliveries(store, "pending", 10)]
    assert sorted((t["version"], t["previous"]) for t in told if t["previous"]) == [("1", "2"), ("2", "1")]
    assert [t["version"] for t in told if t["previous"] is None] == ["1"]


def test_a_claim_is_ours_until_its_lease_ends_and_another_s_from_then_on(store: Store) -> None:
    endpoint(store)
    tell(store)
    assert deliveries.claim(store, NOW - TICK, 10) == []
    first = claimed_one(store, NOW)
    assert (first.url, first.attempts) == (URL, 0)
    assert deliveries.claim(store, NOW + LEASE - TICK, 10) == []
    assert claimed_one(store, NOW + LEASE).id == first.id


def test_at_most_two_of_one_endpoint_are_in_flight_and_others_go_on(store: Store) -> None:
    slow = endpoint(store)
    tell(store, 5)
    quick = endpoint(store, "stage.recommended")
    tell(store, 1, "stage.recommended")
    found = deliveries.claim(store, NOW, 8)
    assert Counter(c.webhook_id for c in found) == {slow: IN_FLIGHT, quick: 1}
    assert deliveries.claim(store, NOW, 8) == []
    deliveries.settle(store, next(c for c in found if c.webhook_id == slow), 200, None, NOW)
    assert [c.webhook_id for c in deliveries.claim(store, NOW, 8)] == [slow]


def test_the_limit_is_kept(store: Store) -> None:
    for i in range(4):
        endpoint(store, url=f"{URL}/{i}")
    tell(store, 3)
    assert len(deliveries.claim(store, NOW, 3)) == 3


def test_many_who_claim_at_once_never_get_the_same(store: Store) -> None:
    for i in range(6):
        endpoint(store, url=f"{URL}/{i}")
    tell(store, 3)
    found: list[str] = []

    def work() -> None:
        for _ in range(4):
            for claimed in deliveries.claim(store, NOW, 3):
                found.append(claimed.id)
                deliveries.settle(store, claimed, 200, None, NOW)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 18


def test_it_is_tried_ten_times_by_the_schedule_and_is_dead_then(store: Store) -> None:
    endpoint(store)
    tell(store)
    now, waits = NOW, []
    while (found := deliveries.claim(store, now, 1)) != []:
        state = deliveries.settle(store, found[0], 500, "the receiver answered 500", now)
        if state == "pending":
            again = only(store).next_at or 0
            assert deliveries.claim(store, again - TICK, 1) == []
            waits.append(again - now)
            now = again
    assert len(waits) == len(BACKOFF)
    assert all(wait <= got <= wait * 1.1 for wait, got in zip(BACKOFF, waits, strict=True))
    assert all(a < b for a, b in pairwise(BACKOFF))
    dead = only(store)
    assert (dead.state, dead.attempts, dead.last_status, dead.next_at) == ("dead", len(BACKOFF) + 1, 500, None)
    assert deliveries.claim(store, now + 1_000 * HOUR, 1) == []


def test_a_dead_one_is_replayed_from_the_first_attempt_on(store: Store) -> None:
    endpoint(store)
    tell(store)
    assert deliveries.replay(store, only(store).id, NOW) == "waiting"
    for _ in range(len(BACKOFF) + 1):
        due = only(store).next_at or 0
        deliveries.settle(store, claimed_one(store, due), None, "no", due)
    later = NOW + 1_000 * HOUR
    assert deliveries.replay(store, only(store).id, later) == "queued"
    claimed = claimed_one(store, later)
    assert claimed.attempts == 0
    deliveries.settle(store, claimed, 204, None, later)
    assert (only(store).state, only(store).delivered_at) == ("delivered", later)
    assert deliveries.replay(store, "msg_unknown", NOW) == "unknown"


def test_gone_disables_the_endpoint_until_its_secret_is_rotated(store: Store) -> None:
    id = endpoint(store)
    tell(store, 3)
    deliveries.settle(store, deliveries.claim(store, NOW, 1)[0], 410, "the receiver answered 410", NOW)
    assert webhooks.endpoints(store)[0].disabled_at == NOW
    assert {d.state for d in deliveries.deliveries(store, None, 10)} == {"dead"}
    tell(store)
    assert len(deliveries.deliveries(store, None, 10)) == 3
    dead = deliveries.deliveries(store, "dead", 1)[0].id
    assert deliveries.replay(store, dead, NOW) == "disabled"
    webhooks.rotate(store, id, NOW)
    assert deliveries.replay(store, dead, NOW) == "queued"


def test_after_a_rotation_both_secrets_sign_for_a_day(store: Store) -> None:
    old, made = webhooks.add_endpoint(store, URL, ("score.changed",), None, NOW)
    rotated = webhooks.rotate(store, made.id, NOW)
    assert rotated is not None
    new = rotated[0]
    tell(store)
    assert claimed_one(store, NOW + 24 * HOUR - TICK).secrets == (new, old)
    assert claimed_one(store, NOW + 24 * HOUR + LEASE).secrets == (new,)
    again = webhooks.rotate(store, made.id, NOW + TICK)
    assert again is not None
    assert claimed_one(store, NOW + 24 * HOUR + 3 * LEASE).secrets == (again[0],)
    assert webhooks.rotate(store, "wh_unknown", NOW) is None


def test_an_outcome_that_comes_after_the_lease_changes_nothing(store: Store) -> None:
    endpoint(store)
    tell(store)
    late = claimed_one(store, NOW)
    second = claimed_one(store, NOW + LEASE)
    deliveries.settle(store, late, 500, "too late", NOW + LEASE)
    assert only(store).attempts == 0
    deliveries.settle(store, second, 200, None, NOW + LEASE)
    assert only(store).state == "delivered"


def test_a_removed_endpoint_takes_its_deliveries_with_it(store: Store) -> None:
    id, other = endpoint(store), endpoint(store)
    tell(store)
    claimed = next(c for c in deliveries.claim(store, NOW, 8) if c.webhook_id == id)
    assert webhooks.remove_endpoint(store, id)
    assert not webhooks.remove_endpoint(store, id)
    deliveries.settle(store, claimed, 200, None, NOW)
    assert [d.webhook_id for d in deliveries.deliveries(store, None, 10)] == [other]


def test_old_deliveries_are_forgotten_but_for_those_that_wait(store: Store) -> None:
    endpoint(store)
    tell(store)
    deliveries.settle(store, claimed_one(store, NOW), 200, None, NOW)
    tell(store)
    assert deliveries.forget(store, NOW) == 0
    assert deliveries.forget(store, NOW + TICK) == 1
    assert [d.state for d in deliveries.deliveries(store, None, 10)] == ["pending"]
