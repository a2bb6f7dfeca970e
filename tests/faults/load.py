"""Long runs under load: workers that die at random, workers that come and go, and offsets that must never go back."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from consensus.errors import Retry
from consensus.kafka.offset_map import decode
from consensus.kafka.offsets import Position
from consensus.kafka.progress import Place, positions
from consensus.testing.paid import paid_again
from consensus.testing.run import Allowed, reconstruct
from tests.faults.rig import LOOK_S, PANEL, Rig

WORKERS = ("worker-0", "worker-1", "worker-2")
IN_FLIGHT = 20

LONG_MS = 3_600_000
"""Deadline of what waits in a backlog: all of it is to be decided, none to expire."""

RSS_GROWTH_MB = 60
"""A worker's growth from its first decisions to the end of a backlog, whatever waits in the topic."""


@dataclass(frozen=True)
class Paid:
    """What a run has cost: calls that the provider saw, and those among them that were needed."""

    calls: int
    needed: int

    @property
    def ratio(self) -> float:
        return self.calls / self.needed


async def paid(house: Rig) -> Paid:
    """Count the calls of a run that has come to rest."""
    run = reconstruct(await house.evidence(), house.settings, Allowed())
    calls = len(run.evidence.calls)
    return Paid(calls, calls - sum(paid_again(run).values()))


async def random_kills(house: Rig, *, kills: int, requests: int, gap_s: tuple[float, float], seed: int) -> int:
    """Kill a worker at random again and again while requests arrive; returns how many calls that may have cost."""
    draw = random.Random(seed)
    for name in WORKERS:
        await house.start(name, in_flight=IN_FLIGHT)
    for number in range(kills):
        share = range(requests * number // kills, requests * (number + 1) // kills)
        await house.send(house.request(f"r-{one}") for one in share)
        await asyncio.sleep(draw.uniform(*gap_s))  # the fault's own time, not a wait for something
        name = draw.choice(WORKERS)
        house.processes[name].kill()
        await house.died(name)
        await house.launch(name, in_flight=IN_FLIGHT)
    return kills * IN_FLIGHT * len(PANEL)


async def storm(house: Rig, *, seconds: float, every_s: float, each: int, seed: int) -> tuple[int, int]:
    """A worker joins or leaves every few seconds, and ``each`` requests arrive each time; one worker stays throughout.

    Returns how often, and how many requests there were.
    """
    draw, loop = random.Random(seed), asyncio.get_running_loop()
    await house.start("anchor")
    until, changes = loop.time() + seconds, 0
    while loop.time() < until:
        await house.send(house.request(f"r-{changes}-{number}") for number in range(each))
        name = draw.choice(WORKERS)
        process = house.processes.get(name)
        if process is None or process.returncode is not None:
            await house.launch(name)
        else:
            house.signal(name, signal.SIGTERM)
        changes += 1
        await asyncio.sleep(every_s)  # the storm's own pace
    return changes, changes * each


@dataclass(frozen=True)
class Memory:
    """Resident size of a worker in megabytes: once warm, and at most until its backlog was done."""

    warm_mb: float
    most_mb: float

    @property
    def growth_mb(self) -> float:
        return self.most_mb - self.warm_mb


async def backlog(house: Rig, *, requests: int, warm: int, in_flight: int) -> Memory:
    """One worker works off requests that were there before it; its memory, also printed. ``warm``: after so many."""
    await house.send(house.request(f"r-{number}", deadline_ms=LONG_MS) for number in range(requests))
    worker = await house.start("worker", in_flight=in_flight)
    async with sampled(worker.pid) as sizes:
        await house.settled_to(requests - warm)
        found = max(sizes)
        await house.settled(1_200)
    memory = Memory(found, max(sizes))
    print(
        f"{requests} requests, {in_flight} in flight: {memory.warm_mb:.0f} MB after {warm}, at most {max(sizes):.0f} MB"
    )
    return memory


@asynccontextmanager
async def sampled(pid: int) -> AsyncIterator[list[float]]:
    """The resident size of a process in megabytes, again and again."""
    sizes: list[float] = []

    async def sample() -> None:
        while True:
            sizes.append(resident_mb(pid))
            await asyncio.sleep(0.2)  # the samples' distance

    sampling = asyncio.create_task(sample())
    try:
        yield sizes
    finally:
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def never_going_back(house: Rig) -> AsyncIterator[None]:
    """Look at what the group commits, again and again: no offset and no finished record above it may be taken back."""
    over = asyncio.Event()
    watching = asyncio.create_task(_watch(house, over))
    try:
        yield
    finally:
        over.set()  # not cancelled: the client library leaves a connection open that is cancelled while it is made
        await watching


async def _watch(house: Rig, over: asyncio.Event) -> None:
    seen: Mapping[Place, Position] = {}
    while not over.is_set():
        try:
            now = await positions(house.settings.kafka)
        except Retry:
            continue  # asked again at once: the call itself has waited
        for place, before in seen.items():
            _compare(place, before, now[place])
        seen = now
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await over.wait()


def _compare(place: Place, before: Position, after: Position) -> None:
    assert after.offset >= before.offset, f"{place}: committed offset went back from {before.offset} to {after.offset}"
    incomplete, end = decode(before.offset, before.metadata)
    finished = set(range(before.offset, end)) - set(incomplete)
    incomplete_now, end_now = decode(after.offset, after.metadata)
    open_again = finished & (set(incomplete_now) | set(range(max(after.offset, end_now), end)))
    assert not open_again, f"{place}: finished records are open again: {sorted(open_again)[:5]}"
