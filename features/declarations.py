"""Every feature of the timeline, declared once: what it computes, its unit, its qualification level and its sentence for people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

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
class EventGroup:
    """Several types that also count together. `types` are names of event types as the bundle knows them."""

    name: str
    phrase: str
    level: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Feature:
    """One column of the model's row. `op` names what is computed (MEANINGS); `slot` is an event type, one of the groups all, inbound, outbound and
    late, `channel_` and a channel, `group_` and a group of the team's, or EVERY_TYPE or EVERY_CHANNEL; windows are days, or IN_STAGE, or EVER.
    `other` is a second window (trend) or slot (share). `text` is what a person would say, with {value}; `absent` what they would say where there is
    none; both begin with `phrase`, what the slot is called, where they speak of one."""

    name: str
    op: str
    unit: str
    level: str
    text: str
    absent: str
    slot: str = "all"
    window: int = EVER
    other: str | int = EVER
    phrase: str = ""

    def document(self) -> dict[str, object]:
        return asdict(self)


GROUPS = ("all", "inbound", "outbound")
LATE = "late"
EVERY_TYPE, EVERY_CHANNEL = "(types)", "(channels)"
"""What looks at all types, or at all channels, at once."""
GROUP_PHRASES = {"all": "Activity of any kind", "inbound": "Activity by the lead", "outbound": "Outreach to the lead", LATE: "Activity recorded late"}
COLLEAGUE_PHRASES = {
    "all": "Activity of any kind with colleagues at the account",
    "inbound": "Activity by colleagues at the account",
    "outbound": "Outreach to colleagues at the account",
}
CHANNEL_PHRASE = "Activity through {channel}"
COLLEAGUE_WINDOWS = (30,)

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "count": "events in the window",
        "recency": "days since the latest one",
        "since_first": "days since the first one",
        "active_days": "different UTC days with an event in the window",
        "trend": "ln((events in the short window + 1/2) / (events in the long one, scaled to the short one's length, + 1/2))",
        "share": "events by the lead / all events in the window",
        "value_sum": "sum of the values in the window",
        "value_mean": "mean of the values in the window",
        "first_is": "1 if the first event of all is of this type",
        "last_is": "1 if the latest event of all is of this type",
        "gap_mean": "mean days between one event and the next",
        "gap_longest": "most days between one event and the next",
        "burstiness": "(s - m) / (s + m), s the standard deviation and m the mean of those gaps [Goh & Barabasi 2008]",
        "bursts": "runs of three events or more, each an hour at most after the one before",
        "burst_recency": "days since the latest event of the latest such run",
        "distinct": "how many of them have an event in the window",
        "entropy": "Shannon entropy, in nats, of their counts in the window",
        "answered": "outreach followed later, within three days (closed), by activity of the lead",
        "answered_share": "answered outreach / all outreach",
        "answer_days": "mean days from an answered outreach to its first answer",
        "unanswered": "outreach later than the latest activity of the lead",
        "tenure": "days since the lead was created",
        "time_in_stage": "days since it entered its stage",
        "time_before_stage": "days from its creation to the entry of its stage",
        "entries": "entries into stages so far, its creation included",
        "exits": "times that it left the funnel",
        "returns": "earlier stays in its stage",
        "furthest": "number of the furthest stage that it ever stood in, the first is 1",
        "since_exit": "days since it last left the funnel",
        "days_out": "days that it stood in exits, added up",
        "entry_hour": "UTC hour, with fraction, at which it entered its stage",
        "entry_weekday": "UTC weekday on which it entered its stage, 0 is Monday",
        "colleagues_count": "events in the window of others, while they stood at the account at which the lead stands now",
        "colleagues_recency": "days since the latest of those",
    }
)
"""What is computed by each op, of what was known at as_of."""


def slot_of_channel(channel: str) -> str:
    return f"channel_{channel}"


def slot_of_group(group: str) -> str:
    return f"group_{group}"


def slots_of(
    types: Sequence[EventType], channels: Sequence[str] = (), late: bool = False, event_groups: Sequence[EventGroup] = ()
) -> tuple[str, ...]:
    """What an event may count in, in the sweep's order: its type, the groups, its channel, late, and the team's own groups."""
    own = (slot_of_group(group.name) for group in event_groups)
    return (*(t.name for t in types), *GROUPS, *map(slot_of_channel, channels), *([LATE] if late else []), *own)


def declare(
    types: Sequence[EventType], channels: Sequence[str] = (), late: bool = False, event_groups: Sequence[EventGroup] = ()
) -> tuple[Feature, ...]:
    """The timeline's features of these event types and channels, in a fixed order: counts and recency of each type, then of the groups, then what
    looks at several of them, then the stage's own."""
    return tuple(feature for _, features in families(types, channels, late, event_groups) for feature in features)


