"""Exports that are opened in a spreadsheet: nothing of them runs, numbers stay numbers, and all of it can be read back."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.score_files import write_scores
from serving.spreadsheet import cell, csv_of, zip_of

SIGNS = "=+-@＝＋－＠"
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)

texts = st.text(st.sampled_from("=+-@＝＋－＠'\"\t\r\n;, ab5.\u00a0\ufeff"), max_size=12)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+46 70 123", "'+46 70 123"),
        ("+46701234567", "'+46701234567"),
        ("-", "'-"),
        ("--5", "'--5"),
        ("-5-3", "'-5-3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("＝1", "'＝1"),
        (" =1", "' =1"),
        ('"=1', "'\"=1"),
        ("a;=1", "a;'=1"),
        ("a\n- b", "a\n'- b"),
        ("-5", "-5"),
        ("-5.25e3", "-5.25e3"),
        (-5, "-5"),
        (-0.5, "-0.5"),
        (True, "true"),
        (None, ""),
        ("", ""),
        ("a-b", "a-b"),
        ("kim@example.com", "kim@example.com"),
        (["=1"], '["=1"]'),
    ],
)
def test_cells_that_would_run_get_an_apostrophe_and_others_nothing(value: Any, shown: str) -> None:
    assert cell(value) == shown


def runs(text: str) -> bool:
    """By hand: whether a spreadsheet might take a cell for a formula, quotes and blanks before the sign passed over."""
    bare = text.lstrip('" \t\r\n\u00a0\ufeff')
    # Where `;` separates, a number is followed by the rest of our row, which is no formula.
    return bare[:1] in tuple(SIGNS) and not NUMBER.fullmatch(bare) and not re.match(NUMBER.pattern + ',"', bare)


@given(st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=3))
@example([["a", ";=1", "b"]])
@example([["a", '"\n=1;', "b"]])
def test_no_cell_runs_wherever_a_reader_sees_cells(rows: list[list[str]]) -> None:
    content = csv_of([dict(zip("abc", row, strict=True)) for row in rows]).decode("utf-8-sig")
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(content, newline=""), delimiter=separator):
            assert not [text for text in row if runs(text)], (separator, row)


@given(st.lists(st.dictionaries(texts, texts | st.integers() | st.none(), max_size=4), max_size=4))
def test_every_cell_is_read_back_as_it_was_written(rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    content = csv_of(rows).decode("utf-8-sig")
    read = list(csv.reader(io.StringIO(content, newline="")))
    assert read == ([] if not names else [[cell(name) for name in names], *([cell(row.get(name)) for name in names] for row in rows)])


@given(texts)
def test_nothing_is_lost_but_apostrophes_are_added(text: str) -> None:
    assert cell(text).replace("'", "") == text.replace("'", "")


def test_a_zip_holds_one_file_a_table_and_no_clock() -> None:
    tables = {"lead": [{"lead_id": "L-1", "=head": "x"}], "events": []}
    content = zip_of(tables)
    assert content == zip_of(tables)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["lead.csv", "events.csv"]
        assert archive.read("lead.csv").decode("utf-8-sig") == '"lead_id","\'=head"\r\n"L-1","x"\r\n'
        assert archive.read("events.csv").decode("utf-8-sig") == ""
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_score_file_is_safe_to_open_and_still_json(tmp_path: Path) -> None:
    reasons = '[{"text":"Note is =1+1; =2"}]'
    table = pa.table({"lead_id": ["=cmd()", "L-1", "-5"], "probability": [-0.5, 0.1, None], "reasons": [reasons] * 3})
    write_scores([table], table.schema, str(tmp_path / "scores.csv"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "scores.csv").read_text("utf-8"))))
    assert [(row["lead_id"], row["probability"]) for row in rows] == [("'=cmd()", "-0.5"), ("L-1", "0.1"), ("-5", "")]
    assert json.loads(rows[0]["reasons"]) == [{"text": "Note is =1+1;' =2"}]
    write_scores([table], table.schema, str(tmp_path / "scores.parquet"))
    assert pyarrow.parquet.read_table(tmp_path / "scores.parquet")["lead_id"].to_pylist() == ["=cmd()", "L-1", "-5"], "no spreadsheet runs that"
