"""What attributes become: one number per column, for every kind, with values never seen and values that are missing."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.attributes import MISSING, OTHER, Attribute
from features.rows import Cohort, Dated, Known, compute
from features.schema import Schema
from features.timeline import build

NAN = math.nan
INDUSTRY = Attribute("industry", "category", ("account.industry",), "organization", "Industry", ("it", "retail"))
BUDGET = Attribute("budget", "number", ("lead.budget",), "opportunity", "Budget")
TITLE = Attribute("job_title", "title", ("lead.job_title",), "stakeholder", "Job title")
EMAIL = Attribute("email", "email", ("lead.email", "account.domain"), "stakeholder", "E-mail")
PHONE = Attribute("phone", "phone", ("lead.phone", "lead.country"), "stakeholder", "Phone")
EVERY = (INDUSTRY, BUDGET, TITLE, EMAIL, PHONE)


def told(attribute: Attribute, *values: str | None) -> dict[str, float]:
    """Columns by name, those that are 0 left out."""
    found = zip(attribute.columns, attribute.encode(values), strict=True)
    return {name: value for (name, *_), value in found if value != 0}


CASES: list[tuple[Attribute, tuple[str | None, ...], dict[str, Any]]] = [
    (INDUSTRY, ("retail",), {"industry=retail": 1}),
    (INDUSTRY, ("Retail",), {f"industry={OTHER}": 1}),
    (INDUSTRY, ("mining",), {f"industry={OTHER}": 1}),
    (INDUSTRY, (None,), {f"industry={MISSING}": 1}),
    (BUDGET, ("20000",), {"budget": 20_000}),
    (BUDGET, ("0",), {}),
    (BUDGET, ("€ 1.2m",), {"budget": 1_200_000}),
    (BUDGET, ("much",), {"budget": NAN}),
    (BUDGET, (None,), {"budget": NAN}),
    (TITLE, ("Head of Purchasing",), {"job_title.seniority": 4, "job_title.function=purchasing": 1}),
    (TITLE, ("CEO",), {"job_title.seniority": 6, "job_title.function=executive": 1}),
    (TITLE, ("qwerty",), {"job_title.seniority": NAN}),
    (TITLE, (None,), {"job_title.seniority": NAN, f"job_title={MISSING}": 1}),
    (EMAIL, ("eva@acme.se", "acme.se"), {"email=business": 1, "email_matches_account": 1}),
    (EMAIL, ("eva@gmail.com", "acme.se"), {"email=free": 1}),
    (EMAIL, ("eva@mailinator.com", None), {"email=disposable": 1, "email_matches_account": NAN}),
    (EMAIL, ("nonsense", "acme.se"), {"email=invalid": 1, "email_matches_account": NAN}),
    (EMAIL, (None, "acme.se"), {f"email={MISSING}": 1, "email_matches_account": NAN}),
    (PHONE, ("+46 8 123 456 00", "SE"), {"phone=valid": 1, "phone_matches_country": 1}),
    (PHONE, ("+46 8 123 456 00", "NO"), {"phone=valid": 1}),
    (PHONE, ("123", "SE"), {"phone=invalid": 1, "phone_matches_country": NAN}),
    (PHONE, (None, "SE"), {f"phone={MISSING}": 1, "phone_matches_country": NAN}),
    (PHONE, ("+46 8 123 456 00", None), {"phone=valid": 1, "phone_matches_country": NAN}),
]


@pytest.mark.parametrize(("attribute", "values", "expected"), CASES, ids=[f"{a.name}-{v}" for a, v, _ in CASES])
def test_what_a_value_becomes(attribute: Attribute, values: tuple[str | None, ...], expected: dict[str, float]) -> None:
    assert told(attribute, *values) == pytest.approx(expected, nan_ok=True)


@given(st.sampled_from(EVERY), st.none() | st.text(max_size=30), st.none() | st.text(max_size=30))
def test_any_text_gives_one_number_per_column(attribute: Attribute, first: str | None, second: str | None) -> None:
    found = attribute.encode((first, second)[: len(attribute.inputs)])
    assert len(found) == len(attribute.columns)
    assert all(math.isnan(v) or math.isfinite(v) for v in found)


@given(st.none() | st.text(max_size=10))
def test_a_category_is_in_exactly_one_column(value: str | None) -> None:
    assert sum(INDUSTRY.encode((value,))) == 1


@pytest.mark.parametrize("attribute", EVERY, ids=lambda a: a.name)
def test_columns_have_names_of_their_own_units_and_sentences(attribute: Attribute) -> None:
    names = [name for name, *_ in attribute.columns]
    assert len(set(names)) == len(names)
    assert all(unit and text and absent for _, unit, text, absent in attribute.columns)
    assert Attribute(**{**attribute.document(), "inputs": attribute.inputs, "levels": attribute.levels}) == attribute


def known(changes: list[tuple[int, str | None]], base: str | None = "now") -> Known:
    """One lead with the value `base` in its table and a history of changes, sorted by time."""
    start = np.array([0, len(changes)], np.int64)
    dated = Dated(start, np.array([t for t, _ in changes], np.int64), [v for _, v in changes])
    return Known({"lead.x": np.zeros(1, np.int64)}, {"lead.x": (base,)}, {"lead.x": dated})


@pytest.mark.parametrize(
    ("as_of", "value"), [(9, None), (10, "a"), (19, "a"), (20, None), (29, None), (30, "c"), (10_000, "c")]
)  # fmt: skip
def test_of_a_field_with_a_history_the_latest_change_counts(as_of: int, value: str | None) -> None:
    """A change at as_of counts, one a tick later does not; before the first nothing is known, whatever the table says today."""
    codes, values = known([(10, "a"), (20, None), (30, "c")]).at("lead.x", np.zeros(1, np.int64), np.array([as_of]))
    assert values[codes[0]] == value


def test_a_lead_without_changes_of_its_own_keeps_its_value() -> None:
    codes, values = known([]).at("lead.x", np.zeros(1, np.int64), np.array([5]))
    assert values[codes[0]] == "now"


def test_no_rows_asked_for_are_no_rows() -> None:
    """A stage that nobody was in of late has no population: an empty spine, with attributes as without."""
    schema = Schema(("lead", "prospect"), ("lost",), (), EVERY)
    nobody = np.zeros(0, np.int64)
    timeline = build(np.zeros(1, np.int64), (nobody, nobody.astype(np.int16), nobody, nobody), (nobody, nobody.astype(np.int16), nobody), 2)
    assert compute(schema, Cohort([""], timeline, Known({}, {})), nobody, nobody).shape == (0, len(schema.columns))


def test_a_column_that_is_not_there_is_not_known() -> None:
    codes, values = known([]).at("lead.y", np.zeros(3, np.int64), np.arange(3))
    assert [values[c] for c in codes] == [None] * 3