def families(
    types: Sequence[EventType], channels: Sequence[str] = (), late: bool = False, event_groups: Sequence[EventGroup] = ()
) -> Iterator[tuple[str, Iterable[Feature]]]:
    """(what they are about, features) in the order of the row."""
    yield "Each type of event", (f for t in types for f in _of_slot(t.name, t.phrase, t.level))
    yield "All events, and those from and to the lead", (f for group in GROUPS for f in _of_slot(group, GROUP_PHRASES[group], "interest"))
    yield "The team's own groups of types", (f for group in event_groups for f in _of_group(group))
    yield "Values of events", (f for t in types if t.has_value for f in _of_values(t))
    yield "First and latest touch", (f for t in types for f in _of_touch(t))
    yield "Rhythm and trend", _of_rhythm()
    yield "Gaps and bursts", _of_gaps()
    yield "Variety", _of_variety("types", "kinds of activity", EVERY_TYPE, len(types))
    yield "Answers to outreach", _of_answers()
    yield "Channels", _of_channels(channels)
    yield "Late records", _of_late() if late else ()
    yield "Stages and time", _of_stage()


def declare_colleagues() -> tuple[Feature, ...]:
    """What others at the lead's account did: counts by group and window, then recency, in the order in which `features.colleagues` computes them."""
    return (*_of_colleagues(),)


def _span(window: int) -> tuple[str, str]:
    if window == IN_STAGE:
        return "in_stage", "since entering the stage"
    if window == EVER:
        return "ever", "so far"
    return f"{window}d", "in the last day" if window == 1 else f"in the last {window} days"


def _counts(slot: str, phrase: str, level: str, windows: Sequence[int], op: str = "count") -> Iterator[Feature]:
    for window in windows:
        suffix, span = _span(window)
        text = f"{phrase} {{value}} {span}"
        yield Feature(f"{slot}_count_{suffix}", op, "events", level, text, f"{phrase} never so far", slot, window, phrase=phrase)


def _recency(slot: str, phrase: str, level: str, op: str = "recency") -> Feature:
    return Feature(f"{slot}_recency", op, "days", level, f"{phrase}, last {{value}} ago", f"{phrase} never so far", slot, phrase=phrase)


def _of_slot(slot: str, phrase: str, level: str) -> Iterator[Feature]:
    yield from _counts(slot, phrase, level, (*WINDOWS, IN_STAGE, EVER))
    yield _recency(slot, phrase, level)
    first = f"{phrase}, first {{value}} ago"
    yield Feature(f"{slot}_since_first", "since_first", "days", level, first, f"{phrase} never so far", slot, phrase=phrase)


def _of_group(group: EventGroup) -> Iterator[Feature]:
    slot = slot_of_group(group.name)
    yield from _counts(slot, group.phrase, group.level, (7, 30, 90, IN_STAGE, EVER))
    yield _recency(slot, group.phrase, group.level)


def _of_values(t: EventType) -> Iterator[Feature]:
    never = f"{t.phrase} never so far"
    for window in (7, 30, EVER):
        suffix, span = _span(window)
        text = f"{t.phrase}: {{value}} in total {span}"
        yield Feature(f"{t.name}_value_sum_{suffix}", "value_sum", "value", t.level, text, never, t.name, window, phrase=t.phrase)
    for window in (30, 90, EVER):
        suffix, span = _span(window)
        text, none = f"{t.phrase}: {{value}} on average {span}", never if window == EVER else f"{t.phrase}: never {span}"
        yield Feature(f"{t.name}_value_mean_{suffix}", "value_mean", "value", t.level, text, none, t.name, window, phrase=t.phrase)


def _of_touch(t: EventType) -> Iterator[Feature]:
    said = t.phrase[:1].lower() + t.phrase[1:]
    first, last, none = f"First touch: {said}", f"Latest touch: {said}", "No touch so far"
    yield Feature(f"first_touch={t.name}", "first_is", "0/1", "interest", first, none, t.name, phrase=t.phrase)
    yield Feature(f"last_touch={t.name}", "last_is", "0/1", "interest", last, none, t.name, phrase=t.phrase)


def _of_rhythm() -> Iterator[Feature]:
    for window in (*WINDOWS, EVER):
        suffix, span = _span(window)
        text = f"Active on {{value}} {span}"
        yield Feature(f"active_days_{suffix}", "active_days", "different days", "interest", text, "Never active", window=window)
    for group in GROUPS:
        phrase = GROUP_PHRASES[group]
        for short, long in ((3, 14), (7, 30), (30, 90)):
            text = f"{phrase} {{value}} in the last {short} days against {long} days"
            yield Feature(f"{group}_trend_{short}d_{long}d", "trend", "ln ratio", "interest", text, "No trend", group, short, long, phrase)
    for window in (30, EVER):
        suffix, span = _span(window)
        text = f"{{value}} of the activity {span} came from the lead"
        yield Feature(f"inbound_share_{suffix}", "share", "share", "interest", text, f"No activity {span}", "inbound", window, "all")


