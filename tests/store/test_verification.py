"""Walking the audit chain: what was altered, moved, cut off or renamed in the store is found and named."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import alarms, chain, tables
from calibration.store.chain import Comparison, Fault, Link
from calibration.store.verification import Walked
from consensus.kafka.topic_chain import verify
from consensus.ledger.transactions import Transactions
from consensus.settings import KafkaSettings
from tests.loop_records import NOON, TOPICS, Log, verdict
from tests.store.test_ingest import feed

TABLE = tables.verdicts


async def walked(engine: AsyncEngine) -> Walked:
    """The one partition, with the alarm that a fault raises."""
    found = await verify(KafkaSettings(), Transactions(engine, 10), topic=False, at=NOON)
    assert found.topic is None
    (one,) = found.store
    return one


async def stored(engine: AsyncEngine) -> None:
    log = Log()
    await feed(engine, [*log.records(*(verdict(f"r-{i}") for i in range(4))), log.record(b"?", topic=TOPICS.verdicts)])


async def change(engine: AsyncEngine, offset: int, **values: Any) -> None:
    async with engine.begin() as connection:
        await connection.execute(TABLE.update().where(TABLE.c.log_offset == offset).values(**values))


async def raised(engine: AsyncEngine) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        found = await alarms.newest(connection, 10)
    return [(a["severity"], a["code"], a["subject"]) for a in found if a["code"] == "chain_broken"]


async def test_a_whole_chain_verifies_and_shows_its_head(engine: AsyncEngine) -> None:
    """Unreadable records belong to it, erased ones are counted, and nothing is raised."""
    await stored(engine)
    await change(engine, 1, raw=None)
    one = await walked(engine)
    assert (one.records, one.erased, one.fault) == (5, 1, None)
    assert one.head is not None
    assert one.head[0] == 4
    async with engine.connect() as connection:
        last = (await connection.execute(TABLE.select().where(TABLE.c.log_offset == 4))).one()
    assert one.head[1] == last.chain.hex()
    assert await raised(engine) == []


async def test_an_empty_store_verifies(engine: AsyncEngine) -> None:
    """There is no chain yet, and no partition."""
    found = await verify(KafkaSettings(), Transactions(engine, 10), topic=False, at=NOON)
    assert (found.store, found.faults) == ([], [])


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"raw": b"forged"}, chain.ALTERED),
        ({"raw": b"forged", "digest": chain.digest(b"forged")}, chain.MOVED),
        ({"chain": b"\0" * 32}, chain.MOVED),
        ({"request_id": "r-9"}, chain.MISNAMED),
        ({"tenant": "other"}, chain.MISNAMED),
        ({"version": 2}, chain.MISNAMED),
    ],
)
async def test_the_first_altered_record_is_named_with_an_alarm(
    engine: AsyncEngine, values: dict[str, Any], what: str
) -> None:
    """Contents, hashes, and the columns by which a record is found; looked at twice it is one alarm of severity 0."""
    await stored(engine)
    await change(engine, 2, **values)
    for _ in range(2):
        assert (await walked(engine)).fault == Fault(2, what)
    assert await raised(engine) == [(0, "chain_broken", "verdicts/0@2")]


async def test_a_rehashed_tail_is_found_by_the_noted_head(engine: AsyncEngine) -> None:
    """Whoever rewrites all that follows makes a chain that verifies; its head is another one."""
    await stored(engine)
    before = (await walked(engine)).head
    head = chain.genesis(0)
    async with engine.begin() as connection:
        for row in (await connection.execute(TABLE.select().order_by(TABLE.c.log_offset))).all():
            raw = row.raw.replace(b'"answer":"A"', b'"answer":"B"')
            digest = chain.digest(raw)
            head = chain.step(head, row.log_offset, digest)
            here = TABLE.c.log_offset == row.log_offset
            await connection.execute(TABLE.update().where(here).values(raw=raw, digest=digest, chain=head))
    one = await walked(engine)
    assert one.fault is None
    assert one.head != before


@pytest.mark.parametrize("gone", [[4], [3, 4], [0, 1, 2, 3, 4]])
async def test_a_chain_that_was_cut_off_at_its_end_is_found(engine: AsyncEngine, gone: list[int]) -> None:
    """The ingestion knows how far it was."""
    await stored(engine)
    async with engine.begin() as connection:
        await connection.execute(TABLE.delete().where(TABLE.c.log_offset.in_(gone)))
    assert (await walked(engine)).fault == Fault(4, chain.CUT_OFF)


@pytest.mark.parametrize("portion", [1, 2, 10])
def test_comparison_with_a_topic_names_the_first_difference(portion: int) -> None:
    """Whatever the size of the portions, and on from any place."""
    values = {offset: f"v{offset}".encode() for offset in (0, 1, 3, 4)}
    links = _linked(values)
    assert _compare(values, links, portion) is None
    assert _compare({**values, 3: b"forged"}, links, portion) == Fault(3, chain.MOVED)
    assert _compare({**values, 2: b"slipped in"}, links, portion) == Fault(2, chain.NOT_CHAINED)
    assert _compare({o: v for o, v in values.items() if o != 1}, links, portion) == Fault(1, chain.NOT_THERE)
    later = Comparison(links[1].chain)
    assert later.take({3: values[3], 4: values[4]}, {3: links[3], 4: links[4]})


def _linked(values: dict[int, bytes]) -> dict[int, Link]:
    links, head = {}, chain.genesis(0)
    for offset, value in values.items():
        head = chain.step(head, offset, chain.digest(value))
        links[offset] = Link(offset, chain.digest(value), head, value)
    return links


def _compare(values: dict[int, bytes], links: dict[int, Link], portion: int) -> Fault | None:
    comparison = Comparison(chain.genesis(0))
    for start in range(0, 5, portion):
        places = range(start, start + portion)
        comparison.take(
            {offset: values[offset] for offset in places if offset in values},
            {offset: links[offset] for offset in places if offset in links},
        )
    return comparison.fault
