"""What a feature's value is called in a sentence for people (English)."""

from math import isnan

from features.schema import Column

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def sentence(column: Column, value: float) -> str:
    """ "Viewed the pricing page 3 times in the last 7 days"; what `absent` says where the value is nan."""
    return column.absent if isnan(value) else column.text.replace("{value}", in_words(value, column.unit))


def in_words(value: float, unit: str) -> str:
    """A value with its unit: "3 times", "2 days", "12 minutes", "40 %", "rising"."""
    if unit == "events":
        return {0: "not once", 1: "once", 2: "twice"}.get(int(value), f"{int(value)} times")
    if unit == "days":
        return duration(value)
    if unit == "different days":
        return f"{int(value)} day" if value == 1 else f"{int(value)} days"
    if unit == "share":
        return f"{value:.0%}"
    if unit == "ln ratio":
        return "is rising" if value > 0.2 else "is falling" if value < -0.2 else "is steady"
    if unit == "weekday":
        return _WEEKDAYS[int(value) % 7]
    if unit == "hour UTC":
        return f"{int(value):02d}:{int(value * 60 % 60):02d} UTC"
    if unit == "yes/no":
        return "yes" if value else "no"
    return plain(value)


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
