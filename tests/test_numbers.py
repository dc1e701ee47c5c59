"""Numbers and bands out of text: what is one, what is not, and both ends of each rule."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.numbers import is_band, number

NUMBERS = [
    ("0", 0.0),
    ("-5", -5.0),
    ("−5", -5.0),
    ("+5", 5.0),
    (" 7 ", 7.0),
    (".5", 0.5),
    ("1e5", 1e5),
    ("1,234.5", 1234.5),
    ("1.234,5", 1234.5),
    ("1 234,5", 1234.5),
    ("1'234.50", 1234.5),
    ("1’234", 1234.0),
    ("12 345", 12345.0),
    ("12\u00a0345", 12345.0),
    ("12\u202f345", 12345.0),
    ("1,234,567", 1234567.0),
    ("1.234.567", 1234567.0),
    ("12,5", 12.5),
    ("1,23", 1.23),
    ("1,234", 1234.0),
    ("1.234", 1.234),
    ("0,123", 0.123),
    ("1234,567", 1234.567),
    ("€ 1.234", 1234.0),
    ("€ 1.2m", 1.2e6),
    ("$5.5B", 5.5e9),
    ("R$ 1.234,56", 1234.56),
    ("1 234 567 kr", 1234567.0),
    ("500kr", 500.0),
    ("SEK 500", 500.0),
    ("5k", 5e3),
    ("5 K", 5e3),
    ("-3m", -3e6),
    ("3 Mio. €", 3e6),
    ("3 Mrd. EUR", 3e9),
    ("50 mill. kr", 5e7),
    ("2 milhões", 2e6),
    ("2 miljoner", 2e6),
    ("100万", 1e6),
    ("2亿元", 2e8),
    ("１２３", 123.0),
    ("45%", 0.45),
    ("45 %", 0.45),
    ("12,5 %", 0.125),
    ("(1,234)", -1234.0),
    ("120 employees", 120.0),
    ("120 anställda", 120.0),
    ("1.200 Mitarbeiter", 1200.0),
    ("50 funcionários", 50.0),
    ("50 ansatte", 50.0),
    ("200人", 200.0),
    ("+123456", 123456.0),
]
BANDS = [
    ("500-999", math.sqrt(500 * 999)),
    ("501–1000", math.sqrt(501 * 1000)),
    ("5001 — 10 000", math.sqrt(5001 * 10000)),
    ("1-10 employees", math.sqrt(10)),
    ("1 to 10", math.sqrt(10)),
    ("between 1 and 10", math.sqrt(10)),
    ("1 bis 10 Mitarbeiter", math.sqrt(10)),
    ("1 a 10 funcionários", math.sqrt(10)),
    ("entre 1 e 10", math.sqrt(10)),
    ("1 till 10", math.sqrt(10)),
    ("1-10人", math.sqrt(10)),
    ("1～10", math.sqrt(10)),
    ("1.000 - 4.999 Mitarbeiter", math.sqrt(1000 * 4999)),
    ("10,001-50,000", math.sqrt(10001 * 50000)),
    ("$1-5m", math.sqrt(5) * 1e6),
    ("€1m - €5m", math.sqrt(5) * 1e6),
    ("500k-1m", math.sqrt(0.5) * 1e6),
    ("0-10", 5.0),
    ("5-5", 5.0),
    ("10-20%", math.sqrt(0.02)),
    ("<10", 5.0),
    ("< 10 employees", 5.0),
    ("under 10", 5.0),
    ("up to 50", 25.0),
    ("weniger als 10", 5.0),
    ("menos de 10", 5.0),
    ("färre än 10", 5.0),
    ("10人以下", 5.0),
    ("1000+", 1000.0),
    ("10,000+ employees", 10000.0),
    (">1000", 1000.0),
    ("≥ 1000", 1000.0),
    ("över 1000", 1000.0),
    ("mehr als 1000 Mitarbeiter", 1000.0),
    ("mais de 1000", 1000.0),
    ("1000 or more", 1000.0),
    ("1000人以上", 1000.0),
    ("100k+", 1e5),
]
NEITHER = [
    None, "", " ", "-", "n/a", "nan", "inf", "-inf", "1e999", "abc", "3rd", "1st", "v2", "2024-05-01", "2024-05", "01/02/2024", "10:30", "10-Jan",
    "10.0.0.1", "192.168.100.200", "007", "01234", "0701234567", "08-123 456 78", "070-123 45 67", "+46701234567", "+1234567", "555-123-4567",
    "(555) 123-4567", "10 Downing Street", "1a10", "1 - 2 - 3", "10-1", "100 m²", "12 34", "1,2,3", "1.2.3", "1,234.567.8", "5 parrots", "k", "%",
    "employees", "()", "--5", "1--5", "٣",
]  # fmt: skip


@pytest.mark.parametrize("text, value", NUMBERS)
def test_number(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value, rel=1e-12)
    assert not is_band(text)


@pytest.mark.parametrize("text, value", BANDS)
def test_band(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value, rel=1e-12)
    assert is_band(text)


@pytest.mark.parametrize("text", NEITHER)
def test_neither(text: str | None) -> None:
    assert math.isnan(number(text))
    assert not is_band(text)


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite)
def test_plain_floats_come_back(value: float) -> None:
    assert number(repr(value)) == value
    assert not is_band(repr(value))


@given(st.integers(-(10**15), 10**15))
def test_whole_numbers_come_back_in_every_grouping(value: int) -> None:
    english = f"{value:,}"
    dressed = [english + ".0", f"{english} employees", f"€{english.replace(',', '.')}", english.replace(",", " "), english.replace(",", "'")]
    assert [number(text) for text in (str(value), *dressed)] == [value] * 6


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["-", " - ", "–", " to ", " bis ", "~"]))
def test_a_band_lies_between_its_ends(one: int, other: int, sign: str) -> None:
    low, high = sorted((one, other))
    text = f"{low}{sign}{high}"
    assert is_band(text)
    assert low * (1 - 1e-12) <= number(text) <= high * (1 + 1e-12)


@given(st.lists(st.integers(1, 10**6), min_size=4, max_size=4, unique=True))
def test_bands_keep_their_order(ends: list[int]) -> None:
    a, b, c, d = sorted(ends)
    assert number(f"<{a}") < number(f"{a}-{b}") < number(f"{c}-{d}") < number(f"{d}+")


@given(st.text(max_size=60) | st.text(alphabet="0123456789.,-+% <>kmMioa€$()人", max_size=25))
def test_any_text_is_a_finite_number_or_nan(text: str) -> None:
    value = number(text)
    assert math.isnan(value) or math.isfinite(value)
    assert not (is_band(text) and math.isnan(value))


def test_a_very_long_text_is_read_in_no_time() -> None:
    assert math.isnan(number("1 " * 100_000))
    assert math.isnan(number("1" + ",111" * 100_000))
