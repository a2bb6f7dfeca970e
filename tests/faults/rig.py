"""The service as the fault tests run it: real worker processes on a real broker, a provider, a store, and an oracle."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy.ext.asyncio import AsyncEngine

from calibration.store.engine import create_engine
from calibration.store.migrate import migrate
from consensus import wire
from consensus.demo import configuration
from consensus.demo.cases import Case, vignettes
from consensus.demo.processes import Process, command, free_port, running
from consensus.errors import Retry
from consensus.kafka.client import partition_of
from consensus.kafka.dump import Dumped, dump
from consensus.kafka.offset_map import decode
from consensus.kafka.progress import positions
from consensus.kafka.topic_admin import create_topics
from consensus.kafka.topics import Topics
from consensus.settings import Settings, load
from consensus.testing.evidence import Evidence, gather
from consensus.testing.oracle import violations
from consensus.testing.paid import paid_again
from consensus.testing.run import Allowed, reconstruct
from consensus.types import Request, Ruling
from tests.eventually import eventually
from tests.faults.front import Faults, Front, front

PANEL = ("sim-atlas-1", "sim-borealis-2", "sim-cetus-1")
SETTLE_S = 180.0
"""Of a machine that does much else; a run that is well settles in seconds."""
LOOK_S = 0.2
"""Between two looks at what is committed: each takes a connection, and the machine is small."""
ENVIRONMENT = {configuration.PLACEHOLDER_KEY: "no-key-needed", "PYTHONDONTWRITEBYTECODE": ""}
"""Compiled modules are kept: these tests start many processes."""
QUESTIONS = 200
"""Different questions; more requests than that ask some of them again, under other ids."""


@dataclass
class Rig:
    """One test's service. ``sent``: the places (topic, partition, offset) of everything that was produced.

    ``provider`` is where models are asked and the oracle reads the calls; ``front`` what stands there, if anything.
    """

    folder: Path
    settings: Settings
    document: dict[str, Any]
    provider: str
    engine: AsyncEngine
    producer: AIOKafkaProducer
    cases: Sequence[Case]
    front: Front | None = None
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    sent: list[tuple[str, int, int]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.kafka.prefix)

    async def start(self, name: str, *death: str, service: str | None = None, **kafka: Any) -> Process:
        """Start a worker and wait until it is ready; ``death``: a point of `tests.faults.death` and a number.

        ``service`` names a command to run in its place, as it is. ``kafka`` overrides settings of that section. The
        same ``name`` is the same static member of the group.
        """
        process = await self.launch(name, *death, service=service, **kafka)
        await process.ready(f"127.0.0.1:{self.ports[name]}")
        return process

    async def launch(self, name: str, *death: str, service: str | None = None, **kafka: Any) -> Process:
        """`start` without waiting."""
        self.ports.setdefault(name, free_port())
        document = {**self.document, "kafka": {**self.document["kafka"], **kafka}}
        path = configuration.for_process(document, name, self.folder, self.ports)
        line = [sys.executable, "-m", "tests.faults.worker", str(path), *death]
        if service is not None:
            line = command(service, path)
        process = Process(name, line, self.folder / f"{name}.log", ENVIRONMENT)
        self.processes[name] = process
        await process.start()
        return process

    def request(self, name: str, **changes: Any) -> Request:
        """A request under an id of its own; its question is one that the provider knows."""
        case = self.cases[next(self.numbers) % len(self.cases)]
        return case.under(name).request.model_copy(update={"deadline_ms": None, **changes})

    async def send(self, requests: Iterable[Request], *, partition: int | None = None) -> None:
        """Produce requests, each marked, so that the oracle can tell the records of one id apart."""
        values = [
            (request.id, wire.write(request), partition_of(request.tenant, request.id, self.partitions))
            for request in requests
        ]
        await self.send_raw(
            [(key.encode(), value, place if partition is None else partition) for key, value, place in values]
        )

    async def send_rulings(self, rulings: Iterable[Ruling]) -> None:
        """Produce rulings, each to the partition that its task names."""
        await self.send_raw(
            [(one.request_id.encode(), wire.write(one), int(one.task_id.partition(":")[0])) for one in rulings],
            noun="rulings",
        )

    async def send_raw(
        self, records: Sequence[tuple[bytes | None, bytes | None, int]], *, noun: str = "requests"
    ) -> None:
        """Produce records of any content: key, value and partition."""
        topic = self.topics.named(noun)
        futures = []
        for key, value, partition in records:
            mark = f"{partition}-{next(self.numbers)}".encode()
            headers = [("schema-version", b"1"), ("x-record", mark)]
            futures.append(await self.producer.send(topic, value, key, partition=partition, headers=headers))
        for future in futures:
            found = await future
            self.sent.append((topic, found.partition, found.offset))

    @property
    def partitions(self) -> int:
        return self.settings.kafka.partitions

    async def unfinished(self) -> int:
        """Requests and rulings whose offsets are not committed as done."""
        found = await positions(self.settings.kafka)
        maps = {place: decode(position.offset, position.metadata) for place, position in found.items()}
        ends = {place: end for place, (_, end) in maps.items()}
        gaps = {(*place, offset) for place, (incomplete, _) in maps.items() for offset in incomplete}
        return sum(sent[2] >= ends[sent[:2]] or sent in gaps for sent in self.sent)

    async def unmoved(self, *, seconds: float) -> None:
        """See for some time that nothing of what is unfinished gets finished."""
        before, loop = await self.unfinished(), asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            assert await self.unfinished() == before

    async def settled(self, seconds: float = SETTLE_S) -> None:
        """Wait until every request that was sent is finished. AssertionError with the logs after ``seconds``."""
        await self.settled_to(0, seconds=seconds)

    async def settled_to(self, most: int, *, seconds: float = SETTLE_S) -> None:
        """Wait until at most so many requests are unfinished."""

        async def few_enough() -> bool:
            with suppress(Retry):  # the broker is what is broken
                if await self.unfinished() <= most:
                    return True
            await asyncio.sleep(LOOK_S)
            return False

        try:
            await eventually(few_enough, seconds=seconds)
        except TimeoutError:
            logs = "\n".join(f"--- {name}\n{process.tail(40)}" for name, process in self.processes.items())
            raise AssertionError(f"{await self.unfinished()} requests unfinished after {seconds:g} s\n{logs}") from None

    async def dumped(self, noun: str) -> list[Dumped]:
        """The committed records of one topic."""
        return await dump(self.settings.kafka, self.topics.named(noun))

    async def evidence(self, *, chained: bool = False) -> Evidence:
        """Everything that is there now; meaningful while nothing moves."""
        return await gather(self.settings.kafka, self.engine, self.provider, chained=chained)

    async def unrecorded(self) -> int:
        """Calls that were made and whose answers are not in the ledger: what a crash that just happened costs."""
        run = reconstruct(await self.evidence(), self.settings, Allowed())
        return sum(paid_again(run).values())

    async def verify(self, *, chained: bool = False, paid_again: int = 0, repeats: bool = False) -> Evidence:
        """The oracle's verdict on the run, which must be clean."""
        evidence = await self.evidence(chained=chained)
        found = violations(evidence, self.settings, Allowed(paid_again, repeats))
        assert not found, "\n".join(map(str, found[:20]))
        return evidence

    def add_policy(self, name: str, models: Sequence[str]) -> None:
        """Another policy with a panel of its own, for processes that are started from now on and for the oracle."""
        self.document["panels"][name] = {"models": list(models), "quorum": 2, "min_families": 2}
        self.document["policies"][name] = {"panel": name, "deadline_ms": 120_000}
        self.reload()

    def reload(self) -> None:
        """The settings of the changed document."""
        self.settings = load(str(configuration.write(self.document, self.folder / "consensus.yaml")))

    async def configure(self, noun: str, **settings: object) -> None:
        """Give a topic other settings (dots as underscores); those that are not named go back to the broker's own."""
        named = {name.replace("_", "."): str(value) for name, value in settings.items()}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka.bootstrap_servers)
        await admin.start()
        try:
            topic = ConfigResource(ConfigResourceType.TOPIC, self.topics.named(noun), configs=named)
            await admin.alter_configs([topic])
        finally:
            await admin.close()

    async def remove(self, noun: str) -> None:
        """Delete a topic; `restore` brings it back, empty."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka.bootstrap_servers)
        await admin.start()
        try:
            await admin.delete_topics([self.topics.named(noun)])
        finally:
            await admin.close()

    async def restore(self) -> None:
        """Create the topics that are missing."""
        await create_topics(self.settings.kafka)

    async def order(self, model: str = "*", **order: Any) -> None:
        """Tell the provider how to behave from now on (`consensus.demo.trouble.Order`)."""
        address = self.provider.removesuffix("/v1") + "/control"
        async with aiohttp.ClientSession() as session, session.post(address, json={"model": model, **order}) as reply:
            assert reply.status == 200, await reply.text()

    async def calls(self) -> int:
        """Calls that the provider has seen."""
        address = self.provider.removesuffix("/v1") + "/calls?since=1000000000"
        async with aiohttp.ClientSession() as session, session.get(address) as reply:
            return int((await reply.json())["total"])

    async def asked(self, number: int, *, seconds: float = SETTLE_S) -> None:
        """Wait until the provider has seen ``number`` calls."""

        async def enough() -> bool:
            return await self.calls() >= number

        await eventually(enough, seconds=seconds)

    async def died(self, name: str, *, seconds: float = SETTLE_S) -> None:
        """Wait until a process has ended by itself."""
        process = self.processes[name]
        await eventually(lambda: process.returncode is not None, seconds=seconds)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process that runs."""
        if self.processes[name].returncode is None:
            os.kill(self.processes[name].pid, number)

    async def frozen(self, name: str, *, seconds: float = SETTLE_S) -> None:
        """Wait until a process has been stopped by SIGSTOP."""
        stat = Path(f"/proc/{self.processes[name].pid}/stat")
        await eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", seconds=seconds)

    async def stop(self) -> None:
        """End every process that still runs; one that is frozen must run for that."""
        for name in self.processes:
            self.signal(name, signal.SIGCONT)
        await asyncio.gather(*(process.stop() for process in self.processes.values()))


