"""Statements that both SQLite and PostgreSQL understand, and the lock that serialises ingestion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, any_, bindparam, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

INGEST_LOCK = 0x636F6E73
"""Key of the advisory lock, any constant of ours."""

PORTION_BYTES = 16 * 1024 * 1024
"""Of raw records in one statement: PostgreSQL takes a gigabyte, and holds it several times."""

KEYS_PER_QUERY = 1_000
"""Values in one IN list: SQLite allows 32,766 parameters in a statement, PostgreSQL 32,767."""


async def serialise(connection: AsyncConnection) -> None:
    """Let one writer in at a time, until its transaction ends.

    A signal and its outcome may be ingested by two processes at once; without the lock neither would see the other's
    row and the label would be lost. SQLite's transactions are IMMEDIATE and need no more.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(INGEST_LOCK)))


async def insert_new(connection: AsyncConnection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert the rows whose primary key is new; leave the others as they are. Every row names the same columns."""
    values = list(rows)
    if not values:
        return
    if connection.dialect.name == "postgresql":
        for portion in _portions(values):
            await connection.execute(_from_arrays(table, portion).on_conflict_do_nothing())
    else:
        await connection.execute(sqlite.insert(table).on_conflict_do_nothing(), values)


def _portions(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Rows of about `PORTION_BYTES` together, one at least."""
    portion: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        weight = sum(len(value) for value in row.values() if isinstance(value, bytes))
        if portion and size + weight > PORTION_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += weight
    if portion:
        yield portion


def _from_arrays(table: Table, rows: list[Mapping[str, Any]]) -> postgresql.Insert:
    """All rows by one statement with an array for each column: a statement for each row takes three times as long."""
    names = list(rows[0])
    arrays = [
        func.unnest(bindparam(f"all_{name}", [row[name] for row in rows], postgresql.ARRAY(table.c[name].type)))
        for name in names
    ]
    return postgresql.insert(table).from_select(names, select(*arrays))


async def insert_or_replace(connection: AsyncConnection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert the rows; where the primary key exists, replace the rest of the row."""
    values = list(rows)
    if not values:
        return
    keys = list(table.primary_key.columns)
    insert = _insert(connection, table)
    rest = {column.name: insert.excluded[column.name] for column in table.columns if column not in keys}
    await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=rest), values)


def _insert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def among(connection: AsyncConnection, column: Column[Any], values: list[str]) -> ColumnElement[bool]:
    """Whether a column is one of these values; for PostgreSQL one parameter, so that the statement is compiled once."""
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(None, values, postgresql.ARRAY(column.type)))
    return column.in_(values)


def among_rows(
    connection: AsyncConnection, columns: Sequence[Column[Any]], rows: Sequence[tuple[Any, ...]]
) -> ColumnElement[bool]:
    """Whether some columns together are one of these rows; for PostgreSQL one parameter for each column."""
    if connection.dialect.name != "postgresql":
        return tuple_(*columns).in_(rows)
    arrays = [
        func.unnest(bindparam(None, [row[i] for row in rows], postgresql.ARRAY(column.type)))
        for i, column in enumerate(columns)
    ]
    return tuple_(*columns).in_(select(*arrays))


def chunks(values: Iterable[str]) -> Iterable[list[str]]:
    """The distinct values, sorted, in lists that fit one IN clause."""
    distinct = sorted(set(values))
    for start in range(0, len(distinct), KEYS_PER_QUERY):
        yield distinct[start : start + KEYS_PER_QUERY]
