"""The sweep against the oracle for any history; both ends of every window; what comes after as_of changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_oracle import DAY, ORACLES, Event, History, by_hand
from features.declarations import WINDOWS, EventType, declare
from features.rows import Known, compute
from features.schema import Schema
from features.sweep import NO_VALUE, OPS
from features.timeline import Timeline, build

TYPES = (
    EventType("click", "Clicked", "interest", "inbound", True),
    EventType("call", "Was called", "interest", "outbound", True),
    EventType("visit", "Visited", "opportunity", None, False),
)
SCHEMA = Schema(("lead", "prospect", "opportunity"), ("disqualified", "lost"), TYPES, ())
BEGIN = 1_700_000_000_000_000
# few distinct instants, so that ties and exact window edges are common
INSTANTS = st.one_of(
    st.integers(-100, 100).map(lambda days: BEGIN + days * DAY),
    st.integers(-100 * 24, 100 * 24).map(lambda hours: BEGIN + hours * (DAY // 24)),
    st.tuples(st.sampled_from(WINDOWS), st.sampled_from((-1, 0, 1))).map(lambda x: BEGIN - x[0] * DAY + x[1]),
)
EVENTS = st.builds(Event, INSTANTS, st.sampled_from([t.name for t in TYPES]), st.none() | st.integers(-(10**12), 10**12))


@st.composite
def histories(draw: st.DrawFn) -> History:
    created = draw(INSTANTS)
    rows = sorted(draw(st.lists(st.tuples(INSTANTS, st.integers(0, 4)), max_size=5)))
    stages: list[tuple[int, int]] = []
    for time, code in sorted((max(time, created), code) for time, code in rows):
        if code != (stages[-1][1] if stages else 0):
            stages.append((time, code))
    return History(created, tuple(draw(st.lists(EVENTS, max_size=25))), tuple(stages), 3, TYPES)


def timeline_of(histories_: list[History]) -> Timeline:
    names = [t.name for t in TYPES]
    events = [(i, names.index(e.type), e.at, NO_VALUE if e.value is None else e.value) for i, h in enumerate(histories_) for e in h.events]
    stages = [(i, code, time) for i, h in enumerate(histories_) for time, code in h.stages]
    lead, kind, time, value = np.array(events, np.int64).reshape(-1, 4).T
    owner, code, entered = np.array(stages, np.int64).reshape(-1, 3).T
    created = np.array([h.created for h in histories_], np.int64)
    return build(created, (lead, kind.astype(np.int16), time, value), (owner, code.astype(np.int16), entered), 3)


def rows_of(histories_: list[History], spine: list[tuple[int, int]]) -> np.ndarray:
    lead, as_of = np.array(spine, np.int64).reshape(-1, 2).T
    return compute(SCHEMA, timeline_of(histories_), Known({}, {}), lead, as_of)


def test_every_op_has_an_oracle() -> None:
    assert set(ORACLES) == set(OPS)
    assert {f.op for f in declare(TYPES)} == set(OPS)


@settings(max_examples=300, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=4), st.data())
def test_the_sweep_equals_the_oracle(hs: list[History], data: st.DataObject) -> None:
    spine = data.draw(st.lists(st.tuples(st.integers(0, len(hs) - 1), INSTANTS), min_size=1, max_size=8))
    fast = rows_of(hs, spine)
    slow = np.array([[by_hand(f, hs[lead], as_of) for f in SCHEMA.features] for lead, as_of in spine], np.float32)
    for column, feature in enumerate(SCHEMA.features):
        np.testing.assert_array_equal(fast[:, column], slow[:, column], err_msg=feature.name)


@settings(max_examples=100, deadline=None)
@given(histories(), INSTANTS, st.lists(EVENTS, max_size=8), st.randoms())
def test_the_future_and_the_order_of_rows_change_nothing(h: History, as_of: int, more: list[Event], rng) -> None:
    later = tuple(Event(as_of + 1 + abs(e.at - BEGIN), e.type, e.value) for e in more)
    shuffled = [*h.events, *later]
    rng.shuffle(shuffled)
    stages = (*h.stages, (max([as_of, h.created, *(t for t, _ in h.stages)]) + 1, 4 if not h.stages or h.stages[-1][1] != 4 else 0))
    changed = History(h.created, tuple(shuffled), stages, 3, TYPES)
    np.testing.assert_array_equal(rows_of([h], [(0, as_of)]), rows_of([changed], [(0, as_of)]))


@pytest.mark.parametrize("days", WINDOWS)
def test_a_window_is_open_at_its_start_and_closed_at_its_end(days: int) -> None:
    column = [c.name for c in SCHEMA.columns].index(f"click_count_{days}d")
    at = [BEGIN - days * DAY, BEGIN - days * DAY + 1, BEGIN, BEGIN + 1]
    counts = [rows_of([History(BEGIN - 200 * DAY, (Event(t, "click", None),), (), 3, TYPES)], [(0, BEGIN)])[0, column] for t in at]
    assert counts == [0, 1, 1, 0]


def test_an_empty_spine_and_a_lead_without_events() -> None:
    nobody = History(BEGIN, (), (), 3, TYPES)
    assert rows_of([nobody], []).shape == (0, len(SCHEMA.columns))
    row = dict(zip([c.name for c in SCHEMA.columns], rows_of([nobody], [(0, BEGIN)])[0], strict=True))
    assert row["click_count_7d"] == 0
    assert row["all_count_ever"] == 0
    assert np.isnan(row["click_recency"])
    assert np.isnan(row["first_touch=click"])


def test_long_runs_are_sorted_as_short_ones_are() -> None:
    rng = np.random.default_rng(0)
    events = tuple(Event(BEGIN - int(t) * DAY // 7, "click" if t % 2 else "call", int(t)) for t in rng.integers(0, 300, 500))
    spine = [(0, BEGIN - days * DAY) for days in range(0, 60, 7)]
    h = History(BEGIN - 90 * DAY, events, (), 3, TYPES)
    slow = np.array([[by_hand(f, h, as_of) for f in SCHEMA.features] for _, as_of in spine], np.float32)
    np.testing.assert_array_equal(rows_of([h], spine), slow)
