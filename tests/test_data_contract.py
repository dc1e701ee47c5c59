"""Instants and canonical text: one rule for one value, the same vectorised."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.columns import DecimalCommas, instant_column, number_column, plain_numbers, text_column
from data.contract import DAY, MISSING, TABLES, DataError, canonical, format_instant, parse_instant

NOON = 1_795_694_400_000_000
FIRST, SOME, MORE, LAST = (datetime(year, 6, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1, 1900, 2100, 9999))

CASES = [
    ("2026-11-26T12:00:00Z", NOON),
    ("2026-11-26T12:00:00", NOON),
    ("2026-11-26 12:00:00", NOON),
    ("2026-11-26 12:00", NOON),
    (" 2026-11-26T14:00:00+02:00 ", NOON),
    ("2026-11-26 12:00:00 UTC", NOON),
    ("2026-11-26 07:00:00 -0500", NOON),
    ("2026-11-26 12:00:00+00", NOON),
    ("2026-11-26T12:00:00.000001Z", NOON + 1),
    ("2026-11-26T12:00:00.0000019Z", NOON + 1),
    ("2026-11-26", NOON + DAY // 2 - 1),
    ("20261126", NOON + DAY // 2 - 1),
    ("1969-12-31T23:59:59.999999Z", -1),
]
GARBAGE = ["", "yesterday", "26/11/2026", "2026-02-30", "2026-13-01T00:00:00Z", "0000-00-00", "12:00", "2026-11-26T25:00Z", "5"]


@pytest.mark.parametrize("text, micros", CASES)
def test_instants_parse_to_micros(text: str, micros: int) -> None:
    assert parse_instant(text) == micros


@pytest.mark.parametrize("text", GARBAGE)
def test_garbage_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(DataError, match="must be ISO-8601"):
        parse_instant(text)


@settings(deadline=None)
@given(st.datetimes(FIRST, LAST), st.integers(-14 * 60, 14 * 60))
def test_format_and_parse_are_inverse_in_any_zone(local: datetime, minutes: int) -> None:
    instant = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    micros = parse_instant(instant.isoformat())
    assert parse_instant(format_instant(micros)) == micros
    assert micros == (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_microseconds_are_written_only_where_there_are_any() -> None:
    assert format_instant(NOON) == "2026-11-26T12:00:00Z"
    assert format_instant(NOON + 1) == "2026-11-26T12:00:00.000001Z"


@pytest.mark.parametrize(
    "value, text",
    [
        (None, None),
        ("  ", None),
        ("N/A", None),
        ("#n/a", None),
        ("-", None),
        ("NaN", None),
        (float("nan"), None),
        (True, "true"),
        ("TRUE", "true"),
        (5, "5"),
        (5.0, "5"),
        ("5.0", "5"),
        ("5.50", "5.50"),
        (2.5, "2.5"),
        ("1.0.0", "1.0.0"),
        (" Åsa\u00a0", "Åsa"),
        (datetime(2026, 11, 26, 12, tzinfo=UTC), "2026-11-26T12:00:00Z"),
    ],
)
def test_one_value_has_one_text(value: object, text: str | None) -> None:
    assert canonical(value) == text


@settings(deadline=None)
@given(st.one_of(st.booleans(), st.integers(-(10**15), 10**15), st.floats(-1e15, 1e15).filter(lambda x: x != 0)))
def test_a_value_and_its_text_agree(value: object) -> None:
    assert canonical(value) == canonical(str(value))


WORDS = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*MISSING, "True", "FALSE", "5.0", "-7.00", " x ", "5.0\n6.0"]),
    st.floats().map(str),
)


@settings(deadline=None)
@given(st.lists(st.none() | WORDS, max_size=12), st.booleans())
@example(["null"] * 3 + ["5.0"], True)
def test_a_column_follows_the_rule_for_one_value(values: list[str | None], many: bool) -> None:
    repeated = values * (3_000 // max(len(values), 1)) if many else values
    assert text_column(pa.chunked_array([pa.array(repeated, pa.string())])).to_pylist() == [canonical(v) for v in repeated]


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.bool_(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.binary()])
def test_every_arrow_type_gives_the_same_text(kind: pa.DataType) -> None:
    native = {pa.bool_(): [True, None, False], pa.binary(): [b"1", None, b"0"]}.get(kind)
    values = native or ([1, None, 0] if pa.types.is_integer(kind) or pa.types.is_floating(kind) else ["1", None, "0"])
    expected = ["true", None, "false"] if kind == pa.bool_() else ["1", None, "0"]
    assert text_column(pa.chunked_array([pa.array(values, kind)])).to_pylist() == expected


STAMPS = st.one_of(
    st.sampled_from([text for text, _ in CASES] + GARBAGE),
    st.datetimes(SOME, MORE).map(lambda t: t.isoformat() + "Z"),
    st.datetimes(SOME, MORE).map(str),
    st.dates().map(str),
    st.from_regex(r"\A20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,8})?(Z| UTC|\+02| -0330)?\Z"),
)


@settings(deadline=None)
@given(st.lists(st.none() | STAMPS, min_size=1, max_size=20), st.booleans())
def test_a_column_of_times_follows_the_rule_for_one_time(values: list[str | None], many: bool) -> None:
    repeated = values * (2_500 // len(values) + 1) if many else values
    times = instant_column(pa.chunked_array([pa.array(repeated, pa.string())]))
    for place, value in enumerate(repeated[: len(values)]):
        text = canonical(value)
        assert times.missing[place] == (text is None)
        try:
            expected = parse_instant(text) if text is not None else 0
            assert not times.bad[place]
        except DataError:
            expected = 0
            assert times.bad[place]
        assert times.micros[place] == expected


def test_times_without_a_zone_are_counted_dates_are_not() -> None:
    texts = ["2026-11-26T12:00:00", "2026-11-26T12:00:00Z", "2026-11-26", "2026-11-26 12:00", "2026-11-26 12:00:00 UTC", None]
    assert instant_column(pa.chunked_array([texts])).naive == 2


def test_native_times_are_taken_as_they_are() -> None:
    stamps = pa.chunked_array([pa.array([NOON * 1_000, None], pa.timestamp("ns", "Europe/Oslo"))])
    assert (instant_column(stamps).micros[0], instant_column(stamps).naive) == (NOON, 0)
    naive = instant_column(pa.chunked_array([pa.array([NOON, None], pa.timestamp("us"))]))
    assert (naive.micros[0], naive.naive, naive.missing.tolist()) == (NOON, 1, [False, True])
    days = instant_column(pa.chunked_array([pa.array([NOON // DAY], pa.date32())]))
    assert days.micros.tolist() == [NOON + DAY // 2 - 1]


def test_numbers_are_read_or_marked() -> None:
    numbers = number_column(pa.chunked_array([["1", "-2.5", "1e3", "+7", ".5", "3.", "1,234.5", "many", "1e999", "", None]]))
    assert numbers.values[:7].tolist() == [1, -2.5, 1000, 7, 0.5, 3, 1234.5]
    assert numbers.bad.tolist() == [False] * 7 + [True, True, False, False]


@pytest.mark.parametrize(
    "values, delimiter, expected",
    [
        (["1,5", "2"], ";", ["1.5", "2"]),
        (["1.234,5", "7"], ";", ["1234.5", "7"]),
        (["1,234"], ";", ["1.234"]),
        (["1,234"], ",", ["1,234"]),
        (["1,234", "0,5"], ",", ["1.234", "0.5"]),
        (["1,5", "two"], ";", ["1,5", "two"]),
        (["1.5", "2"], ";", ["1.5", "2"]),
        (["1,5"], None, ["1,5"]),
    ],
)
def test_decimal_commas_are_read_only_where_no_other_reading_is_likely(values: list[str], delimiter: str | None, expected: list[str]) -> None:
    column, commas = pa.chunked_array([values]), DecimalCommas(delimiter)
    commas.see({"value": column})
    assert (plain_numbers(column) if commas.found() else column).to_pylist() == expected


def test_the_declarations_are_consistent() -> None:
    for table in TABLES.values():
        assert set(table.times) | set(table.numbers) | set(table.ids) | set(table.key) <= set(table.known)
