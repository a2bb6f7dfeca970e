"""The watch over certificates: audited outcomes of accepted answers revoke, and only those; audits against plan."""

from __future__ import annotations

from datetime import timedelta

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration import campaign
from calibration.campaign import End
from calibration.classes import ClassState
from calibration.snapshot import Snapshot
from calibration.store import alarms, classes
from calibration.store.certification import overview
from consensus.kafka.watch import Watch
from consensus.ledger.transactions import Transactions
from consensus.types import Decision, Status
from tests import simulated_world as world
from tests.store.stage import NOW, TOPICS, Stage

AUDITS = 40


def certified(snapshot: Snapshot) -> tuple[Snapshot, End]:
    """A class that is certified for every confidence, by a campaign on cases that were all right."""
    items = [campaign.Item("default", f"c-{i}", "law", 0.3, 0) for i in range(120)]
    definition = campaign.define(
        items, cls="default", cycle=1, policy="default", rule=None, snapshot=snapshot, alpha=0.15, delta=0.05,
        classes=1, budget=100, opened_at=NOW - timedelta(days=1), horizon_hours=24.0,
    )  # fmt: skip
    end = campaign.conclude(definition, campaign.wrongs(definition, {item.key: 0 for item in items}), NOW)
    assert end.certificate is not None
    return campaign.certified(campaign.frozen(snapshot, "default"), end.certificate), end


@pytest_asyncio.fixture
async def stage(engine: AsyncEngine) -> Stage:
    """A certified class in use."""
    made, fitted = Stage(engine), world.snapshot(120)
    deployed, end = certified(fitted)
    await made.publish(fitted)
    await made.record(end.key, end.to_json())
    await made.publish(deployed)
    made.now = NOW + timedelta(hours=1)
    return made


def deployed_on(stage: Stage) -> Snapshot:
    raw = next(record.value for record in stage.records if record.key == b"certified/default")
    assert raw is not None
    return Snapshot.from_json(raw)


async def accepted(stage: Stage, number: int, *, drawn: bool = True) -> Decision:
    """A request that is accepted under the certificate, drawn for an audit."""
    snapshot = deployed_on(stage)
    made = await stage.decided(world.request(f"r-{number}"), world.policy(), snapshot, drawn=drawn)
    assert (made.verdict.status, made.verdict.reasons) == (Status.ACCEPTED, ("certified",))
    assert made.verdict.certificate is not None
    return made


def wrong(decision: Decision) -> str:
    """An option that was not accepted."""
    return next(option for option in world.OPTIONS if option != decision.verdict.answer)


async def look(stage: Stage) -> dict[tuple[str, str], ClassState]:
    store = Transactions(stage.engine, 10)
    await stage.flush()
    await Watch(
        store, store, stage.record, 24.0, clock=lambda: stage.clock, now=lambda: stage.now
    ).consider(news=True)  # fmt: skip
    async with stage.engine.connect() as connection:
        return await classes.current(connection)


async def test_wrong_audits_revoke_with_an_alarm_and_once(stage: Stage) -> None:
    """Twenty of forty wrong where at most .15 was promised; the next look says nothing new."""
    for i in range(AUDITS):
        made = await accepted(stage, i)
        stage.told(f"r-{i}", wrong(made) if i % 2 else str(made.verdict.answer))
    found = await look(stage)
    state = found["default", "revoked"]
    assert (state.active, state.by, state.certificate) == (True, "monitor", "default:1")
    assert "of 40 blind audits" in state.reason
    async with stage.engine.connect() as connection:
        [alarm] = [a for a in await alarms.newest(connection, 9) if a["code"] == "certificate_revoked"]
        told = await overview(connection, stage.now)
    assert (alarm["severity"], alarm["subject"]) == (1, "default")
    assert told["certificates"][0]["revoked"]
    records = len(stage.records)
    await look(stage)
    assert len(stage.records) == records


async def test_audits_that_agree_revoke_nothing(stage: Stage) -> None:
    for i in range(AUDITS):
        made = await accepted(stage, i)
        stage.told(f"r-{i}", str(made.verdict.answer))
    assert await look(stage) == {}


