"""Bands of numbers: each value in one, named as a person would, read back as the same number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.numbers import number
from registry.profile import Trait, Value
from training.bands import BANDS, FEW, Band, bands_of

numbers = st.lists(st.one_of(st.integers(-1_000_000, 1_000_000).map(float), st.floats(-1e6, 1e6, width=32)), min_size=1, max_size=120)


def trait(bands: tuple[Band, ...]) -> Trait:
    values = tuple(Value(b.name, 1, 0, 1.0, 0.5, 2.0, 0.0, begin=b.begin, end=b.end) for b in bands)
    return Trait("size", "account.size", "number", "organization", "Size", 1.0, values, 0, 0, False)


@given(numbers)
def test_every_value_is_in_one_band_and_every_band_is_after_the_one_before(drawn: list[float]) -> None:
    bands = bands_of(np.array(drawn))
    begins = [band.begin for band in bands[1:]]
    assert 1 <= len(bands) <= max(BANDS, FEW)
    assert bands[0].begin is None or all(band.begin == band.end for band in bands)
    assert None not in begins
    assert begins == sorted(set(begins))
    assert len({band.name for band in bands}) == len(bands)


@given(numbers)
def test_a_trait_finds_the_band_that_a_plain_search_finds(drawn: list[float]) -> None:
    bands = bands_of(np.array(drawn))
    for value in drawn:
        by_hand = max((b for b in bands if b.begin is None or b.begin <= value), key=lambda b: -np.inf if b.begin is None else b.begin)
        part = trait(bands).part(repr(value))
        assert part is not None
        assert part.value == by_hand.name


def test_company_sizes_get_bands_that_people_use() -> None:
    rng = np.random.default_rng(0)
    sizes = np.floor(np.exp(rng.uniform(0, np.log(20_000), 4_000)))
    names = [band.name for band in bands_of(sizes)]
    assert names == ["<5", "5-29", "30-99", "100-699", "700-3999", "4000+"]
    assert [number(name) for name in names[1:]] == pytest.approx([(5 * 29) ** 0.5, (30 * 99) ** 0.5, (100 * 699) ** 0.5, (700 * 3999) ** 0.5, 4000])


def test_large_numbers_are_told_in_thousands_and_millions() -> None:
    rng = np.random.default_rng(0)
    names = [band.name for band in bands_of(np.round(np.exp(rng.uniform(np.log(1e5), np.log(1e9), 2_000))))]
    assert names[0] == "<500k"
    assert names[-1] == "200M+"
    assert all(np.isfinite(number(name)) for name in names)


def test_numbers_of_one_attribute_are_told_alike() -> None:
    rng = np.random.default_rng(0)
    names = [band.name for band in bands_of(np.floor(rng.uniform(1_000, 30_000, 3_000)))]
    assert names == ["<5.7k", "5.7k-11k", "11k-15k", "15k-20k", "20k-25k", "25k+"]


def test_losses_and_gains_meet_at_nothing() -> None:
    names = [band.name for band in bands_of(np.random.default_rng(0).normal(0, 1, 3_000))]
    assert names == ["<-1", "-1..-0.5", "-0.5..0", "0-0.4", "0.4-0.9", "0.9+"]


def test_years_stay_apart() -> None:
    """Rounding to one digit would make one band of them all."""
    bands = bands_of(np.arange(1950, 2021).astype(float))
    assert len(bands) == BANDS


def test_few_different_values_are_told_one_by_one() -> None:
    assert [(b.name, b.begin, b.end) for b in bands_of(np.array([0.0, 1.0, 1.0, 3.0]))] == [("0", 0.0, 0.0), ("1", 1.0, 1.0), ("3", 3.0, 3.0)]
    assert bands_of(np.array([2.5])) == (Band("2.5", 2.5, 2.5),)


@pytest.mark.parametrize("amount, name", [("49", "<50"), ("49.9", "<50"), ("50", "50-99"), ("99", "50-99"), ("100", "100+")])
def test_both_ends_of_a_band(amount: str, name: str) -> None:
    part = trait((Band("<50", None, 49.0), Band("50-99", 50.0, 99.0), Band("100+", 100.0, None))).part(amount)
    assert part is not None
    assert part.value == name
