"""One or three real Kafka brokers on free ports of the loopback interface, to be killed, frozen and started again.

Everything here is synchronous, so that a cluster outlives the event loop of a single test: call what waits through
`asyncio.to_thread`. ``advertised`` puts a proxy in front of the brokers: clients are sent to those ports instead.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consensus.demo.processes import free_port
from tests.kafka import distribution
from tests.kafka.guard import Guard

START_S = 180.0
FORMAT_S = 120.0
POLL_S = 0.05

FAST = {
    "auto.create.topics.enable": "false",
    "broker.heartbeat.interval.ms": "250",
    "broker.session.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "offsets.topic.num.partitions": "1",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "transaction.state.log.num.partitions": "1",
}
"""What makes brokers quick to start, to notice a death and to give up a transaction."""


@dataclass(frozen=True)
class Ports:
    """Where one broker listens: for clients, for its peers, and as a controller."""

    client: int
    peer: int
    controller: int


class Broker:
    """One broker process with a data folder that outlives it."""

    def __init__(self, folder: Path, ports: Ports, properties: dict[str, str], group: int) -> None:
        self.ports = ports
        self._group = group
        self._folder = folder
        self._config = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self._config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()), encoding="utf-8")

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is frozen)."""
        return self._process is not None and self._process.poll() is None

    def format(self, cluster_id: str) -> None:
        """Make the data folder; once, before the first start."""
        tool = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(self._config))
        with self._log.open("ab") as log:
            subprocess.run(
                distribution.java(*tool, archive=_shared()), stdout=log, stderr=log, timeout=FORMAT_S, check=True
            )

    def launch(self, archive: Sequence[str] | None = None) -> None:
        """Start the process; `wait` says when it listens."""
        options = _shared() if archive is None else archive
        command = distribution.java("kafka.Kafka", str(self._config), archive=options)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                process_group=self._group,
            )

    def wait(self) -> None:
        """Return once clients can connect. Raises KafkaMissing with the end of the log."""
        deadline = time.monotonic() + START_S
        while not _open(self.ports.client):
            if not self.alive or time.monotonic() > deadline:
                text = self._log.read_text(encoding="utf-8", errors="replace")
                raise distribution.KafkaMissing(f"a broker did not start:\n{text[-2_000:]}")
            time.sleep(POLL_S)

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def leave(self, seconds: float = 30.0) -> None:
        """A clean stop, as in a rolling restart; kill -9 when it takes longer."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self.alive:
            return
        self._process.send_signal(number)
        if number is signal.SIGKILL:
            self._process.wait()


class Cluster:
    """Brokers that know one another; every internal topic is replicated to all of them."""

    def __init__(self, folder: Path, count: int, advertised: Sequence[int] = (), **properties: str) -> None:
        free = iter(free_ports(3 * count, taken=advertised))
        ports = [Ports(next(free), next(free), next(free)) for _ in range(count)]
        reached = advertised or [port.client for port in ports]
        self._guard = Guard(folder)
        self.brokers = [
            Broker(
                folder / f"broker-{n}",
                ports[n - 1],
                _properties(folder, n, ports, reached[n - 1], properties),
                self._guard.group,
            )
            for n in range(1, count + 1)
        ]
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in reached)

    def start(self) -> None:
        """Format every data folder, start every broker and wait until all listen."""
        cluster_id = base64.urlsafe_b64encode(b"\x01" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        for broker in self.brokers:
            broker.format(cluster_id)
        self.restart()

    def restart(self) -> None:
        """Start every broker that is dead, on the data that it has."""
        dead = [broker for broker in self.brokers if not broker.alive]
        for broker in dead:
            broker.launch()
        for broker in dead:
            broker.wait()

    def kill(self) -> None:
        """kill -9 of every broker."""
        for broker in self.brokers:
            broker.kill()

    def end(self) -> None:
        """`kill`, for good."""
        self.kill()
        self._guard.dismiss()


@contextmanager
def cluster(count: int = 1, advertised: Sequence[int] = (), **properties: str) -> Iterator[Cluster]:
    """A running cluster, killed at the end. Raises KafkaMissing where Java or Maven is not installed."""
    _archive_classes()
    folder = Path(tempfile.mkdtemp(prefix="consensus-kafka-"))
    made = Cluster(folder, count, advertised, **properties)
    try:
        made.start()
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int, taken: Sequence[int] = ()) -> list[int]:
    """Different ports of the loopback interface that nobody listens on now, none of them among ``taken``."""
    found: list[int] = []
    while len(found) < count:
        port = free_port()
        if port not in (*found, *taken):
            found.append(port)
    return found


def _properties(folder: Path, number: int, ports: list[Ports], reached: int, more: dict[str, str]) -> dict[str, str]:
    own, count = ports[number - 1], len(ports)
    listeners = {"PEER": own.peer, "CLIENT": own.client, "CONTROLLER": own.controller}
    replicas, enough = str(count), str(min(2, count))
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{port.controller}" for n, port in enumerate(ports, 1)),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PEER",
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
        "advertised.listeners": f"PEER://127.0.0.1:{own.peer},CLIENT://127.0.0.1:{reached}",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        "log.dirs": str(folder / f"broker-{number}" / "data"),
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": enough,
        **FAST,
        **{name.replace("_", "."): value for name, value in more.items()},
    }


def _shared() -> tuple[str, ...]:
    archive = distribution.class_data()
    return (f"-XX:SharedArchiveFile={archive}",) if archive.is_file() else ()


def _archive_classes() -> None:
    """Write the class-data archive with a first broker that is stopped cleanly; once for each user and version."""
    archive = distribution.class_data()
    distribution.jars()
    if archive.is_file():
        return
    folder = Path(tempfile.mkdtemp(prefix="consensus-kafka-"))
    temporary = archive.with_suffix(f".{os.getpid()}")
    first = Cluster(folder, 1)
    try:
        [broker] = first.brokers
        broker.format(base64.urlsafe_b64encode(b"\x01" + uuid.uuid4().bytes[1:]).decode().rstrip("="))
        broker.launch((f"-XX:ArchiveClassesAtExit={temporary}",))
        broker.wait()
        broker.leave(seconds=60)
        if temporary.is_file():
            temporary.replace(archive)
    finally:
        first.end()
        shutil.rmtree(folder, ignore_errors=True)


def _open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
