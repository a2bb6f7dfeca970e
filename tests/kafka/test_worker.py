"""The worker on a broker: every record ends in one verdict, repeat or dead letter, whatever comes between."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consensus import wire
from consensus.errors import ConfigError, DeadLetterLimit, StoreUnavailable
from consensus.kafka.offset_map import decode
from consensus.kafka.plant import Flow
from consensus.ledger.claims import Claims
from consensus.types import Vote
from tests.eventually import eventually
from tests.kafka.brokers import only_apache
from tests.kafka.decisions import Decider, request
from tests.kafka.rig import Rig, header


async def test_a_request_becomes_a_verdict(line: Rig) -> None:
    """One record leads to one verdict, one review task and one signal beside it, and its offset is committed."""
    decide = Decider()
    headers = [("traceparent", b"00-1-2-01"), ("x-call", b"7"), ("secret", b"no")]
    async with line.worker(decide) as running:
        await line.send(request("r1"), partition=1, key=b"else", headers=headers)
        await line.until(verdicts=1, reviews=1, signals=1)
        await line.committed_to(1, partition=1)
        for noun in ("verdicts", "reviews", "signals"):
            [record] = line.seen[noun]
            assert (record.partition, record.key) == (1, b"r1")
            assert dict(record.headers) == {"schema-version": b"1", "traceparent": b"00-1-2-01", "x-call": b"7"}
        assert line.verdicts()[0].request_id == "r1"
        assert decide.paid == {"r1": 1}
        assert running.metrics.value("commits", result="ok") == 1


async def test_the_deadline_counts_from_the_record(line: Rig) -> None:
    """The pipeline is told when the record was made, not when it was read."""
    decide = Decider()
    async with line.worker(decide):
        await line.send(request("r1"), timestamp_ms=1_700_000_000_000)
        await line.until(verdicts=1)
    assert decide.received["r1"] == datetime.fromtimestamp(1_700_000_000, UTC)


async def test_duplicates_repeat_the_verdict(line: Rig) -> None:
    """The same id and payload, in flight, from another partition or later, gives the same bytes and costs no call."""
    decide = Decider()
    decide.hold("r1")
    async with line.worker(decide) as running:
        await line.send(request("r1"))
        await eventually(lambda: "r1" in decide.began)
        await line.send(request("r1", metadata={"attempt": 2}, deadline_ms=5))
        await line.send(request("r1"), partition=1)
        await line.quiet()
        assert line.verdicts() == []
        decide.release()
        await line.until(verdicts=3, signals=1)
        await line.send(request("r1"))
        await line.until(verdicts=4)
        await line.committed_to(3)
        assert len({record.value for record in line.seen["verdicts"]}) == 1
        assert sorted(record.partition for record in line.seen["verdicts"]) == [0, 0, 0, 1]
        assert decide.paid == {"r1": 1}
        assert len(line.seen["signals"]) == len(line.seen["reviews"]) == 1
        assert running.metrics.value("repeats") == 3


async def test_another_payload_is_a_conflict(line: Rig) -> None:
    """The id belongs to the first payload; the other record becomes a dead letter with its position; tenants differ."""
    async with line.worker(Decider()):
        await line.send(request("r1"))
        await line.send(request("r1", prompt="something else?"), key=b"k", headers=[("x-call", b"7"), ("own", b"1")])
        await line.send(request("r1", tenant="other", prompt="something else?"))
        await line.until(verdicts=2, dead_letters=1)
    assert line.codes() == ["conflict"]
    [dead] = line.seen["dead_letters"]
    assert dead.key == b"k"
    assert dead.value == wire.write(request("r1", prompt="something else?"))
    assert (header(dead, "source-topic"), header(dead, "source-partition")) == (line.topics.requests, "0")
    assert header(dead, "source-offset") == "1"
    assert (header(dead, "x-call"), header(dead, "own")) == ("7", "1")
    assert "payload" in header(dead, "error-reason")


async def test_bad_records_among_good_ones(line: Rig) -> None:
    """Each bad record becomes a dead letter that names the fault; the good ones beside it get their verdicts."""
    bad: list[bytes | None] = [
        None,
        b"",
        b"\x00\x00\x00\x00\x01{}",
        b"not json",
        b"{}",
        wire.write(request("r", policy="unknown")),
        b"x" * 30_000,
        b"\xff\xfe",
    ]
    async with line.worker(Decider()):
        for number, value in enumerate(bad):
            await line.send(value, key=None if value else b"k")
            await line.send(request(f"good-{number}"))
        await line.until(verdicts=len(bad), dead_letters=len(bad))
        await line.committed_to(2 * len(bad))
    assert sorted(verdict.request_id for verdict in line.verdicts()) == [f"good-{n}" for n in range(len(bad))]
    offsets = sorted(int(header(record, "source-offset")) for record in line.seen["dead_letters"])
    assert offsets == list(range(0, 2 * len(bad), 2))
    assert "unknown_policy" in line.codes()


async def test_a_record_without_key_and_value(line: Rig) -> None:
    """Even nothing at all becomes a dead letter."""
    async with line.worker(Decider()):
        producer = AIOKafkaProducer(bootstrap_servers=line.settings.bootstrap_servers)
        await producer.start()
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=None)
        await (await producer.send_batch(batch, line.topics.requests, partition=0))
        await producer.stop()
        await line.until(dead_letters=1)
    assert line.seen["dead_letters"][0].value == b""


async def test_an_id_is_free_after_its_dead_letter(line: Rig) -> None:
    """A record with an unknown policy does not block its id: the repaired record is decided."""
    decide = Decider()
    async with line.worker(decide):
        await line.send(request("r1", policy="unknown"))
        await line.until(dead_letters=1)
        await line.send(request("r1"))
        await line.until(verdicts=1)
    assert line.codes() == ["unknown_policy"]


async def test_a_slow_request_holds_nobody_back(line: Rig) -> None:
    """Later records of its partition finish and stay finished over a crash; only the slow one is decided again."""
    decide = Decider()
    decide.hold("slow")
    running = await line.start_worker(decide)
    await line.send(request("slow"))
    for number in range(30):
        await line.send(request(f"r{number}"))
    await line.until(verdicts=30)

    async def mapped() -> bool:
        position = await line.position()
        incomplete, end = decode(position.offset, position.metadata)
        return position.offset == 0 and incomplete == (0,) and end == 31

    await eventually(mapped)
    await running.crash()
    again = Decider()
    async with line.worker(again):
        await line.until(verdicts=31)
        await line.committed_to(31)
    assert again.began == {"slow"}
    assert again.paid == {}
    assert decide.paid["slow"] == 1
    assert len({verdict.request_id for verdict in line.verdicts()}) == len(line.verdicts()) == 31


async def test_a_stored_decision_is_published_as_it_is(line: Rig) -> None:
    """A crash between storing and committing costs nothing: the next worker publishes the stored bytes."""
    running = await line.start_worker(Decider(), transaction_timeout_ms=5_000)
    for lane in running.worker._lanes.values():
        lane._producer.publish = _never  # type: ignore[method-assign]  # a transaction that never ends
    await line.send(request("r1"))
    await eventually(lambda: _stored(running.ledger, "r1"))
    stored = await running.ledger.decisions.first(("default", "r1"))
    assert stored is not None
    assert stored.request == wire.write(request("r1"))
    assert b"panel:m" in (stored.answers or b"")
    await running.crash()
    again = Decider()
    async with line.worker(again) as second:
        await line.until(verdicts=1, reviews=1, signals=1)
        await line.committed_to(1)
        await eventually(lambda: _published(second.ledger, "r1"))
    assert line.seen["verdicts"][0].value == stored.verdict
    assert line.seen["signals"][0].value == stored.signal
    assert again.began == set()


async def _never(records: object, position: object) -> None:
    await asyncio.Event().wait()


async def _stored(ledger, id_: str) -> bool:
    return await ledger.decisions.first(("default", id_)) is not None


async def _published(ledger, id_: str) -> bool:
    return (await ledger.verdict("default", id_))[0] is not None


async def test_only_committed_verdicts_are_known(line: Rig) -> None:
    """After its transaction the verdict is what the ledger answers, and the paid answers have left."""
    async with line.worker(Decider()) as running:
        await line.send(request("r1"))
        await line.until(verdicts=1)
        await eventually(lambda: _published(running.ledger, "r1"))
        value, digest = await running.ledger.verdict("default", "r1")
        assert value == line.seen["verdicts"][0].value
        assert digest == wire.payload_hash(request("r1"))
        assert (await running.ledger.answers.recorded(("default", "r1", digest or ""))).answers == {}


@only_apache
async def test_a_lane_recovers_from_a_failed_transaction(line: Rig) -> None:
    """After an error the producer is thrown away and the lane goes on from what is committed; nothing doubles."""
    decide = Decider()
    async with line.worker(decide) as running:
        [lane] = [lane for source, lane in running.worker._lanes.items() if source == (line.topics.requests, 0)]
        client: Any = lane._producer._producer

        async def fails(*args: object) -> None:
            raise KafkaError("as good as any error")

        client.send_offsets_to_transaction = fails
        await line.send(request("r1"))
        await line.send(request("r2"))
        await line.until(verdicts=2)
        await line.committed_to(2)
        await line.quiet()
        assert sorted(verdict.request_id for verdict in line.verdicts()) == ["r1", "r2"]
        assert decide.paid == {"r1": 1, "r2": 1}
        assert lane.openings == 2


async def test_a_fenced_lane_waits_and_comes_back(line: Rig) -> None:
    """Whoever initialises the producer's id takes the partition; while the group says it is ours, we take it back."""
    async with line.worker(Decider()) as running:
        [lane] = [lane for source, lane in running.worker._lanes.items() if source == (line.topics.requests, 0)]
        rival = AIOKafkaProducer(
            bootstrap_servers=line.settings.bootstrap_servers, transactional_id=lane._producer.transactional_id
        )
        await rival.start()
        await line.send(request("r1"))
        await eventually(lambda: lane.flow is Flow.OPENING)
        await line.quiet()
        assert line.verdicts() == []
        await rival.stop()
        await line.until(verdicts=1)
        assert lane.openings == 2


