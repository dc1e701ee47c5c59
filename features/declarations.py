"""Every feature of the timeline, declared once: what it computes, its unit, its qualification level and its sentence for people."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

LEVELS = ("organization", "opportunity", "stakeholder", "interest")
"""The qualification levels, in the order in which a lead passes them."""

WINDOWS = (1, 3, 7, 14, 30, 90)
"""Days. Features look at (as_of - window, as_of]."""

IN_STAGE = 0
"""The window of the current stage: [its entry, as_of]."""

EVER = -1
"""No window: everything known at as_of."""


@dataclass(frozen=True)
class EventType:
    """One type of engagement as the bundle knows it."""

    name: str
    phrase: str  # "Opened an e-mail"
    level: str
    direction: str | None  # inbound, outbound or None
    has_value: bool


@dataclass(frozen=True)
class Feature:
    """One column of the model's row. `op` names what the sweep computes; `slot` is an event type or one of the groups all, inbound, outbound;
    windows are days, or IN_STAGE, or EVER. `text` is what a person would say, with {value}; `absent` what they would say where there is none."""

    name: str
    op: str
    unit: str
    level: str
    text: str
    absent: str
    slot: str = "all"
    window: int = EVER
    other: str | int = EVER

    def document(self) -> dict[str, object]:
        return asdict(self)


GROUPS = ("all", "inbound", "outbound")
GROUP_PHRASES = {"all": "Activity of any kind", "inbound": "Activity by the lead", "outbound": "Outreach to the lead"}


def declare(types: Sequence[EventType]) -> tuple[Feature, ...]:
    """The features of these event types, in a fixed order: counts and recency of each, then of the groups, then the stage's own."""
    slots = [(t.name, t.phrase, t.level) for t in types] + [(g, GROUP_PHRASES[g], "interest") for g in GROUPS]
    listed = [f for name, phrase, level in slots for f in _of_slot(name, phrase, level)]
    listed += [f for t in types if t.has_value for f in _of_values(t)]
    listed += [f for t in types for f in _of_touch(t)]
    return (*listed, *_of_rhythm(), *_of_stage())


def _span(window: int) -> tuple[str, str]:
    if window == IN_STAGE:
        return "in_stage", "since entering the stage"
    if window == EVER:
        return "ever", "so far"
    return f"{window}d", "in the last day" if window == 1 else f"in the last {window} days"


def _of_slot(slot: str, phrase: str, level: str) -> Iterator[Feature]:
    never = f"{phrase} never so far"
    for window in (*WINDOWS, IN_STAGE, EVER):
        suffix, span = _span(window)
        yield Feature(f"{slot}_count_{suffix}", "count", "events", level, f"{phrase} {{value}} {span}", never, slot, window)
    yield Feature(f"{slot}_recency", "recency", "days", level, f"{phrase}, last {{value}} ago", never, slot)
    yield Feature(f"{slot}_since_first", "since_first", "days", level, f"{phrase}, first {{value}} ago", never, slot)


def _of_values(t: EventType) -> Iterator[Feature]:
    never = f"{t.phrase} never so far"
    for window in (7, 30, EVER):
        suffix, span = _span(window)
        text = f"{t.phrase}: {{value}} in total {span}"
        yield Feature(f"{t.name}_value_sum_{suffix}", "value_sum", "value", t.level, text, never, t.name, window)
    text = f"{t.phrase}: {{value}} on average so far"
    yield Feature(f"{t.name}_value_mean_ever", "value_mean", "value", t.level, text, never, t.name)


def _of_touch(t: EventType) -> Iterator[Feature]:
    said = t.phrase[:1].lower() + t.phrase[1:]
    yield Feature(f"first_touch={t.name}", "first_is", "0/1", "interest", f"First touch: {said}", "No touch so far", t.name)
    yield Feature(f"last_touch={t.name}", "last_is", "0/1", "interest", f"Latest touch: {said}", "No touch so far", t.name)


def _of_rhythm() -> Iterator[Feature]:
    for window in (*WINDOWS, EVER):
        suffix, span = _span(window)
        text = f"Active on {{value}} {span}"
        yield Feature(f"active_days_{suffix}", "active_days", "different days", "interest", text, "Never active", window=window)
    for group in GROUPS:
        phrase = GROUP_PHRASES[group]
        for short, long in ((3, 14), (7, 30), (30, 90)):
            text = f"{phrase} {{value}} in the last {short} days against {long} days"
            yield Feature(f"{group}_trend_{short}d_{long}d", "trend", "ln ratio", "interest", text, "No trend", group, short, long)
    for window in (30, EVER):
        suffix, span = _span(window)
        text = f"{{value}} of the activity {span} came from the lead"
        yield Feature(f"inbound_share_{suffix}", "share", "share", "interest", text, f"No activity {span}", "inbound", window, "all")


def _of_stage() -> Iterator[Feature]:
    for name, op, unit, text in (
        ("tenure", "tenure", "days", "Known for {value}"),
        ("time_in_stage", "time_in_stage", "days", "In this stage for {value}"),
        ("time_before_stage", "time_before_stage", "days", "Took {value} to reach this stage"),
        ("stage_entries", "entries", "entries", "Stages entered so far: {value}"),
        ("exits", "exits", "exits", "Times out of the funnel before: {value}"),
        ("returns", "returns", "returns", "Times back in this stage: {value}"),
        ("entry_hour", "entry_hour", "hour UTC", "Entered the stage at {value}"),
        ("entry_weekday", "entry_weekday", "weekday", "Entered the stage on a {value}"),
    ):
        yield Feature(name, op, unit, "opportunity", text, text.format(value="unknown"))
