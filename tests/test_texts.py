"""Values as people say them."""

import math

import pytest

from features.declarations import EventType
from features.schema import Schema
from serving.texts import in_words, sentence
from serving.words import ENGLISH, plain

MINUTE, HOUR = 1 / 1440, 1 / 24

WORDS = [
    (0, "events", "not once"), (1, "events", "once"), (2, "events", "twice"), (3, "events", "3 times"),
    (1, "different days", "1 day"), (4, "different days", "4 days"), (0, "different days", "0 days"),
    (0.0, "share", "0%"), (0.5, "share", "50%"), (1.0, "share", "100%"),
    (0.2, "ln ratio", "is steady"), (0.21, "ln ratio", "is rising"), (-0.2, "ln ratio", "is steady"), (-0.21, "ln ratio", "is falling"),
    (0, "weekday", "Monday"), (6, "weekday", "Sunday"),
    (0.0, "hour UTC", "00:00 UTC"), (13.5, "hour UTC", "13:30 UTC"), (23.99, "hour UTC", "23:59 UTC"),
    (20_000, "number", "20,000"), (0.5, "number", "0.5"), (12.34, "value", "12.3"), (-3, "number", "-3"),
    (3.0, "days", "3 days"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "unit", "text"), WORDS)
def test_a_value_with_its_unit(value: float, unit: str, text: str) -> None:
    assert in_words(value, unit) == text


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0.0, "less than a minute"), (0.4 * MINUTE, "less than a minute"), (1.0 * MINUTE, "1 minute"), (90 / 86_400, "2 minutes"),
        (59 * MINUTE, "59 minutes"),
        (HOUR, "1 hour"), (23 * HOUR, "23 hours"), (1.0, "1 day"), (1.4, "1 day"), (1.6, "2 days"), (1_234.0, "1,234 days"),
    ],
)  # fmt: skip
def test_how_long(days: float, text: str) -> None:
    assert ENGLISH.duration(days) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (1e6, "1,000,000"), (1.5, "1.5"), (0.123, "0.12"), (1234.56, "1,234.6")])
def test_plain_numbers(value: float, text: str) -> None:
    assert plain(value) == text


SCHEMA = Schema(("lead", "prospect"), ("lost",), (EventType("pricing_page_view", "Viewed the pricing page", "interest", "inbound", True),), ())


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("pricing_page_view_count_7d", 3.0, "Viewed the pricing page 3 times in the last 7 days"),
        ("pricing_page_view_count_1d", 1.0, "Viewed the pricing page once in the last day"),
        ("pricing_page_view_count_in_stage", 2.0, "Viewed the pricing page twice since entering the stage"),
        ("pricing_page_view_recency", 2.0, "Viewed the pricing page, last 2 days ago"),
        ("pricing_page_view_recency", math.nan, "Viewed the pricing page never so far"),
        ("active_days_30d", 4.0, "Active on 4 days in the last 30 days"),
        ("all_trend_7d_30d", 0.9, "Activity of any kind is rising in the last 7 days against 30 days"),
        ("inbound_share_30d", 0.25, "25% of the activity in the last 30 days came from the lead"),
        ("inbound_share_30d", math.nan, "No activity in the last 30 days"),
        ("time_in_stage", 12.2, "In this stage for 12 days"),
        ("entry_weekday", 2.0, "Entered the stage on a Wednesday"),
    ],
)
def test_sentences(name: str, value: float, text: str) -> None:
    assert sentence(next(column for column in SCHEMA.columns if column.name == name), value) == text


@pytest.mark.parametrize("value", [0.0, 1.0, 2.5, math.nan])
def test_every_column_can_be_told(value: float) -> None:
    for column in SCHEMA.columns:
        said = sentence(column, value)
        assert said
        assert "{" not in said, column.name