async def test_drain_finishes_what_was_taken(line: Rig) -> None:
    """SIGTERM: what is in flight is decided and committed, what was not begun is left for the next worker."""
    decide = Decider()
    decide.hold("r0")
    running = await line.start_worker(decide, in_flight=1)
    for number in range(5):
        await line.send(request(f"r{number}"))
    await eventually(lambda: "r0" in decide.began and running.worker.ready)
    draining = asyncio.create_task(running.drain())
    await eventually(lambda: not running.worker.ready)
    decide.release()
    await draining
    await line.until(verdicts=1)
    assert decide.paid == {"r0": 1}
    await line.committed_to(1)  # offsets are seen a moment after the verdict of the same transaction
    assert (await line.position()).offset == 1
    async with line.worker(Decider()):
        await line.until(verdicts=5)


async def test_drain_ends_at_its_deadline(line: Rig) -> None:
    """What does not finish in time is given up cleanly: no crash is counted, and its paid answer is found again."""
    decide = Decider()
    decide.hold("r1")
    running = await line.start_worker(decide, drain_seconds=0.2)
    await line.send(request("r1"))
    await eventually(lambda: decide.paid)
    await running.drain()
    claim = await running.ledger.claim_of("default", "r1")
    assert claim is not None
    assert (claim.run, claim.finishing, claim.crashes) == (None, None, 0)
    again = Decider()
    async with line.worker(again):
        await line.until(verdicts=1)
    assert again.paid == {}


