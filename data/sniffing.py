"""What a text file is, told from its bytes: another kind of file, its encoding, its separator."""

import codecs
import csv
import io

from data.contract import DataError

_DELIMITERS = ",;\t|"
_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF8, "UTF-8-BOM"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"PAR1", "a Parquet file with another ending"),
    (b"<html", "a web page"),
    (b"<!doctype", "a web page"),
    (b"SQLite format 3", "a SQLite database"),
)


class UnreadableFile(DataError):
    """The file can't be taken as a table; the message says why and what to do."""


class EmptyFile(UnreadableFile):
    """The file holds not even a header."""


def refuse_other_kinds(head: bytes, name: str) -> None:
    """Raises EmptyFile or UnreadableFile where the first bytes can't be those of a CSV file."""
    if not head.strip(b"\0\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise EmptyFile(f"{name} is empty. Export it again, with a header row.")
    for magic, kind in _NOT_TEXT:
        start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[: len(magic)]
        if magic == (start.lower() if magic.startswith(b"<") else start):
            raise UnreadableFile(f"{name} must be a CSV file, and is {kind}. Save it as CSV (UTF-8).")


def encoding_of(head: bytes) -> str:
    """The encoding by its byte order mark, else UTF-16 where every other byte is zero, else UTF-8 (to be proved by reading)."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    sample = head[:4096]
    if sample[1::2].count(0) > len(sample) // 4:
        return "UTF-16-LE"
    return "UTF-16-BE" if sample[::2].count(0) > len(sample) // 4 else "UTF-8"


def start_of_utf8(head: bytes) -> str:
    """The first bytes of a UTF-8 file as text, though they end within a character; UnicodeDecodeError if they are not."""
    return codecs.getincrementaldecoder("utf-8-sig")().decode(head)


def delimiter_of(head: str) -> str:
    """The separator that cuts the header into most fields and the rows after it into as many."""
    sample = head[: 1 << 16]
    rows = {delimiter: _sample_rows(sample, delimiter) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda delimiter: _fitness(rows[delimiter]))


def _sample_rows(sample: str, delimiter: str) -> list[int]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    try:
        return [len(row) for row, _ in zip(reader, range(50), strict=False) if row]
    except csv.Error:
        return []


def _fitness(widths: list[int]) -> float:
    """Separators in the header, weighted by the share of rows that agree with it."""
    return (widths[0] - 1) * sum(width == widths[0] for width in widths) / len(widths) if widths else 0.0
