"""Charts: every value lies where its axes say, nothing leaves the picture, and what there is not is not drawn."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.pages.charts import BOTTOM, HEIGHT, LEFT, MOST_TICKS, RIGHT, TOP, WIDTH, Axis, Point, Series, axis, chart, named_axis, width_of

VALUES = st.lists(st.floats(0, 1e6, allow_subnormal=False).map(lambda v: round(v, 6)), min_size=1, max_size=12)
UNIT = Axis("x", 0.0, 1.0, [(0.0, "0"), (1.0, "1")])


def numbers(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]


@given(VALUES)
def test_an_axis_holds_its_values_between_round_ends(values: list[float]) -> None:
    made = axis("y", values, str)
    at = [value for value, _ in made.ticks]
    assert made.low <= min(values)
    assert made.high >= max(values) * (1 - 1e-9)
    assert at == sorted(set(at))
    assert len(at) <= MOST_TICKS + 2
    steps = [b - a for a, b in pairwise(at)]
    assert steps == pytest.approx([steps[0]] * len(steps))


@pytest.mark.parametrize("values", [[], [0.0], [float("nan")], [3.0]])
def test_an_axis_has_a_length_whatever_is_measured(values: list[float]) -> None:
    made = axis("y", values, str)
    assert made.high > made.low == 0.0


def test_an_axis_may_end_where_it_is_told() -> None:
    made = axis("y", [0.4], str, to=1.0)
    assert (made.low, made.high, made.ticks[-1][0]) == (0.0, 1.0, 1.0)


@given(VALUES, VALUES)
def test_nothing_leaves_the_picture(across: list[float], up: list[float]) -> None:
    points = [Point(x, y, y / 2, y * 2) for x, y in zip(sorted(across), up, strict=False)]
    made = chart("a chart", axis("x", across, str), axis("y", up, str), [Series("a", points), Series("b", points, "steps")], diagonal=True)
    for one in made.drawn:
        found = [*numbers(one.line), *numbers(one.band), *one.dots, *[(x, y) for x, *ends in one.whiskers for y in ends]]
        assert all(LEFT - 0.1 <= x <= WIDTH - RIGHT + 0.1 and TOP - 0.1 <= y <= HEIGHT - BOTTOM + 0.1 for x, y in found)


def test_values_stand_where_the_axes_say() -> None:
    made = chart("a chart", UNIT, UNIT, [Series("a", [Point(0.0, 0.0), Point(0.5, 1.0, 0.5, 1.0), Point(1.0, 0.5)])])
    left, right, top, bottom = made.left, made.right, made.top, made.bottom
    middle = (left + right) / 2
    assert made.drawn[0].dots == [(left, bottom), (middle, top), (right, (top + bottom) / 2)]
    assert made.drawn[0].whiskers == [(middle, (top + bottom) / 2, top)]
    assert [tick.at for tick in made.x_ticks] == [left, right]
    assert [tick.at for tick in made.y_ticks] == [bottom, top]


def test_steps_hold_until_the_next_point() -> None:
    points = [Point(0.0, 0.0, 0.0, 0.0), Point(0.5, 0.5, 0.25, 0.75), Point(1.0, 1.0, 0.5, 1.0)]
    one = chart("a chart", UNIT, UNIT, [Series("a", points, "steps")]).drawn[0]
    xs, ys = zip(*numbers(one.line), strict=True)
    assert len(xs) == 2 * len(points) - 1
    assert ys[1] == ys[0]
    assert xs[1] == xs[2]
    assert one.band.endswith("Z")
    assert one.dots == []


def test_what_there_is_not_is_not_drawn() -> None:
    made = chart("a chart", UNIT, UNIT, [Series("nothing", []), Series("dots", [Point(0.5, 0.5)], "dots")])
    assert [one.name for one in made.drawn] == ["dots"]
    assert made.drawn[0].line == made.diagonal == ""


def test_the_diagonal_is_where_both_axes_are() -> None:
    half = Axis("y", 0.0, 0.5, [(0.0, "0")])
    (_, (x, y)) = numbers(chart("a chart", UNIT, half, [], diagonal=True).diagonal)
    assert (x, y) == ((LEFT + WIDTH - RIGHT) / 2, TOP)


def test_of_many_names_some_are_written() -> None:
    made = named_axis("month", [str(n) for n in range(24)])
    assert len(made.ticks) <= 6
    assert made.ticks[0] == (0.0, "0")
    assert (made.low, made.high) == (-0.5, 23.5)


@pytest.mark.parametrize(("value", "width"), [(None, 0.0), (-1.0, 0.0), (0.0, 0.0), (1.0, 50.0), (2.0, 100.0), (3.0, 100.0)])
def test_a_bar_is_as_wide_as_its_share_of_the_longest(value: float | None, width: float) -> None:
    assert width_of(value, 2.0) == width
