"""What the Profile page shows of `GET /v1/icp`: who gets there more often than others, and who less, attribute by attribute."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import orjson

from serving.pages.figures import Figures
from serving.reports.icp import named, valued

SHOWN = 12
"""Values of one attribute in the open; the others are folded away."""
NAMED = 6
"""Values that the short answer names on each side."""
OPEN = 4
"""Attributes whose values are in the open: those that say most."""
EXAMPLES = 2
_BARE = re.compile(r"[A-Za-z0-9_-]+")
WIDEST = 2.0
"""Doublings at which the picture of a lift ends on each side: a quarter and four times."""


@dataclass(frozen=True)
class Row:
    """One value of one attribute. `at`, `begins` and `ends`: where its lift and the interval stand in a picture 100 wide, 50 is once as often; None
    where no lead has it."""

    label: str
    name: str
    value: Mapping[str, Any]
    at: float | None
    begins: float | None
    ends: float | None

    @property
    def clear(self) -> bool:
        """Whether its lift is more than chance explains."""
        return self.at is not None and bool(self.value["low"] > 1 or self.value["high"] < 1)


@dataclass(frozen=True)
class Group:
    """One attribute with its values: the likeliest first, a number's from the lowest to the highest."""

    attribute: Mapping[str, Any]
    label: str
    rows: Sequence[Row]
    open: bool

    @property
    def shown(self) -> Sequence[Row]:
        return self.rows[:SHOWN]

    @property
    def folded(self) -> Sequence[Row]:
        return self.rows[SHOWN:]


@dataclass(frozen=True)
class ProfileView:
    """What speaks most for somebody, what most against, every attribute that counts, and the names of those that the team ignores."""

    ideal: Sequence[Row]
    avoid: Sequence[Row]
    groups: Sequence[Group]
    ignored: Sequence[str]


def view(report: Mapping[str, Any], f: Figures) -> ProfileView:
    """In the report's order: attributes and values that say most come first."""
    counted = [one for one in report["attributes"] if not one["ignored"]]
    ideal, avoid = ([_row(value, value, f) for value in report[side][:NAMED]] for side in ("ideal", "avoid"))
    groups = [_group(one, f, place < OPEN) for place, one in enumerate(counted)]
    return ProfileView(ideal, avoid, groups, [named(f.words, one) for one in report["attributes"] if one["ignored"]])


def _group(attribute: Mapping[str, Any], f: Figures, is_open: bool) -> Group:
    values = attribute["values"]
    if attribute["kind"] != "number":
        values = sorted(values, key=lambda value: (-(value["lift"] or 0.0), value["value"]))
    return Group(attribute, named(f.words, attribute), [_row(attribute, value, f) for value in values], is_open)


def _row(attribute: Mapping[str, Any], value: Mapping[str, Any], f: Figures) -> Row:
    at, begins, ends = (_place(value[side]) for side in ("lift", "low", "high"))
    return Row(named(f.words, attribute), valued(f.words, attribute["kind"], value), value, at, begins, ends)


def _place(lift: float | None) -> float | None:
    """Where a lift stands between a quarter (0) and four times (100) as often."""
    if lift is None:
        return None
    return round(50 + 50 * max(-WIDEST, min(WIDEST, log2(lift))) / WIDEST, 1) if lift > 0 else 0.0


def example(report: Mapping[str, Any]) -> str:
    """Lines for funnel.toml about the attributes that say most; none where the profile has no attribute."""
    return "\n".join(f"[icp.{_key(one['name'])}]\n{_correction(one)}" for one in report["attributes"][:EXAMPLES])


def _key(name: str) -> str:
    """A name as TOML writes it before a value."""
    return name if _BARE.fullmatch(name) else _quoted(name)


def _correction(attribute: Mapping[str, Any]) -> str:
    edges = [value["begin"] for value in attribute["values"][1:] if value["begin"] is not None]
    if attribute["kind"] == "number" and edges:
        return f"between = [{edges[0]:g}, {edges[-1]:g}]"
    best = max(attribute["values"], key=lambda value: value["lift"] or 0.0, default=None)
    return "ignore = true" if best is None or attribute["kind"] == "number" else f"wanted = [{_quoted(best['value'])}]"


def _quoted(text: str) -> str:
    """As TOML writes it: its basic strings are JSON's, but for the one control character that JSON lets stand."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
