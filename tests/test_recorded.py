"""What a training wrote down is known by its pattern, told in another language with the numbers in place, and never broken."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.pages.profile_view import example
from serving.pages.recorded import LONGEST, PATTERNS, told_again
from serving.words import LANGUAGES, Words

SWEDISH = Words("sv")


@given(st.text(), st.sampled_from(list(LANGUAGES)))
def test_any_text_can_be_asked_about(text: str, language: str) -> None:
    assert isinstance(told_again(Words(language), text), str)


@given(st.text())
def test_in_english_everything_stays_as_it_was_written(text: str) -> None:
    assert told_again(Words(), text) == text


@pytest.mark.parametrize("pattern", [pattern for pattern in PATTERNS if pattern != "reached {stage}"])
def test_a_sentence_is_told_by_its_own_pattern(pattern: str) -> None:
    """As the catalogue has it, or in English where it has not: with every value in its place."""
    names = re.findall(r"\{(\w+)\}", pattern)
    values = {name: f"<{n}>" for n, name in enumerate(names)}
    assert told_again(SWEDISH, pattern.format(**values)) == SWEDISH.text(pattern, **values)


def test_numbers_take_the_local_form() -> None:
    told = told_again(Words("de"), "one of its 1,234 values has 52% of the conversions and 0.5% of the rows")
    assert all(number in told for number in ("1.234", "52\xa0%", "0,5\xa0%"))


def test_sentences_that_are_joined_are_told_one_by_one() -> None:
    first, second = "personal data never reach a model", "dates without a history"
    assert told_again(SWEDISH, f"{first}; {second}") == f"{SWEDISH.text(first)}; {SWEDISH.text(second)}"
    assert told_again(SWEDISH, f"{first}; what nobody knows") == f"{SWEDISH.text(first)}; what nobody knows"


def test_a_text_without_end_stays_as_it_is() -> None:
    assert told_again(SWEDISH, "promoted by " + "x" * LONGEST) == "promoted by " + "x" * LONGEST


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_example_for_funnel_toml_can_be_read(name: str, value: str) -> None:
    import tomllib

    attribute = {"name": name, "kind": "category", "values": [{"value": value, "lift": 2.0, "begin": None}]}
    assert tomllib.loads(example({"attributes": [attribute]})) == {"icp": {name: {"wanted": [value]}}}


@pytest.mark.parametrize(("begins", "lines"), [((None, 10.0, 200.0), "between = [10, 200]"), ((None,), "ignore = true")])
def test_the_example_of_a_number_is_a_range(begins: tuple[float | None, ...], lines: str) -> None:
    values = [{"value": "", "lift": 1.0, "begin": begin} for begin in begins]
    assert example({"attributes": [{"name": "employees", "kind": "number", "values": values}]}) == f"[icp.employees]\n{lines}"
