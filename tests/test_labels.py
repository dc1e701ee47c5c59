"""Outcomes against a slow oracle for any stage history; both ends of the horizon; what is ripe; chains of hops; the path of a funnel."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import DAY, TICK
from features.timeline import Timeline, build
from training.labels import Hop, outcome, path, spells, time_to_leave

LEAD, PROSPECT, OPPORTUNITY, CUSTOMER, DISQUALIFIED, LOST = range(6)
STAGES = 4
BEGIN = 1_700_000_000_000_000
TO_PROSPECT, TO_OPPORTUNITY, TO_CUSTOMER = Hop(LEAD, PROSPECT, 3), Hop(PROSPECT, OPPORTUNITY, 5), Hop(OPPORTUNITY, CUSTOMER, 2)
CHAINS = ([TO_PROSPECT], [TO_OPPORTUNITY], [TO_CUSTOMER], [TO_PROSPECT, TO_OPPORTUNITY], [TO_PROSPECT, TO_OPPORTUNITY, TO_CUSTOMER])
# whole days and their neighbours, so that ties and exact ends of a horizon are common
INSTANTS = st.builds(lambda day, tick: BEGIN + day * DAY + tick, st.integers(0, 14), st.sampled_from((-TICK, 0, 0, TICK)))


@dataclass(frozen=True)
class Entry:
    at: int
    code: int


def timeline_of(*histories: tuple[int, list[tuple[int, int]]]) -> Timeline:
    """One lead per (created, [(time, code), ...])."""
    rows = [(i, code, time) for i, (_, stages) in enumerate(histories) for time, code in stages]
    lead, code, time = np.array(rows, np.int64).reshape(-1, 3).T
    none = np.zeros(0, np.int64)
    created = np.array([created for created, _ in histories], np.int64)
    return build(created, (none, none.astype(np.int16), none, none), (lead, code.astype(np.int16), time), STAGES)


def entries_by_hand(created: int, stages: list[tuple[int, int]]) -> list[Entry]:
    """Creation is an entry of `lead`; nothing is entered before it; repeats of the stage a lead stands in are none."""
    found: list[Entry] = []
    for time, code in sorted([(created, LEAD), *((max(time, created), code) for time, code in stages)]):
        if not found or found[-1].code != code:
            found.append(Entry(time, code))
    return found


def outcome_by_hand(entries: list[Entry], hops: list[Hop], as_of: int, data_end: int) -> tuple[int, bool, bool]:
    """(y, ripe, eligible): for each hop, the first entry of its target or a later stage after the hop before."""
    at, made = as_of, []
    for number, hop in enumerate(hops):
        later = [e.at for e in entries if hop.target <= e.code < STAGES and (e.at > at if number == 0 else e.at >= at)]
        made.append(bool(later) and later[0] <= at + hop.horizon_days * DAY)
        if made[-1]:
            at = later[0]
        elif number < len(hops) - 1:
            return 0, as_of + sum(h.horizon_days for h in hops) * DAY <= data_end, False
    return int(made[-1]), as_of + sum(h.horizon_days for h in hops) * DAY <= data_end, all(made[:-1])


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(INSTANTS, st.lists(st.tuples(INSTANTS, st.integers(LEAD, LOST)), max_size=7)), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), INSTANTS), min_size=1, max_size=6),
    st.sampled_from(CHAINS),
    INSTANTS,
)
def test_outcomes_equal_those_by_hand(histories, spine, hops, data_end) -> None:
    spine = [(lead % len(histories), as_of) for lead, as_of in spine]
    lead, as_of = np.array(spine, np.int64).T
    found = outcome(timeline_of(*histories), hops, lead, as_of, data_end)
    by_hand = [outcome_by_hand(entries_by_hand(*histories[i]), hops, t, data_end) for i, t in spine]
    assert found.ripe.tolist() == [ripe for _, ripe, _ in by_hand]
    assert found.eligible.tolist() == [eligible for _, _, eligible in by_hand]
    # a label says nothing where the hops before were not made
    assert found.y[found.eligible].tolist() == [y for y, _, eligible in by_hand if eligible]
    assert found.counts.tolist() == [ripe and eligible for _, ripe, eligible in by_hand]


def label(stages: list[tuple[int, int]], hops: list[Hop], as_of: int = BEGIN) -> tuple[int, bool]:
    """(y, eligible) of one lead created long before as_of."""
    found = outcome(timeline_of((BEGIN - 100 * DAY, stages)), hops, np.zeros(1, np.int64), np.array([as_of], np.int64), as_of + 1000 * DAY)
    return int(found.y[0]), bool(found.eligible[0])


@pytest.mark.parametrize(("after", "y"), [(0, 0), (TICK, 1), (3 * DAY, 1), (3 * DAY + TICK, 0)])
def test_a_horizon_is_open_at_its_start_and_closed_at_its_end(after: int, y: int) -> None:
    """(as_of, as_of + 3 days]."""
    assert label([(BEGIN + after, PROSPECT)], [TO_PROSPECT]) == (y, True)


@pytest.mark.parametrize(("short_of", "ripe"), [(0, True), (TICK, False)])
def test_a_landmark_is_ripe_exactly_when_its_whole_horizon_has_passed(short_of: int, ripe: bool) -> None:
    for hops, days in (([TO_PROSPECT], 3), ([TO_PROSPECT, TO_OPPORTUNITY], 8)):
        made = timeline_of((BEGIN, [(BEGIN + DAY, PROSPECT), (BEGIN + DAY, OPPORTUNITY)]))
        found = outcome(made, hops, np.zeros(1, np.int64), np.array([BEGIN], np.int64), BEGIN + days * DAY - short_of)
        assert found.ripe.tolist() == [ripe]
        assert found.counts.tolist() == [ripe], "an unripe landmark is left out whatever happened, conversions included"


@pytest.mark.parametrize(
    ("stages", "y"),
    [
        ([], 0),
        ([(BEGIN + DAY, DISQUALIFIED)], 0),
        ([(BEGIN + DAY, DISQUALIFIED), (BEGIN + 2 * DAY, PROSPECT)], 1),  # even after an exit
        ([(BEGIN + DAY, OPPORTUNITY)], 1),  # a stage skipped is a stage reached
        ([(BEGIN + DAY, CUSTOMER)], 1),
        ([(BEGIN - DAY, PROSPECT), (BEGIN - TICK, LEAD)], 0),  # what was reached before as_of is over
        ([(BEGIN - DAY, PROSPECT), (BEGIN - TICK, LEAD), (BEGIN + DAY, PROSPECT)], 1),
        ([(BEGIN - DAY, PROSPECT), (BEGIN + DAY, PROSPECT)], 0),  # a repeated row is no entry
        ([(BEGIN + 4 * DAY, PROSPECT)], 0),
    ],
)
def test_what_counts_as_converted(stages: list[tuple[int, int]], y: int) -> None:
    assert label(stages, [TO_PROSPECT]) == (y, True)


@pytest.mark.parametrize(
    ("stages", "y", "eligible"),
    [
        ([(BEGIN + DAY, PROSPECT), (BEGIN + 6 * DAY, OPPORTUNITY)], 1, True),  # 5 days after the prospect, at the end of its horizon
        ([(BEGIN + DAY, PROSPECT), (BEGIN + 6 * DAY + TICK, OPPORTUNITY)], 0, True),
        ([(BEGIN + 3 * DAY, PROSPECT), (BEGIN + 8 * DAY, OPPORTUNITY)], 1, True),  # both at their ends
        ([(BEGIN + 3 * DAY + TICK, PROSPECT), (BEGIN + 4 * DAY, OPPORTUNITY)], 0, False),  # too late a prospect is no question
        ([(BEGIN + DAY, OPPORTUNITY)], 1, True),  # skipped: both hops at one instant
        ([(BEGIN + DAY, PROSPECT), (BEGIN + DAY, OPPORTUNITY)], 1, True),
        ([(BEGIN + DAY, PROSPECT)], 0, True),
        ([], 0, False),
    ],
)
def test_the_second_hop_is_asked_of_those_who_made_the_first(stages: list[tuple[int, int]], y: int, eligible: bool) -> None:
    found_y, found_eligible = label(stages, [TO_PROSPECT, TO_OPPORTUNITY])
    assert found_eligible == eligible
    assert not eligible or found_y == y


def test_spells_of_no_length_are_none_and_the_last_one_is_open() -> None:
    stays = spells(timeline_of((BEGIN, [(BEGIN + DAY, PROSPECT), (BEGIN + DAY, OPPORTUNITY), (BEGIN + 2 * DAY, LOST)])))
    assert stays.code.tolist() == [LEAD, OPPORTUNITY, LOST]
    assert stays.after.tolist() == [PROSPECT, LOST, -1]
    assert stays.began.tolist() == [BEGIN, BEGIN + DAY, BEGIN + 2 * DAY]
    assert stays.ended.tolist()[:2] == [BEGIN + DAY, BEGIN + 2 * DAY]


def test_a_stage_nobody_ever_stands_in_is_not_on_the_path() -> None:
    skipping = [(BEGIN + DAY, PROSPECT), (BEGIN + DAY, OPPORTUNITY), (BEGIN + 2 * DAY, CUSTOMER)]
    assert path(timeline_of((BEGIN, skipping))) == (LEAD, OPPORTUNITY, CUSTOMER)
    assert path(timeline_of((BEGIN, skipping), (BEGIN, [(BEGIN + DAY, PROSPECT)]))) == (LEAD, PROSPECT, OPPORTUNITY, CUSTOMER)
    assert path(timeline_of((BEGIN, [(BEGIN, PROSPECT), (BEGIN + DAY, LOST)]))) == (PROSPECT,), "exits are no stages; a lead of no time stood nowhere"


def test_how_long_a_stage_is_left_after_and_how() -> None:
    """Forward is 1, an exit or a step back 2, still there at the end 0; what began at the end or later is not asked."""
    end = BEGIN + 10 * DAY
    made = timeline_of(
        (BEGIN, [(BEGIN + 2 * DAY, PROSPECT), (BEGIN + 5 * DAY, LEAD)]),
        (BEGIN, [(BEGIN + 3 * DAY, DISQUALIFIED)]),
        (BEGIN, [(end + DAY, PROSPECT)]),
        (end, []),
    )
    duration, cause = time_to_leave(made, LEAD, end)
    assert (duration // DAY).tolist() == [2, 5, 3, 10]
    assert cause.tolist() == [1, 0, 2, 0]
    duration, cause = time_to_leave(made, PROSPECT, end)
    assert (duration // DAY).tolist() == [3]
    assert cause.tolist() == [2]
