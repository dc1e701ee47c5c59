"""Whole folders: what is read, which broken rules are listed, which rows are left out and where they went."""

import csv
import gzip
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from data.contract import DAY, TABLES, DataError, format_instant, parse_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.validation import Finding, InvalidDataset, Report

NOW = parse_instant("2026-11-21T10:00:00Z")
MINUTE = 60_000_000
GOOD = {
    "leads": "lead_id,created_at,account_id,size\nL1,2026-01-01T00:00:00Z,A1,10\nL2,2026-01-02T00:00:00Z,A2,20.0\nL3,2026-01-03,,\n",
    "accounts": "account_id,industry\nA1,pets\nA2,toys\n",
    "events": "lead_id,occurred_at,type,value\nL1,2026-01-02T00:00:00Z,email_open,1\nL2,2026-01-04T00:00:00Z,call,\n",
    "stages": "lead_id,entered_at,stage\nL1,2026-02-01T00:00:00Z,MQL\nL1,2026-03-01T00:00:00Z,Closed Won\n",
    "deals": "deal_id,lead_id,opened_at,outcome,amount\nD1,L1,2026-02-10T00:00:00Z,Won,100.5\n",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "crm"
    path.mkdir()
    for name, text in GOOD.items():
        (path / f"{name}.csv").write_text(text)
    return path


def read(folder: Path, **options: Any) -> tuple[Dataset, Report]:
    return read_dataset(folder, funnel=Funnel(), now=NOW, **options)


def errors(folder: Path) -> dict[str, Finding]:
    with pytest.raises(InvalidDataset) as caught:
        read(folder)
    return {finding.rule: finding for finding in caught.value.report.errors}


def warnings(folder: Path) -> dict[str, Finding]:
    return {finding.rule: finding for finding in read(folder)[1].warnings}


def add(folder: Path, table: str, *lines: str) -> None:
    with (folder / f"{table}.csv").open("a") as file:
        file.writelines(line + "\n" for line in lines)


def rejects(home: Path, table: str) -> list[dict[str, str]]:
    with (home / "rejects" / f"crm-{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_good_folder_reads_without_a_word(folder: Path, home: Path) -> None:
    dataset, report = read(folder)
    assert (report.errors, report.warnings, report.rejected) == ((), (), {})
    assert report.tables == {"leads": 3, "accounts": 2, "events": 2, "stages": 2, "deals": 1}
    assert dataset.stages["stage"].to_pylist() == ["prospect", "customer"]
    assert dataset.deals["outcome"].to_pylist() == ["won"]
    assert dataset.leads["size"].to_pylist() == ["10", "20", None]
    assert dataset.leads["created_at"][2].as_py() == parse_instant("2026-01-03T00:00:00Z") + DAY - 1
    assert not (home / "rejects").exists()


def test_every_table_has_every_column_with_its_type(folder: Path) -> None:
    for gone in ("deals", "accounts"):
        (folder / f"{gone}.csv").unlink()
    dataset, _ = read(folder)
    for name, declared in TABLES.items():
        table = getattr(dataset, name)
        for column in declared.known:
            kind = pa.int64() if column in declared.times else pa.float64() if column in declared.numbers else pa.string()
            assert table.schema.field(column).type == kind, (name, column)
    assert dataset.deals.num_rows == 0


def test_csv_gzip_parquet_and_parts_read_alike(folder: Path, tmp_path: Path) -> None:
    plain, _ = read(folder)
    other = tmp_path / "other"
    (other / "events").mkdir(parents=True)
    (other / "leads.csv.gz").write_bytes(gzip.compress(GOOD["leads"].replace(",", ";").encode("utf-16")))
    header, *rows = GOOD["events"].splitlines()
    for number, row in enumerate(rows):
        (other / "events" / f"part-{number}.csv").write_text(f"{header}\n{row}\n")
    for name in ("accounts", "stages", "deals"):
        columns = {k: v for k, v in getattr(plain, name).to_pydict().items() if any(v)}
        times = {k: pa.array(v, pa.timestamp("us", "UTC")) for k, v in columns.items() if k in TABLES[name].times}
        pa.parquet.write_table(pa.table(columns | times), other / f"{name}.parquet")
    again, report = read(other)
    assert report.warnings[0].rule == "mixed_encodings"
    for name in TABLES:
        assert getattr(again, name).select(getattr(plain, name).column_names) == getattr(plain, name), name
    assert again.digest != plain.digest
    assert read(folder)[0].digest == plain.digest


def test_semicolons_and_decimal_commas(folder: Path) -> None:
    (folder / "leads.csv").write_text("lead_id;created_at;size\nL1;2026-01-01T00:00:00Z;1,5\nL2;2026-01-02T00:00:00Z;1.250,25\n")
    (folder / "deals.csv").write_text("deal_id;lead_id;opened_at;amount\nD1;L1;2026-02-10T00:00:00Z;1.234,50\n")
    dataset, _ = read(folder)
    assert dataset.leads["size"].to_pylist() == ["1.5", "1250.25"]
    assert dataset.deals["amount"].to_pylist() == [1234.5]


def test_all_broken_rules_come_in_one_report(folder: Path) -> None:
    add(folder, "leads", "L1,2026-01-01T00:00:00Z,A1,1")
    add(folder, "stages", "L2,2026-05-01T00:00:00Z,Zwischenstufe")
    (folder / "events.csv").write_text("lead,occurred_at,kind\nL1,2026-01-02T00:00:00Z,call\n")
    (folder / "accounts.csv").write_text("")
    with pytest.raises(InvalidDataset) as caught:
        read(folder)
    report = caught.value.report
    assert sorted((finding.rule, finding.table, finding.column) for finding in report.errors if finding.column) == [
        ("duplicate_id", "leads", "lead_id"),
        ("missing_column", "events", "lead_id"),
        ("missing_column", "events", "type"),
        ("unknown_stage", "stages", "stage"),
    ]
    assert [finding.table for finding in report.errors if finding.rule == "empty_file"] == ["accounts"]
    assert json.loads(json.dumps(report.to_json()))["ok"] is False
    assert "errors, " in str(caught.value)


def test_no_leads_names_what_is_there(folder: Path) -> None:
    (folder / "leads.csv").rename(folder / "lead.csv")
    finding = errors(folder)["no_leads"]
    assert "lead.csv" in finding.message
    assert "rename it to leads.csv" in finding.fix


def test_an_empty_folder_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "crm").mkdir()
    assert "found nothing" in errors(tmp_path / "crm")["no_leads"].message
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "absent")


