"""The watchdog: dead client tasks and lanes that stand still, told apart from a frozen process and a broker away."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from consensus.kafka.watchdog import Stillness, Stuck, Watchdog, dead_tasks


def test_stillness_counts_ticks_without_movement() -> None:
    """A lane that moves, or that has nothing to do for a while, starts again at zero."""
    stillness = Stillness()
    assert stillness.tick({"a": 1, "b": 1}) == {"a": 0, "b": 0}
    assert stillness.tick({"a": 1, "b": 2}) == {"a": 1, "b": 0}
    assert stillness.tick({"a": 1}) == {"a": 2}
    assert stillness.tick({"a": 1, "b": 2}) == {"a": 3, "b": 0}


def consumer(*, fetching: asyncio.Future[None] | None = None) -> Any:
    """What the watchdog looks at of a consumer."""
    return SimpleNamespace(
        _fetcher=SimpleNamespace(_fetch_task=fetching), _coordinator=SimpleNamespace(_coordination_task=None)
    )


async def run(watched: Any, positions: dict[str, int], reachable: list[bool]) -> None:
    async def reach() -> bool:
        return reachable.pop(0)

    dog = Watchdog(watched, lambda: positions, reach, tick_s=0.001, patience=5)
    async with asyncio.timeout(10):
        await dog.run()


async def test_a_dead_fetcher_is_noticed() -> None:
    """A task that has ended makes a consumer that returns nothing for ever: the process must go."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended.set_result(None)
    assert dead_tasks(consumer(fetching=ended)) == ["fetching"]
    with pytest.raises(Stuck, match="fetching"):
        await run(consumer(fetching=ended), {}, [True])


async def test_a_lane_that_stands_still_is_noticed() -> None:
    """It is named; while the broker is away nothing is concluded."""
    reachable = [False, False, True]
    started = asyncio.get_running_loop().time()
    with pytest.raises(Stuck, match="lane-3"):
        await run(consumer(), {"lane-3": 7}, reachable)
    assert reachable == []
    assert asyncio.get_running_loop().time() - started >= 3 * 5 * 0.001


async def test_a_process_without_trouble_is_left_alone() -> None:
    """Nothing that should move and living tasks: no alarm, and nobody asks the broker."""
    alive: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    dog = asyncio.create_task(run(consumer(fetching=alive), {}, []))
    done, _ = await asyncio.wait([dog], timeout=0.1)
    assert not done
    dog.cancel()
    await asyncio.wait([dog])
