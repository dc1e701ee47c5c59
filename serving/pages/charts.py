"""Charts as plain SVG: the geometry is computed here, `drawings.html` draws it. Without a script, so that the same stands in a page and on paper."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

WIDTH, HEIGHT = 400.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 26.0, 12.0, 40.0
"""What is kept free around the plot, for the numbers at its axes."""
MOST_TICKS = 5
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

Told = Callable[[float], str]
Shape = Literal["line", "dots", "steps"]


@dataclass(frozen=True)
class Point:
    """One value; `low` and `high` are its interval, None where it has none."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points in order of x under a name for people. `steps`: a value holds until the next point, and the intervals are a band."""

    name: str
    points: Sequence[Point]
    shape: Shape = "line"


@dataclass(frozen=True)
class Axis:
    """What is measured, how a value is told, and where its numbers stand: `ticks` (value, text), from `low` to `high`."""

    name: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Tick:
    """A number at an axis: where, along it, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Drawn:
    """One series in the coordinates of the picture. `band` is the outline of its intervals (a path), `whiskers` (x, from, to) are single ones."""

    name: str
    line: str
    band: str
    dots: Sequence[tuple[float, float]]
    whiskers: Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class Chart:
    """What the template draws. `says` is what the picture shows, for those who can't see it; the numbers stand in a table beside it."""

    says: str
    x: Axis
    y: Axis
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    drawn: Sequence[Drawn]
    diagonal: str
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def axis(name: str, values: Sequence[float], told: Told, *, from_zero: bool = True, to: float | None = None) -> Axis:
    """An axis that holds all `values` and ends at round numbers; `to`: it ends there. Not one value, or all alike: an axis of some length all the
    same."""
    known = [value for value in values if math.isfinite(value)]
    low = min([0.0, *known]) if from_zero else min(known, default=0.0)
    high = max(known, default=1.0) if to is None else to
    if high <= low:
        high = low + 1.0
    step = _step(high - low)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if to is not None:
        last = math.floor(high / step + 1e-9)
    ticks = [round(n * step, 12) for n in range(first, last + 1)]
    return Axis(name, min(low, ticks[0]), high if to is not None else ticks[-1], [(value, told(value)) for value in ticks])


def _step(span: float) -> float:
    rough = span / MOST_TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(step * unit for step in _STEPS if step * unit >= rough * (1 - 1e-9))


def named_axis(name: str, names: Sequence[str], most: int = 6) -> Axis:
    """An axis of names, one at each whole number from 0; where they are many only every so manyth is written."""
    every = max(1, math.ceil(len(names) / most))
    return Axis(name, -0.5, max(len(names), 1) - 0.5, [(float(i), text) for i, text in enumerate(names) if i % every == 0])


def chart(says: str, x: Axis, y: Axis, series: Sequence[Series], *, diagonal: bool = False) -> Chart:
    """The picture of the series. `diagonal`: a line where x and y are equal, over the part that both axes show."""
    across, up = _scale(x, LEFT, WIDTH - RIGHT), _scale(y, HEIGHT - BOTTOM, TOP)
    drawn = [_drawn(one, across, up) for one in series if one.points]
    low, high = max(x.low, y.low), min(x.high, y.high)
    equal = f"M{_xy(across(low), up(low))}L{_xy(across(high), up(high))}" if diagonal and high > low else ""
    x_ticks, y_ticks = ([Tick(round(at(value), 1), text) for value, text in one.ticks] for one, at in ((x, across), (y, up)))
    return Chart(says, x, y, x_ticks, y_ticks, drawn, equal)


def _scale(axis: Axis, begins: float, ends: float) -> Callable[[float], float]:
    return lambda value: begins + (min(max(value, axis.low), axis.high) - axis.low) / (axis.high - axis.low) * (ends - begins)


def _drawn(one: Series, across: Callable[[float], float], up: Callable[[float], float]) -> Drawn:
    at = [(across(p.x), up(p.y)) for p in one.points]
    sides = [(across(p.x), up(p.low), up(p.high)) for p in one.points if p.low is not None and p.high is not None]
    if one.shape == "steps":
        low, high = ([(x, ends[side]) for x, *ends in sides] for side in (0, 1))
        back = "".join(f"L{_xy(*point)}" for point in reversed(_stairs(low)))
        return Drawn(one.name, _path(_stairs(at)), f"{_path(_stairs(high))}{back}Z" if sides else "", [], [])
    dots = [(round(x, 1), round(y, 1)) for x, y in at]
    whiskers = [(round(x, 1), round(low, 1), round(high, 1)) for x, low, high in sides]
    return Drawn(one.name, _path(at) if one.shape == "line" else "", "", dots, whiskers)


def _stairs(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each point's height holds until the next point."""
    found = list(points[:1])
    for (_, before), (x, y) in pairwise(points):
        found += [(x, before), (x, y)]
    return found


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(_xy(*point) for point in points) if points else ""


def _xy(x: float, y: float) -> str:
    return f"{x:.1f},{y:.1f}"


def width_of(value: float | None, largest: float) -> float:
    """The length of a bar in percent of the longest, 0 to 100; 0 where there is no value above 0."""
    return round(min(100 * value / largest, 100.0), 1) if value and value > 0 and largest > 0 else 0.0