async def test_the_third_crash_is_poison(line: Rig) -> None:
    """A record over which processes keep dying becomes a dead letter; its neighbours do not suffer."""
    for crash in range(2):
        decide = Decider()
        decide.hold("r1")
        running = await line.start_worker(decide, poison_crashes=2)
        if crash == 0:
            await line.send(request("r1"))
        await eventually(partial(decide.began.__contains__, "r1"))
        await running.crash()
    async with line.worker(Decider(), poison_crashes=2):
        await line.send(request("r2"))
        await line.until(dead_letters=1, verdicts=1)
        await line.committed_to(2)
    assert line.codes() == ["poison"]
    assert line.verdicts()[0].request_id == "r2"


async def test_a_bug_over_one_record_is_poison(line: Rig) -> None:
    """An unexpected exception is tried again, counted, and ends in a dead letter without its text."""
    decide = Decider()
    decide.errors["r1"] = [RuntimeError("secret")] * 3
    decide.errors["r2"] = [RuntimeError("secret")]
    async with line.worker(decide):
        await line.send(request("r1"))
        await line.send(request("r2"))
        await line.until(dead_letters=1, verdicts=1)
    assert line.codes() == ["poison"]
    reason = header(line.seen["dead_letters"][0], "error-reason")
    assert "RuntimeError" in reason
    assert "secret" not in reason


