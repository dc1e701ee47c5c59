"""One file, however it was exported, gives the same columns; what can't be read says why."""

import csv
import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.files import MAX_COLUMNS, ROW, read_file
from data.sniffing import EmptyFile, UnreadableFile

ROWS = [["lead_id", "name", "note"], ["1", "Åsa Öberg", 'says "hi", twice'], ["2", "Zoë", "two\nlines"], ["3", "", "x"]]


def as_csv(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def contents(path: Path) -> list[list[str]]:
    table = read_file(path, path.name).table.drop_columns([ROW])
    return [table.column_names, *([str(cell) for cell in row.values()] for row in table.to_pylist())]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding, told",
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8-BOM"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16-LE"),
        ("utf-16-be", "UTF-16-BE"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_any_encoding_and_separator_read_alike(tmp_path: Path, encoding: str, told: str, delimiter: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(as_csv(ROWS, delimiter).encode(encoding))
    part = read_file(path, "leads.csv")
    assert contents(path) == ROWS
    assert (part.encoding, part.delimiter) == (told, delimiter)


def test_gzip_is_read_whatever_its_name(tmp_path: Path) -> None:
    for name in ("leads.csv.gz", "leads.csv"):
        (tmp_path / name).write_bytes(gzip.compress(as_csv(ROWS).encode("utf-16")))
        assert contents(tmp_path / name) == ROWS


def test_a_header_alone_may_hold_the_only_accent(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes("lead_id;Größe\n1;2\n".encode("cp1252"))
    assert contents(tmp_path / "leads.csv") == [["lead_id", "Größe"], ["1", "2"]]


def test_latin_and_utf8_in_one_file_both_survive(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(b"lead_id,name\n1," + "Åsa".encode() + b"\n2," + "Zoë".encode("cp1252") + b"\n")
    assert contents(path) == [["lead_id", "name"], ["1", "Åsa"], ["2", "Zoë"]]
    assert read_file(path, "leads.csv").encoding == "mixed UTF-8 and Windows-1252"


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\r\0\ufeff"), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6), st.sampled_from(",;\t|"))
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "leads.csv"
    header = ["lead_id", "created_at", "some note"]
    path.write_text(as_csv([header, *rows], delimiter), "utf-8", newline="")
    assert contents(path) == [header, *rows]


def test_ragged_rows_are_told_with_their_number_and_text(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text('lead_id,name\n1,a\n2,b,c\n"3\n",d\n4\n5,e\n')
    part = read_file(path, "leads.csv")
    assert [(row.row, row.line) for row in part.ragged] == [(3, "2,b,c"), (5, "4")]
    assert part.table[ROW].to_pylist() == [2, 4, 6]


def test_repeated_and_empty_column_names(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("lead_id, name ,name,,\n1,a,b,,x\n")
    part = read_file(path, "leads.csv")
    assert part.table.column_names == ["lead_id", "name", "name_2", "column_5", ROW]
    assert part.renamed == ("name",)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("lead_id,created_at\n")
    assert contents(tmp_path / "leads.csv") == [["lead_id", "created_at"]]


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "leads.csv").write_bytes(content)
    with pytest.raises(EmptyFile, match=r"leads.csv is empty.*Export it again"):
        read_file(tmp_path / "leads.csv", "leads.csv")


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("leads.csv", b"PK\x03\x04rest", "Excel workbook"),
        ("leads.csv", b"<!DOCTYPE html><p>log in", "web page"),
        ("leads.csv.gz", b"\x1f\x8b\x08garbage", "can't be read"),
        ("leads.parquet", b"lead_id,created_at\n", "can't be read"),
        ("leads.csv", "a,b\n1,2\n".encode("utf-16")[:-1], "breaks off"),
    ],
)
def test_what_is_no_table_says_what_it_is(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile, match=words):
        read_file(tmp_path / name, name)


def test_a_row_of_megabytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("lead_id,note\n1," + "x" * (5 << 20) + "\n2,y\n")
    assert [len(row[1]) for row in contents(path)] == [4, 5 << 20, 1]


@pytest.mark.parametrize("start", ["lead_id,note\n1,", "", '"', 'lead_id,note\n1,"'])
def test_a_row_without_an_end_says_so(tmp_path: Path, start: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(start + "x" * (40 << 20) + "\nrest,1\n")
    with pytest.raises(UnreadableFile, match="more than 16 MB"):
        read_file(path, "leads.csv")


def test_a_million_columns_say_so(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(",".join(f"c{number}" for number in range(1_000_000)) + "\n")
    with pytest.raises(UnreadableFile, match=f"1,000,000 columns; at most {MAX_COLUMNS:,}"):
        read_file(path, "leads.csv")


@pytest.mark.parametrize("closing", ["", '"'])
def test_a_quote_that_swallows_rows_is_found(tmp_path: Path, closing: str) -> None:
    lines = [f"{number},L{number},x" for number in range(60)]
    lines[20] = '20,"L20,x'
    lines[50] = f"50,L50{closing},x"
    (tmp_path / "leads.csv").write_text("lead_id,name,note\n" + "\n".join(lines) + "\n")
    with pytest.raises(UnreadableFile, match="never closed"):
        read_file(tmp_path / "leads.csv", "leads.csv")


def test_long_text_in_quotes_is_no_open_quote(tmp_path: Path) -> None:
    rows = [["lead_id", "note"], ["1", "dear, all\n" * 3 + "line\n" * 200]]
    (tmp_path / "leads.csv").write_text(as_csv(rows), newline="")
    assert contents(tmp_path / "leads.csv") == rows


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table({"lead_id": [1, 2], "created_at": pa.array([0, 1], pa.timestamp("us", "UTC"))})
    pa.parquet.write_table(table, tmp_path / "leads.parquet")
    part = read_file(tmp_path / "leads.parquet", "leads.parquet")
    assert part.table.drop_columns([ROW]) == table
    assert part.table[ROW].to_pylist() == [2, 3]
