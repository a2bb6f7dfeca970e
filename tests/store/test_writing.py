"""Statements of both databases: what is new goes in, what is there stays, in portions that a server can hold."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import tables, writing
from calibration.store.writing import among, among_rows, insert_new
from tests.loop_records import NOON

TABLE = tables.verdicts


def row(offset: int, **changes: Any) -> dict[str, Any]:
    base = {
        "log_partition": 0, "log_offset": offset, "tenant": "default", "request_id": f"r-{offset}", "version": 1,
        "decided_at": NOON, "raw": b"{}", "digest": b"d", "chain": b"c",
    }  # fmt: skip
    return base | changes


async def stored(engine: AsyncEngine) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(TABLE.select().order_by(TABLE.c.log_offset))).all())


@pytest.mark.parametrize("portion_bytes", [1, 700, 10**9])
async def test_new_rows_go_in_and_old_ones_stay(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, portion_bytes: int
) -> None:
    """Repeated within one call or over two, with absent values, whatever the portions."""
    monkeypatch.setattr(writing, "PORTION_BYTES", portion_bytes)
    rows = [row(i, raw=b"x" * 100 * i) for i in range(9)] + [row(3, raw=b"again"), row(9, raw=None, decided_at=None)]
    async with engine.begin() as connection:
        await insert_new(connection, TABLE, rows)
        await insert_new(connection, TABLE, [row(0, raw=b"other"), row(10)])
        await insert_new(connection, TABLE, [])
    found = await stored(engine)
    assert [one.log_offset for one in found] == list(range(11))
    assert [one.raw for one in found[:9]] == [b"x" * 100 * i for i in range(9)]
    assert (found[9].raw, found[9].decided_at) == (None, None)
    assert found[0].decided_at == NOON


def test_portions_are_bounded_by_bytes_and_hold_one_row_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is larger than a portion is one of its own; nothing is lost, the order stays."""
    monkeypatch.setattr(writing, "PORTION_BYTES", 10)
    rows = [{"raw": b"x" * size, "n": i} for i, size in enumerate((4, 6, 1, 30, 2, 9))]
    portions = list(writing._portions(rows))
    assert [[one["n"] for one in portion] for portion in portions] == [[0, 1], [2], [3], [4], [5]]
    assert list(writing._portions([])) == []


async def test_conditions_on_many_values(engine: AsyncEngine) -> None:
    """One of some ids; one of some pairs, not any mixture of their halves."""
    async with engine.begin() as connection:
        await insert_new(connection, TABLE, [row(i, version=i % 2) for i in range(6)])
        chosen = among(connection, TABLE.c.request_id, ["r-1", "r-4", "r-9"])
        assert await offsets(connection, chosen) == [1, 4]
        assert await offsets(connection, among(connection, TABLE.c.request_id, [])) == []
        columns = (TABLE.c.request_id, TABLE.c.version)
        assert await offsets(connection, among_rows(connection, columns, [("r-1", 1), ("r-2", 1), ("r-3", 1)])) == [
            1,
            3,
        ]


async def offsets(connection: Any, chosen: Any) -> list[int]:
    query = select(TABLE.c.log_offset).where(chosen).order_by(TABLE.c.log_offset)
    return list((await connection.execute(query)).scalars())
