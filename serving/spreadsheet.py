"""Tables as CSV files in a zip, safe to open: no cell of them is run as a formula by a spreadsheet."""

import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

Rows = Sequence[Mapping[str, Any]]

_BEGINS_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20\u2212\ufe62\ufe63\ufe66\ufe6b"
# Where a cell may begin for some reader: at the start, after a line's end, and after the separators of other locales. Blanks, quotes and
# invisible marks before a sign are passed over by some.
_RUNS = re.compile(rf"(^|[;\t\r\n])(?=[\s\"'\u00a0\ufeff\u200b-\u200f\u2060]*[{_BEGINS_FORMULA}])")
_BARE = re.compile(r"^[\t\r\n]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def cell(value: Any) -> str:
    """The value as the text of one cell. A number stays as it is, `-5` too; nothing is empty; lists and objects are JSON.

    Text that a spreadsheet would run (it begins with `=`, `+`, `-`, `@`, their full-width kin, a tab or a line's end) gets an apostrophe
    before it; so does such a sign after a `;`, tab or line's end inside, where a reader of another locale sees the next cell.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    if _NUMBER.fullmatch(text):
        return text
    return _BARE.sub(lambda found: "'" + found[0], _RUNS.sub(r"\1'", text))


def csv_of(rows: Rows) -> bytes:
    """UTF-8 with the mark that spreadsheets want. The columns are all keys of all rows, in order of appearance; no rows give an empty file."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    if names:
        writer.writerow([cell(name) for name in names])
        writer.writerows([cell(row.get(name)) for name in names] for row in rows)
    return out.getvalue().encode("utf-8-sig", "replace")


def zip_of(tables: Mapping[str, Rows]) -> bytes:
    """One `<table>.csv` each; the same tables give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in tables.items():
            # A ZipInfo of its own: by name alone the entry would carry the wall clock.
            archive.writestr(zipfile.ZipInfo(f"{name}.csv"), csv_of(rows), zipfile.ZIP_DEFLATED)
    return out.getvalue()
