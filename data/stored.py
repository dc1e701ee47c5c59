"""The operational store as a dataset: the same tables through the same code as a folder."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import sqlalchemy as sa

from data.arrow import array, as_mask, pc
from data.arrow import table as make_table
from data.contract import TABLES
from data.dataset import Dataset, Progress, assembled
from data.files import ROW
from data.funnel import Funnel
from data.home import clock
from data.schema import LEADS, METADATA
from data.store import Store
from data.validation import FILE, Inspection, Report

SOURCE = "store"
_CHUNK = 20_000


def read_store(
    store: Store, *, funnel: Funnel, on_progress: Progress | None = None, now: int | None = None, since: int | None = None
) -> tuple[Dataset, Report]:
    """Read and check what the store holds, as of one instant; see `read_dataset`. `since` (micros): leads created at or after it, and their rows.
    Rejected rows are counted and not written to files, which no erasure would reach.

    Rows are sorted, and `digest` is the sha256 of their content and the funnel's words: the same whatever way it came, and in which database.
    """
    tell = on_progress or (lambda _: None)
    with store.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")

        def read(name: str) -> pa.Table:
            tell(f"reading {name} from the store")
            return _raw(connection, name, since)

        tables, report = assembled(read, set(TABLES), None, funnel, clock() if now is None else now, Inspection(), tell)
    tell("sorting and computing the digest")
    ordered = {name: _sorted(table) for name, table in tables.items()}
    return Dataset(**ordered, digest=_digest(ordered, funnel)), report


def _raw(connection: sa.Connection, name: str, since: int | None) -> pa.Table:
    """The table as it is kept, further columns unpacked, with ROW and FILE."""
    kept = METADATA.tables[name]
    more = next((column.name for column in kept.c if column.name in ("fields", "extra")), None)
    columns = [column for column in TABLES[name].known if column in kept.c]
    chosen = sa.select(*(kept.c[column] for column in columns), *([kept.c[more]] if more else [])).where(*_since(name, kept, since))
    result = connection.execute(chosen.execution_options(yield_per=_CHUNK))
    parts = [_part(name, columns, rows, more is not None) for rows in result.partitions()]
    table = pa.concat_tables([_part(name, columns, [], False), *parts], promote_options="default")
    known = TABLES[name].known
    table = table.select([*(column for column in known if column in table.column_names), *sorted(set(table.column_names) - set(known))])
    file = pa.DictionaryArray.from_arrays(np.zeros(table.num_rows, np.int32), array([SOURCE]))
    return table.append_column(ROW, array(np.arange(1, table.num_rows + 1))).append_column(FILE, file)


def _since(name: str, kept: sa.Table, since: int | None) -> list[sa.ColumnElement[bool]]:
    if since is None:
        return []
    leads = sa.select(LEADS.c.lead_id).where(LEADS.c.created_at >= since)
    accounts = sa.select(LEADS.c.account_id).where(LEADS.c.created_at >= since, LEADS.c.account_id.is_not(None))
    if name == "accounts":
        return [kept.c.account_id.in_(accounts)]
    if name == "changes":
        of_lead, of_account = (sa.and_(kept.c.object == word, kept.c.id.in_(ids)) for word, ids in (("lead", leads), ("account", accounts)))
        return [sa.or_(of_lead, of_account)]
    return [kept.c.lead_id.in_(leads)]


def _part(name: str, columns: Sequence[str], rows: Sequence[Any], unpacked: bool) -> pa.Table:
    values = list(zip(*rows, strict=True)) or [()] * (len(columns) + unpacked)
    found = {column: _typed(name, column, given) for column, given in zip(columns, values, strict=False)}
    if unpacked:
        found |= _unpacked(values[-1])
    part: pa.Table = make_table(found)
    return part


def _typed(name: str, column: str, values: Iterable[Any]) -> Any:
    if column in TABLES[name].times:
        return array(values, pa.int64()).cast(pa.timestamp("us", "UTC"))
    return array(values, pa.float64() if column in TABLES[name].numbers else pa.string())


def _unpacked(texts: Iterable[str | None]) -> dict[str, Any]:
    objects = [{} if text is None else orjson.loads(text) for text in texts]
    names = sorted({name for held in objects for name in held})
    return {name: array([held.get(name) for held in objects], pa.string()) for name in names}


def _sorted(table: pa.Table) -> pa.Table:
    order = pc.sort_indices(table, sort_keys=[(column, "ascending") for column in table.column_names])
    ordered: pa.Table = table.take(order).combine_chunks()
    return ordered


def _digest(tables: dict[str, pa.Table], funnel: Funnel) -> str:
    words = {"stages": funnel.stage_words, "exits": funnel.exit_words}
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for name, table in tables.items():
        for column in sorted(table.column_names):
            digest.update(f"{name}.{column} {table.num_rows} ".encode())
            for content in _content(table[column].combine_chunks()):
                digest.update(content)
    return digest.hexdigest()


def _content(column: Any) -> tuple[Any, ...]:
    """What a freshly made array holds, without what lies in its buffers beside that."""
    there = as_mask(column.is_valid())
    if not pa.types.is_string(column.type):
        return there, column.fill_null(0).to_numpy()
    filled = column.fill_null("")
    sizes = pc.binary_length(filled).to_numpy()
    data = filled.buffers()[2]
    return there, sizes, b"" if data is None else data.slice(0, int(sizes.sum()))
