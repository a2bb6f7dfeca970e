"""Brokers that die, all of them or the one that matters; a commit whose answer is lost. Workers go on by themselves."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient

from consensus.types import Request
from tests.eventually import eventually
from tests.faults.proxy import END_TXN, proxy
from tests.faults.rig import Rig, rig
from tests.kafka.cluster import Broker, Cluster, cluster, free_ports

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600, method="signal")]

DOWN_S = 60.0
"""How long all brokers are away."""

RECOVER_S = 240.0
PATIENT = {"session_timeout_ms": 6_000, "rebalance_timeout_ms": 8_000, "request_timeout_ms": 12_000}


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    """A cluster of three, everything replicated to all of them."""
    with cluster(3) as running:
        yield running


@pytest_asyncio.fixture
async def replicated(three: Cluster, tmp_path: Path, prefix: str) -> AsyncIterator[Rig]:
    """Everything but the workers, on three brokers."""
    await asyncio.to_thread(three.restart)
    async with rig(tmp_path, three.bootstrap, prefix, kafka={"replication": 3, **PATIENT}) as made:
        yield made


def requests(house: Rig, name: str, count: int = 15) -> list[Request]:
    return [house.request(f"{name}-{number}") for number in range(count)]


async def leader_of(house: Rig, three: Cluster, topic: str) -> Broker:
    """The broker that leads partition 0 of a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=three.bootstrap)
    await admin.start()
    try:
        [described] = await admin.describe_topics([topic])
    finally:
        await admin.close()
    leader = next(part["leader"] for part in described["partitions"] if part["partition"] == 0)
    return three.brokers[leader - 1]


@pytest.mark.slow
@pytest.mark.parametrize("topic", ["verdicts", "__transaction_state", "__consumer_offsets"])
async def test_the_death_of_a_leader_or_coordinator_loses_nothing(replicated: Rig, three: Cluster, topic: str) -> None:
    """kill -9 under load of whoever leads the verdicts, coordinates the transactions, or coordinates the group."""
    house = replicated
    await house.start("worker")
    await house.send(requests(house, "before"))
    await house.settled(RECOVER_S)
    broker = await leader_of(house, three, house.topics.verdicts if topic == "verdicts" else topic)
    await house.send(requests(house, "during", 30))
    await asyncio.to_thread(broker.kill)
    await house.settled(RECOVER_S)
    await asyncio.to_thread(three.restart)
    await house.send(requests(house, "after"))
    await house.settled(RECOVER_S)
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 60


@pytest.mark.parametrize("point", ["after_send_offsets", "during_commit"])
async def test_the_coordinator_dies_during_a_commit(replicated: Rig, three: Cluster, point: str) -> None:
    """The worker stands still with its commit to be sent, or just sent; it goes on when its coordinator is dead."""
    house = replicated
    await house.start("worker", point, "1", "SIGSTOP")
    await house.send(requests(house, "before", 5))
    await house.settled(RECOVER_S)
    house.signal("worker", signal.SIGUSR1)
    await house.send(requests(house, "during"))
    await house.frozen("worker")
    broker = await leader_of(house, three, "__transaction_state")
    await asyncio.to_thread(broker.kill)
    house.signal("worker", signal.SIGCONT)
    await house.settled(RECOVER_S)
    await asyncio.to_thread(three.restart)
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 20


@pytest.mark.slow
async def test_a_rolling_restart_is_not_noticed(replicated: Rig, three: Cluster) -> None:
    """One broker after the other leaves and comes back, under load."""
    house = replicated
    await house.start("worker")
    for number, broker in enumerate(three.brokers):
        await house.send(requests(house, f"round-{number}"))
        await asyncio.to_thread(broker.leave)
        await house.settled(RECOVER_S)
        await asyncio.to_thread(three.restart)
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 45


@pytest.mark.slow
async def test_all_brokers_away_for_a_while(replicated: Rig, three: Cluster) -> None:
    """The worker waits, and goes on without an operator; it is the same process afterwards."""
    house = replicated
    worker = await house.start("worker")
    await house.order(latency_s=1.0)
    await house.send(requests(house, "before", 30))
    await house.asked(30)
    await asyncio.to_thread(three.kill)
    await asyncio.sleep(DOWN_S)
    assert worker.returncode is None, worker.tail()
    await asyncio.to_thread(three.restart)
    await house.settled(RECOVER_S)
    await house.send(requests(house, "after"))
    await house.settled(RECOVER_S)
    evidence = await house.verify()
    assert len(evidence.of("verdicts")) == 45
    assert worker.returncode is None


async def test_a_lost_answer_to_a_commit_is_found_out(tmp_path: Path, prefix: str) -> None:
    """The transaction is committed and its producer never hears of it: what it published is not published again."""
    reached = free_ports(3)
    async with AsyncExitStack() as stack:
        running = stack.enter_context(cluster(3, advertised=reached))
        fronts = [
            await stack.enter_async_context(proxy(port, ("127.0.0.1", broker.ports.client)))
            for port, broker in zip(reached, running.brokers, strict=True)
        ]
        kafka = {"replication": 3, **PATIENT}
        house = await stack.enter_async_context(rig(tmp_path, running.bootstrap, prefix, kafka=kafka))
        await house.start("worker")
        await house.send(requests(house, "before", 5))
        await house.settled(RECOVER_S)
        for number in range(1, 4):
            for between in fronts:  # one of them stands before the transactions' coordinator
                between.lose_answer(END_TXN)
            await house.send(requests(house, f"lost-{number}", 5))
            await house.settled(RECOVER_S)
            assert sum(between.lost for between in fronts) >= number
        evidence = await house.verify()
        assert len(evidence.of("verdicts")) == 20


@pytest.mark.slow
async def test_a_broker_killed_behind_a_commit_repeats_the_same_bytes_without_a_call(
    tmp_path: Path, prefix: str
) -> None:
    """A single broker may lose the markers of a committed transaction: what is published again is the same."""
    with cluster(1) as running:
        [broker] = running.brokers
        async with rig(tmp_path, running.bootstrap, prefix, kafka=PATIENT) as house:
            await house.start("worker")
            for number in range(4):
                await house.send(requests(house, f"round-{number}", 5))
                await eventually(partial(some_finished, house, 5 * number), seconds=RECOVER_S)
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(running.restart)
            await house.settled(RECOVER_S)
            evidence = await house.verify(repeats=True)
            assert len({record.key for record in evidence.of("verdicts")}) == 20


async def some_finished(house: Rig, before: int) -> bool:
    """Whether something of this round is committed: the moment right behind a commit."""
    return len(house.sent) - await house.unfinished() > before
