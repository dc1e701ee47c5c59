"""Where training rows stand, against a slow oracle: ages 0, 1 and 3 days, Mondays, both ends of a spell."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import DAY, TICK, parse_instant
from test_labels import BEGIN, DISQUALIFIED, LEAD, LOST, OPPORTUNITY, PROSPECT, entries_by_hand, timeline_of
from training.landmarks import landmarks, weekly_snapshots

INSTANTS = st.builds(lambda day, tick: BEGIN + day * DAY + tick, st.integers(0, 30), st.sampled_from((-TICK, 0, 0, TICK)))
MONDAY = parse_instant("2026-06-01T00:00:00Z")


def is_monday(instant: int) -> bool:
    when = datetime.fromtimestamp(instant // 1_000_000, UTC)
    return when.weekday() == 0 and instant % DAY == 0


def landmarks_by_hand(created: int, stages: list[tuple[int, int]], stage: int, data_end: int) -> list[int]:
    """Every instant of interest, kept if it lies within a spell of the stage: its entry included, its end not."""
    found: set[int] = set()
    entries = entries_by_hand(created, stages)
    for entry, nxt in zip(entries, [*(e.at for e in entries[1:]), None], strict=True):
        if entry.code == stage:
            midnights = range(entry.at // DAY * DAY, data_end + DAY, DAY)
            asked = [entry.at + age * DAY for age in (0, 1, 3)] + [t for t in midnights if is_monday(t)]
            found |= {t for t in asked if entry.at <= t <= data_end and (nxt is None or t < nxt)}
    return sorted(found)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(INSTANTS, st.lists(st.tuples(INSTANTS, st.integers(LEAD, LOST)), max_size=6)), min_size=1, max_size=4),
    st.sampled_from((LEAD, PROSPECT, OPPORTUNITY)),
    INSTANTS,
)
def test_landmarks_equal_those_by_hand(histories, stage: int, data_end: int) -> None:
    found = landmarks(timeline_of(*histories), stage, data_end)
    by_hand = [(i, t) for i, h in enumerate(histories) for t in landmarks_by_hand(*h, stage, data_end)]
    assert list(zip(found.lead.tolist(), found.as_of.tolist(), strict=True)) == by_hand


def ages(stages: list[tuple[int, int]], data_end: int, stage: int = LEAD, created: int = MONDAY + DAY) -> list[float]:
    """Days since creation, a Tuesday."""
    return [(t - created) / DAY for t in landmarks(timeline_of((created, stages)), stage, data_end).as_of.tolist()]


def test_ages_and_mondays() -> None:
    assert ages([], MONDAY + 15 * DAY) == [0, 1, 3, 6, 13]


def test_a_monday_that_is_an_age_too_counts_once() -> None:
    assert ages([], MONDAY + 8 * DAY, created=MONDAY) == [0, 1, 3, 7]


@pytest.mark.parametrize(("after", "expected"), [(-TICK, [0, 1]), (0, [0, 1]), (TICK, [0, 1, 3])])
def test_a_spell_holds_its_entry_and_not_its_end(after: int, expected: list[int]) -> None:
    assert ages([(MONDAY + 4 * DAY + after, PROSPECT)], MONDAY + 100 * DAY) == expected


@pytest.mark.parametrize(("after", "expected"), [(-TICK, [0]), (0, [0, 1]), (TICK, [0, 1])])
def test_the_end_of_the_data_is_included(after: int, expected: list[int]) -> None:
    assert ages([], MONDAY + 2 * DAY + after) == expected


def test_a_skip_within_one_instant_makes_no_landmark() -> None:
    skipped = [(MONDAY + 2 * DAY, PROSPECT), (MONDAY + 2 * DAY, OPPORTUNITY)]
    assert ages(skipped, MONDAY + 100 * DAY, PROSPECT) == []
    assert ages(skipped, MONDAY + 3 * DAY, OPPORTUNITY) == [1, 2]


def test_each_return_to_a_stage_starts_a_new_spell() -> None:
    out_and_back = [(MONDAY + 2 * DAY, DISQUALIFIED), (MONDAY + 3 * DAY, LEAD)]
    assert ages(out_and_back, MONDAY + 4 * DAY) == [0, 2, 3]


def test_the_population_is_open_leads_on_recent_mondays() -> None:
    """(data_end - weeks, data_end]: a Monday at data_end counts, one exactly the weeks before does not."""
    made = timeline_of((MONDAY - 50 * DAY, []), (MONDAY - 50 * DAY, [(MONDAY - DAY, DISQUALIFIED)]))
    found = weekly_snapshots(made, LEAD, MONDAY, weeks=2)
    assert [(int(lead), (int(t) - MONDAY) // DAY) for lead, t in zip(found.lead, found.as_of, strict=True)] == [(0, -7), (0, 0), (1, -7)]
    assert np.all(found.as_of % DAY == 0)
