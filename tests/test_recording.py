"""From when on a transition was recorded, and until when leads came: planted gaps are found, honest histories are left whole."""

import numpy as np
import pytest

from data.contract import DAY
from features.timeline import Ints, Timeline, build
from training.labels import NEVER, Hop
from training.landmarks import Landmarks, landmarks
from training.recording import ALWAYS, EXPECTED, recorded_since, recording

HOP = Hop(0, 1, 60)
NOTHING = np.zeros(0, np.int64)


def history(created: Ints, entered: Ints) -> Timeline:
    """Leads by day of creation, and of becoming a prospect (below 0: never)."""
    who = np.flatnonzero(entered >= 0)
    rows = (who, np.ones(who.size, np.int16), entered[who] * DAY)
    return build(created * DAY, (NOTHING, NOTHING.astype(np.int16), NOTHING, NOTHING), rows, 4)


def world(begins: int = 0, rate: float = 0.2, days: int = 400, seed: int = 0, a_day: int = 5) -> Timeline:
    """`a_day` leads a day; `rate` of them become prospects within twenty days, recorded from day `begins` on."""
    rng = np.random.default_rng(seed)
    created = np.repeat(np.arange(days), a_day)
    entered = np.where(rng.random(created.size) < rate, created + rng.integers(1, 20, created.size), -1)
    return history(created, np.where(entered >= begins, entered, -1))


@pytest.mark.parametrize("seed", range(5))
def test_a_recording_that_begins_late_is_found_to_the_week(seed: int) -> None:
    since = recorded_since(world(begins=150, seed=seed), HOP, 400 * DAY)
    assert 150 * DAY <= since <= 157 * DAY


@pytest.mark.parametrize("seed", range(20))
def test_a_whole_recording_is_left_whole(seed: int) -> None:
    assert recorded_since(world(seed=seed), HOP, 400 * DAY) == ALWAYS


def test_entries_that_were_typed_in_afterwards_hide_no_gap() -> None:
    late = world(begins=150)
    early = history(np.array([3, 10]), np.array([20, 30]))
    created = np.concatenate([early.created, late.created]) // DAY
    entered = np.full(created.size, -1)
    entered[:2] = [20, 30]
    lines = np.flatnonzero(late.stage_code == 1)
    owner = np.searchsorted(late.stage_start, lines, side="right") - 1
    entered[owner + 2] = late.stage_time[lines] // DAY
    assert 150 * DAY <= recorded_since(history(created, entered), HOP, 400 * DAY) <= 157 * DAY


def test_too_few_leads_before_the_first_entry_prove_nothing() -> None:
    """28 days must pass before the first entry; 0.2 x leads of the days before must reach EXPECTED."""
    days = int(EXPECTED / 0.2 / 5)
    assert recorded_since(world(begins=28 + 2 * days), HOP, 400 * DAY) != ALWAYS
    assert recorded_since(world(begins=28 + days // 2), HOP, 400 * DAY) == ALWAYS


def test_what_comes_later_than_the_end_is_not_looked_at() -> None:
    whole = world(begins=150)
    assert recorded_since(whole, HOP, 140 * DAY) == ALWAYS
    assert recorded_since(history(np.arange(50), np.full(50, -1)), HOP, 400 * DAY) == ALWAYS


def marks_of(timeline: Timeline, end: int) -> tuple[Landmarks, Ints]:
    marks = landmarks(timeline, 0, end * DAY)
    return marks, timeline.standing(marks.lead, marks.as_of)[1]


def test_landmarks_of_leads_from_before_the_recording_are_no_evidence() -> None:
    timeline = world(begins=150)
    marks, entered = marks_of(timeline, 400)
    held = recording(marks, entered, 150 * DAY, 400 * DAY).holds(marks, entered)
    assert (held == (timeline.created[marks.lead] >= 150 * DAY)).all()


def test_a_test_without_a_single_new_lead_moves_back_to_where_leads_came() -> None:
    timeline = world(days=100)
    marks, entered = marks_of(timeline, 400)
    found = recording(marks, entered, ALWAYS, 340 * DAY)
    assert found.until == 99 * DAY
    assert marks.as_of[found.holds(marks, entered)].max() == 99 * DAY
    told = found.notes("lead->prospect", 7)
    assert "nobody entered the stage after 1970-04-10" in told[0]
    assert "7 landmarks are left out" in told[0]


def test_leads_that_come_to_the_end_change_nothing() -> None:
    marks, entered = marks_of(world(), 400)
    found = recording(marks, entered, ALWAYS, 340 * DAY)
    assert (found.until, found.notes("lead->prospect", 0)) == (NEVER, [])
    assert found.holds(marks, entered).all()
    nothing = Landmarks(NOTHING, NOTHING)
    assert recording(nothing, NOTHING, ALWAYS, 340 * DAY).until == NEVER
