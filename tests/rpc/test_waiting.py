"""Inboxes and who gets what: order, bounds, the end of everything."""

from __future__ import annotations

import asyncio

import pytest

from consensus.errors import BrokerUnavailable, Conflict, Overloaded
from consensus.kafka.waiting import INBOX, Inbox, Waiting
from consensus.metrics import Metrics
from consensus.types import Verdict, Vote


def waiting(limit: int = 4) -> Waiting:
    return Waiting(limit, Metrics())


async def test_an_inbox_gives_values_in_order_and_then_its_failure() -> None:
    inbox = Inbox()
    inbox.put(Vote, b"1")
    inbox.put(Verdict, b"2")
    inbox.fail(Conflict("late"))
    assert [await inbox.get(), await inbox.get()] == [(Vote, b"1"), (Verdict, b"2")]
    with pytest.raises(Conflict, match="late"):
        await inbox.get()


async def test_a_full_inbox_keeps_the_newest() -> None:
    inbox = Inbox()
    for number in range(INBOX + 3):
        inbox.put(Verdict, str(number).encode())
    assert await inbox.get() == (Verdict, b"3")


async def test_a_waiting_get_wakes_up() -> None:
    inbox = Inbox()
    getting = asyncio.ensure_future(inbox.get())
    await asyncio.sleep(0)
    inbox.put(Verdict, b"1")
    assert await getting == (Verdict, b"1")


async def test_values_go_to_the_call_they_name_and_to_watchers_of_the_id() -> None:
    everyone = waiting()
    with everyone.call() as (one, mine), everyone.call() as (two, other), everyone.watch("r") as watcher:
        assert one != two
        everyone.verdict(one, "r", b"verdict")
        everyone.verdict("unknown", "r", b"another")
        everyone.verdict(None, "elsewhere", b"not ours")
        everyone.vote(two, b"vote")
        everyone.dead_letter("unknown", Conflict("not ours"))
        everyone.dead_letter(two, Conflict("ours"))
        assert await mine.get() == (Verdict, b"verdict")
        assert [await watcher.get(), await watcher.get()] == [(Verdict, b"verdict"), (Verdict, b"another")]
        assert await other.get() == (Vote, b"vote")
        with pytest.raises(Conflict, match="ours"):
            await other.get()
    assert len(everyone) == 0
    everyone.verdict(one, "r", b"nobody waits")


async def test_two_watchers_of_one_id_leave_one_by_one() -> None:
    everyone = waiting()
    with everyone.watch("r") as stays:
        with everyone.watch("r"):
            assert len(everyone) == 2
        everyone.verdict(None, "r", b"1")
        assert await stays.get() == (Verdict, b"1")


def test_the_limit_counts_calls_and_watchers() -> None:
    everyone = waiting(limit=2)
    with everyone.call(), everyone.watch("r"):
        with pytest.raises(Overloaded, match="2 calls"), everyone.call():
            pass
        with pytest.raises(Overloaded), everyone.watch("r"):
            pass
    with everyone.call(), everyone.call():
        assert len(everyone) == 2


async def test_failing_ends_every_wait_and_refuses_new_ones() -> None:
    everyone = waiting()
    with everyone.call() as (_, call), everyone.watch("r") as watcher:
        everyone.fail(BrokerUnavailable("gone"))
        for inbox in (call, watcher):
            with pytest.raises(BrokerUnavailable, match="gone"):
                await inbox.get()
    with pytest.raises(BrokerUnavailable, match="gone"), everyone.call():
        pass
    assert len(everyone) == 0
