"""Numbers as the reports' templates write them: every one may be missing, for a report never breaks off because one part could not be measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeGuard

from data.contract import DataError, parse_instant
from registry.bundle import OUTCOME
from serving import terms
from serving.pages.recorded import told_again
from serving.sentences import NAMES as FIELDS
from serving.words import Words, msgid

NONE = "–"

NAMES = frozenset(
    {
        msgid("at entry"),
        msgid("up to 3 days"),
        msgid("3 to 14 days"),
        msgid("14 to 28 days"),
        msgid("28 to 56 days"),
        msgid("over 56 days"),
        msgid("(small segments)"),
        msgid("(not known)"),
    }
)
"""What an evaluation calls its slices; every other name is the data's own and stays as it is."""


@dataclass(frozen=True)
class Figures:
    """Every method takes None, and gives a dash for it."""

    words: Words

    def share(self, value: float | None, decimals: int = 0) -> str:
        """0.31 -> 31%; a share that would be rounded to nothing keeps a decimal."""
        if not _known(value):
            return NONE
        small = 0 < abs(value) < 0.01 or 0.99 < abs(value) < 1
        return self.words.percent(value, max(decimals, 1) if small else decimals)

    def number(self, value: float | None, decimals: int | None = None) -> str:
        return self.words.number(value, decimals) if _known(value) else NONE

    def times(self, value: float | None) -> str:
        """2.96 -> 3.0 ×."""
        return f"{self.words.number(value, 1)} ×" if _known(value) else NONE

    def shares(self, low: float | None, high: float | None, decimals: int = 0) -> str:
        """An interval of shares."""
        return self._between(self.share(low, decimals), self.share(high, decimals))

    def numbers(self, low: float | None, high: float | None, decimals: int | None = None) -> str:
        """An interval of numbers."""
        return self._between(self.number(low, decimals), self.number(high, decimals))

    def _between(self, low: str, high: str) -> str:
        return NONE if NONE in (low, high) else self.words.text("{low} to {high}", low=low, high=high)

    def days(self, value: float | None) -> str:
        """A duration in days, in the largest whole unit."""
        return self.words.duration(value) if _known(value) else NONE

    def day(self, instant: str | int | None) -> str:
        """The day of an instant: micros UTC, or ISO-8601."""
        at = _instant(instant)
        return NONE if at is None else self.words.date(at)

    def moment(self, instant: str | int | None) -> str:
        """The day and minute of an instant."""
        at = _instant(instant)
        return NONE if at is None else self.words.instant(at)

    def month(self, name: str) -> str:
        """2026-03 -> March 2026."""
        at = _instant(f"{name}-01T00:00:00Z")
        return name if at is None else self.words.month(at)

    def money(self, amount: float | None, currency: str | None) -> str:
        return self.words.money(amount, currency) if _known(amount) else NONE

    def stage(self, name: str | None) -> str:
        """A stage or exit as salespeople call it; a team's own as they wrote it."""
        return NONE if name is None else terms.stage(self.words, name)

    def field(self, label: str) -> str:
        """What a field is called, in this language where many CRMs have it; a team's own as the team calls it."""
        own = label.removeprefix("Account ").capitalize()
        if own != label and own in FIELDS:
            return self.words.text("Account: {field}", field=self.words.text(own))
        return self.words.text(label) if label in FIELDS else label

    def attribute(self, name: str) -> str:
        """What leads are grouped by: `account_industry` -> Account: Industry."""
        own = name.removeprefix("account_")
        label = self.field(own.replace("_", " ").strip().capitalize() or own)
        if name == "month":
            return self.words.text("Month")
        return self.words.text("Account: {field}", field=label) if own != name else label

    def recorded(self, text: str) -> str:
        """What a training wrote down, in this language where it is known what it says."""
        return told_again(self.words, text)

    def named(self, name: str) -> str:
        """A slice of an evaluation, in this language where the name is not the data's own."""
        return self.words.text(name) if name in NAMES else name

    def transition(self, name: str) -> str:
        """`lead->prospect` as Lead → Prospect."""
        return self.words.text("Outcome") if name == OUTCOME else " → ".join(self.stage(part) for part in name.split("->"))


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and isfinite(value)


def _instant(value: str | int | None) -> int | None:
    try:
        return parse_instant(value) if isinstance(value, str) else value
    except DataError:
        return None


def pair(values: Sequence[Any] | None) -> tuple[Any, Any]:
    """The two ends of an interval; None for both where there is none."""
    return (values[0], values[1]) if values and len(values) == 2 else (None, None)
