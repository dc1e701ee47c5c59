import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import queue_pages
from data.pending import mark
from data.queue import BATCH, KEPT, Scored, current, prune, publish
from data.queue_pages import ACTIONS, GRADES, OPEN_STAGES, SnapshotGone, Wanted, page
from data.schema import COUNTERS, FEEDBACK, LEADS, QUEUE
from data.store import Store, open_store
from queues import HOUR, NOW, add_leads, expected, rows_at, scored, walk
from serving.answers import Action, Grade

IDS = [f"L-{n:02}" for n in range(30)]
OWNERS = ("ann", "bo")
FILTERS = st.builds(
    Wanted,
    sort=st.sampled_from(["likelihood", "expected_value"]),
    stage=st.none() | st.sampled_from(OPEN_STAGES),
    owner=st.none() | st.sampled_from((*OWNERS, "nobody")),
    grade=st.none() | st.sampled_from(GRADES),
    action=st.none() | st.sampled_from(ACTIONS),
    min_probability=st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
SCORES = st.builds(
    scored,
    st.sampled_from(IDS),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    stage=st.sampled_from(OPEN_STAGES),
    owner=st.none() | st.sampled_from(OWNERS),
    grade=st.sampled_from(GRADES),
    action=st.sampled_from(ACTIONS),
    value=st.none() | st.sampled_from([-10.0, 0.0, 100.0, 2e6]),
)
STEPS = st.lists(st.tuples(st.lists(SCORES, max_size=8, unique_by=lambda s: s.lead_id), st.sets(st.sampled_from(IDS), max_size=3)), max_size=5)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        add_leads(opened, IDS)
        yield opened


def told(store: Store, wanted: Wanted | None = None, limit: int = 50) -> list[str]:
    return [row["lead_id"] for row in walk(store, wanted or Wanted(), limit)]


def snapshot_of(store: Store) -> int:
    return page(store, Wanted(), 1, NOW).snapshot


def forget_all(store: Store) -> None:
    with store.writing.begin() as connection:
        connection.execute(QUEUE.delete())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, wanted=FILTERS, limit=st.sampled_from([1, 2, 50]), few=st.sampled_from([0, 4_000]))
def test_a_walk_shows_the_queue_as_it_was_at_its_snapshot(store: Store, steps: list[Any], wanted: Wanted, limit: int, few: int) -> None:
    """Against a dict that is kept beside, and against reading all rows: at every snapshot, with every filter, whatever the way to find it."""
    forget_all(store)
    beside: dict[str, Scored] = {}
    states = {snapshot_of(store): dict(beside)}
    for rows, removed in steps:
        publish(store, rows, removed - {row.lead_id for row in rows}, NOW)
        beside = {id: one for id, one in beside.items() if id not in removed} | {row.lead_id: row for row in rows}
        states[snapshot_of(store)] = dict(beside)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(queue_pages, "FEW", few)
        for snapshot, state in states.items():
            found = [row["lead_id"] for row in walk(store, wanted, limit, snapshot)]
            assert found == expected(state.values(), wanted) == expected(rows_at(store, snapshot), wanted)


def test_every_page_of_a_walk_is_of_one_instant_while_others_publish(store: Store) -> None:
    """Four threads publish groups of leads, each group under one version at a time; a walk gives every lead once, and no group in two versions."""
    groups = [IDS[n : n + 5] for n in range(0, 30, 5)]
    publish(store, [scored(id, 0.5, version="0") for id in IDS], [], NOW)
    stop = threading.Event()

    def publish_on(seed: int) -> None:
        for turn in itertools.count():
            if stop.is_set():
                return
            chances = [((seed * 31 + turn * 17 + n * 7) % 97) / 97 for n in range(5)]
            group = zip(groups[(seed + turn) % len(groups)], chances, strict=True)
            publish(store, [scored(id, p, version=f"{seed}.{turn}", value=10.0) for id, p in group], [], NOW)

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(publish_on, seed) for seed in range(4)]
        try:
            walks = dict[int, list[dict[str, Any]]]()
            while len(walks) < 15 and not any(future.done() for future in writing):
                snapshot = snapshot_of(store)
                walks[snapshot] = list(walk(store, Wanted(), 4, snapshot))
        finally:
            stop.set()
        for future in writing:
            future.result()
    for snapshot, rows in walks.items():
        assert [row["lead_id"] for row in rows] == expected(rows_at(store, snapshot), Wanted())
        assert sorted(row["lead_id"] for row in rows) == IDS
        version_of = {row["lead_id"]: row["version"] for row in rows}
        assert all(len({version_of[id] for id in group}) == 1 for group in groups)


def test_a_later_score_takes_the_place_of_an_earlier_one(store: Store) -> None:
    publish(store, [scored("L-01", 0.2), scored("L-02", 0.4)], [], NOW)
    before = snapshot_of(store)
    publish(store, [scored("L-01", 0.9)], [], NOW)
    assert told(store) == ["L-01", "L-02"]
    assert [row["lead_id"] for row in walk(store, Wanted(), 1, before)] == ["L-02", "L-01"]
    assert current(store, "L-01")["probability"] == 0.9  # type: ignore[index]
    assert current(store, "L-03") is None


def test_who_knew_less_does_not_overwrite_who_knew_more(store: Store) -> None:
    publish(store, [scored("L-01", 0.2, as_of=NOW)], [], NOW)
    assert publish(store, [scored("L-01", 0.9, as_of=NOW - 1)], [], NOW) == 0
    assert publish(store, [], ["L-01"], NOW - 1) == 0
    assert current(store, "L-01")["probability"] == 0.2  # type: ignore[index]
    assert publish(store, [scored("L-01", 0.9, as_of=NOW)], [], NOW) == 1
    publish(store, [], ["L-01"], NOW)
    assert current(store, "L-01") is None


