"""The sweep against the oracle for any history; both ends of every interval; what comes after as_of changes nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_oracle import COLLEAGUE_ORACLES, DAY, HOUR, ORACLES, ROUNDED, TEAM, TYPES, Event, History, by_hand
from features import colleagues
from features.declarations import GROUPS, WINDOWS, EventType
from features.lanes import AHEAD, LANES
from features.rows import Cohort, Known, compute, compute_told
from features.schema import Schema
from features.sweep import NO_VALUE, OPS
from features.timeline import Past, Timeline, build

SCHEMA = Schema(("lead", "prospect", "opportunity"), ("disqualified", "lost"), TYPES, (), channels=("phone", "web"), late=True, event_groups=(TEAM,))
BEGIN = 1_700_000_000_000_000
# few distinct instants, so that ties and exact edges are common
INSTANTS = st.one_of(
    st.integers(-100, 100).map(lambda days: BEGIN + days * DAY),
    st.integers(-100 * 24, 100 * 24).map(lambda hours: BEGIN + hours * HOUR),
    st.integers(-8, 8).map(lambda halves: BEGIN + halves * HOUR // 2),
    st.tuples(st.sampled_from(WINDOWS), st.sampled_from((-1, 0, 1))).map(lambda x: BEGIN - x[0] * DAY + x[1]),
)
CHANNELS = st.sampled_from(("phone", "web", "pigeon", None))
EVENTS = st.builds(Event, INSTANTS, st.sampled_from([t.name for t in TYPES]), st.none() | st.integers(-(10**12), 10**12), CHANNELS, st.booleans())


@st.composite
def histories(draw: st.DrawFn) -> History:
    created = draw(INSTANTS)
    rows = sorted(draw(st.lists(st.tuples(INSTANTS, st.integers(0, 4)), max_size=5)))
    stages: list[tuple[int, int]] = []
    for time, code in sorted((max(time, created), code) for time, code in rows):
        if code != (stages[-1][1] if stages else 0):
            stages.append((time, code))
    return History(SCHEMA, created, tuple(draw(st.lists(EVENTS, max_size=25))), tuple(stages))


def timeline_of(histories_: list[History]) -> Timeline:
    schema = histories_[0].schema
    events = [
        (i, schema.kind_code(e.type, e.channel, e.late), e.at, NO_VALUE if e.value is None else e.value)
        for i, h in enumerate(histories_)
        for e in h.events
    ]
    stages = [(i, code, time) for i, h in enumerate(histories_) for time, code in h.stages]
    lead, kind, time, value = np.array(events, np.int64).reshape(-1, 4).T
    owner, code, entered = np.array(stages, np.int64).reshape(-1, 3).T
    created = np.array([h.created for h in histories_], np.int64)
    return build(created, (lead, kind.astype(np.int16), time, value), (owner, code.astype(np.int16), entered), len(schema.stages))


def rows_of(histories_: list[History], spine: list[tuple[int, int]]) -> np.ndarray:
    lead, as_of = np.array(spine, np.int64).reshape(-1, 2).T
    return compute(histories_[0].schema, Cohort([], timeline_of(histories_), Known({}, {})), lead, as_of)


def past_of(h: History, as_of: int) -> Past:
    kinds = [h.schema.kind_code(e.type, e.channel, e.late) for e in h.events]
    values = [math.nan if e.value is None else e.value / 1e6 for e in h.events]
    return Past(h.created, as_of, [e.at for e in h.events], kinds, values, [t for t, _ in h.stages], [c for _, c in h.stages], [], [])


def test_every_op_has_an_oracle_and_every_op_is_declared() -> None:
    assert set(ORACLES) == set(OPS) == {f.op for f in SCHEMA.features}
    everything = replace(SCHEMA, colleagues=True)
    assert set(COLLEAGUE_ORACLES) == set(colleagues.OPS) == {f.op for f in everything.features} - set(OPS)


@settings(max_examples=120, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=4), st.data())
def test_the_sweep_equals_the_oracle(hs: list[History], data: st.DataObject) -> None:
    spine = data.draw(st.lists(st.tuples(st.integers(0, len(hs) - 1), INSTANTS), min_size=1, max_size=6))
    fast = rows_of(hs, spine)
    for row, (lead, as_of) in enumerate(spine):
        assert_row(fast[row], hs[lead], as_of)


def assert_row(fast: np.ndarray, h: History, as_of: int) -> None:
    slow = np.array([by_hand(f, h, as_of) for f in h.schema.features], np.float32)
    off = np.abs(fast - slow) > [1e-6 if f.op in ROUNDED else 0.0 for f in h.schema.features]
    off |= np.isnan(fast) != np.isnan(slow)
    assert not off.any(), [(f.name, fast[i], slow[i]) for i, f in enumerate(h.schema.features) if off[i]]


@pytest.mark.parametrize("slots", [LANES - 1, LANES, LANES + 1, 2 * LANES])
def test_any_number_of_slots_and_of_events_equals_the_oracle(slots: int) -> None:
    """What is computed LANES slots at once, and AHEAD instants, to the last event of all."""
    draw = np.random.default_rng(slots)
    ways = ("inbound", "outbound", None)
    types = tuple(EventType(f"type_{i:02}", "Did", "interest", ways[i % 3], i % 2 == 0) for i in range(slots - len(GROUPS)))
    schema = Schema(SCHEMA.stages, SCHEMA.exits, types, ())
    assert schema.program.slots == slots
    hs = []
    for size in (0, 5 * AHEAD, AHEAD - 1, AHEAD, 3 * AHEAD + 1):
        at = BEGIN + draw.integers(-100, 20, size) * DAY
        kind, value = draw.integers(0, len(types), size), draw.integers(-(10**9), 10**9, size)
        events = [Event(int(t), types[k].name, int(v) if types[k].has_value else None) for t, k, v in zip(at, kind, value, strict=True)]
        hs.append(History(schema, BEGIN - 50 * DAY, tuple(events), ((BEGIN - 9 * DAY, 1),)))
    spine = [(lead, BEGIN + days * DAY) for lead in range(len(hs)) for days in (-60, -7, 0, 30)]
    for row, (lead, as_of) in zip(rows_of(hs, spine), spine, strict=True):
        assert_row(row, hs[lead], as_of)


@settings(max_examples=100, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=4), st.lists(INSTANTS, min_size=4, max_size=4), st.randoms())
def test_a_lead_told_is_a_lead_among_many_is_a_lead_alone(hs: list[History], at: list[int], rng) -> None:
    """To the bit, rows in any order."""
    spine = [(i, at[i]) for i in range(len(hs))]
    many = rows_of(hs, spine)
    alone = np.concatenate([rows_of([h], [(0, at[i])]) for i, h in enumerate(hs)])
    told = [past_of(replace(h, events=tuple(rng.sample(h.events, len(h.events)))), at[i]) for i, h in enumerate(hs)]
    np.testing.assert_array_equal(many.view(np.int32), alone.view(np.int32))
    np.testing.assert_array_equal(many.view(np.int32), compute_told(SCHEMA, told, [()] * len(hs))[1].view(np.int32))


@settings(max_examples=100, deadline=None)
@given(histories(), INSTANTS, st.lists(EVENTS, max_size=8), st.randoms())
def test_the_future_and_the_order_of_rows_change_nothing(h: History, as_of: int, more: list[Event], rng) -> None:
    later = tuple(replace(e, at=as_of + 1 + abs(e.at - BEGIN)) for e in more)
    shuffled = [*h.events, *later]
    rng.shuffle(shuffled)
    stages = (*h.stages, (max([as_of, h.created, *(t for t, _ in h.stages)]) + 1, 4 if not h.stages or h.stages[-1][1] != 4 else 0))
    changed = replace(h, events=tuple(shuffled), stages=stages)
    np.testing.assert_array_equal(rows_of([h], [(0, as_of)]).view(np.int32), rows_of([changed], [(0, as_of)]).view(np.int32))


def value(name: str, *events: Event, stages: tuple[tuple[int, int], ...] = (), created: int = BEGIN - 200 * DAY) -> float:
    """One feature at BEGIN, of this one lead."""
    h = History(SCHEMA, created, events, stages)
    return float(rows_of([h], [(0, BEGIN)])[0, [c.name for c in SCHEMA.columns].index(name)])


@pytest.mark.parametrize("days", WINDOWS)
def test_a_window_is_open_at_its_start_and_closed_at_its_end(days: int) -> None:
    at = [BEGIN - days * DAY, BEGIN - days * DAY + 1, BEGIN, BEGIN + 1]
    assert [value(f"click_count_{days}d", Event(t, "click")) for t in at] == [0, 1, 1, 0]


@pytest.mark.parametrize(("wait", "answered"), [(0, 0), (1, 1), (3 * DAY, 1), (3 * DAY + 1, 0)])
def test_an_answer_comes_later_and_within_three_days(wait: int, answered: int) -> None:
    events = Event(BEGIN - 5 * DAY, "call"), Event(BEGIN - 5 * DAY + wait, "click")
    assert value("outreach_answered", *events) == answered
    assert value("outreach_unanswered", *events) == 0


def test_an_answer_that_is_not_yet_known_is_none() -> None:
    events = Event(BEGIN - DAY, "call"), Event(BEGIN + 1, "click")
    assert [value(name, *events) for name in ("outreach_answered", "outreach_answered_share", "outreach_unanswered")] == [0, 0, 1]


@pytest.mark.parametrize(("gap", "bursts"), [(HOUR - 1, 1), (HOUR, 1), (HOUR + 1, 0)])
def test_a_burst_is_three_events_an_hour_apart_at_most(gap: int, bursts: int) -> None:
    events = [Event(BEGIN - DAY + i * gap, "click") for i in range(3)]
    assert value("all_bursts", *events) == bursts
    assert value("all_bursts", *events[:2]) == 0


def test_evenly_is_minus_one_and_all_at_once_is_nothing() -> None:
    assert value("all_burstiness", *(Event(BEGIN - i * DAY, "click") for i in range(1, 9))) == pytest.approx(-1, abs=1e-6)
    assert np.isnan(value("all_burstiness", *(Event(BEGIN, "click") for _ in range(4))))
    assert value("all_burstiness", *(Event(BEGIN - DAY + i, "click") for i in range(50)), Event(BEGIN, "click")) > 0.6


def test_two_kinds_in_equal_parts_vary_by_ln_2() -> None:
    events = Event(BEGIN, "click", channel="web"), Event(BEGIN - 1, "visit", channel="pigeon")
    assert value("types_entropy_ever", *events) == pytest.approx(math.log(2))
    assert value("types_distinct_30d", *events) == 2
    assert value("channels_distinct_30d", *events) == 1
    assert value("channels_entropy_ever", *events) == 0
    assert np.isnan(value("channels_entropy_ever", events[1]))


def test_time_out_of_the_funnel_is_added_up() -> None:
    stages = (BEGIN - 50 * DAY, 4), (BEGIN - 40 * DAY, 1), (BEGIN - 10 * DAY, 3)
    assert [value(name, stages=stages) for name in ("days_out", "since_exit", "furthest_stage", "exits")] == [20, 10, 2, 2]
    assert value("furthest_stage", created=BEGIN + 1) == 0


def test_an_empty_spine_and_a_lead_without_events() -> None:
    nobody = History(SCHEMA, BEGIN)
    assert rows_of([nobody], []).shape == (0, len(SCHEMA.columns))
    row = dict(zip([c.name for c in SCHEMA.columns], rows_of([nobody], [(0, BEGIN)])[0], strict=True))
    assert row["click_count_7d"] == row["all_count_ever"] == row["channel_web_count_30d"] == row["late_count_ever"] == 0
    assert np.isnan([row["click_recency"], row["first_touch=click"], row["outreach_answer_days"], row["inbound_gap_mean"]]).all()


def test_long_runs_are_sorted_as_short_ones_are() -> None:
    rng = np.random.default_rng(0)
    events = tuple(Event(BEGIN - int(t) * DAY // 7, "click" if t % 2 else "call", int(t)) for t in rng.integers(0, 300, 500))
    spine = [(0, BEGIN - days * DAY) for days in range(0, 60, 13)]
    h = History(SCHEMA, BEGIN - 90 * DAY, events)
    for row, (_, as_of) in zip(rows_of([h], spine), spine, strict=True):
        assert_row(row, h, as_of)
