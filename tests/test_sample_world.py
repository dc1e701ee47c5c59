"""The sample world's tables: the contract, the ingredients, and the same bytes for the same seed."""

import filecmp
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.csv
import pytest
from disposable_email_domains import blocklist

from data.contract import DAY, EXITS, STAGES, TABLES, DataError, parse_instant
from data.dataset import read_dataset
from data.funnel import Funnel
from data.sample import write_sample
from data.sample.parameters import CUSTOMER, DAYS, END, OPPORTUNITY, START
from data.sample.world import World, simulate
from data.sample.write import SampleSummary

LEADS = 3_000
FILES = ("leads", "accounts", "events", "stages", "deals", "changes", "truth/probabilities", "truth/reach")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return write_sample(tmp_path_factory.mktemp("sample") / "out", LEADS, seed=3)


@pytest.fixture(scope="module")
def tables(sample: SampleSummary) -> dict[str, pa.Table]:
    return {name: pa.csv.read_csv(sample.path / f"{name}.csv", convert_options=_AS_TEXT) for name in FILES}


_AS_TEXT = pa.csv.ConvertOptions(
    column_types={
        name: pa.string() for name in ("created_at", "occurred_at", "recorded_at", "entered_at", "opened_at", "closed_at", "changed_at", "as_of")
    },
    strings_can_be_null=True,
)


