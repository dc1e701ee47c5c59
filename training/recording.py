"""Between which instants a transition was recorded at all: a lead from before may have gone on unseen, and is no evidence that it did not."""

from dataclasses import dataclass

import numpy as np

from data.arrow import Mask
from data.contract import DAY, format_instant
from features.timeline import Ints, Timeline
from training.labels import NEVER, Hop, first_entry, spells
from training.landmarks import Landmarks
from training.splits import TEST_SHARE

STRAY = 0.01
"""Share of the entries that may lie before the recording began: a few were typed in afterwards."""
LOOK = 28 * DAY
"""What is compared is who went on within so long, or within the horizon where that is shorter."""
EXPECTED, SEEN = 20.0, 0.1
"""So many entries must have been expected before the recording began, and at most this share of them seen."""
ALWAYS = -NEVER


def recorded_since(timeline: Timeline, hop: Hop, end: int) -> int:
    """The instant from which on entries of `hop.target` were recorded; ALWAYS where they always were. Nothing from `end` on is looked at.

    Of the leads that came a whole LOOK before the first entries (but for STRAY ones), as many should have gone on as of those that came later. Where
    at least EXPECTED should have, and next to none did, an export that begins later than its leads is the reason: its first months would teach that
    nobody converts.
    """
    stays = spells(timeline)
    mine = (stays.code == hop.stage) & (stays.began < end)
    began = stays.began[mine]
    entered = first_entry(timeline, hop.target, stays.lead[mine], began)
    entries = np.sort(entered[entered < end])
    if not entries.size:
        return ALWAYS
    start, look = int(entries[int(STRAY * entries.size)]), min(hop.horizon_days * DAY, LOOK)
    went_on = (entered != NEVER) & (entered - np.minimum(began, entered) <= look)
    before, after = began + look <= start, (began >= start) & (began + look <= end)
    expected = float(before.sum() * went_on[after].mean()) if after.any() else 0.0
    return start if expected >= EXPECTED and went_on[before].sum() <= SEEN * expected else ALWAYS


@dataclass(frozen=True)
class Recording:
    """Between which instants (micros) the landmarks of a hop are evidence: of spells that began at or after `since`, as they stood up to `until`."""

    since: int
    until: int

    def holds(self, marks: Landmarks, entered: Ints) -> Mask:
        """Which landmarks (m,) those are; `entered` (m,) is when each lead had entered the stage."""
        return np.asarray((entered >= self.since) & (marks.as_of <= self.until))

    def notes(self, transition: str, left_out: int) -> list[str]:
        """What was left out, in words for people."""
        told = []
        if self.since != ALWAYS:
            begins = format_instant(self.since)[:10]
            told.append(f"next to nothing is recorded of {transition} before {begins}: leads from before that may have gone on unseen")
        if self.until != NEVER:
            ends = format_instant(self.until)[:10]
            told.append(f"nobody entered the stage after {ends}: what came later is of those who were left over, not of such leads as come")
        return [f"{'; '.join(told)}. {left_out:,} landmarks are left out for that."] if told else []


def recording(marks: Landmarks, entered: Ints, since: int, ripe_until: int) -> Recording:
    """What is evidence, of the landmarks up to `ripe_until` (micros), after which no horizon is over.

    An export may end its new leads long before their deals. Then the last landmarks, which measure, would all be of old leads: where the test had not
    one lead that came during it, landmarks after the last entry are left out.
    """
    used = (entered >= since) & (marks.as_of <= ripe_until)
    if not used.any():
        return Recording(since, NEVER)
    last = int(entered[used].max())
    begins = int(np.quantile(marks.as_of[used], 1 - TEST_SHARE))
    return Recording(since, last if begins > last else NEVER)
