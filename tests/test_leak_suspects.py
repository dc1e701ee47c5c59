"""What makes a column suspicious without proof, at both ends of each rule; in a file without times it is left out, else kept and named."""

import numpy as np
import pyarrow as pa
import pytest

from data.funnel import Funnel
from training.leak_fill import MIN_FILLED, MIN_LEADS, TIMES_FILLED
from training.leak_suspects import LARGE_SHARE, MIN_ENTITIES, MIN_MISSING, MIN_ROWS, MOST_NAMED, NEARLY_ALL, Outcomes, suspect_columns

ROWS = 1_000
RNG = np.random.default_rng(0)
Values = list[str | None]


def suspects(columns: dict[str, Values], y: Outcomes | None = None, funnel: Funnel | None = None, *, timed: bool = False) -> dict[str, str]:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return {leak.column: leak.why for leak in suspect_columns(table, y, funnel or Funnel(), timed=timed) if leak.kind == "suspected"}


def test_an_honest_table_is_left_alone() -> None:
    columns: dict[str, Values] = {
        "industry": [str(v) for v in RNG.choice(["retail", "it", "mining"], ROWS)],
        "revenue": [str(v) for v in np.rint(RNG.lognormal(13, 2, ROWS)).astype(int)],
        "visits": [str(v) for v in RNG.poisson(3, ROWS)],
        "email": [f"a{i}@b.example" for i in range(ROWS)],
        "signed_up": [f"2026-01-{1 + i % 28:02}T{i // 60 % 24:02}:{i % 60:02}:{i % 59:02}Z" for i in range(ROWS)],
    }
    assert suspects(columns, (RNG.random(ROWS) < 0.3).astype(np.int8)) == {}


@pytest.mark.parametrize(
    "values",
    [
        [f"{i:08x}-lead" for i in range(ROWS)],
        [str(579_533 + 81 * i + i % 7) for i in range(ROWS)],
        [str(v) for v in RNG.choice(10**9, ROWS, replace=False)],
        [str(i) for i in range(ROWS)],
    ],
    ids=["uuid", "serial", "drawn", "row"],
)
def test_identifiers_are_suspected(values: Values) -> None:
    assert "identifier" in suspects({"Prospect": values})["lead.Prospect"]


def test_amounts_called_a_number_are_keys_and_others_are_not() -> None:
    amounts: Values = [str(v) for v in np.unique(np.rint(RNG.lognormal(10, 2, 3 * ROWS)).astype(int))[:ROWS]]
    assert list(suspects({"account number": amounts, "revenue": amounts})) == ["lead.account number"]


@pytest.mark.parametrize(("distinct", "suspected"), [(NEARLY_ALL, True), (NEARLY_ALL - 0.001, False)])
def test_nearly_every_value_must_differ(distinct: float, suspected: bool) -> None:
    size = round(distinct * ROWS)
    assert bool(suspects({"note": [f"text {min(i, size - 1)}" for i in range(ROWS)]})) == suspected


@pytest.mark.parametrize(("rows", "suspected"), [(MIN_ROWS, True), (MIN_ROWS - 1, False)])
def test_few_rows_make_no_identifier(rows: int, suspected: bool) -> None:
    assert bool(suspects({"note": [f"text {i}" for i in range(rows)]})) == suspected


def test_a_name_is_told_with_its_word() -> None:
    assert "'quality'" in suspects({"Lead Quality": ["high", "low"] * 500})["lead.Lead Quality"]


def gaps(missing: int, values: int = 3, seed: int = 0) -> Values:
    rng = np.random.default_rng(seed)
    return [None if i < missing else f"v{rng.integers(values)}" for i in range(ROWS)]


