"""Reading a flat file: outcomes in words, ids, groups, placeholders, encodings; and every refusal with what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import PLACEHOLDERS, DataError, is_placeholder
from data.flat import UNKNOWN, FlatColumns, FlatFile, check_flat, read_flat, read_to_score
from data.funnel import Funnel
from data.validation import InvalidDataset, Report
from flat_files import repeated, write

NOW = 1_700_000_000_000_000


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))


def read(path: Path, outcome: str = "won", funnel: Funnel | None = None, **columns: str | bool) -> tuple[FlatFile, Report]:
    return read_flat(path, FlatColumns(outcome, **columns), funnel or Funnel(), lambda _: None, NOW)  # type: ignore[arg-type]


def refused(path: Path, outcome: str = "won", **columns: str | bool) -> str:
    with pytest.raises(DataError) as refusal:
        read_flat(path, FlatColumns(outcome, **columns), Funnel(), lambda _: None, NOW)  # type: ignore[arg-type]
    return str(refusal.value)


WORDS = [("Yes", "No"), ("1", "0"), ("1.0", "0.0"), ("TRUE", "false"), ("Closed Won", "Closed Lost"), ("ja", "nein"), ("是", "否"), ("Sim", "Não")]


@pytest.mark.parametrize(("yes", "no"), WORDS)
def test_what_says_yes_and_what_says_no(tmp_path: Path, yes: str, no: str) -> None:
    file, report = read(write(tmp_path / "f.csv", {"won": [yes, no, "", yes, "n/a"], "size": list("12345")}))
    assert file.y.tolist() == [1, 0, UNKNOWN, 1, UNKNOWN]
    (warning,) = report.warnings
    assert (warning.rule, warning.count) == ("no_outcome", 2)
    assert warning.examples == ("row 4", "row 6")


def test_the_teams_own_words_count(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", {"won": ["Kunde", "Verloren"], "size": ["1", "2"]})
    assert "Kunde" in refused(path)
    funnel = Funnel.from_document({"stages": {"customer": ["Kunde"]}, "exits": {"lost": ["Verloren"]}})
    assert read(path, funnel=funnel)[0].y.tolist() == [1, 0]


BAD = [
    (["yes", "no", "maybe"], "'maybe' (1 rows)"),
    (["yes", "yes", "yes"], "export the leads that ended the other way"),
    (["won", "open", "open"], "'open' (2 rows)"),
    (["3", "4", "5"], "'3' (1 rows)"),
    (["", "", ""], "found nothing"),
    (["yes", "true", "1"], "'yes' (1 rows)"),
]


@pytest.mark.parametrize(("values", "told"), BAD)
def test_an_outcome_that_is_not_one_yes_and_one_no_is_refused_by_its_values(tmp_path: Path, values: list[str], told: str) -> None:
    said = refused(write(tmp_path / "f.csv", {"won": values, "size": ["1", "2", "3"]}))
    assert told in said
    assert "'won' must hold two values" in said


def test_every_wrong_column_is_named_at_once_with_the_nearest(tmp_path: Path) -> None:
    said = refused(write(tmp_path / "f.csv", {"Converted": ["yes", "no"], "Company": ["a", "b"]}), "Convertd", id="Compny", group="x")
    assert "Did you mean 'Converted'?" in said
    assert "Did you mean 'Company'?" in said
    assert "'x': --group names it" in said


FORMS = [("utf-8", ","), ("utf-8-sig", ","), ("utf-16", "\t"), ("latin-1", ";"), ("cp1252", ",")]


@pytest.mark.parametrize(("encoding", "delimiter"), FORMS)
def test_an_export_of_any_encoding_and_separator_reads_the_same(tmp_path: Path, encoding: str, delimiter: str) -> None:
    columns = {"won": repeated(("ja", "nej"), 60), "Ort": repeated(("Malmö", "Åre"), 60), "Pris": repeated(("1,5", "12,25"), 60)}
    file, _ = read(write(tmp_path / "f.csv", columns, encoding, delimiter))
    assert file.y.tolist() == repeated((1, 0), 60)  # type: ignore[arg-type]
    assert file.dataset.leads["Ort"].to_pylist() == columns["Ort"]
    assert file.dataset.leads["Pris"].unique().to_pylist() == ["1.5", "12.25"]


def test_a_parquet_file_reads_as_its_values(tmp_path: Path) -> None:
    columns: dict[str, pa.Array[Any]] = {"won": pa.array([True, False, None]), "size": pa.array([1.0, 2.5, None]), "ID": pa.array([3, 1, 2])}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "f.parquet")
    file, _ = read(tmp_path / "f.parquet")
    assert file.y.tolist() == [1, 0, UNKNOWN]
    assert file.dataset.leads["lead_id"].to_pylist() == ["3", "1", "2"]
    assert file.dataset.leads["size"].to_pylist() == ["1", "2.5", None]


def test_the_lead_is_named_by_id_by_what_is_called_so_or_by_its_row(tmp_path: Path) -> None:
    columns = {"Prospect ID": ["p", "q", "r"], "key": ["a", "b", "c"], "won": ["1", "0", "1"]}
    path = write(tmp_path / "f.csv", columns)
    assert read(path)[0].dataset.leads["lead_id"].to_pylist() == ["p", "q", "r"]
    assert read(path, id="key")[0].dataset.leads["lead_id"].to_pylist() == ["a", "b", "c"]
    assert "Prospect ID" in read(path, id="key")[0].dataset.leads.column_names
    twice = write(tmp_path / "g.csv", columns | {"Prospect ID": ["p", "q", "p"]})
    found, report = read(twice)
    assert (found.columns.id, found.dataset.leads["lead_id"].to_pylist()) == (None, ["2", "3", "4"])
    assert [w.rule for w in report.warnings] == ["repeated_id"]
    assert "'Prospect ID' is called like an id, and 1 of 3 rows repeat an earlier one" in report.text()
    assert read(twice, group="Prospect ID")[1].warnings == ()
    gaps = write(tmp_path / "h.csv", columns | {"Prospect ID": ["", "q", ""]})
    assert read(gaps)[1].warnings == (), "what is empty repeats nothing"


@pytest.mark.parametrize(
    ("ids", "told"), [(["a", "b", "a"], "1 of 3 rows repeat an earlier one (row 4)"), (["a", "", "c"], "1 of 3 rows are empty (row 3)")]
)
def test_an_id_must_be_filled_and_differ(tmp_path: Path, ids: list[str], told: str) -> None:
    assert told in refused(write(tmp_path / "f.csv", {"key": ids, "won": ["1", "0", "1"]}), id="key")


def test_rows_of_one_group_share_a_number_and_a_row_without_one_is_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", {"firm": ["a", "", "b", "a", "unknown", "Unknown"], "won": list("101010")})
    group = read(path, group="firm")[0].group
    assert group[0] == group[3]
    assert np.unique(group).size == 5
    assert np.unique(read(path)[0].group).size == 6


def test_what_is_named_is_no_attribute_and_times_are_said_to_be_unused(tmp_path: Path) -> None:
    columns = {
        "key": ["a", "b"],
        "firm": ["x", "y"],
        "won": ["1", "0"],
        "created_at": ["2026-01-01", "soon"],
        "Size": ["1", "2"],
        "email": ["", "a@b.se"],
    }
    file, report = read(write(tmp_path / "f.csv", columns), id="key", group="firm")
    assert {"key", "firm", "won"}.isdisjoint(file.dataset.leads.column_names)
    assert {"Size", "email"} <= set(file.dataset.leads.column_names)
    assert file.dataset.leads["created_at"].to_pylist() == [0, 0]
    assert [w.rule for w in report.warnings] == ["times_not_used"]


def test_rows_that_are_torn_are_counted_and_the_others_keep_their_outcome(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", {"won": repeated(("yes", "no"), 30), "size": repeated(("1", "2"), 30)})
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:5], "yes,1,too,many", *lines[5:]]) + "\n")
    file, report = read(path)
    assert report.rejected == {"leads": 1}
    assert file.y.tolist() == repeated((1, 0), 30)  # type: ignore[arg-type]
    assert file.dataset.leads["lead_id"].to_pylist()[3:6] == ["5", "7", "8"]


def test_a_file_to_be_scored_needs_no_outcome_but_the_id_it_was_learned_with(tmp_path: Path) -> None:
    columns = FlatColumns("won", id="key")
    dataset, _ = read_to_score(write(tmp_path / "f.csv", {"key": ["a", "b"], "size": ["1", "2"]}), columns, Funnel(), lambda _: None, NOW)
    assert dataset.leads["lead_id"].to_pylist() == ["a", "b"]
    with pytest.raises(InvalidDataset, match="must have a column 'key'"):
        read_to_score(write(tmp_path / "g.csv", {"size": ["1", "2"]}), columns, Funnel(), lambda _: None, NOW)


def test_checking_a_file_names_what_could_be_the_outcome(tmp_path: Path) -> None:
    columns = {"opt in": ["Yes", "No", "Yes"], "won": ["1", "", "0"], "town": ["x", "y", "z"], "one": ["1", "1", "1"]}
    found, report = check_flat(write(tmp_path / "f.csv", columns), Funnel(), lambda _: None, NOW)
    assert found == ("opt in", "won")
    assert report.ok
    assert report.tables == {"leads": 3}


def test_the_digest_tells_files_and_their_reading_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", {"won": ["1", "0"], "also": ["0", "1"], "size": ["1", "2"]})
    digests = {read(path)[0].dataset.digest, read(path, "also")[0].dataset.digest, read(path, ordered=True)[0].dataset.digest}
    assert len(digests) == 3
    assert read(path)[0].dataset.digest in digests


def test_a_folder_and_what_is_no_table_are_refused(tmp_path: Path) -> None:
    assert "is a folder of tables" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "none.csv")
    (tmp_path / "f.txt").write_text("a")
    assert "must be a CSV or Parquet file" in refused(tmp_path / "f.txt")
    (tmp_path / "f.csv").write_text("")
    assert "is empty" in refused(tmp_path / "f.csv")


@given(st.sampled_from(sorted(PLACEHOLDERS)), st.booleans())
def test_a_placeholder_is_one_in_any_case(word: str, upper: bool) -> None:
    assert is_placeholder(word.upper() if upper else word.title())


@pytest.mark.parametrize("value", ["selected", "unknown soldier", "no", "0", "other", "-1", "NA"])
def test_what_says_something_is_no_placeholder(value: str) -> None:
    assert not is_placeholder(value)
