"""A dataset in parts is the dataset: whatever is in its files, the parts' rows, findings and rejected rows add up to those of the whole."""

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from data.contract import TABLES, parse_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.mapping import DatasetMapping
from data.partitioning_groups import Groups, Tie
from data.partitioning_keys import ACCOUNT, LEAD, NO_KEY, keys_of
from data.partitions import MANIFEST, NoLeads, Partitions, partitions_of, read_partition
from data.validation import InvalidDataset, Report
from worlds import at_home

NOW = parse_instant("2026-07-01T12:00:00Z")
SEVERAL = settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

OWN_IDS = ["L1", " L1", "L2", "3", "3.0", "4", "Åsa", "n1", "x-1", "X1"]
LEAD_IDS = st.sampled_from([*OWN_IDS, "NULL", "", "e1"])
ACCOUNT_IDS = st.sampled_from(["A1", "A2", "3", "A4", "", "L1"])
GOOD_TIMES = st.sampled_from(["2026-01-05T09:00:00Z", "2026-01-05", "2026-03-01 10:00:00", "2026-06-30T23:59:59+02:00"])
TIMES = GOOD_TIMES | st.sampled_from(["soon", "", "2027-01-01T00:00:00Z"])
VALUES = st.sampled_from(["1,5", "1.234,5", "12", "", "many", "0,25"])
STAGE_NAMES = st.sampled_from(["prospect", "lost", "Opportunity"])


def rows(**columns: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    return st.lists(st.fixed_dictionaries(columns), max_size=14)


def keyed(by: Sequence[str], **columns: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    """One row for each key."""
    keys = lambda row: tuple(row[name].strip().removesuffix(".0") for name in by)  # noqa: E731
    return st.lists(st.fixed_dictionaries(columns), max_size=9, unique_by=keys)


SOME_BAD = {
    "events": rows(
        lead_id=LEAD_IDS,
        occurred_at=st.one_of(GOOD_TIMES, GOOD_TIMES, GOOD_TIMES, TIMES),
        type=st.sampled_from(["call", "mail", "mail", ""]),
        event_id=st.sampled_from(["", "e1", "e2", " e1", "5", "5.0"]),
        value=VALUES,
    ),
    "changes": rows(
        object=st.sampled_from(["lead", "LEAD", "account", "deal"]),
        id=LEAD_IDS,
        field=st.sampled_from(["account_id", "budget"]),
        value=ACCOUNT_IDS,
        changed_at=GOOD_TIMES,
    ),
    "aliases": rows(lead_id=LEAD_IDS, object=st.just("contact"), external_id=LEAD_IDS),
}
GOOD = SOME_BAD | {
    "leads": keyed(
        ["lead_id"], **{"lead_id": st.sampled_from(OWN_IDS), "created_at": GOOD_TIMES, "account_id": ACCOUNT_IDS, "budget": VALUES, "": st.just("")}
    ),
    "accounts": keyed(["account_id"], account_id=st.sampled_from(["A1", "A2", "3", "L1"]), industry=st.sampled_from(["it", "Åkeri"])),
    "stages": rows(lead_id=LEAD_IDS, entered_at=GOOD_TIMES, stage=STAGE_NAMES),
    "deals": keyed(
        ["deal_id", "lead_id"],
        deal_id=st.sampled_from(["D1", "D2"]),
        lead_id=st.sampled_from(OWN_IDS),
        opened_at=GOOD_TIMES,
        outcome=st.sampled_from(["won", "", "perhaps"]),
    ),
}
BROKEN = GOOD | {
    "leads": rows(lead_id=LEAD_IDS, created_at=TIMES, account_id=ACCOUNT_IDS, budget=VALUES),
    "accounts": rows(account_id=ACCOUNT_IDS, industry=st.just("it")),
    "stages": rows(lead_id=LEAD_IDS, entered_at=TIMES, stage=STAGE_NAMES | st.sampled_from(["MQLs", "prospekt"])),
    "deals": rows(deal_id=st.sampled_from(["D1", "D2"]), lead_id=LEAD_IDS, opened_at=TIMES),
}
DATASETS = st.one_of(st.fixed_dictionaries(GOOD), st.fixed_dictionaries(GOOD), st.fixed_dictionaries(BROKEN))
LOOKS = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        "delimiter": st.sampled_from([",", ";", "\t"]),
        "files": st.integers(1, 3),
    }
)


