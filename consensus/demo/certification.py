"""The end of the second act: a campaign on recent requests, with a blind reviewer who is always right.

The reviewer is SIMULATED like the models; freezing, tasks, rulings, boundary and certificate are the service's own.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import campaigns, classes
from calibration.store.certification import status
from calibration.store.engine import reading
from consensus import policy
from consensus.app import store
from consensus.demo.cases import Case
from consensus.demo.house import House
from consensus.demo.traffic import Progress, Traffic, Unanswered
from consensus.freezing import NothingToCertify, Wanted, freeze, publish
from consensus.kafka.snapshots import Publisher

ALPHA = 0.15
"""What 80 labels can show of a panel like this one; a tenth would take about twice as many."""

LABELS = 80
CAMPAIGN_S = 300.0
POLL_S = 0.2


async def certify(home: House, traffic: Traffic, recent: Sequence[Case], done: Progress) -> dict[str, Any]:
    """Run a campaign on the class of most recent requests; what came of it. Raises Unanswered."""
    wanted = _wanted(home, recent)
    cases = {case.request.id: case for case in recent}
    async with store(home.settings) as engine:
        await _until(lambda: _ingested(engine, wanted, recent), "the calibrator did not ingest the recent requests")
        try:
            opening = await freeze(engine, wanted, datetime.now(UTC))
        except NothingToCertify as error:
            return {"state": "impossible", "class": wanted.cls, "alpha": wanted.alpha, "why": str(error)}
        if not opening.promising:
            found = {"state": "infeasible", "class": wanted.cls, "alpha": wanted.alpha, "budget": wanted.budget}
            return {**found, "archive": opening.definition.archive, "would_do": opening.would_do}
        known = await traffic.task_records()
        publisher = Publisher(home.settings.kafka)
        await publisher.start()
        try:
            await publish(publisher, opening)
        finally:
            await publisher.stop()
        ident = opening.definition.id

        async def over() -> bool:
            await traffic.rule_on_new(known, cases, done)
            return await _ended(engine, ident)

        await _until(over, f"the campaign {ident} did not end")
        async with reading(engine).connect() as connection:
            found = await status(connection, ident)
    if found["state"] == "certified":
        await _until(lambda: _deployed(home), "the worker did not take up the certificate")
    return found


def _wanted(home: House, recent: Sequence[Case]) -> Wanted:
    policies, panels = home.settings.policy_policies(), home.settings.panel_policies()
    picked = [(policy.select(policies, case.request), case.request.domain) for case in recent]
    chosen = {one.class_of(domain): one for one, domain in picked}
    [(cls, _)] = Counter(one.class_of(domain) for one, domain in picked).most_common(1)
    rules = chosen[cls]
    horizon = home.settings.audit.horizon_hours
    return Wanted(cls, rules, panels[rules.panel], ALPHA, rules.delta, LABELS, horizon)


async def _ingested(engine: AsyncEngine, wanted: Wanted, recent: Sequence[Case]) -> bool:
    """Whether every recent request of the class has reached the calibration store."""
    ids = {case.request.id for case in recent if wanted.policy.class_of(case.request.domain) == wanted.cls}
    async with reading(engine).connect() as connection:
        rows = await classes.decisions(connection, wanted.cls, most=10 * len(recent))
    return ids <= {row.request_id for row in rows}


async def _ended(engine: AsyncEngine, ident: str) -> bool:
    async with reading(engine).connect() as connection:
        return (await campaigns.later(connection, ident)).end is not None


async def _deployed(home: House) -> bool:
    """Whether the worker says that a class decides with a certified snapshot."""
    url = f"http://{home.probe('worker')}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        found = re.search(r"^consensus_certified_classes (\S+)$", await reply.text(), re.MULTILINE)
    return found is not None and float(found[1]) >= 1


async def _until(holds: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    try:
        async with asyncio.timeout(CAMPAIGN_S):
            while not await holds():  # noqa: ASYNC110  (store and topics are polled)
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise Unanswered(f"{otherwise} within {CAMPAIGN_S:g} s") from None
