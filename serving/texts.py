"""What a feature's value is called in a sentence for people, in English; `serving.sentences` has the other languages."""

from collections.abc import Callable, Mapping

from features.schema import Column
from serving.words import ENGLISH, plain

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FEW = ("not once", "once", "twice")
RISING = 0.2
"""A trend (ln ratio) beyond this, either way, is one."""


def sentence(column: Column, value: float) -> str:
    """ "Viewed the pricing page 3 times in the last 7 days"; what `absent` says where the value is nan."""
    return teller(column)(value)


def teller(column: Column) -> Callable[[float], str]:
    """`sentence` of one column, for many values."""
    text, words, absent = column.text, _WORDS.get(column.unit, plain), column.absent

    def told(value: float) -> str:
        return text.replace("{value}", words(value)) if value == value else absent

    return told if "{value}" in text else lambda value: text if value == value else absent


def in_words(value: float, unit: str) -> str:
    """A value with its unit: "3 times", "2 days", "12 minutes", "40 %", "rising"."""
    return _WORDS.get(unit, plain)(value)


def _times(value: float) -> str:
    count = int(value)
    return _FEW[count] if 0 <= count < len(_FEW) else f"{count} times"


def _days(value: float) -> str:
    return f"{int(value)} day" if value == 1 else f"{int(value)} days"


def _trend(value: float) -> str:
    return "is rising" if value > RISING else "is falling" if value < -RISING else "is steady"


_WORDS: Mapping[str, Callable[[float], str]] = {
    "events": _times,
    "days": ENGLISH.duration,
    "different days": _days,
    "share": "{:.0%}".format,
    "ln ratio": _trend,
    "weekday": lambda value: _WEEKDAYS[int(value) % 7],
    "hour UTC": lambda value: f"{int(value):02d}:{int(value * 60 % 60):02d} UTC",
    "yes/no": lambda value: "yes" if value else "no",
}
