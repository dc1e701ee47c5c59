"""The leak report of data with times: the sample world's field that gives the outcome away is proven, honest ones are not; both ends of each rule."""

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
from training.leak_fill import MIN_FILLED, MIN_LEADS, TIMES_FILLED
from training.leaks import UNDATED, Leak, Studied, find_leaks, tell_leaks
from training.run import study
from worlds import World, sampled, with_rows

BEGIN = 1_700_000_000_000_000


def leaks_of(dataset: Dataset, funnel: Funnel | None = None) -> tuple[Leak, ...]:
    """Without the removal test."""
    funnel = funnel or Funnel()
    schema, left_out = discover(dataset, funnel)
    cohort = cohort_of(dataset, schema)
    return find_leaks(Studied(dataset, schema, left_out, cohort, path(cohort.timeline), (), dataset.data_end), funnel)


@pytest.mark.parametrize("seed", range(3))
def test_the_planted_leak_is_proven_and_the_number_suspected(seed: int, tmp_path: Path, home: Path) -> None:
    dataset = sampled(tmp_path / "world", 600, seed)
    found = find_leaks(study(dataset, Funnel())[0], Funnel(), seed)
    assert [leak.column for leak in found if leak.kind == "proven"] == ["lead.onboarding_package"]
    assert not found[0].kept
    assert "people fill it in afterwards" in found[0].why
    assert found[0].auc_with is None or found[0].auc_with > (found[0].auc_without or 1.0) + 0.03
    suspected = [leak for leak in found if leak.kind == "suspected" and leak.why != UNDATED]
    assert [(leak.column, leak.kept) for leak in suspected] == [("lead.crm_row", False)]


def test_undated_fields_are_named_and_kept(sample: World) -> None:
    named = {leak["column"]: leak["kept"] for leak in sample.bundle.about["leaks"] if leak["why"] == UNDATED}
    assert {"lead.job_title", "lead.country", "lead.source", "account.industry"} <= set(named)
    assert all(named.values())
    assert set(named) <= set(sample.bundle.schema.inputs)


def test_a_leak_never_reaches_the_model(sample: World) -> None:
    proven = [leak for leak in sample.bundle.about["leaks"] if leak["kind"] == "proven"]
    assert [leak["column"] for leak in proven] == ["lead.onboarding_package"]
    assert proven[0]["auc_with"] > proven[0]["auc_without"] + 0.03
    assert sample.trained.report["transitions"]["lead->prospect"]["leaks"] == sample.bundle.about["leaks"]
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
    return [leak.column for leak in leaks_of(dataset, funnel) if leak.kind == "proven"]


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
    assert leak.kind == "proven"
    assert leak.kept
    assert "kept, as funnel.toml says" in tell_leaks([leak.document()])[0]


@pytest.mark.parametrize("name", ["package", "lead.package"])
def test_what_funnel_toml_leaves_out_is_not_reported(name: str) -> None:
    assert leaks_of(planted(40, 0), Funnel(exclude=(name,))) == ()


def test_a_field_that_only_the_lost_have_leaks_too() -> None:
    """All 40 who converted were lost later: the reason is told by the first group that it gives away. Here nobody converted who was lost."""
    dataset = planted(0, 40)
    lost = [{"lead_id": f"L-{i:04}", "entered_at": BEGIN + DAY, "stage": "lost"} for i in range(40, 80)]
    reached = [{"lead_id": f"L-{i:04}", "entered_at": BEGIN + DAY, "stage": "prospect"} for i in range(40)]
    (leak,) = [leak for leak in leaks_of(replace(dataset, stages=with_rows(empty_table("stages"), lost + reached))) if leak.kind == "proven"]
    assert "100% of the leads that were lost and 0% of the others" in leak.why