def _of_gaps() -> Iterator[Feature]:
    for group in ("all", "inbound"):
        phrase = GROUP_PHRASES[group]
        for name, op, unit, said, none in (
            ("gap_mean", "gap_mean", "days", ", every {value} on average", " less than twice so far"),
            ("gap_longest", "gap_longest", "days", ", longest pause {value}", " less than twice so far"),
            ("burstiness", "burstiness", "-1 to 1", " comes in bursts: {value} (-1 evenly, 1 all at once)", " less than three times so far"),
            ("bursts", "bursts", "events", " several times within an hour: {value} so far", " never several times within an hour"),
            ("burst_latest", "burst_recency", "days", " several times within an hour, last {value} ago", " never several times within an hour"),
        ):  # fmt: skip
            yield Feature(f"{group}_{name}", op, unit, "interest", f"{phrase}{said}", f"{phrase}{none}", group, phrase=phrase)


def _of_variety(name: str, said: str, slot: str, size: int) -> Iterator[Feature]:
    """Of several things at once; nothing where there is only one."""
    if size > 1:
        distinct, evenness = f"Different {said} in the last 30 days: {{value}}", f"Variety of the {said} so far: {{value}} (0 always the same)"
        yield Feature(f"{name}_distinct_30d", "distinct", "number", "interest", distinct, "No activity in the last 30 days", slot, 30)
        yield Feature(f"{name}_entropy_ever", "entropy", "nats", "interest", evenness, "No activity so far", slot)


def _listed(level: str, *told: tuple[str, str, str, str, str]) -> Iterator[Feature]:
    """One feature each of (name, op, unit, text, absent); without the last it is `text` of something unknown."""
    for name, op, unit, text, absent in told:
        yield Feature(name, op, unit, level, text, absent or text.format(value="unknown"))


def _of_answers() -> Iterator[Feature]:
    return _listed(
        "interest",
        ("outreach_answered", "answered", "events", "Outreach answered within 3 days: {value} so far", "No outreach so far"),
        ("outreach_answered_share", "answered_share", "share", "{value} of the outreach so far was answered within 3 days", "No outreach so far"),
        ("outreach_answer_days", "answer_days", "days", "Answers to outreach came after {value} on average", "No outreach answered so far"),
        ("outreach_unanswered", "unanswered", "events", "Outreach since the latest answer: {value}", "No outreach so far"),
    )


def _of_channels(channels: Sequence[str]) -> Iterator[Feature]:
    for channel in channels:
        slot, phrase = slot_of_channel(channel), CHANNEL_PHRASE.format(channel=channel)
        yield from _counts(slot, phrase, "interest", (30,))
        yield _recency(slot, phrase, "interest")
    yield from _of_variety("channels", "channels", EVERY_CHANNEL, len(channels))


def _of_late() -> Iterator[Feature]:
    yield from _counts(LATE, GROUP_PHRASES[LATE], "interest", (EVER,))


def _of_colleagues() -> Iterator[Feature]:
    for group in GROUPS:
        yield from _counts(f"colleagues_{group}", COLLEAGUE_PHRASES[group], "stakeholder", (*COLLEAGUE_WINDOWS, EVER), "colleagues_count")
    for group in ("all", "inbound"):
        yield _recency(f"colleagues_{group}", COLLEAGUE_PHRASES[group], "stakeholder", "colleagues_recency")


def _of_stage() -> Iterator[Feature]:
    return _listed(
        "opportunity",
        ("tenure", "tenure", "days", "Known for {value}", ""),
        ("time_in_stage", "time_in_stage", "days", "In this stage for {value}", ""),
        ("time_before_stage", "time_before_stage", "days", "Took {value} to reach this stage", ""),
        ("stage_entries", "entries", "entries", "Stages entered so far: {value}", ""),
        ("exits", "exits", "exits", "Times out of the funnel before: {value}", ""),
        ("returns", "returns", "returns", "Times back in this stage: {value}", ""),
        ("furthest_stage", "furthest", "stage", "Furthest stage so far: number {value} of the funnel", "No stage so far"),
        ("since_exit", "since_exit", "days", "Time since last leaving the funnel: {value}", "Never left the funnel"),
        ("days_out", "days_out", "days", "Out of the funnel for {value} so far", "Never left the funnel"),
        ("entry_hour", "entry_hour", "hour UTC", "Entered the stage at {value}", ""),
        ("entry_weekday", "entry_weekday", "weekday", "Entered the stage on a {value}", ""),
    )
