"""What others at a lead's account did: events shared by all who stand there, each lead's own taken off again.

An event counts for the account at which its lead stood when it counted; a lead sees the events, known at as_of, of the account at which it stands at
as_of. An account's events are read once, whoever looks at them: cost grows with events and rows, not with events x leads of the account.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from data.contract import DAY, MOST_COLLEAGUES
from features.declarations import COLLEAGUE_WINDOWS
from features.sorting import sort_rows
from features.timeline import Codes, Ints, Past, Timeline, latest

Roles = NDArray[np.int8]
_EDGES = np.array([days * DAY for days in COLLEAGUE_WINDOWS], np.int64)
_COUNTS = 3 * (len(COLLEAGUE_WINDOWS) + 1)
COLUMNS = _COUNTS + 2
"""Counts of all, inbound and outbound in each window and ever; recency of all and inbound."""
OPS = ("colleagues_count", "colleagues_recency")
ALWAYS = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Stays:
    """Which account each of n leads stood at since when: `start` (n + 1,) delimits the leads in `since` (sorted within each) and `account`, an index
    below `accounts`, -1 for none. Before its first stay a lead stands nowhere."""

    start: Ints
    since: Ints
    account: Ints
    accounts: int

    def at(self, lead: Ints, as_of: Ints) -> Ints:
        """The account of each (lead, as_of), (m,); -1 for none. A stay that begins at as_of counts."""
        row = latest(self.start, self.since, lead, as_of)
        return np.where(row >= 0, self.account[np.maximum(row, 0)], -1) if self.account.size else np.full(lead.size, -1, np.int64)

    def shared(self) -> "Stays":
        """The same, with none in place of an account at which only one lead ever stood, or more than `MOST_COLLEAGUES` did: nobody has colleagues
        there."""
        leads = self.start.size - 1
        lead = np.repeat(np.arange(leads, dtype=np.int64), np.diff(self.start))
        stood = np.unique(self.account[self.account >= 0] * leads + lead[self.account >= 0]) // max(leads, 1)
        standing = np.bincount(stood, minlength=self.accounts)
        several = np.append((standing > 1) & (standing <= MOST_COLLEAGUES), False)
        return Stays(self.start, self.since, np.where(several[self.account], self.account, -1), self.accounts)


@dataclass(frozen=True)
class Colleagues:
    """The events at accounts that leads share: `start` (accounts + 1,) delimits the accounts in `time` (sorted within each), `lead` says whose each
    event is, `role` what it is (`schema.ROLES`)."""

    stays: Stays
    start: Ints
    time: Ints
    lead: Ints
    role: Codes

    def compute(self, lead: Ints, as_of: Ints) -> NDArray[np.float32]:
        """The features of a spine (m,), in any order: (m, COLUMNS). An account's events are read once for all of it."""
        account = self.stays.at(lead, as_of)
        spine = sort_rows(self.stays.accounts, account, as_of, np.zeros(lead.size, np.int16), np.arange(lead.size, dtype=np.int64))
        found = np.tile(_NOBODY, (lead.size, 1))
        _sweep(self.start, self.time, self.lead, self.role, spine[0], spine[1], lead[spine[3]], spine[3], self.stays.start.size - 1, _EDGES, found)
        return found


def colleagues_of(timeline: Timeline, role: Roles, stays: Stays) -> Colleagues:
    """`role` (kinds,): what an event of each kind is (`Program.role`)."""
    stays = stays.shared()
    account = _stood(timeline.event_start, timeline.event_time, stays.start, stays.since, stays.account)
    owner = np.repeat(np.arange(timeline.leads, dtype=np.int64), np.diff(timeline.event_start))
    said = role[timeline.event_type].astype(np.int16)
    start, time, said, lead = sort_rows(stays.accounts, account, timeline.event_time, said, owner)
    return Colleagues(stays, start, time, lead, said)


def tell(leads: Sequence[Past], out: NDArray[np.float32]) -> None:
    """`Colleagues.compute` of leads told one by one (n,), from what each was told of its colleagues, into out (n, COLUMNS)."""
    for i, past in enumerate(leads):
        if past.colleague_time:
            told = np.array((past.colleague_time, past.colleague_role), np.int64)
            _tell(told[0], told[1], past.as_of, _EDGES, out[i])
        else:
            out[i] = _NOBODY


