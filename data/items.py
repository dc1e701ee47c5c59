"""One item of an ingest call: what is refused, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from data.contract import canonical, end_of_day, format_instant

Item = Mapping[str, Any]

_TOLERANCE = 5 * 60 * 1_000_000
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item: `error` is the refusal's class, `detail` says in words what the caller should know."""

    status: Literal["created", "updated", "unchanged", "refused"]
    id: str | None = None
    error: str | None = None
    detail: str | None = None


class Refused(Exception):
    """An item that can't be kept; the others are."""

    def __init__(self, error: str, detail: str, id: str | None = None) -> None:
        super().__init__(detail)
        self.outcome = Outcome("refused", id, error, detail)


def checked(item: Item, key: str) -> str:
    """The item's id in the column `key`; Refused without one, or for text that a database can't hold."""
    bad = next((name for name, value in item.items() if not is_text(name) or (type(value) is str and not is_text(value))), None)
    if bad is not None:
        raise Refused("BadText", f"{show(bad)} must be text without NUL characters and lone surrogates. Leave them out.")
    found = canonical(item.get(key))
    if found is None:
        raise Refused("MissingId", f"{key} must be filled; it is empty.")
    return found


def is_text(text: str) -> bool:
    """Whether a database can hold it: no NUL, no half of a surrogate pair."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def show(text: object) -> str:
    """Text of the caller's, fit for a message."""
    return ascii(str(text)[:_SHOWN])


def instant(item: Item, name: str, now: int) -> int | None:
    """The item's micros, up to five minutes ahead counting as now, as does a date alone of today; Refused beyond that."""
    value = item.get(name)
    if value is None or value <= now:
        return None if value is None else int(value)
    if value > now + _TOLERANCE and value != end_of_day(now):
        raise Refused("FutureTime", f"{name} must not be after now ({format_instant(now)}); got {format_instant(value)}. Check the time zone.")
    return now


def extras(item: Item, known: frozenset[str]) -> str | None:
    """The columns that the contract does not name, as a JSON object of canonical texts; None without any."""
    if known.issuperset(item):
        return None
    found = {name: text for name in item if name not in known and (text := canonical(item[name])) is not None}
    return dumped(found) if found else None


def dumped(values: Mapping[str, str]) -> str:
    """A JSON object of texts."""
    return orjson.dumps(values).decode()
