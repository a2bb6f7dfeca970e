"""Worker processes on real Kafka that are killed, frozen, joined and left while requests keep coming.

What is checked of each run: every request has one verdict, every signal came once, nothing became a dead letter, and no
call was begun again after its answer had been recorded. The figures are printed (`pytest -s`).
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from calibration.store.engine import create_engine
from consensus import wire
from consensus.errors import Retry
from consensus.kafka.dump import dump
from consensus.kafka.progress import positions
from consensus.kafka.topic_admin import create_topics
from consensus.kafka.topics import Topics
from consensus.ledger import tables
from consensus.settings import KafkaSettings
from tests.eventually import eventually
from tests.kafka.cluster import cluster
from tests.kafka.decisions import request
from tests.kafka.worker_process import CALLS

pytestmark = [pytest.mark.kafka, pytest.mark.soak, pytest.mark.timeout(900, method="signal")]

SECONDS = 30.0
RATE = 20.0
SETTLE_S = 240.0
ROOT = Path(__file__).parents[2]


@dataclass
class Storm:
    """Worker processes by member id, what was sent, and what readers have seen."""

    settings: KafkaSettings
    folder: Path
    delay_s: float
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    verdicts: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    signals: Counter[str] = field(default_factory=Counter)
    dead: int = 0
    sent: int = 0
    disturbances: int = 0

    @property
    def url(self) -> str:
        return f"sqlite+aiosqlite:///{self.folder / 'store.sqlite'}"

    def start(self, member: str) -> None:
        with (self.folder / f"{member}.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.kafka.worker_process", member, self.url]
            process = subprocess.Popen(
                [*command, str(self.folder / "paid"), str(self.delay_s)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        assert process.stdin is not None
        process.stdin.write(self.settings.model_dump_json().encode())
        process.stdin.close()
        self.processes[member] = process

    def kill(self, member: str) -> None:
        self.processes[member].kill()
        self.processes[member].wait()

    async def settled(self) -> bool:
        """Whether everything that was sent is committed as finished."""
        with suppress(Retry):
            found = await positions(self.settings)
            return sum(position.offset for position in found.values()) == self.sent
        return False

    async def read(self) -> None:
        """What committed readers see, all of it."""
        topics = Topics(self.settings.prefix)
        for record in await dump(self.settings, topics.verdicts):
            self.verdicts[(record.key or b"").decode()].append(record.value or b"")
        self.signals.update((record.key or b"").decode() for record in await dump(self.settings, topics.signals))
        self.dead = len(await dump(self.settings, topics.dead_letters))

    def paid(self) -> tuple[int, list[str]]:
        """How many calls were paid for, and those that were begun after their answer had been recorded."""
        count, kept, again = 0, set(), []
        for line in (self.folder / "paid").read_text().splitlines():
            word, call = line.split(maxsplit=1)
            if word == "kept":
                kept.add(call)
                continue
            count += 1
            if call in kept:
                again.append(call)
        return count, again


async def produce(storm: Storm) -> None:
    """Requests at a steady rate for as long as the storm lasts."""
    producer = AIOKafkaProducer(bootstrap_servers=storm.settings.bootstrap_servers, acks="all")
    await producer.start()
    started = time.monotonic()
    while time.monotonic() - started < SECONDS:
        id_ = f"q{storm.sent}"
        await producer.send_and_wait(Topics(storm.settings.prefix).requests, wire.write(request(id_)), id_.encode())
        storm.sent += 1
        await asyncio.sleep(max(0.0, started + storm.sent / RATE - time.monotonic()))
    await producer.stop()


async def killing(storm: Storm, chance: random.Random) -> None:
    """kill -9 of a worker, back at once under its id."""
    await asyncio.sleep(chance.uniform(1, 4))
    member = chance.choice("abc")
    await asyncio.to_thread(storm.kill, member)
    storm.start(member)


async def freezing(storm: Storm, chance: random.Random) -> None:
    """SIGSTOP beyond the session timeout: the process that wakes up has lost its partitions."""
    await asyncio.sleep(chance.uniform(1, 3))
    process = storm.processes[chance.choice("abc")]
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(chance.uniform(3, 6))
    process.send_signal(signal.SIGCONT)


async def joining(storm: Storm, chance: random.Random) -> None:
    """A worker joins and, two seconds later, leaves: every rebalance takes all partitions from everybody."""
    member = f"guest-{storm.disturbances}"
    storm.start(member)
    await asyncio.sleep(2)
    storm.processes[member].terminate()
    await asyncio.sleep(2)


Disturb = Callable[[Storm, random.Random], Awaitable[None]]


@pytest.mark.parametrize(
    ("disturb", "delay_s", "most"),
    [
        # Every call that a killed process had not recorded is begun again: how many depends on the kills alone.
        pytest.param(killing, 1.0, 2.0, id="kill -9"),
        pytest.param(freezing, 1.0, 1.15, id="SIGSTOP"),
        pytest.param(joining, 3.0, 1.15, id="rebalances"),
    ],
)
async def test_storm(disturb: Disturb, delay_s: float, most: float, prefix: str, tmp_path: Path) -> None:
    """Nothing is lost, nothing is doubled, and little is paid for twice."""
    with cluster() as broker:
        settings = KafkaSettings(
            bootstrap_servers=broker.bootstrap,
            prefix=prefix,
            group=prefix,
            session_timeout_ms=2_000,
            rebalance_timeout_ms=6_000,
            request_timeout_ms=10_000,
            transaction_timeout_ms=10_000,
            poison_crashes=1_000,
        )
        storm = Storm(settings, tmp_path, delay_s)
        engine = create_engine(storm.url)
        async with engine.begin() as connection:
            await connection.run_sync(tables.claims.metadata.create_all)
        await engine.dispose()
        await create_topics(settings)
        try:
            await weather(storm, disturb)
        finally:
            for member in storm.processes:
                storm.kill(member)
    check(storm, most)


async def weather(storm: Storm, disturb: Disturb) -> None:
    """Disturb while requests come; then wait until each is finished, and read what has come of it."""
    for member in "abc":
        storm.start(member)
    chance = random.Random(7)
    producing = asyncio.create_task(produce(storm))
    while not producing.done():
        await disturb(storm, chance)
        storm.disturbances += 1
    await producing
    await eventually(storm.settled, seconds=SETTLE_S)
    await storm.read()


def check(storm: Storm, most: float) -> None:
    paid, again = storm.paid()
    needed = CALLS * storm.sent
    figures = {
        "sent": storm.sent,
        "verdicts": len(storm.verdicts),
        "disturbances": storm.disturbances,
        "paid_per_needed": round(paid / needed, 4),
    }
    print(json.dumps(figures))
    assert storm.dead == 0
    assert sorted(storm.verdicts) == sorted(f"q{number}" for number in range(storm.sent))
    assert [id_ for id_, values in storm.verdicts.items() if len(values) > 1] == []
    assert [id_ for id_, count in storm.signals.items() if count > 1] == []
    assert again == []
    assert paid <= most * needed
