"""``consensus calibration verify``: does the audit chain hold, in the store and against the topic?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consensus.cli.options import AsJson, Config, run, settings_of, show

if TYPE_CHECKING:
    from calibration.store.chain import Fault
    from calibration.store.verification import Walked
    from consensus.kafka.topic_chain import Compared, Verification

LONG_S = 3_600.0
"""Bound of reading a whole chain."""


def verify(
    config: Config = None,
    topic: Annotated[bool, typer.Option("--topic", help="Compare with the records of the verdicts topic too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Walk the audit chain and name the first record that does not verify; that raises an alarm of severity 0.

    Exit code 1 when anything does not verify.
    """
    found = run(_verify(config, topic))
    value: dict[str, Any] = {
        "verified": not found.faults,
        "store": [_tree(one) for one in found.store],
        "topic": None if found.topic is None else [_tree(one) for one in found.topic],
    }
    summary = "the audit chain does not verify" if found.faults else "the audit chain verifies"
    lines = [*map(_walked, found.store), *map(_compared, found.topic or ()), summary]
    show(value, "\n".join(lines), as_json=as_json)
    if found.faults:
        raise typer.Exit(1)


def _tree(one: Walked | Compared) -> dict[str, Any]:
    return {**asdict(one), "fault": None if one.fault is None else one.fault._asdict()}


def _walked(one: Walked) -> str:
    head = "" if one.head is None else f" · head {one.head[0]} {one.head[1]}"
    return f"store  partition {one.partition}: {one.records} records, {one.erased} erased{head}{_fault(one.fault)}"


def _compared(one: Compared) -> str:
    told = f"{one.records} records from {one.first} on compared, {one.waiting} not ingested yet"
    return f"topic  partition {one.partition}: {told}{_fault(one.fault)}"


def _fault(fault: Fault | None) -> str:
    return "" if fault is None else f"\n       BROKEN at offset {fault.offset}: it {fault.what}"


async def _verify(config: str | None, topic: bool) -> Verification:
    from consensus.app import migrated_store
    from consensus.kafka import topic_chain
    from consensus.ledger.transactions import Transactions

    settings = settings_of(config)
    async with migrated_store(settings) as engine:
        store = Transactions(engine, LONG_S)
        return await topic_chain.verify(settings.kafka, store, topic=topic, at=datetime.now(UTC))
