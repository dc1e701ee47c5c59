"""The field of the sample world that gives the outcome away is found, honest ones are not; both ends of each rule."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data.contract import DAY
from data.dataset import Dataset
from data.funnel import Funnel
from data.tables import empty_table
from features.discovery import discover
from features.tables import cohort_of
from training.labels import path
from training.leaks import MIN_FILLED, MIN_LEADS, TIMES_FILLED, Leak, find_leaks
from worlds import World, sampled, with_rows

BEGIN = 1_700_000_000_000_000


def leaks_of(dataset: Dataset, funnel: Funnel | None = None) -> tuple[Leak, ...]:
    funnel = funnel or Funnel()
    cohort = cohort_of(dataset, discover(dataset, funnel)[0])
    return find_leaks(dataset, cohort.timeline, cohort.lead_ids, path(cohort.timeline), funnel)


@pytest.mark.parametrize("seed", range(4))
def test_the_planted_leak_is_found_and_nothing_else(seed: int, tmp_path: Path, home: Path) -> None:
    found = leaks_of(sampled(tmp_path / "world", 600, seed))
    assert [leak.column for leak in found] == ["lead.onboarding_package"]
    assert not found[0].kept
    assert "people fill it in afterwards" in found[0].why


def test_a_leak_never_reaches_the_model(sample: World) -> None:
    assert [leak["column"] for leak in sample.bundle.about["leaks"]] == ["lead.onboarding_package"]
    assert "lead.onboarding_package" not in sample.bundle.schema.inputs
    assert {"column": "lead.onboarding_package", "why": "left out by the leak report"} in sample.bundle.about["left_out"]
    honest = {"lead.job_title", "lead.country", "lead.source", "lead.email", "account.industry", "account.employees"}
    assert honest <= set(sample.bundle.schema.inputs)


def test_no_serial_number_reaches_the_model(sample: World) -> None:
    """`crm_row` is a number that differs in every row and says nothing."""
    assert "lead.crm_row" not in sample.bundle.schema.inputs


def planted(filled: int, filled_of_others: int, leads: int = 100, converted: int = 40, dated: int = 0) -> Dataset:
    """A lead table with a field `package`, filled for so many of the converted leads and of the others; the first `dated` leads have a history."""
    names = [f"L-{i:04}" for i in range(leads)]
    package = ["gold" if i < filled or converted <= i < converted + filled_of_others else None for i in range(leads)]
    rows = [{"lead_id": name, "created_at": BEGIN} for name in names]
    stages = [{"lead_id": name, "entered_at": BEGIN + DAY, "stage": "prospect"} for name in names[:converted]]
    stages += [{"lead_id": name, "entered_at": BEGIN + 2 * DAY, "stage": "lost"} for name in names[:converted]]
    changes = [{"object": "lead", "id": name, "field": "package", "value": "gold", "changed_at": BEGIN} for name in names[:dated]]
    tables = {name: empty_table(name) for name in ("leads", "accounts", "events", "stages", "deals", "changes", "aliases")}
    tables["leads"] = with_rows(tables["leads"], rows).append_column("package", pa.array(package, pa.string()))
    tables["stages"] = with_rows(tables["stages"], stages)
    tables["changes"] = with_rows(tables["changes"], changes)
    return Dataset(**tables, digest="made by hand")


def found(dataset: Dataset, funnel: Funnel | None = None) -> list[str]:
    return [leak.column for leak in leaks_of(dataset, funnel)]


def test_a_field_that_only_converted_leads_have_leaks() -> None:
    assert found(planted(40, 0)) == ["lead.package"]


@pytest.mark.parametrize(("filled", "leaks"), [(int(MIN_FILLED * 40), True), (int(MIN_FILLED * 40) - 1, False)])
def test_it_must_be_filled_for_a_quarter_of_them(filled: int, leaks: bool) -> None:
    assert found(planted(filled, 0)) == (["lead.package"] if leaks else [])


@pytest.mark.parametrize(("others", "leaks"), [(12, True), (13, False)])
def test_and_five_times_as_often_as_for_the_others(others: int, leaks: bool) -> None:
    """All 40 of 40 against 12 of 60: five times exactly."""
    assert TIMES_FILLED == 60 / 12
    assert found(planted(40, others)) == (["lead.package"] if leaks else [])


@pytest.mark.parametrize(("converted", "leaks"), [(MIN_LEADS, True), (MIN_LEADS - 1, False)])
def test_few_converted_leads_prove_nothing(converted: int, leaks: bool) -> None:
    assert found(planted(converted, 0, converted=converted)) == (["lead.package"] if leaks else [])


def test_a_field_with_a_history_is_known_by_its_dates() -> None:
    assert found(planted(40, 0, dated=40)) == []


@pytest.mark.parametrize(("dated", "leaks"), [(40 - MIN_LEADS, True), (40 - MIN_LEADS + 1, False)])
def test_a_history_of_some_leads_says_nothing_of_the_others(dated: int, leaks: bool) -> None:
    """A store that was filled from an export, and changed by calls since."""
    assert found(planted(40, 0, dated=dated)) == (["lead.package"] if leaks else [])


def test_accounts_that_only_converted_leads_have_leak_what_is_known_of_them() -> None:
    """Many CRMs make the account when they convert the lead. What is known of an account may be dated; since when it is the lead's is not."""
    dataset = planted(0, 0)
    owned = pa.array([f"A-{i % 9}" if i < 40 else "gone" if i < 60 else None for i in range(100)])
    leads = dataset.leads.set_column(dataset.leads.column_names.index("account_id"), "account_id", owned)
    accounts = with_rows(dataset.accounts, [{"account_id": f"A-{i}", "industry": "mining", "domain": "a.example"} for i in range(9)])
    assert found(replace(dataset, leads=leads, accounts=accounts)) == ["account.industry"]
    dated = with_rows(dataset.changes, [{"object": "account", "id": f"A-{i}", "field": "industry", "value": "it", "changed_at": 1} for i in range(9)])
    assert found(replace(dataset, leads=leads, accounts=accounts, changes=dated)) == ["account.industry"]


@pytest.mark.parametrize("name", ["package", "lead.package"])
def test_the_team_may_keep_it(name: str) -> None:
    (leak,) = leaks_of(planted(40, 0), Funnel(keep=(name,)))
    assert leak.kept


def test_a_field_filled_by_chance_is_none() -> None:
    rng = np.random.default_rng(0)
    dataset = planted(0, 0, leads=400, converted=150)
    values = pa.array(["x" if filled else None for filled in rng.random(400) < 0.3], pa.string())
    leads = dataset.leads.set_column(dataset.leads.column_names.index("package"), "package", values)
    assert (
        found(
            Dataset(
                **{name: getattr(dataset, name) for name in ("accounts", "events", "stages", "deals", "changes", "aliases", "digest")}, leads=leads
            )
        )
        == []
    )