async def test_only_what_was_drawn_counts(stage: Stage) -> None:
    """Complaints about answers that nobody drew would be a sample of the wrong ones."""
    for i in range(AUDITS):
        made = await accepted(stage, i, drawn=False)
        stage.told(f"r-{i}", wrong(made))
    assert await look(stage) == {}


async def test_the_order_is_that_of_the_draw_and_not_of_the_answers(stage: Stage) -> None:
    """Wrong answers are reported sooner: until the first drawn case has a label, the later ones do not count."""
    made = [await accepted(stage, i) for i in range(AUDITS)]
    for i in range(1, AUDITS):
        stage.told(f"r-{i}", wrong(made[i]))
    assert await look(stage) == {}
    stage.told("r-0", str(made[0].verdict.answer))
    assert (await look(stage))["default", "revoked"].active


async def test_an_audit_without_a_label_at_its_horizon_is_an_error(stage: Stage) -> None:
    for i in range(AUDITS):
        await accepted(stage, i)
    assert await look(stage) == {}
    stage.now += timedelta(hours=25)
    assert (await look(stage))["default", "revoked"].active


async def test_feedback_on_drawn_cases_counts_for_the_monitor(stage: Stage) -> None:
    """It fits nothing and certifies nothing, but a complaint about an audited answer is heard."""
    for i in range(AUDITS):
        made = await accepted(stage, i)
        stage.told(f"r-{i}", wrong(made), source="feedback")
    assert (await look(stage))["default", "revoked"].active


async def test_a_class_below_its_audit_plan_raises_an_alarm(stage: Stage) -> None:
    """After a week; the report shows how many there are and when the rest is due."""
    for i in range(4):
        made = await accepted(stage, i)
        stage.told(f"r-{i}", str(made.verdict.answer))
        stage.now += timedelta(days=3)
    await look(stage)
    async with stage.engine.connect() as connection:
        found = [alarm for alarm in await alarms.newest(connection, 9) if alarm["code"] == "audits_below_plan"]
        [plan] = (await overview(connection, stage.now))["audits"]
    assert [(alarm["severity"], alarm["subject"]) for alarm in found] == [(3, "default")]
    assert (plan["audits"], plan["needed"], plan["behind"]) == (4, 130, True)
    assert plan["due"] is not None


async def test_a_snapshot_that_workers_refuse_is_an_alarm(stage: Stage) -> None:
    """Damaged, of another format, not finite, or of models that nobody configured; it replaces nothing by itself."""
    good = deployed_on(stage).to_json()
    for bad in (good[:-1], good.replace(b'"format":1', b'"format":0'), good.replace(b'"labels":', b'"labels":1', 1)):
        stage.put(TOPICS.snapshots, bad, "default")
    stage.put(TOPICS.snapshots, good.replace(b'"alpha":0.15', b'"alpha":NaN'), "certified/default")
    await stage.flush()
    stage.models = frozenset("ab")
    await stage.publish(deployed_on(stage))
    async with stage.engine.connect() as connection:
        found = await alarms.newest(connection, 9)
    refused = [alarm for alarm in found if alarm["code"] == "snapshot_refused"]
    assert {alarm["severity"] for alarm in refused} == {2}
    assert len(refused) == 5
    assert any("not configured: ['c', 'd']" in str(alarm["detail"]) for alarm in refused)


async def test_states_of_classes_are_kept_with_who_and_why(stage: Stage) -> None:
    """A hold and its release; a state that cannot be read is an alarm and changes nothing here."""
    plain = {"class": "default", "state": "held", "reason": "odd answers", "by": "ann"}
    for active in (True, False):
        state = ClassState.model_validate({**plain, "active": active, "at": stage.now})
        await stage.record(state.key, state.to_json())
    await stage.record("class/default:held", b"{}")
    async with stage.engine.connect() as connection:
        history = await classes.history(connection, "default")
        found = [alarm["code"] for alarm in await alarms.newest(connection, 9)]
        assert not (await classes.current(connection))["default", "held"].active
    assert [(state.active, state.by, state.reason) for state in history] == [
        (True, "ann", "odd answers"), (False, "ann", "odd answers"),
    ]  # fmt: skip
    assert found == ["record_unreadable"]