async def test_a_retry_is_not_counted(line: Rig) -> None:
    """A store that fails while deciding costs time, not the record."""
    decide = Decider()
    decide.errors["r1"] = [StoreUnavailable("down")] * 4
    async with line.worker(decide):
        await line.send(request("r1"))
        await line.until(verdicts=1)
    assert decide.paid == {"r1": 1}


async def test_stop_ends_the_worker(line: Rig) -> None:
    """An error that a person must look at ends run() with that error."""
    decide = Decider()
    decide.errors["r1"] = [ConfigError("models", "gone")]
    async with line.worker(decide) as running:
        await line.send(request("r1"))
        with pytest.raises(ConfigError, match="gone"):
            await asyncio.wait_for(asyncio.shield(running.task), 20)
        await running.drain()


async def test_a_store_that_is_down_pauses(line: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the store nothing is claimed and nothing lost; when it is back everything goes on."""
    claim = Claims.claim

    async def down(*args, **kwargs):
        raise StoreUnavailable("down")

    async with line.worker(Decider()) as running:
        monkeypatch.setattr(Claims, "claim", down)
        await line.send(request("r1"))
        await eventually(lambda: Flow.STORE in running.worker.flows.values())
        await eventually(lambda: running.metrics.value("backpressure", reason="store") == 1)
        monkeypatch.setattr(Claims, "claim", claim)
        await line.until(verdicts=1)
        await eventually(lambda: running.metrics.value("backpressure", reason="store") == 0)
        assert running.worker._slots.used == 0


async def test_no_more_than_the_limit_is_in_flight(line: Rig) -> None:
    """The worker takes what fits, names why it takes no more, and takes the rest as room comes."""
    decide = Decider()
    decide.hold(*(f"r{number}" for number in range(3)))
    async with line.worker(decide, in_flight=3) as running:
        for number in range(8):
            await line.send(request(f"r{number}"))
        await eventually(lambda: len(decide.began) == 3)
        await eventually(lambda: Flow.IN_FLIGHT in running.worker.flows.values())
        assert running.metrics.value("requests_in_flight") == 3
        await line.quiet()
        assert len(decide.began) == 3
        decide.release("r1")
        await line.until(verdicts=6)
        decide.release()
        await line.until(verdicts=8)
        await line.committed_to(8)


async def test_unfinished_offsets_are_bounded(line: Rig) -> None:
    """One slow request and many done ones fit; too many unfinished ones hold the partition, and no other."""
    decide = Decider()
    decide.hold("a0", "a1", "a2")
    async with line.worker(decide, incomplete_per_partition=3) as running:
        for number in range(4):
            await line.send(request(f"a{number}"))
        await eventually(lambda: Flow.INCOMPLETE in running.worker.flows.values())
        await line.send(request("b0"), partition=1)
        await line.until(verdicts=1)
        assert line.verdicts()[0].request_id == "b0"
        decide.release("a1")
        await line.until(verdicts=3)
        decide.release()
        await line.until(verdicts=5)


@only_apache
async def test_outputs_that_are_too_large_are_dead_letters(line: Rig) -> None:
    """One oversized decision costs its own record only, and frees its id."""
    decide = Decider()
    big = request("big", context="x" * 19_000, metadata={"y": "z" * 100})
    decide.large = {"big"}
    async with line.worker(decide) as running:
        decide.hold("r0", "big", "r1")
        for asked in (request("r0"), big, request("r1")):
            await line.send(asked)
        await eventually(lambda: len(decide.began) == 3)
        decide.release()
        await line.until(verdicts=2, dead_letters=1)
        await line.committed_to(3)
        assert line.codes() == ["oversized"]
        claim = await running.ledger.claim_of("default", "big")
        assert claim is not None
        assert claim.closed


async def test_too_many_dead_letters_stop_the_worker(line: Rig) -> None:
    """A long run of dead letters stops consumption, a restart does not start it again, a person does."""
    running = await line.start_worker(Decider(), dead_letter_run=5)
    for _ in range(12):
        await line.send(b"bad")
    with pytest.raises(DeadLetterLimit):
        await asyncio.wait_for(asyncio.shield(running.task), 20)
    await running.drain()
    await line.quiet()
    assert len(line.codes()) == 5
    again = await line.start_worker(Decider(), dead_letter_run=5)
    with pytest.raises(DeadLetterLimit):
        await asyncio.wait_for(asyncio.shield(again.task), 20)
    await again.drain()
    await line.quiet()
    assert len(line.codes()) == 5
    assert await running.ledger.gates.reset(f"{line.settings.group}:") == 1
    async with line.worker(Decider(), dead_letter_run=50):
        await line.send(request("r1"))
        await line.until(verdicts=1, dead_letters=12)


async def test_votes_are_streamed_on_demand(line: Rig) -> None:
    """Only a record that asks for it gets its votes as they arrive."""
    async with line.worker(Decider()):
        await line.send(request("quiet"))
        await line.send(request("loud"), headers=[("x-stream", b"1"), ("x-call", b"9")])
        await line.until(verdicts=2, votes=1)
    [record] = line.seen["votes"]
    vote = wire.read(Vote, record.value)
    assert (record.key, vote.request_id, vote.entry.label) == (b"loud", "loud", "a")
    assert header(record, "x-call") == "9"


async def test_partitions_that_move_cost_no_call_twice(line: Rig) -> None:
    """When a second worker joins, what the first one is deciding runs on there and is published by the new owner."""
    first, second = Decider(), Decider()
    ids = [f"r{number}" for number in range(8)]
    first.hold(*ids)
    async with line.worker(first, member="w1") as one:
        for number, id_ in enumerate(ids):
            await line.send(request(id_), partition=number % 2)
        await eventually(lambda: len(first.paid) == 8)
        async with line.worker(second, member="w2") as two:
            await eventually(lambda: len(one.worker.flows) == len(two.worker.flows) == 2)
            await eventually(lambda: one.worker.ready and two.worker.ready)
            await line.quiet()
            assert line.verdicts() == []
            first.release()
            await line.until(verdicts=8)
            await line.committed_to(4)
            await line.committed_to(4, partition=1)
    assert second.paid == {}
    assert sorted(verdict.request_id for verdict in line.verdicts()) == ids


async def test_a_promise_ends_with_its_process(line: Rig) -> None:
    """If the process that promised to finish dies, the waiting worker decides, from the answers that are there."""
    first, second = Decider(), Decider()
    ids = [f"r{number}" for number in range(4)]
    first.hold(*ids)
    one = await line.start_worker(first, member="w1")
    for number, id_ in enumerate(ids):
        await line.send(request(id_), partition=number % 2)
    await eventually(lambda: len(first.paid) == 4)
    async with line.worker(second, member="w2") as two:
        await eventually(lambda: len(two.worker.flows) == 2 and two.worker.ready)
        await one.crash()
        await line.until(verdicts=2)
        assert second.paid == {}
        assert len(second.began) in (2, len(ids))  # the session of the dead one may end, too: then it gets them all


async def test_nothing_is_left_behind(line: Rig) -> None:
    """After a drain no task of the worker is left, and no producer's or group member's either."""

    def ours() -> list[str]:
        names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
        kinds = ("Sender.", "GroupCoordinator.", "Worker.", "Lane.", "Shift.", "Deciding.", "Grouped.", "Transactions.")
        return sorted(name for name in names if name.startswith(kinds))

    before = ours()
    async with line.worker(Decider()):
        for number in range(10):
            await line.send(request(f"r{number}"))
        await line.until(verdicts=10)
        assert len(ours()) > len(before)
    await eventually(lambda: ours() == before)