def as_csv(rows: Sequence[dict[str, str]], delimiter: str, ragged: bool = False) -> str:
    names = list(rows[0])
    lines = [names, *([row[name] for name in names] for row in rows)]
    told = [delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in line) for line in lines]
    return "\n".join([*told, *(["torn"] if ragged else [])]) + "\n"


def write(folder: Path, tables: dict[str, list[dict[str, str]]], encoding: str, delimiter: str, files: int) -> Path:
    """Each table as one file or as a folder of several, the first of them compressed, with a ragged row."""
    for name, held in tables.items():
        if not held:
            continue
        size = -(-len(held) // files)
        parts = [held[begin : begin + size] for begin in range(0, len(held), size)]
        (folder / name).mkdir(parents=True)
        for number, part in enumerate(parts):
            content = as_csv(part, delimiter, ragged=number == 0 and name == "events").encode(encoding, errors="replace")
            path = folder / name / f"part-{number}.csv{'.gz' * (number == 0)}"
            path.write_bytes(gzip.compress(content) if number == 0 else content)
    return folder


def sorted_rows(tables: Sequence[pa.Table]) -> list[tuple[str, ...]]:
    together = pa.concat_tables(tables)
    return sorted(tuple(map(repr, row.values())) for row in together.to_pylist())


def told(report: Report) -> tuple[Any, ...]:
    """All that a report says but the examples, which are the first that were met; where it stops, only why."""
    found = report.warnings if report.ok else report.errors
    return report.ok, sorted((f.rule, f.table, f.column or "", f.count) for f in found), report.tables, report.rejected if report.ok else {}


def rejected_lines(home: Path) -> dict[str, list[str]]:
    return {path.name: sorted(path.read_text("utf-8").splitlines()) for path in sorted((home / "rejects").glob("*.csv"))}


def whole(folder: Path, mapping: DatasetMapping | None = None) -> tuple[Dataset | None, Report]:
    try:
        return read_dataset(folder, funnel=Funnel(), mapping=mapping, now=NOW)
    except InvalidDataset as error:
        return None, error.report


def dealt(folder: Path, work: Path, count: int, mapping: DatasetMapping | None = None) -> tuple[Partitions | None, Report]:
    try:
        parts = partitions_of(folder, mapping, Funnel(), work, count, now=NOW)
        return parts, parts.report
    except InvalidDataset as error:
        return None, error.report


@SEVERAL
@given(tables=DATASETS, looks=LOOKS, count=st.sampled_from([1, 2, 7]))
def test_the_parts_add_up_to_the_whole(
    tables: dict[str, list[dict[str, str]]], looks: dict[str, Any], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("dealt")
    folder = write(place / "data", tables, **looks) if any(tables.values()) else place
    with at_home(place / "whole"):
        dataset, report = whole(folder)
    with at_home(place / "parts"):
        try:
            parts, summed = dealt(folder, place / "work", count)
        except NoLeads:
            assert dataset is not None
            assert not dataset.leads.num_rows
            return
    assert told(summed) == told(report)
    if dataset is None or parts is None:
        assert dataset is parts
        return
    assert rejected_lines(place / "parts") == rejected_lines(place / "whole")
    assert (parts.data_end, parts.digest) == (dataset.data_end, dataset.digest)
    read = [read_partition(path) for path in parts.folders]
    for name in TABLES:
        assert [getattr(part, name).schema for part in read] == [getattr(dataset, name).schema] * count
        assert sorted_rows([getattr(part, name) for part in read]) == sorted_rows([getattr(dataset, name)])
    assert_together(dataset, read)


def assert_together(dataset: Dataset, parts: Sequence[Dataset]) -> None:
    """A lead is where its rows are, where its account is, and where every lead is that was ever at an account that it was ever at."""
    at = {id: number for number, part in enumerate(parts) for id in part.leads["lead_id"].to_pylist()}
    accounts: dict[str, set[int]] = {}
    for row in dataset.leads.to_pylist():
        if row["account_id"] is not None:
            accounts.setdefault(row["account_id"], set()).add(at[row["lead_id"]])
    for row in dataset.changes.to_pylist():
        if row["object"] == "lead" and row["field"] == "account_id" and row["id"] in at and row["value"] is not None:
            accounts.setdefault(row["value"], set()).add(at[row["id"]])
    assert [account for account, places in accounts.items() if len(places) > 1] == []
    for number, part in enumerate(parts):
        for name in ("events", "stages", "deals"):
            assert {at[id] for id in getattr(part, name)["lead_id"].to_pylist()} <= {number}
        for id in part.accounts["account_id"].to_pylist():
            assert accounts.get(id, {number}) == {number}


def simple(folder: Path, leads: int = 60) -> Path:
    """Leads at twenty accounts, five events each; an id of an event is that of a second lead's event as well."""
    folder.mkdir()
    (folder / "leads.csv").write_text("lead_id,created_at,account_id\n" + "".join(f"L-{i},2026-01-01T00:00:00Z,A-{i % 20}\n" for i in range(leads)))
    events = [f"L-{i},2026-02-0{n + 1}T00:00:00Z,call,e{(i * 5 + n) // 2}\n" for n in range(5) for i in range(leads)]
    (folder / "events.csv").write_text("lead_id,occurred_at,type,event_id\n" + "".join(events))
    (folder / "stages.csv").write_text("lead_id,entered_at,stage\n" + "".join(f"L-{i},2026-03-01T00:00:00Z,prospect\n" for i in range(0, leads, 3)))
    return folder


@pytest.mark.parametrize("count", [1, 2, 7])
def test_an_event_that_two_leads_share_is_the_first_ones(home: Path, tmp_path: Path, count: int) -> None:
    """However far apart the two are: across partitions, too."""
    folder = simple(tmp_path / "data")
    dataset, report = read_dataset(folder, funnel=Funnel(), now=NOW)
    parts = partitions_of(folder, None, Funnel(), tmp_path / "work", count, now=NOW)
    kept = pa.concat_tables([read_partition(path).events for path in parts.folders])
    assert sorted_rows([kept]) == sorted_rows([dataset.events])
    assert told(parts.report) == told(report)
    assert parts.report.warnings[0].count > 50


def test_leads_that_ever_shared_an_account_stay_together(home: Path, tmp_path: Path) -> None:
    """Along a chain of moves, and with the one that an alias means."""
    folder = simple(tmp_path / "data")
    moves = "".join(f"lead,L-{i},account_id,A-{i + 1},2026-02-01T00:00:00Z\n" for i in range(0, 12, 2))
    (folder / "changes.csv").write_text("object,id,field,value,changed_at\n" + moves)
    (folder / "aliases.csv").write_text("lead_id,object,external_id\n" + "".join(f"L-{i},contact,C-{i}\n" for i in range(60)))
    (folder / "events.csv").write_text("lead_id,occurred_at,type\n" + "".join(f"C-{i},2026-02-01T00:00:00Z,call\n" for i in range(60)))
    dataset, report = read_dataset(folder, funnel=Funnel(), now=NOW)
    parts = partitions_of(folder, None, Funnel(), tmp_path / "work", 7, now=NOW)
    read = [read_partition(path) for path in parts.folders]
    assert_together(dataset, read)
    assert sorted_rows([part.events for part in read]) == sorted_rows([dataset.events])
    assert told(parts.report) == told(report)
    assert len([part for part in read if part.leads.num_rows]) > 3
    assert parts.largest == 1 + 3 + 3 + 1 + 3 + 3, "two accounts, their three leads each, and an alias of each lead"


def files(folders: Sequence[Path]) -> list[tuple[int, int]]:
    """Which they are: a number that is free again may be given to the next file, but not at the same instant."""
    return [(found.st_ino, found.st_mtime_ns) for found in ((folder / "events.parquet").stat() for folder in folders)]


def test_what_is_done_is_not_done_again(home: Path, tmp_path: Path) -> None:
    """A partition that is gone is made again, alone; other files mean other partitions."""
    folder, work = simple(tmp_path / "data"), tmp_path / "work"
    before = files(partitions_of(folder, None, Funnel(), work, 3, now=NOW).folders)
    assert files(partitions_of(folder, None, Funnel(), work, 3, now=NOW + 1).folders) == before
    (folder / "stages.csv").write_text("lead_id,entered_at,stage\nL-1,2026-03-01T00:00:00Z,prospect\n")
    again = partitions_of(folder, None, Funnel(), work, 3, now=NOW)
    assert sum(read_partition(path).stages.num_rows for path in again.folders) == 1
    assert not set(files(again.folders)) & set(before)


class Ended(Exception):
    @classmethod
    def now(cls, *_: object) -> None:
        raise cls


def test_a_run_that_was_ended_halfway_goes_on(home: Path, tmp_path: Path) -> None:
    folder, work = simple(tmp_path / "data"), tmp_path / "work"

    def some(function: Any, tasks: Sequence[Any]) -> Any:
        for number, task in enumerate(tasks):
            if function.__name__ == "type_partition" and number == 2:
                raise Ended
            yield function(task)

    with pytest.raises(Ended):
        partitions_of(folder, None, Funnel(), work, 5, now=NOW, each=some)
    done = sorted((work / "typed").glob("[0-9]"))
    before = files(done)
    assert [path.name for path in done] == ["0", "1"]
    parts = partitions_of(folder, None, Funnel(), work, 5, now=NOW)
    assert files(parts.folders)[:2] == before
    assert sum(parts.leads) == 60


def test_a_run_that_was_ended_while_it_dealt_leaves_nothing_to_go_on_with(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dealt for one question, ended while it dealt for another, asked the first one again: only the first one's rows count."""
    folder, other, work = simple(tmp_path / "data"), simple(tmp_path / "other", 30), tmp_path / "work"
    wanted = [sorted_rows([read_partition(path).events]) for path in partitions_of(folder, None, Funnel(), work, 3, now=NOW).folders]
    with monkeypatch.context() as ended:
        ended.setattr("data.partitions.write_json", Ended.now)
        with pytest.raises(Ended):
            partitions_of(other, None, Funnel(), work, 3, now=NOW)
    again = partitions_of(folder, None, Funnel(), work, 3, now=NOW)
    assert [sorted_rows([read_partition(path).events]) for path in again.folders] == wanted


def test_other_code_and_another_folder_ask_another_question(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy has files of the same sizes and times, and may yet hold other rows."""
    folder, work = simple(tmp_path / "data"), tmp_path / "work"
    first = files(partitions_of(folder, None, Funnel(), work, 2, now=NOW).folders)
    second = files(partitions_of(shutil.copytree(folder, tmp_path / "copy"), None, Funnel(), work, 2, now=NOW).folders)
    assert not set(first) & set(second)
    monkeypatch.setattr("data.partitions.code", lambda: "code of tomorrow")
    assert not set(second) & set(files(partitions_of(tmp_path / "copy", None, Funnel(), work, 2, now=NOW).folders))


def test_a_mapping_is_applied_to_the_parts(home: Path, tmp_path: Path) -> None:
    """Their names, a constant, a stage made of a date column; a mapped column that is not there is told once."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "Contact.csv").write_text("Id;Account;Born;Won\n" + "".join(f"C{i};A{i % 3};2026-01-01;{'2026-02-01' * (i % 2)}\n" for i in range(20)))
    (folder / "Task.csv").write_text("Who;When;Kind\n" + "".join(f"C{i};2026-01-0{i % 9 + 1};Call\n" for i in range(20)))
    source: dict[str, Any] = {"file": "Contact.csv", "columns": {"lead_id": "Id", "account_id": "Account", "created_at": "Born"}}
    stages = {
        "file": "Contact.csv",
        "columns": {"lead_id": "Id", "entered_at": "Won"},
        "constant": {"stage": "prospect"},
        "drop": ["Account", "Born"],
    }
    events = {"file": "Task.csv", "columns": {"lead_id": "Who", "occurred_at": "When", "type": "Kind"}}
    mapping = DatasetMapping.from_document({"leads": source, "stages": stages, "events": events})
    dataset, report = whole(folder, mapping)
    parts, summed = dealt(folder, tmp_path / "work", 4, mapping)
    assert dataset is not None
    assert parts is not None
    assert told(summed) == told(report)
    read = [read_partition(path) for path in parts.folders]
    for name in TABLES:
        assert sorted_rows([getattr(part, name) for part in read]) == sorted_rows([getattr(dataset, name)])
    assert_together(dataset, read)
    wrong = DatasetMapping.from_document({"leads": source, "stages": stages, "events": events | {"columns": events["columns"] | {"value": "Cost"}}})
    assert told(dealt(folder, tmp_path / "other", 4, wrong)[1]) == told(whole(folder, wrong)[1])


def test_one_table_of_several_kinds_of_files(home: Path, tmp_path: Path) -> None:
    """Numbers in a Parquet file, texts and decimal commas in CSV files: what only all of a file's or a table's rows can tell."""
    folder = simple(tmp_path / "data")
    (folder / "events.csv").unlink()
    (folder / "events").mkdir()
    held = {"lead_id": [f"L-{i}" for i in range(60)], "occurred_at": ["2026-02-01"] * 60, "type": ["call"] * 60}
    pa.parquet.write_table(pa.table(held | {"value": pa.array(range(60)), "detail": pa.array(range(60))}), folder / "events" / "a.parquet")
    coded = [
        pa.table({name: pa.array(values).dictionary_encode() for name, values in some.items()}) for some in (held, held | {"type": ["mail"] * 60})
    ]
    with pa.parquet.ParquetWriter(folder / "events" / "coded.parquet", coded[0].schema) as file:  # each row group with a dictionary of its own
        for table in coded:
            file.write_table(table)
    lines = [f"L-{i};2026-02-02;call;1.{i:03d};{'' if i else 'x'}\n" for i in range(59)]
    (folder / "events" / "b.csv").write_text("lead_id;occurred_at;type;value;\n" + "".join(lines) + "L-59;2026-02-02;call;2,5;\n")
    (folder / "events" / "c.csv").write_text("lead_id;occurred_at;type;value;\n" + "".join(line.replace(";x\n", ";\n") for line in lines))
    dataset, report = read_dataset(folder, funnel=Funnel(), now=NOW)
    parts = partitions_of(folder, None, Funnel(), tmp_path / "work", 7, now=NOW)
    read = [read_partition(path) for path in parts.folders]
    assert sorted_rows([part.events for part in read]) == sorted_rows([dataset.events])
    assert told(parts.report) == told(report)
    assert 1_058.0 in dataset.events["value"].to_pylist()
    assert 1.058 in dataset.events["value"].to_pylist()


def test_a_file_that_breaks_off_is_told_as_for_the_whole(home: Path, tmp_path: Path) -> None:
    folder = simple(tmp_path / "data")
    (folder / "events.csv").write_bytes((folder / "events.csv").read_text().encode("utf-16")[:-3])
    (folder / "deals.csv").symlink_to("/proc/self/mem")  # may be opened, and gives an error when it is read
    assert told(dealt(folder, tmp_path / "work", 3)[1]) == told(whole(folder)[1])
    assert not (tmp_path / "work" / MANIFEST).exists()


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=40), alone=st.lists(st.integers(31, 60), max_size=10))
def test_ties_are_kept_by_groups(pairs: list[tuple[int, int]], alone: list[int]) -> None:
    """Against the slow and obvious way: what can be reached is one group."""
    reach = {i: {i} for i in range(1, 61)}
    for one, other in pairs:
        joined = reach[one] | reach[other]
        for i in joined:
            reach[i] = joined
    keys = np.array([i * 0x9E3779B97F4A7C15 % 2**64 for i in range(61)], np.uint64)
    one, other = (np.array([keys[pair[side]] for pair in pairs], np.uint64) for side in (0, 1))
    lonely = np.array([keys[i] for i in alone], np.uint64)
    groups = Groups.of([Tie(one, other), Tie(lonely, np.zeros(len(alone), np.uint64))], 5)
    parts = groups.of_keys(keys[1:])
    assert all(parts[i - 1] == parts[j - 1] for i in reach for j in reach[i])
    assert groups.largest == max((len(reach[i]) for i in [*(one for pair in pairs for one in pair), *alone]), default=0)
    assert set(parts.tolist()) <= set(range(5))


@given(
    st.lists(st.sampled_from(["5", "5.0", " 5", "x", "X", "null", "N/A", "-", "", "true", "TRUE", "Å", "a b", "0", "n", None]) | st.text(max_size=8))
)
def test_a_key_is_that_of_the_canonical_text(texts: list[str | None]) -> None:
    """As `contract.canonical` says: blanks, `.0`, the words for nothing; an account of the same name is another thing."""
    from data.contract import canonical

    keys = keys_of(pa.chunked_array([pa.array(texts, pa.string())]), LEAD)
    plain = [canonical(text) for text in texts]
    assert [key == NO_KEY for key in keys] == [text is None for text in plain]
    assert all((a == b) == (keys[i] == keys[j]) for i, a in enumerate(plain) for j, b in enumerate(plain))
    others = keys_of(pa.chunked_array([pa.array(texts, pa.string())]), ACCOUNT)
    assert not set(keys[keys != NO_KEY].tolist()) & set(others[others != NO_KEY].tolist())


def test_numbers_are_ids_as_well() -> None:
    whole, texts = pa.chunked_array([pa.array([5, None, 7])]), pa.chunked_array([pa.array(["5.0", "", "7"])])
    assert keys_of(whole, LEAD).tolist() == keys_of(texts, LEAD).tolist()
    assert pc.count_distinct(pa.array(keys_of(whole, LEAD))).as_py() == 3
