"""The funnel report: counts by hand, shares of cohorts that are not ripe, groups, those who come back, and what it never shows."""

from typing import Any

import jsonschema_rs
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import DAY
from histories import FIRST, Way, journeys
from serving.answers_reports import FunnelAnswer
from serving.reports.funnel import UnknownGrouping, funnel_report
from serving.reports.groups import LEAST_LEADS, MOST_MONTHS, MOST_VALUES, by_month, by_value

SCHEMA = FunnelAnswer.model_json_schema()


def report(ways: list[Way], by: str | None = None, **others: Any) -> dict[str, Any]:
    found = funnel_report(journeys(ways, **others), by)
    jsonschema_rs.validate(SCHEMA, orjson.loads(orjson.dumps(found)))
    return found


def pair(found: dict[str, Any], begins: str, ends: str) -> dict[str, Any]:
    (one,) = [one for one in found["pairs"] if (one["from"], one["to"]) == (begins, ends)]
    return one  # type: ignore[no-any-return]


def counts(one: dict[str, Any]) -> tuple[int, ...]:
    return tuple(one[name] for name in ("entered", "converted", "open", "out"))


WAYS: list[Way] = [
    [(5, "prospect"), (9, "opportunity"), (20, "customer")],
    [(5, "prospect"), (30, "disqualified"), (90, "lead"), (100, "prospect")],
    [(7, "opportunity"), (40, "lost")],
    [(3, "disqualified")],
    [],
]


def test_every_pair_of_stages_is_counted_with_skips_exits_and_those_who_come_back() -> None:
    found = report(WAYS)
    assert counts(pair(found, "lead", "prospect")) == (6, 3, 2, 1)
    assert counts(pair(found, "lead", "opportunity")) == (6, 2, 3, 1)
    assert counts(pair(found, "lead", "customer")) == (6, 1, 3, 2)
    assert counts(pair(found, "prospect", "opportunity")) == (3, 2, 1, 0)
    assert counts(pair(found, "prospect", "customer")) == (3, 1, 1, 1)
    assert counts(pair(found, "opportunity", "customer")) == (2, 1, 0, 1)
    assert len(found["pairs"]) == 6
    assert found["leads"] == 6


def test_stays_tell_who_stands_where_and_where_they_go() -> None:
    stays = {one["stage"]: one for one in report(WAYS)["stages"]}
    assert {name: (one["leads"], one["now"], one["stays"]) for name, one in stays.items()} == {
        "lead": (6, 2, 7), "prospect": (3, 1, 3), "opportunity": (2, 0, 2), "customer": (1, 1, 1), "disqualified": (2, 1, 2), "lost": (1, 1, 1),
    }  # fmt: skip
    assert {way["stage"]: way["moved"] for way in stays["lead"]["to"]} == {"prospect": 3, "opportunity": 1, "disqualified": 1}
    assert {way["stage"]: (way["moved"], way["days"]) for way in stays["disqualified"]["to"]} == {"lead": (1, 60.0)}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["prospect", "opportunity", "customer", "lost", "lead"])), max_size=4), max_size=8
    )
)
def test_counts_are_those_of_counting_by_hand(ways: list[Way]) -> None:
    order = ["lead", "prospect", "opportunity", "customer"]
    found = report([sorted(way) for way in ways])
    for one in found["pairs"]:
        entered = converted = 0
        for way in [*ways, []]:
            furthest = max([0, *(order.index(stage) for _, stage in way if stage in order)])
            entered += furthest >= order.index(one["from"])
            converted += furthest >= order.index(one["to"])
        assert (one["entered"], one["converted"]) == (entered, converted)
        assert one["open"] + one["out"] == entered - converted


def test_a_share_is_within_whole_weeks_and_counts_those_who_came_lately_for_as_long_as_they_were_watched() -> None:
    """Half of everybody goes on after 20 days; the newer half of leads has been there for 10."""
    ways: list[Way] = [[(20, "prospect")] if place % 2 else [] for place in range(100)] + [[] for _ in range(100)]
    one = pair(report(ways, created=[0] * 100 + [390] * 100), "lead", "prospect")
    assert one["horizon_days"] == 21
    assert one["within"]["share"] == 0.5
    assert one["converted"] / one["entered"] < 0.26
    assert one["days"] == {"p25": 20.0, "median": 20.0, "p75": 20.0}


def test_nobody_is_told_of_for_longer_than_enough_were_watched() -> None:
    found = report([[(1, "prospect")]] * 8)
    assert pair(found, "lead", "prospect")["so_far"] is None
    assert pair(found, "lead", "prospect")["horizon_days"] is None
    assert report([])["pairs"] == []


def test_those_who_come_back_and_get_further() -> None:
    back: Way = [(10, "disqualified"), (40, "lead"), (50, "prospect")]
    ways: list[Way] = [back] * 12 + [[(10, "disqualified"), (70, "lead")]] * 12 + [[(10, "lost")]] * 24 + [[(5, "prospect")]] * 12
    found = report(ways)["recycling"]
    assert found["left"] == 48
    assert (found["returned"]["leads"], found["returned"]["so_far"]["share"], found["returned"]["days"]["p25"]) == (24, 0.5, 30.0)
    assert (found["advanced"]["leads"], found["advanced"]["so_far"]["share"], found["advanced"]["days"]["median"]) == (12, 0.5, 10.0)


