"""Leads in groups, by month or by what one attribute says; no value that only few leads have stands alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.journeys import Floats, Journeys, Objects
from features.numbers import number
from features.timeline import Ints

MONTH = "month"
LEAST_LEADS = 20
"""A value that fewer leads have is told together with the other rare ones: its share would be luck, and its leads could be recognised."""
MOST_VALUES = 12
MOST_MONTHS = 36
BANDS = 5
_MOSTLY = 0.9

Kind = Literal["value", "other", "missing", "earlier"]


@dataclass(frozen=True)
class Group:
    """`value` is the data's own text, a month `2026-03`, or a band of numbers with both ends (None: open); None where `kind` says it all: the `other`
    values, leads of whom nothing is known (`missing`), the months before those shown (`earlier`)."""

    value: str | None
    kind: Kind = "value"
    begin: float | None = None
    end: float | None = None

    def document(self) -> dict[str, Any]:
        return {"value": self.value, "kind": self.kind, "begin": self.begin, "end": self.end}


@dataclass(frozen=True)
class Grouping:
    """`code` (n,) is the index of each lead's group in `groups`, -1 for none."""

    code: NDArray[np.intp]
    groups: Sequence[Group]

    @property
    def named(self) -> int:
        """Groups that have a value of their own."""
        return sum(group.kind == "value" for group in self.groups)


def options(journeys: Journeys) -> list[str]:
    """What leads can be grouped by: `month`, then the attributes that make two groups at least."""
    return [MONTH, *(name for name in sorted(journeys.attributes) if (made := by_value(journeys.attributes[name])).named and len(made.groups) > 1)]


def by_month(instants: Ints, of: Ints) -> Grouping:
    """Groups by the calendar month (UTC) of `instants` (n,), for the months that occur in `of`: in order, the latest `MOST_MONTHS` each alone."""
    month, every = (np.asarray(at).astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) for at in (instants, of))
    shown = np.unique(every)[-MOST_MONTHS:]
    groups = [Group(str(np.datetime64(int(m), "M"))) for m in shown]
    code = np.searchsorted(shown, month)
    code[~np.isin(month, shown)] = -1
    if shown.size and bool(np.any(every < shown[0])):
        groups, code = [Group(None, "earlier"), *groups], np.where(month < shown[0], 0, np.where(code >= 0, code + 1, -1))
    return Grouping(code, groups)


def by_value(texts: Objects, least: int = LEAST_LEADS) -> Grouping:
    """Groups by what an attribute says (n,): bands of about as many leads each where it is a number, else its commonest values; then the others, then
    those of whom it is not known. Values that nearly all differ make no group."""
    counts = Counter(texts.tolist())
    missing = counts.pop(None, 0)
    values = _numbers(counts)
    if values is not None and len(counts) > MOST_VALUES:
        return _banded(texts, values, missing, least)
    shown = [text for text, leads in sorted(counts.items(), key=lambda one: (-one[1], one[0])) if leads >= least][:MOST_VALUES]
    groups = [Group(text) for text in shown]
    groups += [Group(None, "other")] if len(counts) > len(shown) else []
    place: dict[str | None, int] = dict.fromkeys(counts, len(shown)) | {text: i for i, text in enumerate(shown)} | {None: len(groups)}
    code = np.array([place[text] for text in texts.tolist()], np.intp)
    return Grouping(code, [*groups, Group(None, "missing")] if missing else groups)


def _numbers(counts: Counter[str]) -> dict[str, float] | None:
    """The number of each text, nan for none; None where most leads' texts are not numbers, or are numbers that only tell leads apart."""
    values = {text: _number(text) for text in counts}
    known = sum(leads for text, leads in counts.items() if values[text] == values[text])
    every = sum(counts.values())
    apart = len(counts) > _MOSTLY * every and all(value.is_integer() for value in values.values())
    return values if known >= _MOSTLY * every and not apart else None


@lru_cache(maxsize=4_096)
def _number(text: str) -> float:
    return number(text)


def _banded(texts: Objects, values: dict[str, float], missing: int, least: int) -> Grouping:
    """Bands between rounded quantiles; the lower end belongs to a band, the upper one to the next."""
    said = np.array([np.nan if text is None else values[text] for text in texts.tolist()])
    known = ~np.isnan(said)
    edges = _edges(said[known], least)
    ends = [None, *edges, None]
    groups = [Group(_band(begin, end), "value", begin, end) for begin, end in pairwise(ends)]
    code = np.where(known, np.searchsorted(np.array(edges), said, "right"), len(groups))
    unread = sum(text is not None for text in texts[~known].tolist())
    if unread:
        groups.append(Group(None, "other"))
        code[[text is None for text in texts.tolist()]] = len(groups)
    return Grouping(code.astype(np.intp), [*groups, Group(None, "missing")] if missing else groups)


def _edges(values: Floats, least: int) -> list[float]:
    """Up to four rounded numbers that part the values, each part with enough of them."""
    found: list[float] = []
    for part in range(1, BANDS):
        edge = float(f"{np.quantile(values, part / BANDS):.2g}")
        begun = found[-1] if found else -np.inf
        if np.sum((values >= begun) & (values < edge)) >= least and np.sum(values >= edge) >= least:
            found.append(edge)
    return found


def _band(begin: float | None, end: float | None) -> str:
    """The band in plain figures; `begin` and `end` say it for people."""
    low, high = ("" if edge is None else f"{edge:,.0f}" if edge.is_integer() else f"{edge:,g}" for edge in (begin, end))
    return f"{low} - {high}" if low and high else f">= {low}" if low else f"< {high}" if high else "all"