def test_one_csv_file_is_a_flat_file(folder: Path) -> None:
    with pytest.raises(DataError, match=r"flat file.*--outcome"):
        read(folder / "leads.csv")
    (folder / "leads.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="must be a folder"):
        read(folder / "leads.xlsx")


def test_a_missing_column_names_the_nearest(folder: Path) -> None:
    (folder / "leads.csv").write_text("Lead_ID,created\nL1,2026-01-01\n")
    with pytest.raises(InvalidDataset) as caught:
        read(folder)
    fixes = {finding.column: finding.fix for finding in caught.value.report.errors}
    assert "'Lead_ID'" in fixes["lead_id"]
    assert "'created'" in fixes["created_at"]


@pytest.mark.parametrize(
    "table, line, column",
    [
        ("leads", "L1,2026-01-01T00:00:00Z,,", "lead_id"),
        ("accounts", "A1,food", "account_id"),
        ("deals", "D1,L1,2026-02-10T00:00:00Z,,", "deal_id"),
    ],
)
def test_duplicate_ids_are_errors(folder: Path, table: str, line: str, column: str) -> None:
    add(folder, table, line)
    finding = errors(folder)["duplicate_id"]
    assert (finding.column, finding.count, len(finding.examples)) == (column, 1, 1)


def test_a_deal_may_belong_to_two_leads(folder: Path) -> None:
    add(folder, "deals", "D1,L2,2026-02-10T00:00:00Z,,")
    assert read(folder)[0].deals.num_rows == 2


def test_a_repeated_event_is_kept_once(folder: Path, home: Path) -> None:
    (folder / "events.csv").write_text(
        "lead_id,occurred_at,type,event_id\nL1,2026-01-02,call,E1\nL1,2026-01-05,sms,E1\nL1,2026-01-02,call,\nL1,2026-01-02,call,\n"
    )
    dataset, report = read(folder)
    assert dataset.events["type"].to_pylist() == ["call", "call", "call"]
    assert report.rejected == {"events": 1}
    assert rejects(home, "events")[0]["row"] == "3"


@pytest.mark.parametrize("table, line", [("leads", ",2026-01-01T00:00:00Z,,"), ("accounts", ",food")])
def test_a_missing_key_is_an_error(folder: Path, table: str, line: str) -> None:
    add(folder, table, line)
    assert errors(folder)["missing_id"].examples == (f"row {5 if table == 'leads' else 4}",)


@pytest.mark.parametrize("table, line", [("leads", "L9,soon,,"), ("leads", "L9,,,"), ("stages", "L1,02/03/2026,MQL"), ("leads", "L9,2026-02-30,,")])
def test_one_garbage_time_stops_where_everything_rests_on_it(folder: Path, table: str, line: str) -> None:
    add(folder, table, line)
    finding = errors(folder)["unparseable_time"]
    assert (finding.table, finding.count) == (table, 1)
    assert finding.examples[0] in ("L9", "L1")


@pytest.mark.parametrize("good, stops", [(18, True), (19, False)])
def test_one_garbage_event_time_in_twenty_is_left_out(folder: Path, home: Path, good: int, stops: bool) -> None:
    lines = [f"L1,2026-01-02T00:00:{second:02}Z,call" for second in range(good)]
    (folder / "events.csv").write_text("\n".join(["lead_id,occurred_at,type", *lines, "L1,whenever,call"]) + "\n")
    if stops:
        assert errors(folder)["unparseable_time"].column == "occurred_at"
        return
    dataset, report = read(folder)
    assert (dataset.events.num_rows, report.rejected) == (good, {"events": 1})
    assert report.rejects_files == {"events": str(home / "rejects" / "crm-events.csv")}
    reject = rejects(home, "events")[0]
    assert (reject["file"], reject["row"], reject["line"]) == ("events.csv", str(good + 2), "L1,whenever,call")


@pytest.mark.parametrize("ahead, rule", [(0, None), (5 * MINUTE, None), (5 * MINUTE + 1, "future_time")])
def test_five_minutes_ahead_of_the_clock_count_as_now(folder: Path, ahead: int, rule: str | None) -> None:
    times = pa.array([NOW + ahead], pa.timestamp("us", "UTC"))
    (folder / "stages.csv").unlink()
    pa.parquet.write_table(pa.table({"lead_id": ["L1"], "entered_at": times, "stage": ["MQL"]}), folder / "stages.parquet")
    if rule:
        assert rule in errors(folder)
    else:
        assert read(folder)[0].stages["entered_at"].to_pylist() == [NOW]


def test_a_date_alone_of_today_counts_as_now_and_one_of_tomorrow_is_refused(folder: Path) -> None:
    today, tomorrow = (format_instant(NOW + day * DAY)[:10] for day in (0, 1))
    (folder / "stages.csv").write_text(f"lead_id,entered_at,stage\nL1,{today},MQL\n")
    assert read(folder)[0].stages["entered_at"].to_pylist() == [NOW]
    (folder / "stages.csv").write_text(f"lead_id,entered_at,stage\nL1,{tomorrow},MQL\n")
    assert "future_time" in errors(folder)


def test_an_unknown_stage_says_what_to_write(folder: Path) -> None:
    add(folder, "stages", "L2,2026-05-01,Closed Wonn", "L2,2026-05-02,Zwischenstufe", "L2,2026-05-02,Zwischenstufe")
    finding = errors(folder)["unknown_stage"]
    assert finding.count == 3
    assert finding.examples == ("Zwischenstufe", "Closed Wonn")
    assert 'customer = ["Closed Wonn"]' in finding.fix
    text = finding.fix.split("\n", 1)[1]
    funnel = Funnel.from_document(tomllib.loads(text))
    assert read_dataset(folder, funnel=funnel, now=NOW)[1].ok


def test_orphans_are_left_out_counted_and_written_down(folder: Path, home: Path) -> None:
    add(folder, "events", "L7,2026-01-02T00:00:00Z,call,3", "L8,2026-01-02T00:00:00Z,call,3")
    add(folder, "stages", "L7,2026-02-01T00:00:00Z,MQL")
    add(folder, "deals", "D2,L7,2026-02-10T00:00:00Z,,")
    dataset, report = read(folder)
    assert report.rejected == {"events": 2, "stages": 1, "deals": 1}
    assert dataset.events.num_rows == 2
    assert [(row["row"], row["reason"]) for row in rejects(home, "events")] == [("4", "no such lead"), ("5", "no such lead")]
    assert "2026-01-02" in rejects(home, "events")[0]["line"]
    assert {finding.table: finding.examples for finding in report.warnings}["events"] == ("L7", "L8")


def test_old_rejects_do_not_stay_behind(folder: Path, home: Path) -> None:
    add(folder, "events", "L7,2026-01-02T00:00:00Z,call,3")
    read(folder)
    (folder / "events.csv").write_text(GOOD["events"])
    read(folder)
    assert list((home / "rejects").iterdir()) == []


def test_another_id_of_a_lead_is_resolved(folder: Path) -> None:
    (folder / "aliases.csv").write_text("lead_id,object,external_id\nL1,contact,C1\nL2,contact,C2\nL1,contact,C2\nL3,lead,L1\n")
    add(folder, "events", "C1,2026-01-09T00:00:00Z,sms,", "C2,2026-01-09T00:00:00Z,sms,")
    dataset, report = read(folder)
    assert dataset.events["lead_id"].to_pylist() == ["L1", "L2", "L1"]
    assert [finding.rule for finding in report.warnings] == ["ambiguous_alias", "orphan"]


def test_ragged_rows_are_left_out_and_written_down(folder: Path, home: Path) -> None:
    add(folder, "events", *["L1,2026-01-02T00:00:00Z,call,1"] * 40, "L1,2026-01-02T00:00:00Z,call,1,5")
    _, report = read(folder)
    assert report.rejected == {"events": 1}
    assert rejects(home, "events")[0]["line"] == "L1,2026-01-02T00:00:00Z,call,1,5"
    assert rejects(home, "events")[0]["row"] == "44"


def test_mostly_ragged_rows_stop(folder: Path) -> None:
    add(folder, "events", "L1,2026-01-02T00:00:00Z,call,1,5")
    assert errors(folder)["ragged_row"].count == 1


@pytest.mark.parametrize(
    "table, line, rule",
    [
        ("events", "L1,2026-01-02T00:00:00Z,call,many", "not_a_number"),
        ("events", ",2026-01-02T00:00:00Z,call,1", "missing_id"),
        ("events", "L1,2026-01-02T00:00:00Z,,1", "missing_value"),
        ("leads", "L4,2026-01-02T00:00:00Z,A9,1", "unknown_account"),
        ("leads", "L4,2026-01-02T00:00:00,,1", "naive_time"),
        ("deals", "D2,L1,2026-02-10T00:00:00Z,Perhaps,1", "unknown_outcome"),
    ],
)
def test_what_only_warns(folder: Path, table: str, line: str, rule: str) -> None:
    add(folder, table, line)
    found = warnings(folder)
    assert list(found) == [rule]
    assert (found[rule].table, found[rule].count) == (table, 1)


def test_naive_times_are_one_warning(folder: Path) -> None:
    add(folder, "leads", "L4,2026-01-02T00:00:00,,1")
    add(folder, "events", "L1,2026-01-02 00:00:00,call,1")
    finding = warnings(folder)["naive_time"]
    assert finding.count == 2
    assert "leads.created_at (1), events.occurred_at (1)" in finding.message


def test_an_event_recorded_before_it_occurred_warns(folder: Path) -> None:
    text = "lead_id,occurred_at,type,recorded_at\nL1,2026-01-02T00:00:00Z,call,2026-01-01T00:00:00Z\n"
    (folder / "events.csv").write_text(text + "L1,2026-01-02T00:00:00Z,call,2026-01-02T00:00:00Z\n")
    assert warnings(folder)["recorded_early"].count == 1


def test_numbers_with_a_few_words_warn(folder: Path) -> None:
    rows = [f"L{number},2026-01-01T00:00:00Z,{number}" for number in range(199)]
    (folder / "leads.csv").write_text("\n".join(["lead_id,created_at,size", *rows, "L999,2026-01-01T00:00:00Z,ten"]) + "\n")
    assert warnings(folder)["type_drift"].examples == ("ten",)


def test_other_files_are_named_truth_is_not(folder: Path) -> None:
    (folder / "truth").mkdir()
    (folder / "truth" / "probabilities.csv").write_text("x\n")
    (folder / "README.md").write_text("x")
    (folder / "event.csv").write_text("x\n")
    _, report = read(folder)
    assert [(finding.rule, finding.table) for finding in report.warnings] == [("unknown_table", "event")]
    assert "'events'" in report.warnings[0].fix


def test_two_files_for_one_table_are_refused(folder: Path) -> None:
    (folder / "events.csv.gz").write_bytes(gzip.compress(GOOD["events"].encode()))
    assert "events.csv, events.csv.gz" in errors(folder)["ambiguous_table"].message


def test_latin_1_is_read_with_a_warning(folder: Path) -> None:
    (folder / "accounts.csv").write_bytes("account_id,industry\nA1,Bäckerei\nA2,Café\n".encode("cp1252"))
    dataset, report = read(folder)
    assert dataset.accounts["industry"].to_pylist() == ["Bäckerei", "Café"]
    assert [finding.rule for finding in report.warnings] == ["not_utf8", "mixed_encodings"]


def test_without_events_or_stages_it_says_what_becomes_impossible(folder: Path) -> None:
    (folder / "events.csv").unlink()
    (folder / "stages.csv").unlink()
    found = warnings(folder)
    assert list(found) == ["no_events", "no_stages"]


def test_changes_of_unknown_objects_are_left_out(folder: Path) -> None:
    rows = "lead,L1,size,,2026-01-01\nContact,L1,size,3,2026-01-01\nACCOUNT,A1,industry,zoo,2026-01-02\n"
    (folder / "changes.csv").write_text("object,id,field,value,changed_at\n" + rows)
    dataset, report = read(folder)
    assert dataset.changes["object"].to_pylist() == ["lead", "account"]
    assert report.rejected == {"changes": 1}


def test_shuffled_rows_give_the_same_rows(folder: Path) -> None:
    plain, _ = read(folder)
    header, *rows = GOOD["leads"].splitlines()
    (folder / "leads.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    again, _ = read(folder)
    assert again.leads.sort_by("lead_id") == plain.leads.sort_by("lead_id")


def test_the_loans_read_whole() -> None:
    datasets = os.environ.get("LEADSCORE_DATASETS")
    if not datasets:
        pytest.skip("LEADSCORE_DATASETS is not set: the public data sets are not here")
    dataset, report = read_dataset(Path(datasets) / "loans", funnel=Funnel())
    assert report.tables == {"leads": 13_087, "events": 191_276, "stages": 25_070}
    assert (report.errors, report.rejected) == ((), {})
    assert dataset.events.num_rows == 191_276
    assert {"prospect", "opportunity", "customer"} <= set(dataset.stages["stage"].to_pylist())
