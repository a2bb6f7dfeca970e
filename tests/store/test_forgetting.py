"""Erasure: the texts go everywhere, what they taught stays, and reading the topics again brings no text back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store import outcomes, tables, verdicts
from calibration.store.engine import metadata
from calibration.store.gathering import gather
from consensus import wire
from consensus.forgetting import erased_at, forget, of_subject
from consensus.kafka.intake import Record
from consensus.ledger import Asked, Ledger, Version
from consensus.ledger.rulings import Arrived, Effect
from consensus.story import tell
from consensus.types import Ruling
from tests.ballots import request
from tests.loop_records import NOON, Log, entry, outcome, signal, verdict
from tests.store.test_ingest import contents, feed, labels

SECRET = "Anna Kowalska, born 4 May 1979"
ONE = ("default", "r-1")
LATER = NOON + timedelta(days=3)


def open_question(**changes: Any) -> dict[str, Any]:
    """What a panel wrote about a named person: two answers, the second of an arbiter's liking."""
    said = (f"{SECRET}: yes", f"{SECRET}: no")
    ballot = [entry("a", "A", label=said[0], cluster=0), entry("b", "B", label=said[1], cluster=1), entry("c", None)]
    arbitration = {"arbiter": "x", "family": "f", "decision": "decided", "label": said[1], "rationale": SECRET}
    return {"ballot": ballot, "arbitration": arbitration, "status": "arbitrated", "route": "arbitrate", **changes}


def records(log: Log) -> list[Record]:
    """Everything that the topics hold on one open question, and on a second request that nobody wants forgotten."""
    spec = {"answer": {"type": "text"}, "candidates": [f"{SECRET}: yes", f"{SECRET}: no"], "top": f"{SECRET}: yes"}
    return log.records(
        verdict(**open_question(answer=f"{SECRET}: no")),
        signal(**open_question(**spec, stakes="critical", posterior=[0.6, 0.3, 0.1])),
        outcome(label=f"{SECRET}: yes", outcome_id="o-1"),
        outcome(label=f"{SECRET}: no", hours=0.5, outcome_id="o-2"),
        outcome(label=SECRET + " or rather something else entirely, 57 mg", source="feedback", outcome_id="o-3"),
        verdict("r-2"),
        signal("r-2"),
        outcome("r-2", "B"),
    )


async def ledgered(engine: AsyncEngine, request_id: str = "r-1", subject: str = "patient-7") -> None:
    """The request with its decision and a ruling, as worker and reviewer leave them."""
    ledger = Ledger(engine)
    asked = Asked("default", request_id, "f" * 64, 0, 7)
    await ledger.claims.claim([asked], now=NOON)
    raw = wire.write(request(id=request_id, prompt=SECRET, context=SECRET, metadata={"subject": subject}))
    await ledger.decisions.keep(asked, Version("default", request_id, 1, wire.write(verdict(request_id)), request=raw))
    await ledger.decisions.mark_committed([("default", request_id, 1)])
    said = {"decision": "answer", "answer": "B", "blind": True, "decided_at": NOON, "note": SECRET}
    ruling = Ruling.model_validate({"task_id": "0:1", "request_id": request_id, "reviewer": "ann", **said})
    arrived = Arrived("default", request_id, "d", 0, 3, wire.write(ruling))
    await ledger.rulings.settle(arrived, lambda _versions, _recorded: Effect())


async def everything(engine: AsyncEngine) -> str:
    """All cells of all tables as one text, rows in an order of their own."""
    async with engine.connect() as connection:
        rows = {table.name: (await connection.execute(table.select())).all() for table in metadata.sorted_tables}
    return repr({name: sorted(map(repr, found)) for name, found in rows.items()})


async def erase(engine: AsyncEngine, *keys: tuple[str, str]) -> Any:
    return await forget(engine, keys or [ONE], at=LATER, timeout_s=10)


async def test_no_table_holds_the_texts_any_more(engine: AsyncEngine) -> None:
    """Question, context, answers, rationale, note: gone from every cell; the other request keeps all of its own."""
    await ledgered(engine)
    await feed(engine, records(Log()))
    assert SECRET in await everything(engine)
    found = await erase(engine)
    assert (found.erased, found.busy, found.unknown) == ((ONE,), (), ())
    assert "Kowalska" not in await everything(engine)
    assert await tell(engine, *ONE) is None
    assert await erased_at(engine, ONE, timeout_s=10) == LATER
    assert await tell(engine, "default", "r-2") is not None
    assert await erased_at(engine, ("default", "r-2"), timeout_s=10) is None


