"""What a feature's value is called in a sentence, in any language. English sentences are those of the schema itself (`serving.texts`).

A sentence is taken apart into its pattern, the event type's or attribute's name, and the value: what a team called its own event types and fields is
told as the team called it, all else is in the catalogues.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from data.defaults import EVENT_TYPES
from features.attributes import Attribute
from features.declarations import CHANNEL_PHRASE, COLLEAGUE_PHRASES, GROUP_PHRASES, EventType, Feature, slot_of_channel
from features.schema import OTHER_PHRASE, Schema
from serving.texts import RISING, teller
from serving.words import Words, largest, msgid

LABELS = frozenset(
    {
        msgid("Industry"), msgid("Employees"), msgid("Revenue"), msgid("Country"), msgid("Source"), msgid("Job title"), msgid("Title"),
        msgid("Email"), msgid("Phone"), msgid("Region"), msgid("City"), msgid("Language"), msgid("Segment"), msgid("Campaign"), msgid("Budget"),
        msgid("Company size"), msgid("Product"), msgid("Website"), msgid("Interest"), msgid("Position"), msgid("Role"),
    }
)  # fmt: skip
"""What fields that many CRMs have are called."""

NAMES = LABELS | {label for label, _, _ in EVENT_TYPES.values()} | {*GROUP_PHRASES.values(), *COLLEAGUE_PHRASES.values(), OTHER_PHRASE}
"""Names of fields and event types that have a translation."""

_TOUCHES = frozenset({"first_is", "last_is"})


class Pattern(NamedTuple):
    """An English sentence with placeholders, and what is put into it beside {value} (or {ago}, a value that lies so long back)."""

    text: str
    names: Mapping[str, str] = MappingProxyType({})


class Sentences:
    """Tells the values of one schema's columns in one language."""

    def __init__(self, schema: Schema, words: Words) -> None:
        self._words, self._columns = words, schema.columns
        self._patterns = _patterns(schema)
        self._at = {column.name: i for i, column in enumerate(schema.columns)}
        self._first = {column.group: i for i, column in reversed(list(enumerate(schema.columns)))}

    def reason(self, group: str, value: float | str | None) -> str | None:
        """The sentence of a reason as answers hold them: a feature's name and value, or that of a group of levels and the level. None for one that
        the schema does not have."""
        first = self._first.get(group)
        if first is None:
            return None
        if "=" not in self._columns[first].name:
            return None if isinstance(value, str) else self.sentence(first, float("nan") if value is None else float(value))
        if value is None:
            return self.sentence(first, float("nan"))
        place = self._at.get(f"{group}={value}")
        return None if place is None else self.sentence(place, 1.0)

    def of_column(self, name: str, value: float) -> str:
        """The sentence of a column by its name; the name, where the schema does not have it."""
        place = self._at.get(name)
        return name if place is None else self.sentence(place, value)

    def sentence(self, place: int, value: float) -> str:
        """What the value of the column at `place` is called; nan: that there is none."""
        if self._words.language == "en":
            return teller(self._columns[place])(value)
        (there, absent), words = self._patterns[place], self._words
        pattern = there if value == value else absent
        names = {name: _name(words, pattern.text, text) for name, text in pattern.names.items()}
        values = {} if value != value else {"value": _told(words, self._columns[place].unit, value), "ago": _ago(words, value)}
        return words.text(pattern.text, **names, **values)


@lru_cache(maxsize=16)
def sentences_of(schema: Schema, words: Words) -> Sentences:
    """The same, made once for a schema and a language."""
    return Sentences(schema, words)


def patterns() -> Iterator[str]:
    """Every pattern that a schema can have: those of one event type and of one attribute of each kind."""
    kinds = [Attribute(kind, kind, ("lead.field",), "interest", "Field", ("value",)) for kind in ("number", "category", "title", "email", "phone")]
    types = tuple(EventType(name, "Phrase", "interest", "inbound", True) for name in ("type", "other"))
    schema = Schema(("lead",), (), types, tuple(kinds), channels=("one", "two"), late=True, colleagues=True)
    return (pattern.text for pair in _patterns(schema) for pattern in pair)