def test_months_are_those_in_which_the_first_stage_was_reached_and_unripe_ones_say_so() -> None:
    ways: list[Way] = [[(14, "prospect")] if place % 2 else [] for place in range(40)] * 2
    found = report(ways, "month", created=[0] * 40 + [395] * 40)
    first, last = (group for group in found["groups"] if group["leads"] >= 40)
    month = str(np.datetime64(FIRST, "us").astype("datetime64[M]"))
    assert (first["value"], first["kind"], pair(first, "lead", "prospect")["within"]["share"]) == (month, "value", 0.5)
    assert pair(last, "lead", "prospect")["within"] is None
    assert pair(last, "lead", "prospect")["followed_days"] == 5.0
    assert sum(pair(group, "lead", "prospect")["entered"] for group in found["groups"]) == 81
    assert sum(pair(group, "prospect", "opportunity")["entered"] for group in found["groups"]) == 20 if len(found["pairs"]) > 1 else True


def test_groups_part_the_leads_and_what_differs_is_called_so() -> None:
    good: list[Way] = [[(10, "prospect")] if place % 5 else [] for place in range(100)]
    poor: list[Way] = [[(10, "prospect")] if place % 5 == 0 else [] for place in range(100)]
    found = report(good + poor + [[]] * 5, "source", source=["web"] * 100 + ["fair"] * 100 + ["rare"] * 3 + [None] * 2)
    assert [(group["value"], group["kind"], group["leads"]) for group in found["groups"]] == [
        ("fair", "value", 100), ("web", "value", 100), (None, "other", 3), (None, "missing", 3),
    ]  # fmt: skip
    assert [pair(group, "lead", "prospect")["differs"] for group in found["groups"]] == ["lower", "higher", None, None]
    assert pair(found["groups"][1], "lead", "prospect")["within"]["share"] == 0.8


def test_groups_that_do_not_differ_are_rarely_called_different() -> None:
    rng, called = np.random.default_rng(5), 0
    for _ in range(20):
        ways: list[Way] = [[(int(day), "prospect")] if day < 30 else [] for day in rng.integers(1, 100, 300)]
        found = report(ways, "source", source=[f"s{code}" for code in rng.integers(0, 4, 300)])
        called += any(pair(group, "lead", "prospect")["differs"] for group in found["groups"])
    assert called <= 4


def test_a_value_that_few_leads_have_is_never_shown() -> None:
    names = [f"Kim {place}" for place in range(100)]
    told = orjson.dumps(report([[(3, "prospect")]] * 100, "source", nickname=names, source=["web"] * 81 + ["Kim alone"] * 19)).decode()
    assert "Kim" not in told
    assert "nickname" not in told
    assert "web" in told


def test_what_can_not_be_grouped_by_is_refused_with_what_can() -> None:
    made = journeys([[]] * 50, source=["web", "fair"] * 25, tags=[None] * 50)
    with pytest.raises(UnknownGrouping) as refused:
        funnel_report(made, "tags")
    assert refused.value.options == ["month", "source"]


@given(st.lists(st.one_of(st.none(), st.integers(0, 3_000).map(str), st.sampled_from(["many", "€ 1.2m"])), max_size=400))
@settings(deadline=None, max_examples=40)
def test_every_lead_is_in_one_group(texts: list[str | None]) -> None:
    column = np.empty(len(texts), object)
    column[:] = texts
    made = by_value(column)
    assert made.code.size == len(texts)
    for place, group in enumerate(made.groups):
        inside = [text for text, code in zip(texts, made.code.tolist(), strict=True) if code == place]
        assert group.kind != "missing" or set(inside) == {None}
        assert group.kind != "value" or len(inside) >= LEAST_LEADS or (group.begin, group.end) == (None, None)
    assert set(made.code.tolist()) <= set(range(len(made.groups)))


def test_bands_hold_their_lower_end_and_not_their_upper_one() -> None:
    numbers = np.array([str(n) for n in range(100)] * 3, object)
    made = by_value(numbers)
    assert [(group.begin, group.end) for group in made.groups] == [(None, 20), (20, 40), (40, 59), (59, 79), (79, None)]
    assert [made.code[n] for n in (19, 20, 39, 40)] == [0, 1, 1, 2]


def test_numbers_that_only_tell_leads_apart_make_no_bands() -> None:
    assert by_value(np.array([str(10**6 + n) for n in range(300)], object)).named == 0


def test_the_commonest_values_and_the_latest_months_are_shown() -> None:
    values = np.array([f"v{n:02d}" for n in range(MOST_VALUES + 5) for _ in range(LEAST_LEADS + n)], object)
    made = by_value(values)
    assert [group.value for group in made.groups[:2]] == ["v16", "v15"]
    assert (made.named, made.groups[-1].kind) == (MOST_VALUES, "other")
    months = np.arange(50, dtype=np.int64) * 31 * DAY
    by = by_month(months, months)
    assert (by.groups[0].kind, by.named) == ("earlier", MOST_MONTHS)
    assert (by.code >= 0).all()