async def test_statistics_and_chain_stay_as_they_were(engine: AsyncEngine) -> None:
    """Labels, truths, packed ballots and alarms are the same, and the audit chain verifies."""
    await feed(engine, records(Log()))
    before, table = await contents(engine), await gathered(engine)
    kept = await truths(engine)
    await erase(engine)
    after = await contents(engine)
    assert {name: after[name] for name in ("labels", "alarms", "panels")} == {
        name: before[name] for name in ("labels", "alarms", "panels")
    }
    assert await gathered(engine) == table
    assert await truths(engine) == kept
    async with engine.connect() as connection:
        assert await verdicts.first_broken(connection) == {}
        (record,) = await verdicts.of_request(connection, *ONE)
        assert record.raw is None


async def test_reading_the_topics_again_brings_the_statistics_back_and_no_text(engine: AsyncEngine) -> None:
    """Into tables that were dropped, in another order: the same rows as before."""
    log = Log()
    sent = records(log)
    await feed(engine, sent)
    await erase(engine)
    before = await everything(engine)
    await drop(engine)
    for record in sorted(sent, key=lambda record: record.topic):  # outcomes before signals before verdicts
        await feed(engine, [record])
    assert "Kowalska" not in await everything(engine)
    assert await everything(engine) == before


async def drop(engine: AsyncEngine) -> None:
    """Empty what is a function of the topics; the ledger is not."""
    async with engine.begin() as connection:
        for table in metadata.sorted_tables:
            if not table.name.startswith("ledger_"):
                await connection.execute(table.delete())


async def test_what_arrives_after_the_erasure_is_stored_without_texts(engine: AsyncEngine) -> None:
    """A later version loses its texts on the way in; an outcome, which nothing is left to compare with, is dropped."""
    log = Log()
    await feed(engine, records(log))
    await erase(engine)
    known = await labels(engine)
    later = outcome(label=f"{SECRET}: no", hours=9, source="audit", outcome_id="o-4")
    await feed(engine, log.records(verdict(version=2, **open_question(answer=f"{SECRET}: no")), later))
    assert "Kowalska" not in await everything(engine)
    assert await labels(engine) == known
    async with engine.connect() as connection:
        assert await verdicts.first_broken(connection) == {}


async def test_erasing_again_changes_nothing(engine: AsyncEngine) -> None:
    """Nor does it lose what the first erasure had noted."""
    await feed(engine, records(Log()))
    await erase(engine)
    before = await everything(engine)
    assert (await erase(engine)).erased == (ONE,)
    assert await everything(engine) == before


async def test_what_is_being_decided_and_what_is_unknown_is_said(engine: AsyncEngine) -> None:
    """The one must be asked for again, the other was never there; neither is noted as erased."""
    worker = Ledger(engine, run="w")
    asked = [Asked("default", name, "f" * 64, 0, i) for i, name in enumerate(("deciding", "publishing"))]
    await worker.claims.claim(asked, now=NOON)
    await worker.decisions.keep(asked[1], Version("default", "publishing", 1, wire.write(verdict("publishing"))))
    await feed(engine, records(Log()))
    busy = (("default", "deciding"), ("default", "publishing"))
    found = await erase(engine, *busy, ("default", "nowhere"), ("other", "r-1"), ONE)
    assert found.erased == (ONE,)
    assert found.busy == busy
    assert found.unknown == (("default", "nowhere"), ("other", "r-1"))
    assert await erased_at(engine, ("default", "nowhere"), timeout_s=10) is None


async def test_a_subject_is_found_by_the_metadata_of_its_requests(engine: AsyncEngine) -> None:
    """Its own tenant's, all of them, and nobody else's."""
    for name, subject in (("r-1", "patient-7"), ("r-2", "patient-77"), ("r-3", "patient-7")):
        await ledgered(engine, name, subject)
    assert await of_subject(engine, "default", "patient-7", timeout_s=10) == [ONE, ("default", "r-3")]
    assert await of_subject(engine, "other", "patient-7", timeout_s=10) == []
    await erase(engine, ONE)
    assert await of_subject(engine, "default", "patient-7", timeout_s=10) == [("default", "r-3")]


async def gathered(engine: AsyncEngine) -> list[Any]:
    """What a refit would learn from."""
    async with engine.connect() as connection:
        table = (await gather(connection)).ballots()
    return [table.ids, table.votes.tolist(), table.truth.tolist(), table.answer_types, table.domains]


async def truths(engine: AsyncEngine) -> Sequence[Any]:
    async with engine.connect() as connection:
        found = await outcomes.of_requests(connection, ["r-1", "r-2"])
        assert await count(connection, tables.outcomes) == 4
    return [(one.digest, one.truth) for group in found.values() for one in group]


async def count(connection: Any, table: Table) -> int:
    return len((await connection.execute(select(table))).all())
