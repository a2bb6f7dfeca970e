"""Rulings on a broker: the next version and the outcome in one transaction, once, from the task's own partition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from consensus import wire
from consensus.types import Outcome, OutcomeSource, ReviewTask, Ruling, Status
from tests.eventually import eventually
from tests.kafka.brokers import only_apache
from tests.kafka.decisions import Decider, request
from tests.kafka.rig import Rig, header


async def asked(line: Rig, id_: str = "r1", *, partition: int = 0) -> ReviewTask:
    """Send a request and wait for its review task."""
    count = len(line.seen["reviews"]) + 1
    await line.send(request(id_), partition=partition)
    await line.until(verdicts=count, reviews=count)
    return wire.read(ReviewTask, line.seen["reviews"][-1].value)


def ruling(task: ReviewTask, choice: str | None = "b", *, decided: str = "answer", **fields: Any) -> Ruling:
    plain = {
        "task_id": task.task_id,
        "request_id": task.request_id,
        "reviewer": "ann",
        "decision": decided,
        "answer": choice if decided == "answer" else None,
        "blind": True,
        "decided_at": datetime(2026, 2, 1, tzinfo=UTC),
    }
    return Ruling.model_validate(plain | fields)


def outcomes(line: Rig) -> list[Outcome]:
    return [wire.read(Outcome, record.value) for record in line.seen["outcomes"]]


async def test_a_ruling_makes_version_two_and_an_outcome(line: Rig) -> None:
    """The verdict of a pending case becomes the person's answer, and the calibration gets its ground truth."""
    async with line.worker(Decider()) as running:
        task = await asked(line, partition=1)
        assert task.task_id.startswith("1:")
        await line.send(ruling(task), topic="rulings", partition=1, headers=[("x-desk", b"7")])
        await line.until(verdicts=2, outcomes=1)
        await line.committed_to(1, partition=1, topic="rulings")
        first, second = line.verdicts("r1")
        assert (second.version, second.supersedes, second.status, second.answer) == (2, 1, Status.REVIEWED, "b")
        assert first.status is Status.PENDING_REVIEW
        assert line.seen["verdicts"][1].partition == 1
        assert header(line.seen["verdicts"][1], "x-desk") == "7"
        [outcome] = outcomes(line)
        assert (outcome.label, outcome.source) == ("b", OutcomeSource.BLIND_REVIEW)

        async def known() -> bool:
            return (await running.ledger.verdict("default", "r1"))[0] == line.seen["verdicts"][1].value

        await eventually(known)


async def test_a_ruling_counts_once(line: Rig) -> None:
    """The same ruling again, and a second person's, change nothing; a repeated request gets the second version."""
    async with line.worker(Decider()):
        task = await asked(line)
        await line.send(ruling(task), topic="rulings")
        await line.send(ruling(task), topic="rulings")
        await line.send(ruling(task, "a", reviewer="bob"), topic="rulings")
        await line.committed_to(3, topic="rulings")
        await line.until(verdicts=2, outcomes=1)
        await line.send(request("r1"))
        await line.until(verdicts=3)
        await line.quiet()
    assert [verdict.version for verdict in line.verdicts()] == [1, 2, 2]
    assert line.seen["verdicts"][2].value == line.seen["verdicts"][1].value
    assert len(outcomes(line)) == 1
    assert line.codes() == []


async def test_a_ruling_on_another_partition_is_moved(line: Rig) -> None:
    """Whoever produces rulings need not know our partitions: the task id brings them home."""
    async with line.worker(Decider()):
        task = await asked(line, partition=1)
        await line.send(ruling(task), topic="rulings", partition=0, headers=[("x-desk", b"7")])
        await line.until(verdicts=2, outcomes=1, rulings=2)
    assert [record.partition for record in line.seen["rulings"]] == [0, 1]
    assert line.seen["rulings"][1].value == line.seen["rulings"][0].value
    assert header(line.seen["rulings"][1], "x-desk") == "7"
    assert line.verdicts("r1")[1].status is Status.REVIEWED


async def test_bad_rulings_are_dead_letters(line: Rig) -> None:
    """Unknown tasks and answers off the spec are named, and do not use up the case."""
    async with line.worker(Decider()):
        task = await asked(line)
        bad: list[Ruling | bytes] = [
            ruling(task, task_id="0:unknown"),
            ruling(task, task_id="9:elsewhere"),
            ruling(task, task_id="nonsense"),
            ruling(task, task_id="²:no-digit"),
            ruling(task, request_id="nobody"),
            ruling(task, tenant="other"),
            ruling(task, "c"),
            b"not json",
            b"x" * 30_000,
        ]
        for record in bad:
            await line.send(record, topic="rulings")
        await line.send(ruling(task), topic="rulings")
        await line.until(verdicts=2, outcomes=1, dead_letters=len(bad))
    assert sorted(line.codes()) == ["not_json", "too_large", "unknown_option", *["unknown_task"] * 6]
    assert {header(record, "source-topic") for record in line.seen["dead_letters"]} == {line.topics.rulings}


