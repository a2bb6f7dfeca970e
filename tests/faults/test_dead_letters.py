"""Records that can never work: one that kills, a flood of nonsense, too large an output, and nowhere to put them."""

from __future__ import annotations

import pytest

from consensus.kafka.dump import Dumped
from consensus.ledger import Ledger
from tests.eventually import eventually
from tests.faults.rig import SETTLE_S, Rig
from tests.hostile import CASES

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

NONSENSE = (
    None,
    b"",
    b"{",
    b"[]",
    b"\x00\x00\x00\x00\x01",
    b"\xff\xfe",
    b'{"id": 1}',
    b'{"id": "x", "deadline_ms": 1e999}',
)

PRODUCER_TAKES = 900_000
"""Bytes; a larger record never reaches the topic."""


def codes(letters: list[Dumped]) -> list[bytes]:
    return [letter.headers["error-code"] for letter in letters]


async def test_a_record_that_is_in_flight_at_three_crashes_is_poison(house: Rig) -> None:
    """It becomes a dead letter instead of killing for ever; the others of its partition get their verdicts."""
    await house.order(hangs=True)
    await house.send([house.request("poison")], partition=0)
    for crash in range(3):
        await house.start("worker", poison_crashes=3)
        await house.asked(3 * (crash + 1))
        house.processes["worker"].kill()
        await house.died("worker")
    await house.order(latency_s=0.0)
    calls = await house.calls()
    await house.start("worker", poison_crashes=3)
    await house.send([house.request(f"after-{number}") for number in range(5)], partition=0)
    await house.settled()
    evidence = await house.verify(paid_again=calls)
    assert codes(list(evidence.of("dead_letters"))) == [b"poison"]
    assert len(evidence.of("verdicts")) == 5


async def test_hostile_records_go_to_the_dead_letters_and_nothing_else_stops(house: Rig) -> None:
    """Every kind of unreadable or malicious record, each behind a good one in the same partition."""
    hostile = [*NONSENSE, *(case.value for case in CASES.values() if len(case.value or b"") < PRODUCER_TAKES)]
    assert len(hostile) > 60
    await house.start("worker", dead_letter_run=1_000, dead_letter_ratio=1.0)
    for number, value in enumerate(hostile):
        await house.send([house.request(f"good-{number}")], partition=0)
        await house.send_raw([(b"key", value, 0)])
    await house.settled()
    evidence = await house.verify()
    assert {letter.value for letter in evidence.of("dead_letters")} == set(hostile)
    assert len(evidence.of("dead_letters")) == len(hostile)
    assert len(evidence.of("verdicts")) == len(hostile)


async def test_a_flood_of_dead_letters_stops_consumption_and_a_restart_does_not_swallow_more(house: Rig) -> None:
    """Rather a bad deploy than bad input: the worker exits and says so, again and again, until a person has looked."""
    await house.send_raw([(None, b"nonsense", 0) for _ in range(200)])
    for _ in range(2):
        await house.launch("worker", dead_letter_run=20, commit_batch=10)
        await house.died("worker")
        assert house.processes["worker"].returncode == 1
        assert "consensus dead-letters" in house.processes["worker"].tail()
    swallowed = len(await house.dumped("dead_letters"))
    assert 20 <= swallowed <= 30
    await Ledger(house.engine).gates.reset(f"{house.settings.kafka.group}:")
    await house.start("worker", dead_letter_run=1_000, dead_letter_ratio=1.0)
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("dead_letters")) == 200


async def test_without_the_dead_letter_topic_the_worker_stops_and_skips_nothing(house: Rig) -> None:
    """Its topic is gone for a while: the nonsense stays where it is, and so does the committed offset."""
    await house.remove("dead_letters")
    await house.start("worker", request_timeout_ms=6_000)
    await house.send_raw([(None, b"nonsense", 0)])
    worker = house.processes["worker"]
    await eventually(lambda: "lane opens again" in worker.tail(40), seconds=SETTLE_S)
    assert await house.unfinished() == 1
    await house.restore()
    await house.send([house.request("after")], partition=0)
    await house.settled()
    evidence = await house.verify()
    assert len(evidence.of("dead_letters")) == 1
    assert len(evidence.of("verdicts")) == 1


async def test_an_output_that_the_broker_refuses_becomes_a_dead_letter(house: Rig) -> None:
    """Verdicts of any size are too large for this topic; the partition goes on, and later requests get theirs."""
    await house.configure("verdicts", max_message_bytes=300)
    await house.start("worker")
    await house.send([house.request(f"large-{number}") for number in range(3)], partition=0)
    await house.settled()
    in_vain = await house.calls()
    await house.configure("verdicts", max_message_bytes=1_000_000)
    await house.send([house.request("later")], partition=0)
    await house.settled()
    evidence = await house.verify(paid_again=in_vain)
    assert codes(list(evidence.of("dead_letters"))) == [b"oversized"] * 3
    assert [record.key for record in evidence.of("verdicts")] == [b"later"]