def _patterns(schema: Schema) -> list[tuple[Pattern, Pattern]]:
    """Of each column in the row's order: with a value, and without."""
    timeline = [(_of_feature(f, f.text), _of_feature(f, f.absent)) for f in schema.features]
    firm = [(_of_attribute(a, name, text), _of_attribute(a, name, absent)) for a in schema.attributes for name, _, text, absent in a.columns]
    return timeline + firm


def _of_feature(feature: Feature, text: str) -> Pattern:
    phrase, channel = feature.phrase, feature.slot.removeprefix(slot_of_channel(""))
    if phrase and phrase == CHANNEL_PHRASE.format(channel=channel):
        return Pattern(f"{CHANNEL_PHRASE}{text.removeprefix(phrase)}".replace("{value} ago", "{ago}"), {"channel": channel})
    named = {"phrase": phrase}
    if feature.op in _TOUCHES:
        said = phrase[:1].lower() + phrase[1:]
        return Pattern(f"{text.removesuffix(said)}{{phrase}}", named) if text.endswith(f": {said}") else Pattern(text)
    if not phrase or not text.startswith(phrase):
        return Pattern(text)
    return Pattern(f"{{phrase}}{text.removeprefix(phrase)}".replace("{value} ago", "{ago}"), named)


def _of_attribute(attribute: Attribute, column: str, text: str) -> Pattern:
    label, level = attribute.label, column.partition("=")[2]
    if attribute.kind == "category" and text == f"{label} is {level}":
        return Pattern("{label} is {level}", {"label": label, "level": level})
    if text.startswith(f"{label} is "):
        return Pattern(f"{{label}}{text.removeprefix(label)}", {"label": label})
    return Pattern(text)


def _name(words: Words, pattern: str, name: str) -> str:
    """One of ours in mid-sentence begins small; the team's own stands as the team writes it."""
    own = name.removeprefix("Account ").capitalize()
    if own != name and own in LABELS:
        return words.text("Account: {field}", field=words.text(own))
    if name not in NAMES:
        return name
    told = words.text(name)
    return told if pattern.startswith("{") else told[:1].lower() + told[1:]


def _told(words: Words, unit: str, value: float) -> str:
    form = _FORMS.get(unit)
    return words.number(value) if form is None else form(words, value)


def _times(words: Words, value: float) -> str:
    few = (msgid("not once"), msgid("once"), msgid("twice"))
    count = int(value)
    return words.text(few[count]) if 0 <= count < len(few) else words.plural("{n} time", "{n} times", count)


def _ago(words: Words, days: float) -> str:
    unit, n = largest(days)
    if unit == "day":
        return words.plural("{n} day ago", "{n} days ago", n)
    if unit == "hour":
        return words.plural("{n} hour ago", "{n} hours ago", n)
    return words.plural("{n} minute ago", "{n} minutes ago", n) if n else words.text("less than a minute ago")


def _trend(words: Words, value: float) -> str:
    told = msgid("is rising") if value > RISING else msgid("is falling") if value < -RISING else msgid("is steady")
    return words.text(told)


def _weekday(words: Words, value: float) -> str:
    from babel.dates import get_day_names

    return str(get_day_names("wide", locale=words.locale)[int(value) % 7])


_FORMS: Mapping[str, Callable[[Words, float], str]] = MappingProxyType(
    {
        "events": _times,
        "days": Words.duration,
        "different days": lambda words, value: words.plural("{n} day", "{n} days", int(value)),
        "share": Words.percent,
        "ln ratio": _trend,
        "weekday": _weekday,
        "hour UTC": lambda _, value: f"{int(value):02d}:{int(value * 60 % 60):02d} UTC",
        "yes/no": lambda words, value: words.text(msgid("yes") if value else msgid("no")),
    }
)