def aged(filled_by_age: bool) -> Dataset:
    """1,000 leads: the older half was enriched, and has had the time to convert; or the converted alone are filled, old or not."""
    dataset = planted(0, 0, leads=1_000, converted=0)
    old = np.arange(1_000) < 500
    converted = np.random.default_rng(0).random(1_000) < np.where(old, 0.5, 0.02)
    package = pa.array(["gold" if full else None for full in (old if filled_by_age else converted)], pa.string())
    leads = with_rows(empty_table("leads"), [{"lead_id": f"L-{i:04}", "created_at": BEGIN + i * DAY} for i in range(1_000)])
    entries = [{"lead_id": f"L-{i:04}", "entered_at": BEGIN + i * DAY + DAY, "stage": "prospect"} for i in np.flatnonzero(converted)]
    entries += [{"lead_id": f"L-{i:04}", "entered_at": BEGIN + i * DAY + 2 * DAY, "stage": "lost"} for i in np.flatnonzero(converted)]
    return replace(dataset, leads=leads.append_column("package", package), stages=with_rows(dataset.stages, entries))


def test_old_leads_are_compared_with_old_ones() -> None:
    """Filled for 96 % of the converted and 33 % of the others, and for everybody of their age."""
    assert found(aged(filled_by_age=True)) == []
    assert found(aged(filled_by_age=False)) == ["lead.package"]


def test_a_field_clearly_fuller_after_conversion_is_suspected_and_kept() -> None:
    dataset = planted(36, 24)
    (leak,) = leaks_of(dataset)
    assert (leak.kind, leak.kept) == ("suspected", True)
    assert "90% of the leads that reached prospect and 40% of the others" in leak.why


def test_fields_of_one_reason_are_told_in_one_line() -> None:
    told = tell_leaks([Leak(f"lead.{name}", UNDATED, kept=True, kind="suspected").document() for name in "abc"])
    assert told == [f"suspected leak: lead.a, lead.b, lead.c kept: {UNDATED}."]


def test_of_what_is_left_out_for_one_reason_each_has_its_numbers() -> None:
    leaks = [Leak(f"lead.{name}", "late", False, "suspected", claimed, 0.87).document() for name, claimed in (("a", 0.9), ("b", None), ("c", 0.91))]
    (told,) = tell_leaks(leaks)
    assert told.endswith(
        "late. With lead.a the model would claim AUC 0.90; without it 0.87. With lead.c the model would claim AUC 0.91; without it 0.87."
    )


def test_both_numbers_are_told() -> None:
    (told,) = tell_leaks([Leak("lead.tags", "late", False, "proven", 0.981, 0.872).document()])
    assert told == "proven leak: lead.tags left out: late. With it the model would claim AUC 0.98; without it 0.87."


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


def with_accounts(dataset: Dataset, converted: int, others: int) -> Dataset:
    """So many of the converted leads, and of the others, have an account that two of them share; one event each."""
    ids = dataset.leads["lead_id"].to_pylist()
    named = {name: f"A-{i // 2}" for i, name in enumerate([*ids[:converted], *ids[40 : 40 + others]])}
    place = dataset.leads.column_names.index("account_id")
    leads = dataset.leads.set_column(place, "account_id", pa.array([named.get(name) for name in ids], pa.string()))
    events = with_rows(dataset.events, [{"lead_id": name, "occurred_at": BEGIN, "type": "visit"} for name in ids])
    return replace(dataset, leads=leads, events=events)


@pytest.mark.parametrize(("others", "kind"), [(0, "proven"), (60, None)])
def test_accounts_made_at_the_conversion_give_nobody_colleagues(others: int, kind: str | None) -> None:
    """Many CRMs make one as they convert the lead; what colleagues did would then tell the outcome."""
    dataset = with_accounts(planted(0, 0), 40, others)
    assert discover(dataset, Funnel())[0].colleagues
    leak = next((leak for leak in leaks_of(dataset) if leak.column == "lead.account_id"), None)
    assert (leak and leak.kind) == kind
    assert leak is None or not discover(dataset, Funnel(), {leak.column})[0].colleagues
