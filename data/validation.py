"""What is wrong with a dataset: every broken rule, how often, five examples, and what to do about it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from data.arrow import Mask, array, pc
from data.columns import text_column
from data.contract import TABLES, DataError
from data.files import ROW
from data.tallies import Tally, judged_of

FILE = "\0file"
_LINE_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: where, how many rows, up to five examples, what was expected and came, and what to do."""

    rule: str
    table: str
    column: str | None
    count: int
    examples: tuple[str, ...]
    message: str
    fix: str

    def text(self) -> str:
        """Expected, got, which ones, what now, on one line."""
        which = f" ({', '.join(self.examples)}{', ...' if self.count > len(self.examples) else ''})" if self.examples else ""
        return f"{self.message}{which}. {self.fix}"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found in one reading: errors stop, warnings don't; rows read and rows rejected by table."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    tables: dict[str, int]
    rejected: dict[str, int]
    rejects_files: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the dataset can be used."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return {"ok": self.ok, **asdict(self)}

    def text(self) -> str:
        """The report for a terminal, without colours."""
        lines = [f"{name}: {rows:,} rows" for name, rows in self.tables.items()]
        lines += [f"error [{finding.rule}] {finding.text()}" for finding in self.errors]
        lines += [f"warning [{finding.rule}] {finding.text()}" for finding in self.warnings]
        lines += [f"rejected: {rows:,} rows of {name}{self._where(name)}" for name, rows in self.rejected.items()]
        errors, warnings = len(self.errors), len(self.warnings)
        return "\n".join([*lines, f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"])

    def _where(self, table: str) -> str:
        return f", written to {self.rejects_files[table]}" if table in self.rejects_files else ""


class InvalidDataset(DataError):
    """A rule that stops is broken; `report` has all of them."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.text())
        self.report = report


class Inspection:
    """Collects findings and rejected rows while a dataset is read, whole or part by part."""

    def __init__(self) -> None:
        self.rejects: dict[str, list[pa.Table]] = {}
        self.encodings: dict[str, str] = {}
        self.naive: dict[str, int] = {}
        self._notes: dict[tuple[str, str, str | None, str], Tally | tuple[bool, Finding]] = {}

    @property
    def errors(self) -> list[Finding]:
        """What stops, in the order in which it was found."""
        return [finding for stops, finding in self._judged() if stops]

    @property
    def warnings(self) -> list[Finding]:
        """What does not stop, in the order in which it was found."""
        return [finding for stops, finding in self._judged() if not stops]

    def error(self, rule: str, table: str, column: str | None, message: str, fix: str, **which: Any) -> None:
        """Note a broken rule that stops; `count` and `examples` may be given."""
        self._notes.setdefault((rule, table, column, message), (True, _finding(rule, table, column, message, fix, **which)))

    def warn(self, rule: str, table: str, column: str | None, message: str, fix: str, **which: Any) -> None:
        """Note a broken rule that does not stop; `count` and `examples` may be given."""
        self._notes.setdefault((rule, table, column, message), (False, _finding(rule, table, column, message, fix, **which)))

    def tally(self, tally: Tally) -> None:
        """Add rows to what is known of a rule; what it comes to is judged by the sums over all parts (`data.tallies`)."""
        key = (tally.rule, tally.table, tally.column, "")
        before = self._notes.get(key)
        self._notes[key] = before.plus(tally) if isinstance(before, Tally) else tally

    def _judged(self) -> list[tuple[bool, Finding]]:
        found = []
        for note in self._notes.values():
            if isinstance(note, tuple):
                found.append(note)
            elif (judged := judged_of(note)) is not None:
                finding = Finding(note.rule, note.table, note.column, note.count or 1, note.examples, judged.message, judged.fix)
                found.append((judged.stops, finding))
        return found

    def document(self) -> dict[str, Any]:
        """All but the rejected rows, as plain JSON values: what another process adds to its own."""
        notes = [
            {"tally": asdict(note)} if isinstance(note, Tally) else {"stops": note[0], "finding": asdict(note[1])} for note in self._notes.values()
        ]
        return {"notes": notes, "encodings": self.encodings, "naive": self.naive}

    def absorb(self, document: Mapping[str, Any]) -> None:
        """Add what was found in another part of the same dataset."""
        for note in document["notes"]:
            if "tally" in note:
                self.tally(Tally.read(note["tally"]))
            else:
                finding = Finding(**note["finding"] | {"examples": tuple(note["finding"]["examples"])})
                self._notes.setdefault((finding.rule, finding.table, finding.column, finding.message), (note["stops"], finding))
        self.encodings |= document["encodings"]
        for column, rows in document["naive"].items():
            self.naive[column] = self.naive.get(column, 0) + rows

    def reject(self, name: str, table: pa.Table, bad: Mask, reason: str) -> pa.Table:
        """The table without the bad rows, which are kept for the rejects file with the reason."""
        if not bad.any():
            return table
        rows = table.filter(array(bad))
        shown = [column for column in rows.column_names if column not in (ROW, FILE)]
        times = TABLES[name].times
        texts = [pc.fill_null(as_written(rows[column], column in times), "") for column in shown]
        line = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*texts, ","), 0, _LINE_LIMIT)
        self.add_rejects(name, rows[FILE], rows[ROW], array([reason] * rows.num_rows), line)
        return table.filter(array(~bad))

    def add_rejects(self, name: str, file: Any, row: Any, reason: Any, line: Any) -> None:
        """Keep rejected rows, given as four columns of one length."""
        columns = {"file": as_written(file), "row": row, "reason": reason, "line": line}
        self.rejects.setdefault(name, []).append(pa.table(columns))

    def rejected(self) -> dict[str, int]:
        """How many rows of each table were rejected."""
        return {name: sum(part.num_rows for part in parts) for name, parts in self.rejects.items()}


def as_written(column: Any, is_time: bool = False) -> Any:
    """A column as text for people, micros as the times that they are."""
    if is_time and pa.types.is_int64(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.string())
    return column if pa.types.is_string(column.type) else text_column(column)


def _finding(rule: str, table: str, column: str | None, message: str, fix: str, count: int = 1, examples: Iterable[str] = ()) -> Finding:
    return Finding(rule, table, column, int(count), tuple(examples), message, fix)