@pytest.mark.parametrize(("missing", "suspected"), [(round(MIN_MISSING * ROWS), True), (round(MIN_MISSING * ROWS) - 1, False), (ROWS, False)])
def test_columns_missing_together_are_suspected(missing: int, suspected: bool) -> None:
    found = suspects({"activity": gaps(missing), "fit": gaps(missing, seed=1), "other": gaps(missing // 2)})
    assert list(found) == (["lead.activity", "lead.fit"] if suspected else [])
    assert all("missing in exactly the same rows" in why for why in found.values())


def test_columns_missing_together_share_one_short_reason() -> None:
    (why,) = set(suspects({f"q{i}": gaps(400, seed=i) for i in range(MOST_NAMED)}).values())
    assert why.startswith("q0, q1, q2, q3, q4 and q5 are missing in exactly the same rows")
    (why,) = set(suspects({f"q{i}": gaps(400, seed=i) for i in range(MOST_NAMED + 9)}).values())
    assert why.startswith("q0, q1, q2, q3, q4, q5 and 9 more are missing in exactly the same rows")


def test_one_row_apart_is_not_together() -> None:
    assert suspects({"activity": gaps(400), "fit": gaps(401, seed=1)}) == {}


def test_a_city_and_its_country_are_one_thing() -> None:
    city = gaps(400, values=12)
    country: Values = [None if c is None else f"country {int(c[1:]) % 3}" for c in city]
    assert suspects({"city": city, "country": country}) == {}
    assert set(suspects({"city": city, "country": country, "fit": gaps(400, seed=1)})) == {"lead.city", "lead.country", "lead.fit"}


def owned(share: float, of_rows: float, owners: int = 30) -> tuple[Values, Outcomes]:
    """400 of 1,000 rows converted; `anna` has that share of them and so many of all rows."""
    y = (np.arange(ROWS) < 400).astype(np.int8)
    won = round(400 * share)
    other = [f"owner {i % (owners - 1)}" for i in range(ROWS)]
    for i in [*range(won), *range(999, 999 - (round(of_rows * ROWS) - won), -1)]:
        other[i] = "anna"
    return list(other), y


@pytest.mark.parametrize(("share", "suspected"), [(LARGE_SHARE, True), (LARGE_SHARE - 0.0025, False)])
def test_one_entity_with_a_large_share_of_the_conversions_is_suspected(share: float, suspected: bool) -> None:
    values, y = owned(share, 0.11)
    assert bool(suspects({"rep": values}, y)) == suspected


def test_a_large_entity_may_have_a_large_share() -> None:
    values, y = owned(0.4, 0.2)
    told = suspects({"rep": values}, y)["lead.rep"]
    assert "one of its 30 values has 40% of the conversions and 20% of the rows" in told
    assert "anna" not in told, "somebody's name is nothing for the record"
    values, y = owned(0.4, 0.201)
    assert suspects({"rep": values}, y) == {}


@pytest.mark.parametrize(("owners", "suspected"), [(MIN_ENTITIES, True), (MIN_ENTITIES - 1, False)])
def test_kinds_of_leads_are_not_entities(owners: int, suspected: bool) -> None:
    values, y = owned(0.4, 0.18, owners)
    assert bool(suspects({"rep": values}, y)) == suspected


def filled(yes: float, no: float, converted: int = 400) -> tuple[pa.Table, Outcomes]:
    y = (np.arange(ROWS) < converted).astype(np.int8)
    values = ["x" if (i < round(yes * converted) if i < converted else i - converted < round(no * (ROWS - converted))) else None for i in range(ROWS)]
    return pa.table({"reply": pa.array(values, pa.string())}), y


@pytest.mark.parametrize(("yes", "no", "proven"), [(MIN_FILLED, 0.0, True), (MIN_FILLED - 0.0025, 0.0, False), (0.0, 0.5, True),
                                                  (0.5, 0.5 / TIMES_FILLED, True), (0.5, 0.5 / TIMES_FILLED + 0.01, False)])  # fmt: skip
def test_in_a_file_without_times_a_field_of_one_outcome_is_proven(yes: float, no: float, proven: bool) -> None:
    table, y = filled(yes, no)
    assert [leak.kind for leak in suspect_columns(table, y, Funnel())] == (["proven"] if proven else [])
    assert suspect_columns(table, y, Funnel(), timed=True) == (), "where there are times, leads of one age are compared"


@pytest.mark.parametrize(("converted", "proven"), [(MIN_LEADS, True), (MIN_LEADS - 1, False)])
def test_few_conversions_prove_nothing(converted: int, proven: bool) -> None:
    table, y = filled(1.0, 0.0, converted)
    assert bool(suspect_columns(table, y, Funnel())) == proven


@pytest.mark.parametrize("name", ["Tags", "lead.Tags"])
def test_without_times_a_suspect_is_left_out_unless_it_is_kept(name: str) -> None:
    table = pa.table({"Tags": pa.array(["a", "b"] * 500)})
    assert [leak.kept for leak in suspect_columns(table, None, Funnel())] == [False]
    assert [leak.kept for leak in suspect_columns(table, None, Funnel(keep=(name,)))] == [True]
    assert [leak.kept for leak in suspect_columns(table, None, Funnel(), timed=True)] == [True]
