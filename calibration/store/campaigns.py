"""Records of campaigns, as the snapshots topic had them, and what their walks are fed with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration import campaign
from calibration.campaign import Definition, End, Key, Missing
from calibration.store import tables
from calibration.store.writing import chunks, insert_new, insert_or_replace

T = tables.campaign_records.c


@dataclass(frozen=True)
class CampaignRow:
    """One record. ``part``: definition, missing or end."""

    key: str
    campaign: str
    part: str
    class_name: str
    log_offset: int
    raw: bytes


@dataclass(frozen=True)
class Later:
    """Positions whose labels did not come in time, and the end; ``None`` while the campaign runs."""

    missing: tuple[int, ...]
    end: End | None


def row_of(part: campaign.Part, log_offset: int, raw: bytes) -> CampaignRow:
    """A part as a row of the table."""
    if isinstance(part, Definition):
        return CampaignRow(part.key, part.id, "definition", part.class_, log_offset, raw)
    name = "missing" if isinstance(part, Missing) else "end"
    return CampaignRow(part.key, part.campaign, name, part.class_, log_offset, raw)


async def put(connection: AsyncConnection, row: CampaignRow) -> None:
    """Store a record. Of definitions and ends the first one stays; the missing positions are the latest list."""
    if row.part != "missing":
        await insert_new(connection, tables.campaign_records, [vars(row)])
        return
    stored = await connection.scalar(select(T.log_offset).where(T.key == row.key))
    if stored is None or stored < row.log_offset:
        await insert_or_replace(connection, tables.campaign_records, [vars(row)])


async def all_ids(connection: AsyncConnection, cls: str | None = None) -> list[str]:
    """Ids of the campaigns (of one class) in the order in which they were opened."""
    which = T.part == "definition" if cls is None else and_(T.part == "definition", T.class_name == cls)
    return list((await connection.execute(select(T.campaign).where(which).order_by(T.log_offset))).scalars())


async def open_ids(connection: AsyncConnection) -> list[str]:
    """Ids of the campaigns that have not ended, oldest first."""
    ended = select(T.campaign).where(T.part == "end")
    query = select(T.campaign).where(and_(T.part == "definition", T.campaign.not_in(ended))).order_by(T.log_offset)
    return list((await connection.execute(query)).scalars())


async def definition(connection: AsyncConnection, ident: str) -> Definition | None:
    """What a campaign froze, ``None`` where it is not known."""
    raw = await connection.scalar(select(T.raw).where(T.campaign == ident, T.part == "definition"))
    return None if raw is None else Definition.from_json(raw)


async def later(connection: AsyncConnection, ident: str) -> Later:
    """What became of a campaign after it was opened."""
    rows = await connection.execute(select(T.part, T.raw).where(T.campaign == ident, T.part != "definition"))
    parts = {row.part: row.raw for row in rows}
    missing = Missing.from_json(parts["missing"]).positions if "missing" in parts else ()
    return Later(missing, End.from_json(parts["end"]) if "end" in parts else None)


async def certifying(connection: AsyncConnection) -> dict[str, End]:
    """The latest end with a certificate of every class."""
    rows = await connection.execute(select(T.raw).where(T.part == "end").order_by(T.log_offset))
    ends = [End.from_json(row.raw) for row in rows]
    return {end.class_: end for end in ends if end.certificate is not None}


async def truths(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, int | None]:
    """Right candidate of those of the requests that have a label; ``None`` where outcomes contradict one another."""
    by_tenant: dict[str, list[str]] = {}
    for tenant, request_id in keys:
        by_tenant.setdefault(tenant, []).append(request_id)
    label = tables.labels.c
    found: dict[Key, int | None] = {}
    for tenant, ids in by_tenant.items():
        for some in chunks(ids):
            query = select(label.request_id, label.truth).where(label.tenant == tenant, label.request_id.in_(some))
            found |= {(tenant, row.request_id): row.truth for row in await connection.execute(query)}
    return found
