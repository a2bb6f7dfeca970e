"""Everything that a finished run left behind: the topics, the group's offsets, the store, the provider's call log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import aiohttp
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calibration.store import tables as store
from calibration.store.chain import Link
from calibration.store.engine import reading
from consensus.kafka.dump import Dumped, dump
from consensus.kafka.offsets import Position
from consensus.kafka.progress import Place, positions
from consensus.kafka.topics import Topics
from consensus.ledger import Version, tables
from consensus.patience import patiently
from consensus.settings import KafkaSettings
from consensus.types import Answer

NOUNS = ("requests", "verdicts", "reviews", "rulings", "signals", "outcomes", "dead_letters")
CALLS_S = 60.0
READ_S = 120.0
"""For how long a broker that does not answer is asked again: it may still be about to come back."""


@dataclass(frozen=True)
class Call:
    """One call as the provider saw it. ``request``: its ``x-request-id``, see `consensus.models.protocol.call_id`."""

    model: str
    request: str | None


@dataclass(frozen=True)
class Evidence:
    """What the oracle looks at. Records by noun of `consensus.kafka.topics`, by partition and offset.

    ``positions``: what the workers' group has committed. ``versions``: the stored decisions. ``effects``: by place of a
    ruling's record (partition, offset) the version it produced. ``answers``: paid answers that lie in the ledger, by
    tenant and id, then by call; those of a committed decision are kept with it instead. ``links``: the calibrator's
    chain by partition, None where no calibrator ran.
    """

    topics: Topics
    records: Mapping[str, Sequence[Dumped]]
    positions: Mapping[Place, Position]
    versions: Sequence[Version]
    effects: Mapping[tuple[int, int], int]
    answers: Mapping[tuple[str, str], Mapping[str, Answer]]
    calls: Sequence[Call]
    links: Mapping[int, Sequence[Link]] | None = None

    def of(self, noun: str) -> Sequence[Dumped]:
        """The records of one topic."""
        return self.records.get(noun, ())


async def gather(kafka: KafkaSettings, engine: AsyncEngine, provider: str, *, chained: bool = False) -> Evidence:
    """Read everything, once the run has come to rest. ``provider``: the address that models are asked at (``…/v1``).

    ``chained``: a calibrator took part, so the chain must be complete. Raises BrokerUnavailable.
    """
    topics = Topics(kafka.prefix)
    until = asyncio.get_running_loop().time() + READ_S
    records = {
        noun: await patiently(partial(dump, kafka, topics.named(noun)), f"dumping {noun}", until=until)
        for noun in NOUNS
    }
    committed = await patiently(partial(positions, kafka), "reading positions", until=until)
    found = Evidence(topics, records, committed, (), {}, {}, await _calls(provider))
    async with reading(engine).connect() as connection:
        found = await _with_ledger(connection, found)
        return replace(found, links=await _links(connection)) if chained else found


async def _with_ledger(connection: AsyncConnection, found: Evidence) -> Evidence:
    decisions, rulings = tables.decisions, tables.rulings.c
    names = [field.name for field in fields(Version) if field.name != "committed"]
    query = select(decisions).order_by(decisions.c.tenant, decisions.c.request_id, decisions.c.version)
    rows = (await connection.execute(query)).all()
    versions = [
        Version(**{name: getattr(row, name) for name in names}, committed=row.committed_at is not None) for row in rows
    ]
    ruled = select(rulings.log_partition, rulings.log_offset, rulings.version).where(rulings.version.is_not(None))
    effects = {(row.log_partition, row.log_offset): row.version for row in await connection.execute(ruled)}
    answers: dict[tuple[str, str], dict[str, Answer]] = {}
    for row in await connection.execute(select(tables.answers)):
        answer = Answer.model_validate_json(row.answer)
        answers.setdefault((row.tenant, row.request_id), {})[row.call] = answer
    return replace(found, versions=versions, effects=effects, answers=answers)


async def _links(connection: AsyncConnection) -> Mapping[int, Sequence[Link]]:
    table = store.verdicts.c
    query = select(table.log_partition, table.log_offset, table.digest, table.chain, table.raw).order_by(
        table.log_partition, table.log_offset
    )
    links: dict[int, list[Link]] = {}
    for row in await connection.execute(query):
        links.setdefault(row.log_partition, []).append(Link(row.log_offset, row.digest, row.chain, row.raw))
    return links


async def _calls(provider: str) -> Sequence[Call]:
    address = provider.removesuffix("/v1") + "/calls"
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALLS_S)) as session,
        session.get(address) as got,
    ):
        report = await got.json()
    if report["dropped"]:
        raise ValueError(f"the provider has forgotten {report['dropped']} calls: the run was too long for its log")
    return [Call(entry["model"], entry["request_id"]) for entry in report["log"]]
