import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import pending
from data.pending import CHANGED, LONGEST_DELAY, SHORTEST_DELAY, SWEPT, Claim, claim, done, mark, mark_open, postpone, release
from data.schema import PENDING
from data.store import Store, open_store
from queues import NOW, add_leads

SECOND = 1_000_000
LEASE = pending.LEASE_SECONDS * SECOND


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        yield opened


def marked(store: Store, *ids: str, now: int = NOW, priority: int = CHANGED, quiet: bool = False) -> None:
    with store.writing.begin() as connection:
        mark(connection, ids, now, priority, quiet)


def held(store: Store) -> dict[str, tuple[int, int, bool, int | None]]:
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(PENDING))
        return {row.lead_id: (row.marked_at, row.priority, row.quiet, row.claimed_until) for row in rows}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcd"), max_size=5), st.integers(0, 3), st.sampled_from([CHANGED, SWEPT]), st.booleans()), max_size=6
    )
)
def test_marks_add_up(store: Store, marks: list[tuple[list[str], int, int, bool]]) -> None:
    """Against a dict: the later time, but never the same one twice; the more urgent priority; quiet only if all were."""
    with store.writing.begin() as connection:
        connection.execute(PENDING.delete())
    beside: dict[str, tuple[int, int, bool, int | None]] = {}
    for ids, now, priority, quiet in marks:
        marked(store, *ids, now=now, priority=priority, quiet=quiet)
        for id in set(ids):
            at, urgency, silent, _ = beside.get(id, (-1, priority, quiet, None))
            beside[id] = max(now, at + 1), min(priority, urgency), quiet and silent, None
    assert held(store) == beside


def test_a_mark_is_kept_with_the_transaction_that_made_it(store: Store) -> None:
    with store.writing.connect() as connection, connection.begin() as transaction:
        mark(connection, ["L-1"], NOW, CHANGED, False)
        transaction.rollback()
    assert held(store) == {}


def test_the_most_urgent_come_first_and_the_longest_waiting_of_them(store: Store) -> None:
    marked(store, "swept", now=NOW - 9, priority=SWEPT)
    marked(store, "late", now=NOW - 1)
    marked(store, "early", now=NOW - 2)
    assert [one.lead_id for one in claim(store, NOW, 2)] == ["early", "late"]
    assert claim(store, NOW, 2) == [Claim("swept", NOW - 9, False)]
    assert claim(store, NOW, 2) == []


def test_a_claim_holds_until_its_lease_ends(store: Store) -> None:
    marked(store, "L-1")
    claim(store, NOW, 1)
    assert [len(claim(store, at, 1)) for at in (NOW + LEASE - 1, NOW + LEASE)] == [0, 1]


def test_done_leads_go_and_those_marked_meanwhile_stay_and_are_free(store: Store) -> None:
    marked(store, "L-1", "L-2", quiet=True)
    claimed = claim(store, NOW, 2)
    marked(store, "L-2", now=NOW)
    done(store, claimed)
    assert held(store) == {"L-2": (NOW + 1, CHANGED, False, None)}
    assert claim(store, NOW, 2) == [Claim("L-2", NOW + 1, False)]


def test_released_leads_are_free_at_once(store: Store) -> None:
    marked(store, "L-1")
    release(store, claim(store, NOW, 1))
    assert claim(store, NOW, 1) == [Claim("L-1", NOW, False)]


@pytest.mark.parametrize(
    "waited, delay",
    [
        (0, SHORTEST_DELAY),
        (SHORTEST_DELAY, SHORTEST_DELAY),
        (SHORTEST_DELAY + 1, SHORTEST_DELAY + 1),
        (LONGEST_DELAY - 1, LONGEST_DELAY - 1),
        (LONGEST_DELAY, LONGEST_DELAY),
        (5 * LONGEST_DELAY, LONGEST_DELAY),
    ],
)
def test_what_is_set_back_waits_as_long_again(store: Store, waited: int, delay: int) -> None:
    marked(store, "L-1", now=NOW - waited)
    postpone(store, claim(store, NOW, 1), NOW)
    assert [len(claim(store, NOW + at, 1)) for at in (delay - 1, delay)] == [0, 1]


def test_a_new_mark_ends_the_delay(store: Store) -> None:
    marked(store, "L-1")
    claimed = claim(store, NOW, 1)
    marked(store, "L-1")
    postpone(store, claimed, NOW)
    assert len(claim(store, NOW, 1)) == 1