async def test_an_abstention_leaves_it_pending(line: Rig) -> None:
    """A reviewer who abstains decides nothing; the next one does."""
    async with line.worker(Decider()):
        task = await asked(line)
        await line.send(ruling(task, decided="abstain"), topic="rulings")
        await line.committed_to(1, topic="rulings")
        await line.quiet()
        assert len(line.verdicts()) == 1
        assert outcomes(line) == []
        await line.send(ruling(task, reviewer="bob", decided="none_correct"), topic="rulings")
        await line.until(verdicts=2, outcomes=1)
    assert line.verdicts()[1].status is Status.ABSTAINED
    assert outcomes(line)[0].label is None


async def test_audits(line: Rig) -> None:
    """An audit that agrees yields only an outcome; one that contradicts replaces the released answer."""
    async with line.worker(Decider(status=Status.ACCEPTED, audit=True)):
        agreed, contradicted = await asked(line, "r1"), await asked(line, "r2")
        await line.send(ruling(agreed, "a"), topic="rulings")
        await line.until(outcomes=1)
        await line.send(ruling(contradicted, "b"), topic="rulings")
        await line.until(outcomes=2, verdicts=3)
        await line.quiet()
    assert [verdict.version for verdict in line.verdicts("r1")] == [1]
    assert [verdict.answer for verdict in line.verdicts("r2")] == ["a", "b"]
    assert {outcome.source for outcome in outcomes(line)} == {OutcomeSource.AUDIT}
    assert {outcome.propensity for outcome in outcomes(line)} == {0.25}


async def test_an_unblinded_ruling_is_no_outcome(line: Rig) -> None:
    """It decides the case, but the calibration never sees it."""
    async with line.worker(Decider()):
        task = await asked(line)
        await line.send(ruling(task, blind=False), topic="rulings")
        await line.until(verdicts=2)
        await line.committed_to(1, topic="rulings")
        await line.quiet()
    assert line.verdicts()[1].status is Status.REVIEWED
    assert outcomes(line) == []


async def test_a_crash_repeats_the_same_version(line: Rig) -> None:
    """A ruling that was recorded but not committed is published by its redelivery, byte for byte."""
    running = await line.start_worker(Decider())
    task = await asked(line)
    await until_stuck(line, running.worker._lanes, lambda: line.send(ruling(task), topic="rulings"))

    async def recorded() -> bool:
        return len(await running.ledger.decisions.history("default", "r1")) == 2

    await eventually(recorded)
    stored = (await running.ledger.decisions.history("default", "r1"))[1]
    await running.crash()
    async with line.worker(Decider()):
        await line.until(verdicts=2, outcomes=1)
        await line.committed_to(1, topic="rulings")
    assert line.seen["verdicts"][1].value == stored.verdict
    assert line.seen["outcomes"][0].value == stored.outcome


async def until_stuck(line: Rig, lanes: Any, send: Callable[[], Awaitable[object]]) -> None:
    """Send while no transaction of the rulings' lanes ever ends."""

    async def never(records: object, position: object) -> None:
        await eventually(lambda: False, seconds=60)

    for source, lane in lanes.items():
        if source.topic == line.topics.rulings:
            lane._producer.publish = never
    await send()


@only_apache
async def test_version_and_outcome_come_together(line: Rig) -> None:
    """A transaction that fails after producing shows neither; the next one shows both, once."""
    async with line.worker(Decider()) as running:
        task = await asked(line)
        [lane] = [lane for source, lane in running.worker._lanes.items() if source == (line.topics.rulings, 0)]
        client: Any = lane._producer._producer

        async def fails(*args: object) -> None:
            raise KafkaError("as good as any error")

        client.send_offsets_to_transaction = fails
        await line.send(ruling(task), topic="rulings")
        await line.until(verdicts=2, outcomes=1)
        await line.quiet()
        assert lane.openings == 2
    assert [verdict.version for verdict in line.verdicts()] == [1, 2]
    assert len(outcomes(line)) == 1


@pytest.mark.parametrize("overlap", [2])
async def test_two_people_must_agree(line: Rig, overlap: int) -> None:
    """A task for two is settled by the second person who says the same."""
    decide = Decider()
    decide.overlap = overlap
    async with line.worker(decide):
        task = await asked(line)
        await line.send(ruling(task, "b"), topic="rulings")
        await line.committed_to(1, topic="rulings")
        await line.quiet()
        assert len(line.verdicts()) == 1
        await line.send(ruling(task, "b", reviewer="bob"), topic="rulings")
        await line.until(verdicts=2, outcomes=1)
    assert line.verdicts()[1].answer == "b"