@asynccontextmanager
async def rig(
    folder: Path,
    bootstrap: str,
    prefix: str,
    *,
    store: str | None = None,
    model_timeout_s: float = 10.0,
    kafka: Mapping[str, Any] | None = None,
    faults: Faults | None = None,
) -> AsyncIterator[Rig]:
    """Provider, topics and store are there; no worker runs yet. ``kafka``: settings that differ from the rig's own.

    ``faults``: put a `Front` with these before the provider.
    """
    cases = vignettes(QUESTIONS, seed=11)
    port = free_port()
    provider = f"http://127.0.0.1:{port}/v1"
    truths = configuration.truths(cases, folder / "truths.jsonl")
    serve = [sys.executable, "-m", "consensus.demo.provider", "--port", str(port), "--questions", str(truths)]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            running(Process("provider", serve, folder / "provider.log", {}), f"127.0.0.1:{port}")
        )
        before = None if faults is None else await stack.enter_async_context(front(provider, faults))
        provider = provider if before is None else f"{before.url}/v1"
        document = _document(folder, bootstrap, provider, {"prefix": prefix, "group": prefix, **(kafka or {})})
        if store is not None:
            document["store"] = {"url": store}
        for model in document["models"].values():
            model["timeout_s"] = model_timeout_s
        settings = load(str(configuration.write(document, folder / "consensus.yaml")))
        engine = create_engine(settings.store.url)
        stack.push_async_callback(engine.dispose)
        await migrate(engine)
        await create_topics(settings.kafka)
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        stack.push_async_callback(producer.stop)
        made = Rig(folder, settings, document, provider, engine, producer, cases, before)
        stack.push_async_callback(made.stop)
        yield made


def _document(folder: Path, bootstrap: str, provider: str, kafka: Mapping[str, Any]) -> dict[str, Any]:
    """The demonstration's configuration with a smaller panel, and everything quick to notice a death."""
    document = configuration.simulated(bootstrap, provider, folder, {"grpc": free_port()})
    document["panels"] = {"main": {"models": list(PANEL), "quorum": 2, "min_families": 2}}
    document["kafka"] = {
        "bootstrap_servers": bootstrap,
        "partitions": 2,
        "session_timeout_ms": 2_000,
        "rebalance_timeout_ms": 5_000,
        "request_timeout_ms": 10_000,
        "transaction_timeout_ms": 10_000,
        "drain_seconds": 15,
        "poison_crashes": 1_000,
        **kafka,
    }
    document["telemetry"]["log_level"] = "info"
    return document
