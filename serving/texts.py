"""What a feature's value is called in a sentence for people (English)."""

from collections.abc import Callable, Mapping

from features.schema import Column

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FEW = ("not once", "once", "twice")


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
    return "is rising" if value > 0.2 else "is falling" if value < -0.2 else "is steady"


def duration(days: float) -> str:
    """Days as people say them: minutes, hours, days."""
    for size, name in ((1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute")):
        amount = round(days / size)
        if days >= size and amount:
            return f"{amount} {name}" if amount == 1 else f"{amount:,} {name}s"
    return "less than a minute"


def plain(value: float) -> str:
    """A number without needless decimals: 20,000; 0.5; 12.3."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2g}"


_WORDS: Mapping[str, Callable[[float], str]] = {
    "events": _times,
    "days": duration,
    "different days": _days,
    "share": "{:.0%}".format,
    "ln ratio": _trend,
    "weekday": lambda value: _WEEKDAYS[int(value) % 7],
    "hour UTC": lambda value: f"{int(value):02d}:{int(value * 60 % 60):02d} UTC",
    "yes/no": lambda value: "yes" if value else "no",
}