_NOBODY = np.array([0.0] * _COUNTS + [math.nan] * 2, np.float32)


@njit(cache=True, nogil=True)
def _stood(event_start, event_time, start, since, account):  # type: ignore[no-untyped-def]
    """The account at which the lead of each event stood when it counted, -1 for none: both sorted by (lead, time), so both are read once."""
    found = np.full(event_time.size, -1, np.int64)
    for lead in range(start.size - 1):
        stay, end, now = start[lead], start[lead + 1], np.int64(-1)
        for i in range(event_start[lead], event_start[lead + 1]):
            while stay < end and since[stay] <= event_time[i]:
                now = account[stay]
                stay += 1
            found[i] = now
    return found


@njit(cache=True, nogil=True)
def _sweep(event_start, event_time, event_lead, event_role, row_start, row_as_of, row_lead, row, leads, windows, out):  # type: ignore[no-untyped-def]
    """Rows and events by (account, time). Row w of a total holds what has left window w, its last row all that is known. Of a group the latest two
    events of different leads are held: one of them is somebody else's, whoever asks."""
    ever = windows.size
    total, own = np.zeros((ever + 1, 3), np.int64), np.zeros((leads, ever + 1, 3), np.int32)
    tail = np.empty(ever, np.int64)
    who, when, before = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2, np.int64)
    for account in range(row_start.size - 1):
        if row_start[account] == row_start[account + 1]:
            continue
        begin, end = event_start[account], event_start[account + 1]
        total[:] = 0
        tail[:] = begin
        who[:], when[:], before[:] = -1, -1, -1
        head = begin
        for i in range(row_start[account], row_start[account + 1]):
            as_of, lead = row_as_of[i], row_lead[i]
            while head < end and event_time[head] <= as_of:
                other, role = event_lead[head], event_role[head]
                _count(total[ever], own[other, ever], role)
                for group in range(2 if role == 2 else 1):
                    if who[group] != other:
                        before[group], who[group] = when[group] if who[group] >= 0 else -1, other
                    when[group] = head
                head += 1
            for w in range(ever):
                while tail[w] < head and event_time[tail[w]] <= as_of - windows[w]:
                    _count(total[w], own[event_lead[tail[w]], w], event_role[tail[w]])
                    tail[w] += 1
            for group in range(3):
                known = total[ever, group] - own[lead, ever, group]
                for w in range(ever):
                    out[row[i], group * (ever + 1) + w] = known - (total[w, group] - own[lead, w, group])
                out[row[i], group * (ever + 1) + ever] = known
            for group in range(2):
                last = before[group] if who[group] == lead else when[group]
                if last >= 0:
                    out[row[i], 3 * (ever + 1) + group] = (as_of - event_time[last]) / DAY
        for i in range(begin, head):
            own[event_lead[i]] = 0


@njit(cache=True, inline="always")
def _count(total, own, role):  # type: ignore[no-untyped-def]
    """Groups: 0 all, 1 inbound, 2 outbound."""
    total[0] += 1
    own[0] += 1
    if role > 0:
        total[3 - role] += 1
        own[3 - role] += 1


@njit(cache=True, nogil=True)
def _tell(time, role, as_of, windows, out):  # type: ignore[no-untyped-def]
    """`_sweep` of what one lead was told; events of a role below 0 are left out."""
    ever = windows.size
    out[:] = 0.0
    for group in range(2):
        out[3 * (ever + 1) + group] = math.nan
        last = -1
        for i in range(time.size):
            if role[i] >= 0 and time[i] <= as_of and (group == 0 or role[i] == 2) and (last < 0 or time[i] > time[last]):
                last = i
        if last >= 0:
            out[3 * (ever + 1) + group] = (as_of - time[last]) / DAY
    for i in range(time.size):
        if role[i] >= 0 and time[i] <= as_of:
            for w in range(ever + 1):
                if w == ever or time[i] > as_of - windows[w]:
                    out[w] += 1.0
                    if role[i] > 0:
                        out[(3 - role[i]) * (ever + 1) + w] += 1.0