def rows(table: pa.Table, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_same_seed_same_bytes_and_another_seed_another_world(sample: SampleSummary, tmp_path: Path) -> None:
    again = write_sample(tmp_path / "again", LEADS, seed=3)
    assert filecmp.cmpfiles(sample.path, again.path, [f"{name}.csv" for name in FILES], shallow=False)[0] == [f"{name}.csv" for name in FILES]
    other = write_sample(tmp_path / "other", LEADS, seed=4)
    assert not filecmp.cmpfiles(sample.path, other.path, [f"{name}.csv" for name in FILES], shallow=False)[0]


def test_a_lead_lives_the_same_life_in_a_smaller_world() -> None:
    small, large = simulate(50, seed=9), simulate(400, seed=9)
    for field in fields(small.people):
        assert np.array_equal(getattr(small.people, field.name), getattr(large.people, field.name)[:50])
    for name in ("day", "second", "kind", "delay", "change_day", "change_to"):
        mine = getattr(small.histories, name)
        assert np.array_equal(mine, getattr(large.histories, name)[: len(mine)])


def test_the_reader_has_nothing_to_complain_about(sample: SampleSummary) -> None:
    dataset, report = read_dataset(sample.path, funnel=Funnel())
    assert report.errors == report.warnings == ()
    assert dataset.leads.num_rows == LEADS
    assert dataset.events.num_rows == sample.events


def test_columns_and_keys_are_those_of_the_contract(tables: dict[str, pa.Table]) -> None:
    for name, table in tables.items():
        if name in TABLES:
            assert set(TABLES[name].required) <= set(table.column_names)
            if TABLES[name].key:
                keys = rows(table, *TABLES[name].key)
                assert len(set(keys)) == len(keys)
    identifiers = tables["events"]["event_id"].to_pylist()
    assert len(set(identifiers)) == len(identifiers)
    leads = set(tables["leads"]["lead_id"].to_pylist())
    assert all(set(tables[name]["lead_id"].to_pylist()) <= leads for name in ("events", "stages", "deals"))
    assert set(tables["leads"]["account_id"].drop_null().to_pylist()) == set(tables["accounts"]["account_id"].to_pylist())


def test_the_data_end_exactly_at_the_end_and_nothing_is_later(sample: SampleSummary, tables: dict[str, pa.Table]) -> None:
    times = {
        (name, column): [parse_instant(text) for text in tables[name][column].drop_null().to_pylist()]
        for name in ("leads", "events", "stages", "deals", "changes")
        for column in TABLES[name].times
        if column in tables[name].column_names
    }
    assert max(map(max, times.values())) == END == sample.data_end == parse_instant("2026-06-30T00:00:00Z")
    assert min(map(min, times.values())) >= START - 14 * DAY
    assert max(times["leads", "created_at"]) == END


def test_stages_begin_in_lead_and_follow_the_ways_there_are(tables: dict[str, pa.Table]) -> None:
    ways = {("lead", "prospect"), ("lead", "opportunity"), ("lead", "disqualified"), ("prospect", "opportunity"), ("prospect", "disqualified"),
            ("prospect", "lead"), ("opportunity", "customer"), ("opportunity", "lost"), ("disqualified", "lead"), ("lost", "lead")}  # fmt: skip
    seen: dict[object, tuple[object, object]] = {}
    used = set()
    for lead, at, stage in rows(tables["stages"], "lead_id", "entered_at", "stage"):
        assert stage in STAGES + EXITS
        if lead in seen:
            before, then = seen[lead]
            assert str(then) <= str(at)
            used.add((before, stage))
        else:
            assert stage == "lead"
        seen[lead] = (stage, at)
    assert used == ways


def test_each_skip_within_an_instant_shows_both_rows_or_one(tables: dict[str, pa.Table]) -> None:
    stages = rows(tables["stages"], "lead_id", "entered_at", "stage")
    both = [(a, b) for a, b in pairwise(stages) if a[:2] == b[:2]]
    assert both
    assert all((a[2], b[2]) == ("prospect", "opportunity") for a, b in both)


def test_every_ingredient_is_there(tables: dict[str, pa.Table]) -> None:
    leads, events = tables["leads"], tables["events"]
    assert len(set(events["type"].to_pylist())) >= 12
    titles = " ".join(leads["job_title"].drop_null().to_pylist()).lower()
    assert all(word in titles for word in ("director of", "avdelningschef", "leiter", "gerente", "rådgiver", "总监", "cto"))
    domains = [str(text).rpartition("@")[2] for text in leads["email"].drop_null().to_pylist()]
    assert 0.02 < np.mean([domain in blocklist for domain in domains]) < 0.10
    assert 0.01 < np.mean(["." not in domain for domain in domains]) < 0.10
    for column in ("account_id", "email", "phone", "job_title", "country", "source", "campaign"):
        assert 0.01 < leads[column].null_count / LEADS < 0.5, column
    sizes = tables["accounts"]["employees"].drop_null().to_pylist()
    assert 0.3 < np.mean(["-" in size or "+" in size for size in sizes]) < 0.7
    late = [parse_instant(b) - parse_instant(a) for a, b in rows(events, "occurred_at", "recorded_at") if b is not None]
    assert {delay // DAY for delay in late} == {1, 2, 3, 4, 5}
    created = dict(rows(leads, "lead_id", "created_at"))
    assert any(str(at) < str(created[lead]) for lead, at in rows(events, "lead_id", "occurred_at"))
    assert {"lead", "account"} == set(tables["changes"]["object"].to_pylist())
    assert len(set(leads["crm_row"].to_pylist())) > 0.99 * LEADS


def test_phone_numbers_are_mostly_real_looking_and_some_are_not(tables: dict[str, pa.Table]) -> None:
    def valid(text: str) -> bool:
        try:
            return phonenumbers.is_valid_number(phonenumbers.parse(text))
        except phonenumbers.NumberParseException:
            return False

    assert 0.75 < np.mean([valid(str(text)) for text in tables["leads"]["phone"].drop_null().to_pylist()]) < 0.9


def test_the_leak_gives_away_who_got_a_deal(tables: dict[str, pa.Table]) -> None:
    reached = {lead for lead, stage in rows(tables["stages"], "lead_id", "stage") if stage in ("opportunity", "customer")}
    filled = dict(rows(tables["leads"], "lead_id", "onboarding_package"))
    assert np.mean([filled[lead] is not None for lead in reached]) > 0.8
    assert 0 < np.mean([value is not None for lead, value in filled.items() if lead not in reached]) < 0.03


def test_deals_follow_the_stages(tables: dict[str, pa.Table]) -> None:
    entered = set(rows(tables["stages"], "lead_id", "entered_at", "stage"))
    deals = rows(tables["deals"], "lead_id", "opened_at", "closed_at", "outcome", "competitor")
    assert len(deals) == sum(stage == "opportunity" for _, _, stage in entered)
    for lead, opened, closed, outcome, rival in deals:
        assert (lead, opened, "opportunity") in entered
        assert (closed is None) == (outcome is None)
        assert closed is None or (lead, closed, {"won": "customer", "lost": "lost"}[str(outcome)]) in entered
        assert rival is None or outcome == "lost"


def test_rates_are_those_of_a_plausible_funnel() -> None:
    world = simulate(12_000, seed=1)
    past = world.histories
    lead = np.repeat(np.arange(12_000), np.diff(past.change_start))
    ever = [len(np.unique(lead[(past.change_to >= stage) & (past.change_to <= CUSTOMER)])) for stage in (1, OPPORTUNITY, CUSTOMER)]
    assert 0.20 < ever[0] / 12_000 < 0.40
    assert 0.35 < ever[1] / ever[0] < 0.68
    assert 0.30 < ever[2] / ever[1] < 0.52
    assert 35 < len(past.day) / 12_000 < 70


def test_outcomes_count_the_instant_of_the_horizon_and_not_the_one_of_as_of() -> None:
    world = _one_change(on_day=DAYS - 40)  # takes effect at the midnight 39 days before the end
    entry = END - 39 * DAY
    assert [bool(world.at(entry - days * DAY)[0].entered(7)[1]) for days in (8, 7, 1, 0)] == [False, True, True, False]


def _one_change(on_day: int) -> World:
    world = simulate(2, seed=5)
    people = replace(world.people, created_day=np.array([DAYS, DAYS - 90]))
    nothing = {name: getattr(world.histories, name)[:0] for name in ("day", "second", "kind", "delay")}
    change = {"change_day": np.array([on_day], np.int32), "change_to": np.array([1], np.int8), "change_start": np.array([0, 0, 1])}
    return replace(world, people=people, histories=replace(world.histories, event_start=np.zeros(3, np.int64), **nothing, **change))


@pytest.mark.parametrize(("leads", "seed", "named"), [(0, 0, "--leads"), (10**9, 0, "--leads"), (10, -1, "--seed")])
def test_numbers_without_sense_are_refused(tmp_path: Path, leads: int, seed: int, named: str) -> None:
    with pytest.raises(DataError, match=named):
        write_sample(tmp_path / "x", leads, seed)


def test_a_folder_with_other_things_in_it_is_refused_and_an_old_sample_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match=r"thesis\.txt"):
        write_sample(tmp_path, 5)
    heard: list[float] = []
    for _ in range(2):
        write_sample(tmp_path / "new", 1, on_progress=lambda _doing, share: heard.append(share))
    assert heard[-1] == 1.0


def test_truth_is_asked_at_midnights_only() -> None:
    with pytest.raises(ValueError, match="midnight"):
        simulate(5).truth(END - 1)
