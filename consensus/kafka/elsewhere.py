"""Records whose id somebody else is deciding: duplicates, and records whose calls another process still finishes.

All of them ask the ledger again together, soon after a decision was stored here and at an interval for those of other
processes. A process that promised to finish shows that it lives by a beat; when the beat stands still it is held to be
gone and its record is decided here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from consensus.ledger import Asked, Claim, Ledger, Standing
from consensus.patience import patiently

INTERVAL_S = 0.25
GONE_S = 5.0
"""A beat comes every second; one that stands still for so long will not come again."""

Answer = tuple[Standing, Claim]


def sure_s(session_timeout_ms: int) -> float:
    """For how many seconds nobody takes over what a process has just seen to be its own, though it may be frozen.

    Half of the least time that others wait, since the last sign of life may be older than what was seen.
    """
    return min(session_timeout_ms / 1000, GONE_S) / 2


class Beats:
    """Watches how long the beats of other processes have stood still, by this process's own clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    def watch(self, beats: dict[str, int]) -> set[str]:
        """Note the beats as they are now; returns the processes that are held to be gone."""
        now = self._clock()
        for run, beat in beats.items():
            if run not in self._seen or self._seen[run][0] != beat:
                self._seen[run] = (beat, now)
        self._seen = {run: seen for run, seen in self._seen.items() if run in beats}
        return {run for run, (_, since) in self._seen.items() if now - since >= GONE_S}


@dataclass
class _Waiter:
    asked: Asked
    claim: Claim
    future: asyncio.Future[Answer]


class Elsewhere:
    """The waiting records of this process. `run` must be running for `wait` to end."""

    def __init__(self, ledger: Ledger, stored: asyncio.Event, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``stored`` is set whenever this process has stored a decision."""
        self._ledger = ledger
        self._stored = stored
        self._beats = Beats(clock)
        self._waiters: list[_Waiter] = []
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiters)

    async def wait(self, asked: Asked, claim: Claim) -> Answer:
        """Wait until the record must do something else than wait."""
        waiter = _Waiter(asked, claim, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._arrived.set()
        return await waiter.future

    async def run(self) -> None:
        """Ask for those who wait until cancelled."""
        while True:
            self._waiters = [waiter for waiter in self._waiters if not waiter.future.done()]
            if not self._waiters:
                self._arrived.clear()
                await self._arrived.wait()
            await self._pause()
            await patiently(self._ask, "asking after decisions made elsewhere")

    async def _pause(self) -> None:
        """Until something was stored here, at most for the interval."""
        self._stored.clear()
        try:
            async with asyncio.timeout(INTERVAL_S):
                await self._stored.wait()
        except TimeoutError:
            return

    async def _ask(self) -> None:
        waiters = [waiter for waiter in self._waiters if not waiter.future.done()]
        if not waiters:
            return
        gone = await self._gone([waiter.claim for waiter in waiters])
        asked = [waiter.asked for waiter in waiters]
        self._answer(waiters, await self._ledger.claims.claim(asked, now=datetime.now(UTC), gone=gone))

    async def _gone(self, claims: Sequence[Claim]) -> Collection[str]:
        finishing = {claim.finishing for claim in claims if claim.finishing is not None}
        return self._beats.watch(await self._ledger.runs.beats(finishing))

    def _answer(self, waiters: Sequence[_Waiter], answers: Sequence[Answer]) -> None:
        for waiter, (standing, claim) in zip(waiters, answers, strict=True):
            waiter.claim = claim
            if standing is not Standing.WAIT and not waiter.future.done():
                waiter.future.set_result((standing, claim))
