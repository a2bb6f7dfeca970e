"""Notices what nobody reports: client tasks that have died, and lanes that should move and do not.

A consumer whose fetching task has died returns nothing for ever, without an error. Time is counted in ticks of its own,
so that a process that was stopped and continued raises no alarm. Nothing is concluded while the broker is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer

from consensus.errors import Stop

TICK_S = 1.0
PATIENCE = 120
"""Ticks without movement."""

log = structlog.get_logger()

Positions = Mapping[str, Hashable]
"""For each lane that should be moving, by name: something that changes when it moves."""


class Stuck(Stop):
    """This process does not work any more; the platform must start a new one."""


class Stillness:
    """Counts for how many ticks each lane has stood still."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Hashable, int]] = {}

    def tick(self, positions: Positions) -> dict[str, int]:
        """Note the positions; returns the ticks since each one changed. A lane that is missing may stand still."""
        counted = {}
        for name, position in positions.items():
            before, ticks = self._seen.get(name, (None, 0))
            counted[name] = (position, ticks + 1 if before == position else 0)
        self._seen = counted
        return {name: ticks for name, (_, ticks) in counted.items()}


class Watchdog:
    """``positions`` tells which lanes should be moving, ``reachable`` asks a fresh client for the broker."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        positions: Callable[[], Positions],
        reachable: Callable[[], Awaitable[bool]],
        *,
        tick_s: float = TICK_S,
        patience: int = PATIENCE,
    ) -> None:
        self._consumer = consumer
        self._positions = positions
        self._reachable = reachable
        self._tick_s = tick_s
        self._patience = patience

    async def run(self) -> None:
        """Watch until cancelled. Raises Stuck, when the broker can be reached and this process makes nothing of it."""
        stillness = Stillness()
        while True:
            await asyncio.sleep(self._tick_s)
            still = stillness.tick(self._positions())
            trouble = dead_tasks(self._consumer) + [name for name, ticks in still.items() if ticks >= self._patience]
            if not trouble:
                continue
            if await self._reachable():
                raise Stuck(f"these have stopped working: {', '.join(trouble)}")
            log.warning("waiting for the broker", still=trouble)
            stillness = Stillness()  # whoever waited for the broker gets its time once it is back


def dead_tasks(consumer: AIOKafkaConsumer) -> list[str]:
    """The consumer's background tasks that have ended; a closed or unstarted consumer has none."""
    fetcher, coordinator = consumer._fetcher, consumer._coordinator
    tasks = {
        "fetching": getattr(fetcher, "_fetch_task", None),
        "group coordination": getattr(coordinator, "_coordination_task", None),
    }
    return [name for name, task in tasks.items() if task is not None and task.done()]