def test_a_lead_that_the_store_does_not_hold_is_not_queued(store: Store) -> None:
    assert publish(store, [scored("gone"), scored("L-01")], ["never was"], NOW) == 1
    assert told(store) == ["L-01"]


def test_a_lead_that_is_gone_leaves_whatever_was_said_of_it(store: Store) -> None:
    publish(store, [scored("L-01", as_of=NOW)], [], NOW)
    with store.writing.begin() as connection:
        connection.execute(LEADS.delete().where(LEADS.c.lead_id == "L-01"))
    publish(store, [], ["L-01"], NOW - 1)
    assert told(store) == []


def test_the_trend_is_against_the_last_score_that_was_different(store: Store) -> None:
    found = []
    for n, score in enumerate([50, 60, 60, 40]):
        publish(store, [scored("L-01", score=score, as_of=NOW + n)], [], NOW)
        found.append(current(store, "L-01")["previous_score"])  # type: ignore[index]
    assert found == [None, 50, 50, 60]


def test_many_are_published_in_short_transactions(store: Store) -> None:
    many = [f"M-{n:04}" for n in range(2 * BATCH + 1)]
    add_leads(store, many)
    assert publish(store, [scored(id) for id in many], IDS, NOW) == len(many)
    assert snapshot_of(store) == 3
    assert told(store, limit=400) == many


def test_equal_keys_are_walked_by_id(store: Store) -> None:
    publish(store, [scored(id, 0.5, value=1.0) for id in reversed(IDS)], [], NOW)
    assert told(store, limit=7) == told(store, Wanted(sort="expected_value"), 7) == IDS


def test_a_lead_without_a_value_comes_last_by_value(store: Store) -> None:
    publish(store, [scored("L-01", 0.9), scored("L-02", 0.1, value=5.0), scored("L-03", 0.5, value=-5.0)], [], NOW)
    assert told(store, Wanted(sort="expected_value"), 1) == ["L-02", "L-03", "L-01"]


def test_rows_are_pruned_an_hour_after_they_stopped_counting(store: Store) -> None:
    publish(store, [scored("L-01", 0.2)], [], NOW)
    first = snapshot_of(store)
    publish(store, [scored("L-01", 0.3)], [], NOW)
    second = snapshot_of(store)
    assert prune(store, NOW + KEPT) == 0
    assert next(walk(store, Wanted(), 1, first))["probability"] == 0.2
    assert prune(store, NOW + KEPT + 1) == 1
    with pytest.raises(SnapshotGone):
        page(store, Wanted(), 1, NOW, snapshot=first)
    assert next(walk(store, Wanted(), 1, second))["probability"] == 0.3


def test_a_snapshot_that_was_never_there_is_gone(store: Store) -> None:
    publish(store, [scored("L-01")], [], NOW)
    with pytest.raises(SnapshotGone):
        page(store, Wanted(), 1, NOW, snapshot=snapshot_of(store) + 1)


def test_many_are_pruned_in_short_transactions(store: Store) -> None:
    many = [f"M-{n:04}" for n in range(BATCH + 1)]
    add_leads(store, many)
    publish(store, [scored(id) for id in many], [], NOW)
    publish(store, [], many, NOW)
    assert [prune(store, NOW + KEPT + 1) for _ in range(3)] == [BATCH, 1, 0]


def test_a_page_tells_feedback_and_what_waits(store: Store) -> None:
    publish(store, [scored(id) for id in ("L-01", "L-02", "L-03")], [], NOW)
    midnight = NOW // (24 * HOUR) * 24 * HOUR
    for lead_id, action, at in (("L-01", "hold", midnight - 1), ("L-02", "advance", midnight), ("L-02", None, midnight + 1)):
        say(store, lead_id, action, at)
    with store.writing.begin() as connection:
        mark(connection, ["L-03"], NOW, 0, False)
    found = {row["lead_id"]: (row["override"], row["handled"], row["stale"]) for row in page(store, Wanted(), 50, NOW).rows}
    assert found == {"L-01": ("hold", False, False), "L-02": ("advance", True, False), "L-03": (None, False, True)}


def say(store: Store, lead_id: str, action: str | None, at: int) -> None:
    with store.writing.begin() as connection:
        connection.execute(FEEDBACK.insert().values(lead_id=lead_id, action=action, at=at))


def test_freshness_is_of_the_rows_that_count(store: Store) -> None:
    assert freshness(store) == (None, None, 0)
    publish(store, [scored("L-01", scored_at=NOW - 9), scored("L-02", scored_at=NOW - 5)], [], NOW)
    publish(store, [scored("L-01", scored_at=NOW - 3)], [], NOW)
    with store.writing.begin() as connection:
        mark(connection, IDS[:4], NOW, 0, False)
    assert freshness(store) == (NOW - 5, NOW - 3, 4)


def test_what_waits_is_counted_up_to_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_pages, "MOST_PENDING", 3)
    with store.writing.begin() as connection:
        mark(connection, IDS[:4], NOW, 0, False)
    assert freshness(store)[2] == 3


def freshness(store: Store) -> tuple[int | None, int | None, int]:
    found = page(store, Wanted(), 1, NOW)
    return found.oldest, found.newest, found.pending


def test_the_kinds_that_a_filter_reads_are_all_there_are() -> None:
    assert get_args(Action) == ACTIONS
    assert get_args(Grade) == GRADES


def test_a_failed_publication_leaves_no_number_behind(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        publish(store, [scored("L-01", score_id=None)], [], NOW)
    with store.engine.connect() as connection:
        assert connection.scalar(sa.select(COUNTERS.c.value).where(COUNTERS.c.name == "queue")) is None
