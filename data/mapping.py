"""mapping.toml: how the tables of another system become ours, without editing its export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from data.contract import TABLES, DataError
from data.documents import parse_document, read_toml, suggestion

PRESETS: Mapping[str, Path] = {}
_ATTRIBUTE_TABLES = ("leads", "accounts")


class Source(BaseModel):
    """One file that gives rows to a table: `columns` is {ours: theirs}, `constant` {ours: value}, `drop` theirs to leave out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(min_length=1)
    columns: dict[str, str] = Field(default_factory=dict)
    constant: dict[str, str | int | float | bool] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()


class DatasetMapping(BaseModel):
    """The sources of each table that is mapped; a table that is not keeps its usual file. Tables: see `data.contract`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    leads: tuple[Source, ...] = ()
    accounts: tuple[Source, ...] = ()
    events: tuple[Source, ...] = ()
    stages: tuple[Source, ...] = ()
    deals: tuple[Source, ...] = ()
    changes: tuple[Source, ...] = ()
    aliases: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _known_columns(self) -> Self:
        for name, table in TABLES.items():
            for source in self.sources(name):
                both = set(source.columns) & set(source.constant)
                if both:
                    raise ValueError(f"{name}.{min(both)} is in both `columns` and `constant`. Keep one.")
                for ours in (*source.columns, *source.constant):
                    if name not in _ATTRIBUTE_TABLES and ours not in table.known:
                        raise ValueError(f"{name} has no column {ours!r}. {suggestion(ours, table.known)}")
        return self

    def sources(self, table: str) -> tuple[Source, ...]:
        """The files that give rows to the table; empty where it is not mapped."""
        found: tuple[Source, ...] = getattr(self, table)
        return found

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str = "mapping.toml") -> Self:
        """The mapping of a parsed mapping.toml; raises one DataError listing every mistake."""
        several = {table: [part] if isinstance(part, dict) else part for table, part in document.items()}
        return parse_document(cls, several, where)


def load_mapping(path_or_preset: str | Path) -> DatasetMapping:
    """The mapping of a file, or of a preset by its name; DataError if there is neither, or it holds a mistake."""
    path = PRESETS.get(str(path_or_preset), Path(path_or_preset))
    if not path.exists():
        raise DataError(f"the mapping {str(path_or_preset)!r} is not a file that exists. Give the path of a mapping.toml.")
    return DatasetMapping.from_document(read_toml(path), str(path))
