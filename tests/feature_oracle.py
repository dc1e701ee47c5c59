"""Every declared feature, slowly and obviously: what the sweep must equal. One function per op; an op without one fails the suite."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from features.declarations import EVER, GROUPS, IN_STAGE, EventType, Feature

DAY = 86_400_000_000


@dataclass(frozen=True)
class Event:
    at: int
    type: str
    value: int | None  # millionths


@dataclass(frozen=True)
class History:
    created: int
    events: tuple[Event, ...]
    stages: tuple[tuple[int, int], ...]  # (time, code) after creation, sorted, without repeats
    funnel_stages: int
    types: tuple[EventType, ...]

    def seen(self, as_of: int) -> list[Event]:
        order = {t.name: i for i, t in enumerate(self.types)}
        known = [e for e in self.events if e.at <= as_of]
        return sorted(known, key=lambda e: (e.at, order[e.type], -(1 << 70) if e.value is None else e.value))

    def entries(self, as_of: int) -> list[tuple[int, int]]:
        return [(t, c) for t, c in ((self.created, 0), *self.stages) if t <= as_of]

    def entered(self, as_of: int) -> int:
        return self.entries(as_of)[-1][0] if self.entries(as_of) else self.created

    def of(self, slot: str, window: int, as_of: int) -> list[Event]:
        direction = {t.name: t.direction for t in self.types}
        return [
            e
            for e in self.seen(as_of)
            if (slot == "all" or slot == (direction[e.type] if slot in GROUPS else e.type)) and self._inside(e, window, as_of)
        ]

    def _inside(self, e: Event, window: int, as_of: int) -> bool:
        if window == EVER:
            return True
        if window == IN_STAGE:
            return self.entered(as_of) <= e.at
        return as_of - window * DAY < e.at


def by_hand(f: Feature, h: History, as_of: int) -> float:
    return ORACLES[f.op](f, h, as_of)


def count(f: Feature, h: History, as_of: int) -> float:
    return len(h.of(f.slot, f.window, as_of))


def recency(f: Feature, h: History, as_of: int) -> float:
    times = [e.at for e in h.of(f.slot, EVER, as_of)]
    return (as_of - max(times)) / DAY if times else math.nan


def since_first(f: Feature, h: History, as_of: int) -> float:
    times = [e.at for e in h.of(f.slot, EVER, as_of)]
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


def tenure(f: Feature, h: History, as_of: int) -> float:
    return (as_of - h.created) / DAY


def time_in_stage(f: Feature, h: History, as_of: int) -> float:
    return (as_of - h.entered(as_of)) / DAY


def time_before_stage(f: Feature, h: History, as_of: int) -> float:
    return (h.entered(as_of) - h.created) / DAY


def entries(f: Feature, h: History, as_of: int) -> float:
    return sum(c < h.funnel_stages for _, c in h.entries(as_of))


def exits(f: Feature, h: History, as_of: int) -> float:
    return sum(c >= h.funnel_stages for _, c in h.entries(as_of))


def returns(f: Feature, h: History, as_of: int) -> float:
    codes = [c for _, c in h.entries(as_of)]
    return codes.count(codes[-1]) - 1 if codes else -1.0


def entry_hour(f: Feature, h: History, as_of: int) -> float:
    return (h.entered(as_of) % DAY) / (DAY / 24)


def entry_weekday(f: Feature, h: History, as_of: int) -> float:
    return float((h.entered(as_of) // DAY + 3) % 7)


ORACLES: dict[str, Callable[[Feature, History, int], float]] = {
    f.__name__: f
    for f in (
        count, recency, since_first, active_days, trend, share, value_sum, value_mean, first_is, last_is,
        tenure, time_in_stage, time_before_stage, entries, exits, returns, entry_hour, entry_weekday,
    )
}  # fmt: skip
