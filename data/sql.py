"""What SQLite and PostgreSQL write differently: many values in one condition, many rows in one statement."""

from collections.abc import Collection, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Row = tuple[Any, ...]


def among(connection: sa.Connection, column: sa.ColumnElement[Any], values: Collection[str]) -> sa.ColumnElement[bool]:
    """Whether a text column is one of the values, sent as one parameter however many they are."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(_array(list(values), sa.Text()))
    listed = sa.func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def among_keys(connection: sa.Connection, column: sa.ColumnElement[Any], keys: Sequence[bytes]) -> sa.ColumnElement[bool]:
    """Whether a column of 16 bytes is one of the keys."""
    if connection.dialect.name == "postgresql":
        return column == sa.any_(_array(list(keys), sa.LargeBinary()))
    places = sa.select(sa.literal(0).label("place")).cte("places", recursive=True)
    places = places.union_all(sa.select(places.c.place + 1).where(places.c.place + 1 < len(keys)))
    key = sa.func.substr(sa.bindparam(None, b"".join(keys), sa.LargeBinary()), places.c.place * 16 + 1, 16)
    return column.in_(sa.select(sa.type_coerce(key, sa.LargeBinary())))


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], update: Sequence[str] = ()) -> int:
    """Write rows, each a tuple over all columns of the table in their order; returns how many were written.

    Where the primary key is there already the row is left out, or its columns `update` are set. A key may stand in `rows` once then.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        columns = list(table.columns)
        arrays = [_array(list(values), column.type) for column, values in zip(columns, zip(*rows, strict=True), strict=True)]
        given = sa.func.unnest(*arrays).table_valued(*(column.name for column in columns)).render_derived("given")
        statement = postgresql.insert(table).from_select([column.name for column in columns], sa.select(*given.c))
        return int(connection.execute(_settled(statement, table, update), execution_options={"preserve_rowcount": True}).rowcount)
    text = str(_settled(sqlite.insert(table), table, update).compile(dialect=connection.dialect))
    return int(connection.exec_driver_sql(text, list(rows)).rowcount)


def _settled(statement: Any, table: sa.Table, update: Sequence[str]) -> Any:
    key = [column.name for column in table.primary_key]
    if not update:
        return statement.on_conflict_do_nothing(index_elements=key)
    return statement.on_conflict_do_update(index_elements=key, set_={name: statement.excluded[name] for name in update})


def _array(values: list[Any], kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    # As it is, not by the type's own processor: psycopg writes lists by itself, and a hundred thousand values one by one take time.
    return sa.cast(sa.bindparam(None, values, sa.types.NullType()), postgresql.ARRAY(kind))
