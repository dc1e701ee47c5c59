"""A made-up world of events for the benchmark of the features, and the question that everybody is asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.contract import DAY
from features.declarations import GROUPS, IN_STAGE, EventType, Feature
from features.schema import Schema
from features.sweep import NO_VALUE

EVENTS_A_LEAD = 50
LANDMARKS = 10
SPAN_DAYS = 150
START = 19_000 * DAY
"""The first midnight of the world; everything is within 305 days of it."""

TYPES = (
    EventType("page_view", "Viewed a page", "interest", "inbound", True),
    EventType("email_open", "Opened an e-mail", "interest", "inbound", False),
    EventType("email_click", "Clicked in an e-mail", "interest", "inbound", False),
    EventType("webinar", "Attended a webinar", "interest", "inbound", True),
    EventType("form", "Sent a form", "interest", "inbound", False),
    EventType("email_sent", "Was sent an e-mail", "interest", "outbound", False),
    EventType("call", "Was called", "interest", "outbound", False),
    EventType("note", "A note was made", "interest", None, False),
)
FREQUENCY = (0.3, 0.2, 0.1, 0.05, 0.05, 0.15, 0.1, 0.05)
SCHEMA = Schema(("lead", "prospect", "opportunity"), ("disqualified", "lost"), TYPES, ())

CODES = tuple(range(len(TYPES)))
NAMES = tuple(t.name for t in TYPES)
VALUED = tuple(k for k in CODES if TYPES[k].has_value)
OF = {t.name: (k,) for k, t in enumerate(TYPES)} | {"all": CODES}
OF |= {way: tuple(k for k in CODES if TYPES[k].direction == way) for way in GROUPS[1:]}
"""The types that count in each slot."""

EXPRESSED = ("count", "recency", "since_first", "active_days", "trend", "share", "value_sum", "value_mean", "first_is", "last_is", "tenure")
"""What every formulation computes; the rest of leadscore's row is its own."""


def asked() -> tuple[Feature, ...]:
    """The columns that everybody is asked for, as leadscore declares them, in the row's order."""
    return tuple(f for f in SCHEMA.features if f.op in EXPRESSED and f.window != IN_STAGE)


def windows(asked: Sequence[Feature]) -> list[int]:
    """Days, of every window that is asked for."""
    return sorted({w for f in asked for w in (f.window, f.other) if isinstance(w, int) and w > 0})


def valued_windows(asked: Sequence[Feature]) -> list[int]:
    """Days, of every window whose values are asked for."""
    return sorted({f.window for f in asked if f.op.startswith("value_") and f.window > 0})


@dataclass(frozen=True)
class World:
    """Events in no order; a spine sorted by (lead, as_of). Instants are micros UTC, values millionths, NO_VALUE for none."""

    created: NDArray[np.int64]  # (leads,)
    lead: NDArray[np.int64]  # (events,)
    kind: NDArray[np.int16]  # (events,)
    time: NDArray[np.int64]  # (events,)
    value: NDArray[np.int64]  # (events,)
    spine_lead: NDArray[np.int64]  # (rows,)
    spine_as_of: NDArray[np.int64]  # (rows,)

    def save(self, folder: Path) -> None:
        for one in fields(self):
            np.save(folder / f"{one.name}.npy", getattr(self, one.name))

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(**{one.name: np.load(folder / f"{one.name}.npy") for one in fields(cls)})


def make(events: int, seed: int = 6) -> World:
    """Leads differ in how much they do (exponential), types in how common they are; a lead is asked about at ten instants of its first half year."""
    draw = np.random.default_rng(seed)
    leads = max(1, events // EVENTS_A_LEAD)
    created = START + 5 * DAY + draw.integers(0, SPAN_DAYS * DAY, leads)
    weight = draw.exponential(size=leads)
    lead = np.repeat(np.arange(leads), draw.multinomial(events, weight / weight.sum()))
    draw.shuffle(lead)
    time = created[lead] + draw.integers(-5 * DAY, SPAN_DAYS * DAY, events)
    kind = draw.choice(len(TYPES), events, p=FREQUENCY).astype(np.int16)
    has_value = np.array([t.has_value for t in TYPES])[kind] & (draw.random(events) < 0.9)
    value = np.where(has_value, np.rint(draw.exponential(30.0, events) * 100).astype(np.int64) * 10_000, NO_VALUE)
    as_of = np.sort(created[:, None] + draw.integers(0, SPAN_DAYS * DAY, (leads, LANDMARKS)), axis=1).ravel()
    return World(created, lead, kind, time, value, np.repeat(np.arange(leads), LANDMARKS), as_of)