def beside(store: Store, *ids: str, now: int) -> None:
    with store.writing.begin() as connection:
        mark(connection, ["own"], now, CHANGED, False, ids)


def test_a_mark_for_others_leaves_a_delay_and_the_place_in_the_line(store: Store) -> None:
    waited = 10 * LEASE
    marked(store, "postponed", "waiting", now=NOW - waited, priority=SWEPT)
    postpone(store, [one for one in claim(store, NOW, 2) if one.lead_id == "postponed"], NOW)
    before = held(store)
    beside(store, "postponed", "waiting", now=NOW + LEASE // 2)
    after = held(store)
    assert after["postponed"] == (NOW - waited + 1, SWEPT, False, before["postponed"][3])
    assert after["waiting"] == (NOW - waited + 1, SWEPT, False, None), "it may be that it is being scored: it is scored again"
    beside(store, "new", now=NOW + LEASE)
    assert [one.lead_id for one in claim(store, NOW + LEASE, 3)] == ["waiting", "new", "own"]


def test_what_is_news_of_others_while_a_lead_is_scored_is_not_lost(store: Store) -> None:
    marked(store, "L-1")
    claimed = claim(store, NOW, 1)
    beside(store, "L-1", now=NOW + 1)
    done(store, claimed)
    assert held(store)["L-1"] == (NOW + 1, CHANGED, False, None)


def test_nothing_claimed_changes_nothing(store: Store) -> None:
    for settle in (done, release):
        settle(store, [])
    postpone(store, [], NOW)
    assert claim(store, NOW, 5) == []


def test_a_sweep_marks_every_lead_and_hurries_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "SWEEP_BATCH", 3)
    ids = [f"L-{n}" for n in range(7)]
    assert mark_open(store, NOW) == 0
    add_leads(store, ids)
    marked(store, "L-3", now=NOW - 5)
    assert mark_open(store, NOW, quiet=True) == 7
    assert held(store) == dict.fromkeys(ids, (NOW, SWEPT, True, None)) | {"L-3": (NOW, CHANGED, False, None)}


def test_leads_are_swept_once_for_each_promotion(store: Store) -> None:
    add_leads(store, ["L-1"])
    pending.after_promotion(store, NOW)
    assert held(store) == {}
    store.put_bundle("1", "hash", b"bundle")
    for at in (NOW, NOW + 1):
        store.promote("1", "test")
        pending.after_promotion(store, at)
        pending.after_promotion(store, at + 5)
        assert held(store)["L-1"][0] == at


def test_many_processes_share_the_work_without_overlap_and_miss_nothing(store: Store) -> None:
    """Four claim and finish while a fifth marks on: no lead is held twice at once, and what was marked last is scored after it."""
    ids = [f"L-{n:02}" for n in range(40)]
    holders, lock, stop = dict[str, int](), threading.Lock(), threading.Event()
    seen = dict[str, int]()

    def work(me: int) -> None:
        while True:
            claimed = claim(store, NOW, 3)
            if not claimed and stop.is_set():
                return
            with lock:
                for one in claimed:
                    seen[one.lead_id] = max(one.marked_at, seen.get(one.lead_id, 0))
                    holders[one.lead_id] = holders.get(one.lead_id, 0) + 1
            done(store, claimed)

    marked(store, *ids)
    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, me) for me in range(4)]
        for turn in range(1, 6):
            marked(store, *ids[::2], now=NOW + turn)
        stop.set()
        for future in working:
            future.result()
    assert held(store) == {}
    assert all(holders[id] == 1 for id in ids[1::2])
    assert all(seen[id] >= NOW + 5 for id in ids[::2])


def test_sweeps_and_calls_that_mark_the_same_leads_do_not_block_each_other(store: Store) -> None:
    """The rows lie in the table in the opposite order of their ids: each must lock them in one order all the same."""
    ids = [f"L-{number:04}" for number in reversed(range(2_000))]
    for begin in range(0, len(ids), 200):
        add_leads(store, ids[begin : begin + 200])
    works = [lambda: mark_open(store, NOW), lambda: store.write(lambda connection: mark(connection, ids, NOW, CHANGED, quiet=False))] * 2
    with ThreadPoolExecutor(len(works)) as pool:
        for ended in [pool.submit(work) for work in works * 4]:
            ended.result(timeout=25)
    assert held(store).keys() == set(ids)
