"""Every declared feature, slowly and obviously: what the kernels must equal. One function per op; an op without one fails the suite."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, pstdev

from features.declarations import (
    EVER,
    EVERY_CHANNEL,
    EVERY_TYPE,
    GROUPS,
    IN_STAGE,
    LATE,
    EventGroup,
    EventType,
    Feature,
    slot_of_channel,
    slot_of_group,
)
from features.schema import Schema

DAY = 86_400_000_000
HOUR = DAY // 24
TYPES = (
    EventType("click", "Clicked", "interest", "inbound", True),
    EventType("call", "Was called", "interest", "outbound", True),
    EventType("visit", "Visited", "opportunity", None, False),
)
TEAM = EventGroup("team", "Team", "interest", ("click", "visit"))


@dataclass(frozen=True)
class Event:
    at: int
    type: str
    value: int | None = None  # millionths
    channel: str | None = None
    late: bool = False


@dataclass(frozen=True)
class History:
    schema: Schema
    created: int
    events: tuple[Event, ...] = ()
    stages: tuple[tuple[int, int], ...] = ()  # (time, code) after creation, sorted, without repeats
    accounts: tuple[tuple[int, str | None], ...] = ()  # (since, account), sorted

    def seen(self, as_of: int) -> list[Event]:
        types, channels = [t.name for t in self.schema.types], [*self.schema.channels, None]

        def place(e: Event) -> tuple[int, ...]:
            channel = e.channel if e.channel in channels else None
            return e.at, types.index(e.type), channels.index(channel), e.late and self.schema.late, -(1 << 70) if e.value is None else e.value

        return sorted([e for e in self.events if e.at <= as_of], key=place)

    def entries(self, as_of: int) -> list[tuple[int, int]]:
        return [(t, c) for t, c in ((self.created, 0), *self.stages) if t <= as_of]

    def entered(self, as_of: int) -> int:
        return self.entries(as_of)[-1][0] if self.entries(as_of) else self.created

    def account(self, at: int) -> str | None:
        return next((account for since, account in reversed(self.accounts) if since <= at), None)

    def direction(self, e: Event) -> str | None:
        return next(t.direction for t in self.schema.types if t.name == e.type)

    def counts_in(self, e: Event, slot: str) -> bool:
        channel = slot_of_channel(e.channel) if e.channel in self.schema.channels else None
        groups = [slot_of_group(group.name) for group in self.schema.event_groups if e.type in group.types]
        return slot in ("all", e.type, self.direction(e), channel, LATE if e.late else None, *groups)

    def of(self, slot: str, window: int, as_of: int) -> list[Event]:
        return [e for e in self.seen(as_of) if self.counts_in(e, slot) and self._inside(e, window, as_of)]

    def times(self, slot: str, as_of: int) -> list[int]:
        return [e.at for e in self.of(slot, EVER, as_of)]

    def gaps(self, slot: str, as_of: int) -> list[int]:
        return [b - a for a, b in pairwise(self.times(slot, as_of))]

    def _inside(self, e: Event, window: int, as_of: int) -> bool:
        if window == EVER:
            return True
        if window == IN_STAGE:
            return self.entered(as_of) <= e.at
        return as_of - window * DAY < e.at


def by_hand(f: Feature, h: History, as_of: int, others: Sequence[History] = ()) -> float:
    """The value of one feature; `others` are all leads but this one."""
    return COLLEAGUE_ORACLES[f.op](f, h, as_of, others) if f.op in COLLEAGUE_ORACLES else ORACLES[f.op](f, h, as_of)


def count(f: Feature, h: History, as_of: int) -> float:
    return len(h.of(f.slot, f.window, as_of))


def recency(f: Feature, h: History, as_of: int) -> float:
    times = h.times(f.slot, as_of)
    return (as_of - max(times)) / DAY if times else math.nan


def since_first(f: Feature, h: History, as_of: int) -> float:
    times = h.times(f.slot, as_of)
    return (as_of - min(times)) / DAY if times else math.nan


def active_days(f: Feature, h: History, as_of: int) -> float:
    return len({e.at // DAY for e in h.of("all", f.window, as_of)})


def trend(f: Feature, h: History, as_of: int) -> float:
    short, long = len(h.of(f.slot, f.window, as_of)), len(h.of(f.slot, int(f.other), as_of))
    return math.log((short + 0.5) / (long * (f.window / int(f.other)) + 0.5))


def share(f: Feature, h: History, as_of: int) -> float:
    of = len(h.of(str(f.other), f.window, as_of))
    return len(h.of(f.slot, f.window, as_of)) / of if of else math.nan


def value_sum(f: Feature, h: History, as_of: int) -> float:
    return sum(e.value for e in h.of(f.slot, f.window, as_of) if e.value is not None) / 1e6


def value_mean(f: Feature, h: History, as_of: int) -> float:
    values = [e.value for e in h.of(f.slot, f.window, as_of) if e.value is not None]
    return sum(values) / 1e6 / len(values) if values else math.nan


def first_is(f: Feature, h: History, as_of: int) -> float:
    seen = h.seen(as_of)
    return float(seen[0].type == f.slot) if seen else math.nan


def last_is(f: Feature, h: History, as_of: int) -> float:
    seen = h.seen(as_of)
    return float(seen[-1].type == f.slot) if seen else math.nan


def gap_mean(f: Feature, h: History, as_of: int) -> float:
    times = h.times(f.slot, as_of)
    return (max(times) - min(times)) / (len(times) - 1) / DAY if len(times) > 1 else math.nan


def gap_longest(f: Feature, h: History, as_of: int) -> float:
    return max(h.gaps(f.slot, as_of), default=math.nan) / DAY


def burstiness(f: Feature, h: History, as_of: int) -> float:
    gaps = h.gaps(f.slot, as_of)
    if len(gaps) < 2 or not any(gaps):
        return math.nan
    return (pstdev(gaps) - mean(gaps)) / (pstdev(gaps) + mean(gaps))


def bursts(f: Feature, h: History, as_of: int) -> float:
    return len(_runs(h.times(f.slot, as_of)))


def burst_recency(f: Feature, h: History, as_of: int) -> float:
    runs = _runs(h.times(f.slot, as_of))
    return (as_of - max(runs[-1])) / DAY if runs else math.nan


def _runs(times: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for at in times:
        if runs and at - runs[-1][-1] <= HOUR:
            runs[-1].append(at)
        else:
            runs.append([at])
    return [run for run in runs if len(run) >= 3]


def distinct(f: Feature, h: History, as_of: int) -> float:
    return sum(n > 0 for n in _counts(f, h, as_of))


def entropy(f: Feature, h: History, as_of: int) -> float:
    counts = _counts(f, h, as_of)
    return -sum(n / sum(counts) * math.log(n / sum(counts)) for n in counts if n) if any(counts) else math.nan


def _counts(f: Feature, h: History, as_of: int) -> list[int]:
    slots = {EVERY_TYPE: [t.name for t in h.schema.types], EVERY_CHANNEL: [slot_of_channel(c) for c in h.schema.channels]}[f.slot]
    return [len(h.of(slot, f.window, as_of)) for slot in slots]


def answered(f: Feature, h: History, as_of: int) -> float:
    return sum(wait is not None for wait in _waits(h, as_of))


def answered_share(f: Feature, h: History, as_of: int) -> float:
    waits = _waits(h, as_of)
    return sum(wait is not None for wait in waits) / len(waits) if waits else math.nan


def answer_days(f: Feature, h: History, as_of: int) -> float:
    waits = [wait for wait in _waits(h, as_of) if wait is not None]
    return sum(waits) / len(waits) / DAY if waits else math.nan


def unanswered(f: Feature, h: History, as_of: int) -> float:
    answers = h.times("inbound", as_of)
    return sum(not answers or at > max(answers) for at in h.times("outbound", as_of))


def _waits(h: History, as_of: int) -> list[int | None]:
    """Of each outreach, how long its first answer took; None without one within three days."""
    answers = h.times("inbound", as_of)
    return [min((a - at for a in answers if at < a <= at + 3 * DAY), default=None) for at in h.times("outbound", as_of)]


def tenure(f: Feature, h: History, as_of: int) -> float:
    return (as_of - h.created) / DAY


def time_in_stage(f: Feature, h: History, as_of: int) -> float:
    return (as_of - h.entered(as_of)) / DAY


def time_before_stage(f: Feature, h: History, as_of: int) -> float:
    return (h.entered(as_of) - h.created) / DAY


def entries(f: Feature, h: History, as_of: int) -> float:
    return sum(c < len(h.schema.stages) for _, c in h.entries(as_of))


def exits(f: Feature, h: History, as_of: int) -> float:
    return sum(c >= len(h.schema.stages) for _, c in h.entries(as_of))


def returns(f: Feature, h: History, as_of: int) -> float:
    codes = [c for _, c in h.entries(as_of)]
    return codes.count(codes[-1]) - 1 if codes else -1.0


def furthest(f: Feature, h: History, as_of: int) -> float:
    return max((c + 1 for _, c in h.entries(as_of) if c < len(h.schema.stages)), default=0)


def since_exit(f: Feature, h: History, as_of: int) -> float:
    left = [t for t, c in h.entries(as_of) if c >= len(h.schema.stages)]
    return (as_of - max(left)) / DAY if left else math.nan


def days_out(f: Feature, h: History, as_of: int) -> float:
    spells = pairwise([*h.entries(as_of), (as_of, 0)])
    return sum(end - begin for (begin, code), (end, _) in spells if code >= len(h.schema.stages)) / DAY


def entry_hour(f: Feature, h: History, as_of: int) -> float:
    return (h.entered(as_of) % DAY) / HOUR


def entry_weekday(f: Feature, h: History, as_of: int) -> float:
    return float((h.entered(as_of) // DAY + 3) % 7)


def colleagues_count(f: Feature, h: History, as_of: int, others: Sequence[History]) -> float:
    return sum(f.window == EVER or as_of - f.window * DAY < at for at in _of_colleagues(f, h, as_of, others))


def colleagues_recency(f: Feature, h: History, as_of: int, others: Sequence[History]) -> float:
    times = _of_colleagues(f, h, as_of, others)
    return (as_of - max(times)) / DAY if times else math.nan


def _of_colleagues(f: Feature, h: History, as_of: int, others: Sequence[History]) -> list[int]:
    """The instants of what colleagues did at the account at which the lead stands at as_of, known then."""
    here, group = h.account(as_of), f.slot.removeprefix("colleagues_")
    assert group in GROUPS
    told = [e for other in others for e in other.events if e.at <= as_of and here is not None and other.account(e.at) == here]
    return [e.at for e in told if group in ("all", h.direction(e))]


ORACLES: dict[str, Callable[[Feature, History, int], float]] = {
    f.__name__: f
    for f in (
        count, recency, since_first, active_days, trend, share, value_sum, value_mean, first_is, last_is,
        gap_mean, gap_longest, burstiness, bursts, burst_recency, distinct, entropy, answered, answered_share, answer_days, unanswered,
        tenure, time_in_stage, time_before_stage, entries, exits, returns, furthest, since_exit, days_out, entry_hour, entry_weekday,
    )
}  # fmt: skip
COLLEAGUE_ORACLES: dict[str, Callable[[Feature, History, int, Sequence[History]], float]] = {
    f.__name__: f for f in (colleagues_count, colleagues_recency)
}
ROUNDED = frozenset({"burstiness", "entropy"})
"""Ops whose exact value depends on the order in which a machine adds; all others are equal to the bit."""
