"""Which requests were erased, and what their outcomes had shown: what lies on the topics must not come back with texts.

Kept under a hash of tenant and request id, beyond every retention; it holds nothing that a person wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from calibration.store.writing import insert_or_replace
from consensus.ledger import tables
from consensus.ledger.claims import Key

T = tables.erasures.c

BITE = 1_000
"""Ids in one statement."""

Truths = Mapping[str, int | None]
"""Digest of an outcome → the candidate that it named, as in `calibration.store.outcomes`."""


def identity(key: Key) -> str:
    """SHA-256 of tenant and request id, in hex."""
    tenant, request_id = key
    return hashlib.sha256(f"{tenant}\x00{request_id}".encode("utf-8", "surrogatepass")).hexdigest()


async def of(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, Truths]:
    """Those of the requests that were erased, with the truths of the outcomes that were known then."""
    if await connection.scalar(select(T.id).limit(1)) is None:
        return {}
    by_identity = {identity(key): key for key in keys}
    found: dict[Key, Truths] = {}
    for some in _bites(sorted(by_identity)):
        rows = await connection.execute(select(T.id, T.truths).where(T.id.in_(some)))
        found |= {by_identity[row.id]: json.loads(row.truths) for row in rows}
    return found


async def add(connection: AsyncConnection, erased: Mapping[Key, Truths], *, at: datetime) -> None:
    """Remember erasures."""
    rows = [
        {"id": identity(key), "truths": json.dumps(dict(truths), sort_keys=True), "erased_at": at}
        for key, truths in erased.items()
    ]
    await insert_or_replace(connection, tables.erasures, rows)


def _bites(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + BITE] for start in range(0, len(ids), BITE))
